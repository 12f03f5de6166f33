"""Items of a static STAC catalog on disk: JSON files that link to each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from cvlarray.catalog.query import Query, Rejected
from cvlarray.catalog.raw import RawItem, one_line
from cvlarray.errors import SearchError


class StaticCatalog:
    """A catalog.json, collection.json, Item or FeatureCollection on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def items(self, query: Query) -> Iterator[RawItem | Rejected]:  # noqa: ARG002 - reads all it has
        """Yield every Item, depth first, each file once."""
        waiting, seen = [self.path.resolve()], set()
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            seen.add(path)
            node = read_json(path)
            kind = node.get("type")
            if kind == "Feature":
                yield _resolved(node, path)
            elif kind == "FeatureCollection":
                yield from (_resolved(item, path) for item in node.get("features") or [])
            elif kind in ("Catalog", "Collection"):
                yield from self._linked_items(node, path, seen)
                waiting += [_local(path, link) for link in reversed(_links(node, "child"))]
            else:
                raise SearchError(
                    f"{path} is not STAC: expected type Catalog, Collection, Feature or "
                    f"FeatureCollection, got {kind!r}"
                )

    def _linked_items(
        self, node: RawItem, path: Path, seen: set[Path]
    ) -> Iterator[RawItem | Rejected]:
        """Yield the Items a catalog links to; one that can't be read costs no other."""
        for link in _links(node, "item"):
            item_path = _local(path, link)
            if item_path in seen:
                continue
            seen.add(item_path)
            try:
                item = _resolved(read_json(item_path), item_path)
            except SearchError as error:
                item = Rejected(item_path.name, str(error))
            yield item


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    SearchError
        If the file is missing, can't be read, or is something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SearchError(f"{path} does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SearchError(f"{path} can't be read: {one_line(error)}") from error
    try:
        node = json.loads(text)
    except json.JSONDecodeError as error:
        found = "HTML" if text.lstrip().startswith("<") else "something else"
        raise SearchError(f"{path} is not STAC: expected JSON, got {found}") from error
    if not isinstance(node, dict):
        raise SearchError(f"{path} is not STAC: expected a JSON object, got {type(node).__name__}")
    return node


def _links(node: RawItem, rel: str) -> list[str]:
    """Return the hrefs of one relation."""
    links = node.get("links") or []
    return [link["href"] for link in links if link.get("rel") == rel and link.get("href")]


def _local(base: Path, href: str) -> Path:
    """Return the file a link points to."""
    address = _absolute(base, href)
    if urlparse(address).scheme:
        raise SearchError(f"{base} links to {href}; a catalog on disk must link to files beside it")
    return Path(address)


def _resolved(item: dict[str, Any], path: Path) -> RawItem | Rejected:
    """Return the Item with absolute asset hrefs and its file as self link."""
    if item.get("type") != "Feature" or not isinstance(item.get("assets"), dict):
        return Rejected(str(item.get("id") or path.name), "is no STAC Item: it has no assets")
    assets = {
        key: {**asset, "href": _absolute(path, asset["href"])}
        for key, asset in item["assets"].items()
        if isinstance(asset, dict) and asset.get("href")
    }
    links = [link for link in item.get("links") or [] if link.get("rel") != "self"]
    own = {"rel": "self", "href": str(path), "type": "application/geo+json"}
    return {**item, "assets": assets, "links": [*links, own]}


def _absolute(base: Path, href: str) -> str:
    """Return a URL as it is, a path as absolute.

    A path is taken as written, or without its percent signs' escapes where only that file exists:
    catalogues write both.
    """
    parsed = urlparse(href)
    if parsed.scheme == "file":
        return unquote(parsed.path)
    if parsed.scheme or href.startswith("/vsi"):
        return href
    written = (base.parent / href).resolve()
    if "%" not in href:
        return str(written)
    unescaped = (base.parent / unquote(href)).resolve()
    return str(unescaped if unescaped.exists() and not written.exists() else written)
