"""Search a catalogue, whatever kind it is, with the same filters and the same errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

from cvlarray.catalog.cql import Condition, at_most_cloudy
from cvlarray.catalog.geoparquet import GeoparquetFile, sort_key
from cvlarray.catalog.query import ItemSource, Query, Rejected, SearchResult
from cvlarray.catalog.raw import RawItem
from cvlarray.catalog.static import StaticCatalog
from cvlarray.errors import SearchError
from cvlarray.sensors import central_longitude, read_footprint, solar_day, timestamp


def search(
    source: str | Path,
    *,
    collections: Sequence[str],
    region: BaseGeometry,
    start: date,
    end: date,
    max_cloud_cover: float | None = None,
    cql2_filter: str | None = None,
) -> SearchResult:
    """Find the Items over a region between two dates.

    Parameters
    ----------
    source
        URL of a STAC API's landing page, or path of a stac-geoparquet file, of a static STAC
        catalog (catalog.json, or its folder), or of an Item collection; what is there decides.
    collections
        Collection ids.
    region
        Geometry in EPSG:4326; Items whose footprint intersects it are found.
    start, end
        First and last solar day, both included.
    max_cloud_cover
        Percent by the catalogue's word; Items that state none (SAR) always pass.
    cql2_filter
        CQL2 text on the Items' fields and properties, such as ``"grid:code" = 'MGRS-19LCF'``. The
        same for every source; an Item without the property doesn't match.

    Returns
    -------
    Items with absolute asset hrefs in the order (datetime, id), and what had to be rejected.

    Raises
    ------
    SearchError
        If the source is missing, unreadable or not STAC, the dates are reversed, the condition is
        no CQL2, or nothing is left: the message says by which filter.
    ValueError
        If the region is no geometry in degrees, or the cloud cover no percentage.
    """
    if max_cloud_cover is not None and not 0 <= max_cloud_cover <= 100:
        raise ValueError(f"max_cloud_cover must be 0 to 100 percent, got {max_cloud_cover}")
    clear = () if max_cloud_cover is None else (at_most_cloudy(max_cloud_cover),)
    asked = () if cql2_filter is None else (Condition(cql2_filter),)
    query = Query(tuple(collections), region, start, end, clear + asked)
    candidates: dict[tuple[str, str], _Candidate] = {}
    rejected: list[Rejected] = []
    for raw in open_source(source).items(query):
        read = raw if isinstance(raw, Rejected) else _read(raw)
        if isinstance(read, Rejected):
            rejected.append(read)
        else:
            candidates.setdefault((read.collection, read.raw["id"]), read)
    found = _select(list(candidates.values()), query, source, rejected)
    return SearchResult(sorted(found, key=sort_key), rejected)


def open_source(source: str | Path) -> ItemSource:
    """Return the source by what it is: a URL, Parquet by its first bytes, or JSON.

    Raises
    ------
    SearchError
        If it is missing or can't be read.
    """
    if str(source).startswith(("http://", "https://")):
        from cvlarray.catalog.api import ItemApi  # noqa: PLC0415 (loads an HTTP client)

        return ItemApi(str(source))
    path = Path(source)
    if path.is_dir():
        roots = [path / name for name in ("catalog.json", "collection.json")]
        existing = [root for root in roots if root.exists()]
        if not existing:
            raise SearchError(f"{path} holds no STAC catalog: expected a catalog.json in it")
        path = existing[0]
    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
    except FileNotFoundError as error:
        raise SearchError(f"{path} does not exist; give a catalog, a file or a URL") from error
    except OSError as error:
        raise SearchError(f"{path} can't be read: {error.strerror}") from error
    return GeoparquetFile(path) if is_parquet else StaticCatalog(path)


@dataclass(frozen=True)
class _Candidate:
    """An Item with what the filters ask for."""

    raw: RawItem
    collection: str
    datetime: datetime
    solar_day: date
    footprint: BaseGeometry
    cloud_cover: float | None


def _read(raw: RawItem) -> _Candidate | Rejected:
    """Read what the filters ask for, or say why it can't be."""
    name = str(raw.get("id") or "without id")
    properties = raw.get("properties") or {}
    moment = timestamp(properties.get("datetime"))
    if raw.get("type") != "Feature" or not raw.get("stac_version") or not raw.get("id"):
        return Rejected(name, "is no STAC Item: it lacks type Feature, stac_version or id")
    if moment is None:
        return Rejected(name, "has no datetime")
    if not raw.get("geometry"):
        return Rejected(name, "has no geometry")
    if not raw.get("bbox"):
        return Rejected(name, "has no bbox")
    try:
        footprint = read_footprint(raw["geometry"])
    except ValueError as error:
        return Rejected(name, str(error))
    cloud_cover = properties.get("eo:cloud_cover")
    return _Candidate(
        raw=raw,
        collection=str(raw.get("collection")),
        datetime=moment,
        solar_day=solar_day(moment, central_longitude(footprint)),
        footprint=footprint,
        cloud_cover=cloud_cover if isinstance(cloud_cover, int | float) else None,
    )


def _select(
    candidates: list[_Candidate], query: Query, source: str | Path, rejected: list[Rejected]
) -> list[RawItem]:
    """Filter step by step; the step that leaves nothing writes the error."""
    wanted = ", ".join(query.collections)
    of = f"{source} holds"
    if not candidates:
        also = f" ({len(rejected)} rejected, the first: {rejected[0].reason})" if rejected else ""
        raise SearchError(
            f"{of} no item of {wanted} for the region and {query.start} to {query.end}{also}"
        )
    named = [item for item in candidates if item.collection in query.collections]
    if not named:
        present = ", ".join(sorted({item.collection for item in candidates}))
        raise SearchError(f"{of} no item of {wanted}; its collections: {present}")
    shapely.prepare(query.region)
    over = [item for item in named if query.region.intersects(item.footprint)]
    if not over:
        raise SearchError(
            f"the region ({_span(query.region.bounds)}) is outside every item of {wanted} in "
            f"{source} ({_span(shapely.total_bounds([item.footprint for item in named]))})"
        )
    dated = [item for item in over if query.start <= item.solar_day <= query.end]
    if not dated:
        days = sorted(item.solar_day for item in over)
        raise SearchError(
            f"{of} no item over the region from {query.start} to {query.end}; "
            f"its {len(days)} are of {days[0]} to {days[-1]}"
        )
    left = dated
    for condition in query.conditions:
        left = [item for item in left if condition.matches(item.raw)]
        if not left:
            raise SearchError(
                f"none of the {len(dated)} items in the dates meets {condition.text}"
                f"{_least_cloud(dated) if 'eo:cloud_cover' in condition.properties else ''}"
            )
    return [item.raw for item in left]


def _least_cloud(items: list[_Candidate]) -> str:
    """Return what the clearest of the Items has, as an addition to an error."""
    stated = [item.cloud_cover for item in items if item.cloud_cover is not None]
    return f"; the least cloud cover is {min(stated):g} %" if stated else ""


def _span(bounds: Iterable[float]) -> str:
    """Return bounds as text."""
    west, south, east, north = bounds
    return f"{west:.2f} to {east:.2f}° E, {south:.2f} to {north:.2f}° N"
