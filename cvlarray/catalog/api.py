"""Items of a STAC API, through pystac-client, with retries, backoff and timeouts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pystac import STACError
from pystac_client import Client, ConformanceClasses
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from shapely.geometry import mapping
from urllib3 import Retry

from cvlarray.catalog.cql import Condition
from cvlarray.catalog.query import Query, Rejected
from cvlarray.catalog.raw import RawItem, one_line
from cvlarray.errors import SearchError

RETRIES = 5
BACKOFF_S = 1.0
"""Waits 0, 2, 4, 8, 16 times this between attempts; a server's Retry-After goes before."""
TIMEOUT_S = (10.0, 60.0)
"""To connect, and between two bytes of an answer."""
PAGE_SIZE = 100
MAX_ITEMS = 500_000
"""More than ten years of all Amazonia; a server that goes on sends anything but an answer."""
ORDER = [
    {"field": "properties.datetime", "direction": "asc"},
    {"field": "id", "direction": "asc"},
]
"""A server that may order as it likes may skip Items between two pages."""


class ItemApi:
    """A STAC API with item search, known by the URL of its landing page."""

    def __init__(self, url: str) -> None:
        self.url = url

    def items(self, query: Query) -> Iterator[RawItem | Rejected]:
        """Yield the Items of a coarse search; exact filters follow for every source alike.

        The region is sent as its convex hull: few vertices, and never too small. A condition is
        sent where the API declares all of its properties: others it may compare as text.
        """
        io = _api_io()
        try:
            yield from self._pages(query, io)
        except (APIError, STACError, ValueError, KeyError) as error:
            raise SearchError(f"{self.url} did not answer the search: {one_line(error)}") from error
        finally:
            io.session.close()

    def _pages(self, query: Query, io: StacApiIO) -> Iterator[RawItem]:
        """Yield the Items page by page, each once."""
        client = self._client(io)
        search = client.search(
            collections=list(query.collections),
            intersects=mapping(query.region.convex_hull),
            datetime=query.interval,
            limit=PAGE_SIZE,
            sortby=ORDER if _sorts(client) else None,
            **_filter(client, query),
        )
        seen: set[tuple[str, str]] = set()
        for page in search.pages_as_dicts():
            fresh = [item for item in page["features"] if _key(item) not in seen]
            if page["features"] and not fresh:
                raise SearchError(f"{self.url} sends the same page of Items again and again")
            seen.update(_key(item) for item in fresh)
            if len(seen) > MAX_ITEMS:
                raise SearchError(
                    f"{self.url} sends more than {MAX_ITEMS} Items and no end; narrow the region, "
                    "the dates or the filter"
                )
            yield from fresh

    def _client(self, io: StacApiIO) -> Client:
        """Open the API, after a look at whether it is one."""
        try:
            landing = io.read_json(self.url)
        except APIError as error:
            raise SearchError(f"{self.url} can't be reached: {one_line(error)}") from error
        except ValueError as error:
            raise SearchError(
                f"{self.url} is not STAC: expected JSON, got something else"
            ) from error
        conforms_to = landing.get("conformsTo") if isinstance(landing, dict) else None
        pattern = ConformanceClasses.ITEM_SEARCH.pattern
        if not any(pattern.fullmatch(str(uri)) for uri in conforms_to or []):
            raise SearchError(
                f"{self.url} is no STAC API with item search; "
                "give the API's landing page, or a catalog on disk"
            )
        return Client.open(self.url, stac_io=io)


def _sorts(client: Client) -> bool:
    """Return whether the API sorts; its extension is at version 1.1, the client looks for 1.0."""
    if any(uri.endswith("/item-search#sort") for uri in client.get_conforms_to()):
        client.add_conforms_to("SORT")
    return client.conforms_to(ConformanceClasses.SORT)


def _filter(client: Client, query: Query) -> dict[str, Any]:
    """Return the search's arguments for the conditions that the API can evaluate."""
    if not query.conditions or not client.conforms_to(ConformanceClasses.FILTER):
        return {}
    known = _queryables(client, query.collections)
    sent: Sequence[Condition] = [c for c in query.conditions if c.is_known_to(known)]
    if not sent:
        return {}
    parts = [condition.as_json for condition in sent]
    whole = parts[0] if len(parts) == 1 else {"op": "and", "args": parts}
    return {"filter": whole, "filter_lang": "cql2-json"}


def _queryables(client: Client, collections: Sequence[str]) -> frozenset[str]:
    """Return the properties that the API declares for all collections; none if it won't say."""
    try:
        return frozenset(client.get_merged_queryables(list(collections)).get("properties", {}))
    except (APIError, STACError, ValueError, KeyError, TypeError):
        return frozenset()


def _api_io() -> StacApiIO:
    """Return a session that tries again, and gives up at last."""
    retry = Retry(
        total=RETRIES,
        backoff_factor=BACKOFF_S,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,  # a search by POST changes nothing, so it may be repeated too
    )
    return StacApiIO(max_retries=retry, timeout=TIMEOUT_S)


def _key(item: RawItem) -> tuple[str, str]:
    """Return what identifies an Item."""
    return str(item.get("collection")), str(item.get("id"))
