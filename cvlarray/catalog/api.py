"""Items of a STAC API, through pystac-client, with retries, backoff and timeouts."""

from __future__ import annotations

from collections.abc import Iterator

from pystac import STACError
from pystac_client import Client, ConformanceClasses
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from shapely.geometry import mapping
from urllib3 import Retry

from cvlarray.catalog.query import Query, RawItem, Rejected, one_line
from cvlarray.errors import SearchError

RETRIES = 5
BACKOFF_S = 1.0
"""Waits 0, 2, 4, 8, 16 times this between attempts; a server's Retry-After goes before."""
TIMEOUT_S = (10.0, 60.0)
"""To connect, and between two bytes of an answer."""
PAGE_SIZE = 100


class ItemApi:
    """A STAC API with item search, known by the URL of its landing page."""

    def __init__(self, url: str) -> None:
        self.url = url

    def items(self, query: Query) -> Iterator[RawItem | Rejected]:
        """Yield the Items of a coarse search; exact filters follow for every source alike.

        The region is sent as its convex hull: few vertices, and never too small. Cloud cover is not
        sent, as servers drop Items that state none.
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
        search = self._client(io).search(
            collections=list(query.collections),
            intersects=mapping(query.region.convex_hull),
            datetime=query.interval,
            limit=PAGE_SIZE,
        )
        seen: set[tuple[str, str]] = set()
        for page in search.pages_as_dicts():
            fresh = [item for item in page["features"] if _key(item) not in seen]
            if not fresh:
                raise SearchError(f"{self.url} sends the same page of Items again and again")
            seen.update(_key(item) for item in fresh)
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
