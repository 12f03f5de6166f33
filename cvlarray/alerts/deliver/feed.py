"""A folder that any web server can publish: Atom, GeoJSON and a static STAC catalogue."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from cvlarray.alerts.deliver.address import Url
from cvlarray.alerts.deliver.channel import Secrets, SendError
from cvlarray.alerts.deliver.feed_documents import Told, atom, collection, geojson, pages, told_of
from cvlarray.alerts.deliver.message import Message
from cvlarray.alerts.deliver.settings import ChannelSettings
from cvlarray.alerts.package import json_bytes, zip_bytes
from cvlarray.alerts.package.feature import item_of
from cvlarray.errors import StoreError
from cvlarray.store import write_atomic

__all__ = ["Feed", "FeedChannel"]


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


@dataclass(frozen=True)
class FeedChannel:
    """Adds each message to the feed.

    The messages' own files come first, the lists of them after, each replaced in one step: a
    reader never finds an entry without its files. Adding a message twice changes nothing. What is
    too old for ``feed.atom`` and ``alerts.geojson`` is in the pages of ``archive/``, which are
    written once; from each page a link leads to the one before (RFC 5005).
    """

    folder: Path
    url: str
    title: str = "Forest change alerts"
    _told: dict[str, Told] = field(default_factory=dict, repr=False, compare=False)
    """Messages by their file's name; a message's file is read once."""
    _written: dict[int | None, list[str]] = field(default_factory=dict, repr=False, compare=False)
    """Keys of the messages of each page that is known to be there."""

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

    def _write_items(self, message: Message) -> None:
        for told in message.features:
            package = {
                "href": f"../packages/{message.name}.zip",
                "type": "application/zip",
                "roles": ["data"],
            }
            item = item_of(told, {"package": package}, collection_href="../collection.json")
            write_atomic(self.folder / f"items/{item['id']}.json", json_bytes(item))

    def _write_lists(self) -> None:
        for path in (self.folder / "messages").glob("*.json"):
            if path.name not in self._told:
                self._told[path.name] = told_of(json.loads(path.read_bytes()))
        told = sorted(
            self._told.values(), key=lambda each: (each.entry["created_at"], each.entry["key"])
        )
        for page in pages(told):
            if self._written.get(page.number) != page.keys:
                entries = atom(page, url=self.url, title=self.title)
                write_atomic(self.folder / page.path("feed.atom"), entries)
                features = geojson(page, url=self.url)
                write_atomic(self.folder / page.path("alerts.geojson"), features)
                self._written[page.number] = page.keys
        found = collection(told, url=self.url, title=self.title)
        write_atomic(self.folder / "collection.json", json_bytes(found))


def _entry(message: Message) -> dict[str, Any]:
    return {
        "key": message.key,
        "name": message.name,
        "created_at": message.created_at.isoformat(timespec="seconds"),
        "subject": message.subject,
        "text": message.text,
        "features": list(message.features),
    }
