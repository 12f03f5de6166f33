"""A folder that any web server can publish: Atom, GeoJSON and a static STAC catalogue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple
from xml.etree import ElementTree as ET

import shapely
from pydantic import Field

from cvlarray.alerts.deliver.address import Url
from cvlarray.alerts.deliver.channel import Secrets, SendError
from cvlarray.alerts.deliver.message import Message
from cvlarray.alerts.deliver.settings import ChannelSettings
from cvlarray.alerts.package import json_bytes, zip_bytes
from cvlarray.alerts.package.feature import (
    COLLECTION,
    STAC_VERSION,
    item_name,
    item_of,
    midnight,
)
from cvlarray.errors import StoreError
from cvlarray.store import write_atomic

__all__ = ["Feed", "FeedChannel"]

ATOM = "http://www.w3.org/2005/Atom"
GEORSS = "http://www.georss.org/georss"
MAX_ENTRIES = 500
"""Of the Atom feed, the newest; GeoJSON and STAC have all."""


class Feed(ChannelSettings):
    """A folder to publish."""

    is_public: ClassVar[bool] = True

    kind: Literal["feed"] = Field(default="feed", description="Always feed.")
    path: str = Field(min_length=1, description="Folder, made if absent; relative to this YAML.")
    url: Url = Field(description="https:// URL under which the folder is published.")
    title: str = Field(
        default="Forest change alerts", min_length=1, description="Title of the feed."
    )

    def channel(self, secrets: Secrets) -> FeedChannel:  # noqa: ARG002 (as the others)
        """Return the channel."""
        return FeedChannel(Path(self.path), self.url.rstrip("/"), self.title)


class _Feature(NamedTuple):
    """What the lists say of one alert, made once."""

    event_id: str
    text: str
    """GeoJSON."""
    item: str
    """Name of its Item."""
    bounds: tuple[float, float, float, float]
    first_detected: str | None


class _Told(NamedTuple):
    """A message of the feed."""

    entry: dict[str, Any]
    features: list[_Feature]


@dataclass(frozen=True)
class FeedChannel:
    """Adds each message to the feed.

    The messages' own files come first, the lists of them after, each replaced in one step: a
    reader never finds an entry without its files. Adding a message twice changes nothing.
    """

    folder: Path
    url: str
    title: str = "Forest change alerts"
    _told: dict[str, _Told] = field(default_factory=dict, repr=False, compare=False)
    """Messages by their file's name; a message's file is read once."""

    def send(self, message: Message) -> str:
        """Write the message's files and the lists anew."""
        try:
            write_atomic(self.folder / f"packages/{message.name}.zip", zip_bytes(message.files))
            self._write_items(message)
            write_atomic(self.folder / f"messages/{message.key}.json", json_bytes(_entry(message)))
            self._write_lists()
        except (StoreError, OSError) as error:
            raise SendError(str(error)) from error
        return f"{self.url}/packages/{message.name}.zip"

    def _write_lists(self) -> None:
        for path in (self.folder / "messages").glob("*.json"):
            if path.name not in self._told:
                self._told[path.name] = _read(json.loads(path.read_bytes()))
        told = sorted(
            self._told.values(), key=lambda each: (each.entry["created_at"], each.entry["key"])
        )
        features = _latest(told)
        listed = ",\n".join(each.text for each in features)
        write_atomic(
            self.folder / "alerts.geojson",
            f'{{"type": "FeatureCollection", "features": [\n{listed}\n]}}\n',
        )
        write_atomic(self.folder / "collection.json", json_bytes(self._collection(features)))
        entries = [each.entry for each in told[-MAX_ENTRIES:]]
        write_atomic(self.folder / "feed.atom", self._atom(entries))

    def _write_items(self, message: Message) -> None:
        for told in message.features:
            package = {
                "href": f"../packages/{message.name}.zip",
                "type": "application/zip",
                "roles": ["data"],
            }
            item = item_of(told, {"package": package}, collection_href="../collection.json")
            write_atomic(self.folder / f"items/{item['id']}.json", json_bytes(item))

    def _collection(self, features: Sequence[_Feature]) -> dict[str, Any]:
        west, south, east, north = zip(*(each.bounds for each in features), strict=True)
        days = [each.first_detected for each in features if each.first_detected]
        first, last = (min(days), max(days)) if days else (None, None)
        return {
            "type": "Collection",
            "stac_version": STAC_VERSION,
            "id": COLLECTION,
            "title": self.title,
            "description": "Dated changes of forest with area, confidence and jurisdiction.",
            "license": "other",
            "extent": {
                "spatial": {"bbox": [[min(west), min(south), max(east), max(north)]]},
                "temporal": {"interval": [[midnight(first), midnight(last)]]},
            },
            "links": [
                {"rel": "self", "href": f"{self.url}/collection.json", "type": "application/json"},
                *(
                    {
                        "rel": "item",
                        "href": f"./items/{each.item}.json",
                        "type": "application/geo+json",
                    }
                    for each in features
                ),
            ],
        }

    def _atom(self, entries: Sequence[dict[str, Any]]) -> bytes:
        root = ET.Element("feed", {"xmlns": ATOM, "xmlns:georss": GEORSS})
        ET.SubElement(root, "id").text = f"{self.url}/feed.atom"
        ET.SubElement(root, "title").text = self.title
        ET.SubElement(root, "updated").text = entries[-1]["created_at"]
        ET.SubElement(ET.SubElement(root, "author"), "name").text = "cvlarray"
        ET.SubElement(root, "link", rel="self", href=f"{self.url}/feed.atom")
        for entry in reversed(entries):
            element = ET.SubElement(root, "entry")
            ET.SubElement(element, "id").text = f"urn:cvlarray:message:{entry['key']}"
            ET.SubElement(element, "title").text = entry["subject"]
            ET.SubElement(element, "updated").text = entry["created_at"]
            ET.SubElement(element, "summary").text = entry["text"]
            package = f"{self.url}/packages/{entry['name']}.zip"
            ET.SubElement(element, "link", rel="enclosure", type="application/zip", href=package)
            link = entry["features"][0]["properties"].get("verification_url") or package
            ET.SubElement(element, "link", rel="alternate", href=link)
            for told in entry["features"]:
                for part in shapely.get_parts(shapely.geometry.shape(told["geometry"])):
                    outer = shapely.get_coordinates(shapely.get_exterior_ring(part))
                    text = " ".join(f"{y:.7f} {x:.7f}" for x, y in outer)
                    ET.SubElement(element, "georss:polygon").text = text
        ET.indent(root)
        content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        return content + b"\n"


def _entry(message: Message) -> dict[str, Any]:
    return {
        "key": message.key,
        "name": message.name,
        "created_at": message.created_at.isoformat(timespec="seconds"),
        "subject": message.subject,
        "text": message.text,
        "features": list(message.features),
    }


def _read(entry: dict[str, Any]) -> _Told:
    return _Told(entry, [_feature(each) for each in entry["features"]])


def _feature(told: dict[str, Any]) -> _Feature:
    return _Feature(
        event_id=told["id"],
        text=json.dumps(told, ensure_ascii=False, allow_nan=False, sort_keys=True),
        item=item_name(told),
        bounds=shapely.geometry.shape(told["geometry"]).bounds,
        first_detected=told["properties"].get("first_detected"),
    )


def _latest(told: Sequence[_Told]) -> list[_Feature]:
    """Return the features of the last version of each alert, as the messages came."""
    latest = {feature.event_id: feature for each in told for feature in each.features}
    return [latest[event_id] for event_id in sorted(latest)]
