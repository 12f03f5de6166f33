"""How many bytes of the source files a run asks for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from cvlarray.grid import outline
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.quality import bands_to_read, quality_provider
from cvlarray.sensors import Asset, Scene

BLOCK_PX = 512
"""Edge of the blocks a COG is read in."""

BYTES_PER_PIXEL = {"uint8": 0.1, "uint16": 1.4, "int16": 1.4, "float32": 3.2}
"""Of deflated files whose size nobody tells."""


def source_bytes(context: RunContext) -> float:
    """Return the compressed bytes of all file blocks that the run's tiles touch.

    A file is read only where an earlier scene of the day leaves something to fill.
    """
    total = 0.0
    for day in context.days:
        covered: BaseGeometry | None = None
        for scene in day.scenes:
            share = 1.0 if covered is None else _share_outside(scene.footprint, covered)
            total += share * sum(_scene_bytes(scene, context))
            covered = scene.footprint if covered is None else covered.union(scene.footprint)
    return total


def _scene_bytes(scene: Scene, context: RunContext) -> Iterable[float]:
    """Yield what is read of each band of a scene that is read whole."""
    provider = quality_provider(context.config, context.scenes)
    for band in bands_to_read(context.config, provider):
        if band in scene.assets:
            asset = scene.assets[band]
            share = sum(_share_of(scene, asset, tile.geobox) for tile in context.tiles)
            yield share * file_bytes(asset)


def file_bytes(asset: Asset) -> float:
    """Return the size of a file: as the catalogue or the disk has it, else by its pixels."""
    if asset.size_bytes is not None:
        return float(asset.size_bytes)
    href = urlsplit(asset.href)
    if href.scheme in {"", "file"}:
        try:
            return float(Path(href.path).stat().st_size)
        except OSError:
            return 0.0
    shape = asset.shape or (110_000 / asset.resolution_m,) * 2
    return math.prod(shape) * BYTES_PER_PIXEL.get(asset.dtype, 1.4)


def _share_of(scene: Scene, asset: Asset, geobox: GeoBox) -> float:
    """Return the share of a file's blocks that a tile touches."""
    if asset.shape and asset.transform and scene.crs == str(geobox.crs):
        return _share_of_blocks(asset.shape, asset.transform, geobox)
    return float(scene.footprint.intersection(outline(geobox)).area / scene.footprint.area)


@lru_cache(maxsize=100_000)
def _share_of_blocks(shape: tuple[int, int], transform: tuple[float, ...], geobox: GeoBox) -> float:
    """Return the share of the blocks of a file on the tile's own CRS; files share few grids."""
    bounds = geobox.boundingbox
    step_x, _, left, _, step_y, top = transform
    x0, x1 = (bounds.left - left) / step_x, (bounds.right - left) / step_x
    y0, y1 = (bounds.top - top) / step_y, (bounds.bottom - top) / step_y
    rows, cols = shape
    touched = _blocks(y0, y1, rows) * _blocks(x0, x1, cols)
    return touched / (math.ceil(rows / BLOCK_PX) * math.ceil(cols / BLOCK_PX))


def _blocks(start: float, stop: float, size: int) -> int:
    """Return how many blocks an interval of a file's pixels touches."""
    first, last = max(0, math.floor(start + 0.01)), min(size, math.ceil(stop - 0.01))
    return 0 if last <= first else math.ceil(last / BLOCK_PX) - first // BLOCK_PX


def _share_outside(footprint: BaseGeometry, covered: BaseGeometry) -> float:
    return float(footprint.difference(covered).area / footprint.area)
