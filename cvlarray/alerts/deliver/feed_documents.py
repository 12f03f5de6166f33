"""What a feed's lists say: Atom and GeoJSON in pages (RFC 5005), and a STAC collection of all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import shapely

from cvlarray.alerts.package.feature import COLLECTION, STAC_VERSION, item_name, midnight

__all__ = ["PAGE_ENTRIES", "Page", "Told", "atom", "collection", "geojson", "pages", "told_of"]

ATOM = "http://www.w3.org/2005/Atom"
GEORSS = "http://www.georss.org/georss"
HISTORY = "http://purl.org/syndication/history/1.0"

PAGE_ENTRIES = 500
"""Of an archived page; the current one has as many of the newest, and up to as many again."""


class Outline(NamedTuple):
    """What the collection says of one alert."""

    event_id: str
    item: str
    """Name of its Item."""
    bounds: tuple[float, float, float, float]
    first_detected: str | None


class Told(NamedTuple):
    """A message of the feed."""

    entry: dict[str, Any]
    outlines: list[Outline]


@dataclass(frozen=True)
class Page:
    """Some messages of the feed, the oldest first."""

    told: Sequence[Told]
    number: int | None
    """Of an archived page, which has the same messages for ever; None: the current one."""
    previous: int | None
    """Number of the page with older messages."""

    @property
    def keys(self) -> list[str]:
        """The messages' keys."""
        return [each.entry["key"] for each in self.told]

    def path(self, current: str) -> str:
        """Return the path of a document of the page, beside the current page's."""
        return _path(current, self.number)

    def links(self, current: str) -> Iterator[tuple[str, str]]:
        """Yield what a document of the page links to: relation and path."""
        yield "self", self.path(current)
        if self.number is not None:
            yield "current", current
        if self.previous is not None:
            yield "prev-archive", _path(current, self.previous)


def _path(current: str, number: int | None) -> str:
    stem, _, suffix = current.partition(".")
    return current if number is None else f"archive/{stem}-{number:05d}.{suffix}"


def told_of(entry: dict[str, Any]) -> Told:
    """Return a message as the lists need it."""
    outlines = [
        Outline(
            event_id=each["id"],
            item=item_name(each),
            bounds=shapely.geometry.shape(each["geometry"]).bounds,
            first_detected=each["properties"].get("first_detected"),
        )
        for each in entry["features"]
    ]
    return Told(entry, outlines)


def pages(told: Sequence[Told]) -> Iterator[Page]:
    """Yield the pages of messages in order; the last one is the current one."""
    n_archived = max(len(told) // PAGE_ENTRIES - 1, 0)
    for number in range(n_archived):
        start = number * PAGE_ENTRIES
        yield Page(told[start : start + PAGE_ENTRIES], number, number - 1 if number else None)
    yield Page(told[n_archived * PAGE_ENTRIES :], None, n_archived - 1 if n_archived else None)


def atom(page: Page, *, url: str, title: str) -> bytes:
    """Return a page as Atom with GeoRSS, the newest entry first."""
    root = ET.Element("feed", {"xmlns": ATOM, "xmlns:georss": GEORSS, "xmlns:fh": HISTORY})
    ET.SubElement(root, "id").text = f"{url}/{page.path('feed.atom')}"
    ET.SubElement(root, "title").text = title
    ET.SubElement(root, "updated").text = page.told[-1].entry["created_at"]
    ET.SubElement(ET.SubElement(root, "author"), "name").text = "cvlarray"
    if page.number is not None:
        ET.SubElement(root, "fh:archive")
    for rel, path in page.links("feed.atom"):
        ET.SubElement(root, "link", rel=rel, href=f"{url}/{path}")
    for told in reversed(page.told):
        root.append(_atom_entry(told.entry, url))
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _atom_entry(entry: dict[str, Any], url: str) -> ET.Element:
    element = ET.Element("entry")
    ET.SubElement(element, "id").text = f"urn:cvlarray:message:{entry['key']}"
    ET.SubElement(element, "title").text = entry["subject"]
    ET.SubElement(element, "updated").text = entry["created_at"]
    ET.SubElement(element, "summary").text = entry["text"]
    package = f"{url}/packages/{entry['name']}.zip"
    ET.SubElement(element, "link", rel="enclosure", type="application/zip", href=package)
    link = entry["features"][0]["properties"].get("verification_url") or package
    ET.SubElement(element, "link", rel="alternate", href=link)
    for told in entry["features"]:
        for part in shapely.get_parts(shapely.geometry.shape(told["geometry"])):
            outer = shapely.get_coordinates(shapely.get_exterior_ring(part))
            text = " ".join(f"{y:.7f} {x:.7f}" for x, y in outer)
            ET.SubElement(element, "georss:polygon").text = text
    return element


def geojson(page: Page, *, url: str) -> str:
    """Return the last version that a page has of each alert, with links as OGC's API has them."""
    latest = {each["id"]: each for told in page.told for each in told.entry["features"]}
    features = ",\n".join(
        json.dumps(latest[name], ensure_ascii=False, allow_nan=False, sort_keys=True)
        for name in sorted(latest)
    )
    links = [{"rel": rel, "href": f"{url}/{path}"} for rel, path in page.links("alerts.geojson")]
    return (
        f'{{"type": "FeatureCollection", "links": {json.dumps(links)}, '
        f'"features": [\n{features}\n]}}\n'
    )


def collection(told: Sequence[Told], *, url: str, title: str) -> dict[str, Any]:
    """Return a STAC Collection that links the last version of every alert."""
    latest = {each.event_id: each for one in told for each in one.outlines}
    outlines = [latest[event_id] for event_id in sorted(latest)]
    west, south, east, north = zip(*(each.bounds for each in outlines), strict=True)
    days = [each.first_detected for each in outlines if each.first_detected]
    first, last = (min(days), max(days)) if days else (None, None)
    items = (
        {"rel": "item", "href": f"./items/{each.item}.json", "type": "application/geo+json"}
        for each in outlines
    )
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": COLLECTION,
        "title": title,
        "description": "Dated changes of forest with area, confidence and jurisdiction.",
        "license": "other",
        "extent": {
            "spatial": {"bbox": [[min(west), min(south), max(east), max(north)]]},
            "temporal": {"interval": [[midnight(first), midnight(last)]]},
        },
        "links": [
            {"rel": "self", "href": f"{url}/collection.json", "type": "application/json"},
            *items,
        ],
    }
