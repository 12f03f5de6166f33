"""Catalogues: search STAC, wherever it is kept, and keep a snapshot of what was found."""

from cvlarray.catalog.geoparquet import load_items, save_items
from cvlarray.catalog.query import ItemSource, Query, Rejected, SearchResult
from cvlarray.catalog.select import search

__all__ = [
    "ItemSource",
    "Query",
    "Rejected",
    "SearchResult",
    "load_items",
    "save_items",
    "search",
]
