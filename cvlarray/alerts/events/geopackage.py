"""Rows and geometries as a GeoPackage has them."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from cvlarray.alerts.events.version import EVENT_DTYPES
from cvlarray.errors import StoreError
from cvlarray.store.atomic import make_folder

__all__ = ["VERSION_COLUMNS", "connect", "explained", "rows_of", "table_of"]

VERSION_COLUMNS = (
    "event_id",
    "version",
    "revision",
    "acquisition",
    "state",
    "change",
    "class",
    "confidence",
    "first_detected",
    "confirmed",
    "interval_start",
    "interval_end",
    "area_m2",
    "area_uncertainty_m2",
    "magnitude",
    "n_pixels",
    "sensor",
    "needs_review",
    "parents",
    "children",
    "geometry",
)
"""Of the table ``event_version``, without ``fid``."""

APPLICATION_ID = 0x47504B47
HEADER = struct.pack("<2sBBi", b"GP", 0, 1, 4326)
"""Of a geometry: version, little-endian without envelope, EPSG:4326; WKB follows."""

BUSY_TIMEOUT_S = 60.0
CACHE_KIB = 65_536
"""An update touches pages all over a store of a million events; 2 MiB, SQLite's own choice, would
write and read them again and again."""
DATES = [name for name, dtype in EVENT_DTYPES.items() if dtype.startswith("datetime")]
LISTS = ("parents", "children")

Row = tuple[Any, ...]


def connect(path: Path | str, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a store of events; it is made if absent, unless it is only read.

    Raises
    ------
    StoreError
        If it can't be opened, is no store of events, or is absent and only to be read.
    """
    with explained(path):
        if path == ":memory:":
            connection = sqlite3.connect(":memory:", isolation_level=None)
        else:
            if not read_only:
                make_folder(Path(path).parent)
            mode = "ro" if read_only else "rwc"
            connection = sqlite3.connect(
                f"{Path(path).absolute().as_uri()}?mode={mode}",
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                uri=True,
            )
        try:
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            _prepare(connection, path, read_only=read_only)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path | str, *, read_only: bool) -> None:
    is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if is_empty and not read_only:
        connection.execute("PRAGMA synchronous = FULL")
        schema = files("cvlarray.alerts.events").joinpath("schema.sql").read_text("utf-8")
        connection.executescript(f"BEGIN IMMEDIATE;{schema}COMMIT;")
        return
    number = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if number != APPLICATION_ID or not {"event_version", "event_head", "patch"} <= tables:
        raise StoreError(f"{path} is no store of events; move it away and run again")


@contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Turn what SQLite says into what to do."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"cannot use the events {path}: {error}; check that the file is a store of events and "
            "that its disk is writable and not full"
        ) from error


def rows_of(table: gpd.GeoDataFrame) -> list[Row]:
    """Return rows of `VERSION_COLUMNS`."""
    columns = [_plain(table, name) for name in VERSION_COLUMNS]
    return list(zip(*columns, strict=True))


def _plain(table: gpd.GeoDataFrame, name: str) -> list[Any]:
    """Return a column as SQLite takes it."""
    values = table[name]
    if name == "geometry":
        return [HEADER + wkb for wkb in shapely.to_wkb(values.to_numpy(), byte_order=1)]
    if name in LISTS:
        return [json.dumps(list(names)) for names in values]
    if name in DATES:
        text = values.to_numpy("datetime64[D]").astype(str).tolist()
        return [None if day == "NaT" else day for day in text]
    if values.dtype.kind == "f":
        return [None if np.isnan(value) else value for value in values.tolist()]
    return list(values.tolist())


def table_of(rows: Sequence[Row]) -> gpd.GeoDataFrame:
    """Return the table that rows of `VERSION_COLUMNS` hold, with `EVENT_DTYPES`."""
    columns = dict(zip(VERSION_COLUMNS, zip(*rows, strict=True), strict=True)) if rows else {}
    geometry = _geometries(columns.get("geometry", ()))
    values = {name: _column(name, columns.get(name, ())) for name in EVENT_DTYPES}
    table = gpd.GeoDataFrame(pd.DataFrame(values), geometry=geometry, crs="EPSG:4326")
    plain = {name: dtype for name, dtype in EVENT_DTYPES.items() if dtype != "object"}
    return table.astype(plain)


def _geometries(blobs: Iterable[bytes]) -> npt.NDArray[np.object_]:
    wkb = np.array([blob[len(HEADER) :] for blob in blobs], object)
    geometries: npt.NDArray[np.object_] = shapely.from_wkb(wkb)
    return geometries


def _column(name: str, values: Sequence[Any]) -> Any:
    if name in LISTS:
        return pd.Series([json.loads(text) for text in values], dtype=object)
    if name in DATES:
        return np.array(values, "datetime64[D]").astype("datetime64[ms]")
    return list(values)
