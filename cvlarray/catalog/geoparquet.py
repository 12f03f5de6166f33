"""Items in stac-geoparquet: the snapshot a run keeps of what it searched, and any such file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pystac
import rustac

from cvlarray.catalog.query import Query, Rejected
from cvlarray.catalog.raw import RawItem, one_line, to_item, without_hierarchy
from cvlarray.errors import SearchError
from cvlarray.sensors import timestamp

_PLAIN = (str, float, int)
_COLUMNS = ("id", "collection", "geometry", "bbox", "datetime", "assets")


def save_items(items: Iterable[pystac.Item], path: str | Path) -> None:
    """Write Items to a stac-geoparquet file.

    Equal Items give equal bytes, whatever their order. Date-times are kept to the millisecond.
    Links into a catalogue's hierarchy are left out. The file appears whole or not at all.

    Parameters
    ----------
    items
        With absolute asset hrefs, as `search` returns them.
    path
        File to write; an existing one is replaced.

    Raises
    ------
    ValueError
        If there are no Items.
    SearchError
        If the file can't be written, or Items disagree about the type of a field.
    """
    rows = [as_stored(item) for item in items]
    if not rows:
        raise ValueError("expected Items to save, got none")
    rows.sort(key=sort_key)
    target = Path(path).absolute()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        rustac.write_sync(str(temporary), _one_geometry_type(rows), format="geoparquet")
        _sync(temporary)
        temporary.replace(target)
    except (rustac.RustacError, OSError) as error:
        raise SearchError(f"{path} can't be written: {one_line(error)}") from error
    finally:
        with suppress(OSError):  # gone already if all went well
            temporary.unlink()
    _sync(target.parent)


def load_items(path: str | Path) -> list[pystac.Item]:
    """Read the Items of a stac-geoparquet file, oldest first.

    Raises
    ------
    SearchError
        If the file is missing, is no stac-geoparquet, or one of its Items lacks its geometry.
    """
    return [to_item(row) for row in load_rows(path)]


def load_rows(path: str | Path) -> list[RawItem]:
    """Read the JSON of the Items of a stac-geoparquet file, oldest first.

    Raises
    ------
    SearchError
        As `load_items`.
    """
    rows = []
    for row in GeoparquetFile(Path(path)).rows(None):
        if isinstance(row, Rejected):
            raise SearchError(f"{path}: item {row.id} {row.reason}")
        rows.append(row)
    return sorted(rows, key=sort_key)


def as_stored(item: pystac.Item) -> dict[str, Any]:
    """Return an Item's JSON without its place in a catalogue, keys in alphabetical order."""
    raw = item.to_dict(include_self_link=True, transform_hrefs=False)
    text = json.dumps(without_hierarchy(raw), sort_keys=True)
    stored: dict[str, Any] = json.loads(text)
    return stored


def sort_key(row: RawItem) -> tuple[str, str, str]:
    """Order by time, then id; by the millisecond, which is what every source has."""
    moment = timestamp(row["properties"].get("datetime"))
    return "" if moment is None else moment.isoformat(), row["id"], row.get("collection") or ""


class GeoparquetFile:
    """A stac-geoparquet file on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def items(self, query: Query) -> Iterator[RawItem | Rejected]:
        """Yield the rows that may match; all of them if none do, so that it can be told why."""
        yield from self.rows(query)

    def rows(self, query: Query | None) -> Iterator[RawItem | Rejected]:
        """Yield Items row by row."""
        table = self._table()
        located = pc.is_valid(table["geometry"])
        for name in table.filter(pc.invert(located))["id"].to_pylist():
            yield Rejected(str(name), "has no geometry")
        table = table.filter(located)
        if query is not None:
            matching = table.filter(_may_match(table, query))
            table = matching if matching.num_rows else table
        if table.num_rows == 0:
            return
        try:
            features = rustac.from_arrow(table)["features"]
        except rustac.RustacError as error:
            raise self._unreadable(error) from error
        yield from (_without_nulls(feature) for feature in features)

    def _table(self) -> Any:
        """Read the file as an Arrow table."""
        try:
            with pq.ParquetFile(self.path) as file:
                table, metadata = file.read(), file.metadata.metadata or {}
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error
        missing = [name for name in _COLUMNS if name not in table.column_names]
        if missing or b"geo" not in metadata:
            raise SearchError(
                f"{self.path} is Parquet but no stac-geoparquet: "
                f"it lacks {', '.join(missing) or 'the geo metadata'}"
            )
        return table

    def _unreadable(self, error: BaseException) -> SearchError:
        return SearchError(f"{self.path} can't be read as stac-geoparquet: {one_line(error)}")


def _may_match(table: Any, query: Query) -> Any:
    """Return which rows have a collection, box and time that can match; unknown ones may."""
    timed, boxed = (table[name].type for name in ("datetime", "bbox"))
    if not (pa.types.is_timestamp(timed) and pa.types.is_struct(boxed)):
        return pa.repeat(pa.scalar(value=True), table.num_rows)
    first, last = query.interval
    west, south, east, north = query.region.bounds
    box = {side: pc.struct_field(table["bbox"], side) for side in ("xmin", "ymin", "xmax", "ymax")}
    in_longitude = pc.or_(
        pc.and_(pc.less_equal(box["xmin"], east), pc.greater_equal(box["xmax"], west)),
        pc.greater(box["xmin"], box["xmax"]),  # across the antimeridian
    )
    conditions = (
        pc.is_in(table["collection"], value_set=pa.array(query.collections)),
        pc.and_(pc.greater_equal(table["datetime"], first), pc.less_equal(table["datetime"], last)),
        in_longitude,
        pc.and_(pc.less_equal(box["ymin"], north), pc.greater_equal(box["ymax"], south)),
    )
    matches = conditions[0]
    for condition in conditions[1:]:
        matches = pc.and_kleene(matches, condition)
    return pc.fill_null(matches, fill_value=True)


def _one_geometry_type(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make every geometry a MultiPolygon if one is.

    rustac lists the types in the file's metadata in the order of a hash set, another one in each
    process; with one type the bytes stay the same. To remove when it sorts them.
    """
    if len({row["geometry"]["type"] for row in rows}) == 1:
        return rows
    return [
        {**row, "geometry": {"type": "MultiPolygon", "coordinates": [geometry["coordinates"]]}}
        if (geometry := row["geometry"])["type"] == "Polygon"
        else row
        for row in rows
    ]


def _without_nulls(row: RawItem) -> RawItem:
    """Drop the fields that only other rows of the table have."""
    dated = row["properties"].get("datetime")
    stripped: dict[str, Any] = _strip(row)
    stripped["properties"]["datetime"] = dated
    return stripped


def _strip(value: Any) -> Any:
    """Drop None from mappings, at any depth; plain values first, as most are."""
    kind = type(value)
    if kind is str or kind is float or kind is int:
        return value
    if kind is dict:
        return {key: _strip(part) for key, part in value.items() if part is not None}
    if kind is list:
        # Coordinates and the like; what holds neither mappings nor lists stays the list it is.
        return value if not value or type(value[0]) in _PLAIN else [_strip(one) for one in value]
    return [_strip(one) for one in value] if kind is tuple else value


def _sync(path: Path) -> None:
    """Bring a file, or a folder's list of files, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
