"""An Item as a catalogue sends it, and what its errors say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pystac

RawItem = Mapping[str, Any]
"""A STAC Item as its JSON says it."""

_HIERARCHY = ("root", "parent", "child", "item", "items", "collection")


def to_item(row: RawItem) -> pystac.Item:
    """Return a STAC Item, its fields left as they are (migration renames some and drops others)."""
    return pystac.Item.from_dict(without_hierarchy(row), migrate=False)


def without_hierarchy(item: RawItem) -> dict[str, Any]:
    """Return the Item without links to its parents, which would be followed later on."""
    links = [link for link in item.get("links") or [] if link.get("rel") not in _HIERARCHY]
    return {**item, "links": links}


def one_line(error: BaseException, limit: int = 200) -> str:
    """Return an error's message on one line, cut to a length that can be read."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else f"{text[:limit]}…"
