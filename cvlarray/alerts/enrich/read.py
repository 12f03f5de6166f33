"""Reading a layer's source as it is: the rows, and a hash that names the edition."""

from __future__ import annotations

import hashlib
import http.client
import logging
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import pandas as pd

from cvlarray.alerts.enrich.external import READERS, read_gfw_raster
from cvlarray.alerts.enrich.layer import (
    FileSource,
    Layer,
    LayerError,
    Reader,
    TableSource,
    WfsSource,
)
from cvlarray.alerts.enrich.table import read_table

__all__ = ["Raw", "read_source"]

log = logging.getLogger(__name__)

SHAPEFILE_PARTS = (".cpg", ".dbf", ".prj", ".shp", ".shx")
GEOPARQUET = (".parquet", ".geoparquet", ".pq")
LATIN = "cp1252"
"""What an 8-bit Spanish file is in when it isn't UTF-8; a superset of ISO-8859-1's letters."""

MAX_WFS_BYTES = 1 << 30


class Raw(NamedTuple):
    """What a source holds, before anything is repaired."""

    frames: tuple[gpd.GeoDataFrame, ...]
    """One a file, each in its own CRS."""
    sha256: str


def read_source(layer: Layer) -> Raw:
    """Read the rows of a layer and hash what they were read from.

    The hash of a single file is that of its bytes, as ``sha256sum`` gives it. A shapefile, a folder
    or several files are hashed as the listing of ``sha256sum`` sorted by name; a table by its rows,
    whatever their order; a WFS by its answer.

    Raises
    ------
    LayerError
        If there is nothing to read, or it isn't what it should be.
    """
    source = layer.source
    try:
        if isinstance(source, TableSource):
            return Raw(*read_table(source))
        if isinstance(source, WfsSource):
            return _read_wfs(source)
        return Raw(_read_files(source, layer), _hash_files(source.path))
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # GDAL's and PROJ's, too
        reason = " ".join(str(error).split())
        raise LayerError(f"layer {layer.name!r} can't be read: {reason}") from error


def _read_files(source: FileSource, layer: Layer) -> tuple[gpd.GeoDataFrame, ...]:
    for path in source.path:
        if not path.exists():
            raise FileNotFoundError(f"{path} doesn't exist")
    read = _reader(source, layer)
    return tuple(_with_crs(read(path), source.crs, path) for path in source.path)


def _reader(source: FileSource, layer: Layer) -> Callable[[Path], gpd.GeoDataFrame]:
    if layer.reader is Reader.VECTOR:
        return partial(_read_vector, sublayer=source.sublayer)
    if layer.reader is Reader.GFW_RASTER:
        return partial(read_gfw_raster, within=layer.within)
    return READERS[layer.reader]


def _read_vector(path: Path, sublayer: str | None) -> gpd.GeoDataFrame:
    if path.suffix.lower() in GEOPARQUET:
        return gpd.read_parquet(path)
    try:
        return gpd.read_file(path, layer=sublayer, encoding=_declared_encoding(path))
    except UnicodeDecodeError:
        log.info("%s isn't UTF-8; read as %s", path, LATIN)
    if path.suffix.lower() == ".shp":
        return gpd.read_file(path, layer=sublayer, encoding=LATIN)
    # GDAL takes an encoding for few formats only, so the text is recoded before it sees it.
    return gpd.read_file(BytesIO(path.read_bytes().decode(LATIN).encode()))


def _declared_encoding(path: Path) -> str | None:
    """Return UTF-8 for a shapefile that declares nothing: GDAL would take it for Latin-1."""
    if path.suffix.lower() != ".shp":
        return None
    return None if path.with_suffix(".cpg").exists() else "UTF-8"


def _with_crs(frame: gpd.GeoDataFrame, crs: str | None, path: Path) -> gpd.GeoDataFrame:
    if not isinstance(frame, gpd.GeoDataFrame):
        raise ValueError(f"{path} has no geometry")  # noqa: TRY004 - the file's fault
    if frame.crs is not None:
        return frame
    if crs is None:
        raise ValueError(f"{path} names no CRS; declare it as source.crs, such as EPSG:32719")
    return frame.set_crs(crs)


def _hash_files(paths: tuple[Path, ...]) -> str:
    files = [file for path in paths for file in _files_of(path)]
    hashes = [(file.name, _hash_file(file)) for file in files]
    if len(hashes) == 1:
        return hashes[0][1]
    listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes))
    return hashlib.sha256(listing.encode()).hexdigest()


def _files_of(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    if path.suffix.lower() == ".shp":
        parts = (path.with_suffix(suffix) for suffix in SHAPEFILE_PARTS)
        return [part for part in parts if part.exists()]
    return [path]


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_wfs(source: WfsSource) -> Raw:
    query = urllib.parse.urlencode(
        {
            "service": "WFS",
            "version": "2.0.0",
            "request": "GetFeature",
            "typeNames": source.typename,
            "outputFormat": "application/json",
            "srsName": "EPSG:4326",
        }
    )
    separator = "&" if "?" in source.url else "?"
    address = f"{source.url}{separator}{query}"
    try:
        # S310: WfsSource admits http and https only.
        with urllib.request.urlopen(address, timeout=source.timeout_s) as answer:  # noqa: S310
            promised = int(answer.headers.get("Content-Length") or 0)
            content = answer.read(MAX_WFS_BYTES + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise
    except http.client.HTTPException as error:
        raise ConnectionError(f"{source.url} broke off its answer: {error!r}") from error
    if len(content) < min(promised, MAX_WFS_BYTES):
        raise ConnectionError(f"{source.url} broke off after {len(content)} of {promised} bytes")
    if len(content) > MAX_WFS_BYTES:
        raise ValueError(f"{source.url} answers more than {MAX_WFS_BYTES >> 20} MiB")
    if not content.lstrip().startswith(b"{"):
        start = content[:200].decode(errors="replace")
        raise ValueError(f"{source.url} must answer GeoJSON, got {start!r}")
    frame = gpd.read_file(BytesIO(content))
    if not len(pd.DataFrame(frame)):
        raise ValueError(f"{source.url} has no feature of type {source.typename}")
    return Raw((frame,), hashlib.sha256(content).hexdigest())
