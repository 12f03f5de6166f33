"""Catalogues: search STAC, wherever it is kept, and keep a snapshot of what was found."""

from cvlarray.catalog.geoparquet import load_items, load_rows, save_items
from cvlarray.catalog.query import ItemSource, Query, Rejected, SearchResult
from cvlarray.catalog.raw import RawItem, to_item
from cvlarray.catalog.select import search

__all__ = [
    "ItemSource",
    "Query",
    "RawItem",
    "Rejected",
    "SearchResult",
    "load_items",
    "load_rows",
    "save_items",
    "search",
    "to_item",
]
