"""How many bytes of the source files a run asks for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from cvlarray.grid import outlines
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
    bands = bands_to_read(context.config, quality_provider(context.config, context.scenes))
    touched = _Touched([tile.geobox for tile in context.tiles])
    total = 0.0
    for day in context.days:
        for scene, share in zip(day.scenes, _shares_left(day.scenes), strict=True):
            assets = [scene.assets[band] for band in bands if band in scene.assets]
            total += share * sum(
                touched.share(scene, asset) * file_bytes(asset) for asset in assets
            )
    return total


def _shares_left(scenes: Sequence[Scene]) -> Iterator[float]:
    """Yield the share of each scene that the scenes before it leave to be read."""
    footprints = [scene.footprint for scene in scenes]
    tree = shapely.STRtree(footprints)
    for number, footprint in enumerate(footprints):
        near = tree.query(footprint, predicate="intersects")
        before = shapely.union_all([footprints[index] for index in near if index < number])
        yield float(footprint.difference(before).area / footprint.area)


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


class _Touched:
    """Which part of a file the tiles of a run touch, all together."""

    def __init__(self, geoboxes: Sequence[GeoBox]) -> None:
        self._geoboxes = geoboxes
        self._crs = {str(geobox.crs) for geobox in geoboxes}
        self._bounds = np.array([geobox.boundingbox.bbox for geobox in geoboxes])
        self._of_grid: dict[object, float] = {}

    def share(self, scene: Scene, asset: Asset) -> float:
        """Return the sum over the tiles of the share of a file's blocks that each touches."""
        if not (asset.shape and asset.transform and {scene.crs} == self._crs):
            return float(scene.footprint.intersection(self._region).area / scene.footprint.area)
        grid = asset.shape, asset.transform  # of which files have few
        if grid not in self._of_grid:
            self._of_grid[grid] = self._share_of_blocks(*grid)
        return self._of_grid[grid]

    @cached_property
    def _region(self) -> BaseGeometry:
        return shapely.union_all(outlines(self._geoboxes))

    def _share_of_blocks(self, shape: tuple[int, int], transform: tuple[float, ...]) -> float:
        step_x, _, left, _, step_y, top = transform
        west, south, east, north = self._bounds.T
        along_x = _blocks((west - left) / step_x, (east - left) / step_x, shape[1])
        along_y = _blocks((north - top) / step_y, (south - top) / step_y, shape[0])
        n_blocks = math.prod(math.ceil(size / BLOCK_PX) for size in shape)
        return float((along_x * along_y).sum() / n_blocks)


def _blocks(start: NDArray[Any], stop: NDArray[Any], size: int) -> NDArray[Any]:
    """Return how many blocks each interval of a file's pixels touches."""
    first = np.maximum(0, np.floor(start + 0.01))
    last = np.minimum(size, np.ceil(stop - 0.01))
    n_blocks = np.ceil(last / BLOCK_PX) - first // BLOCK_PX
    return np.where(last <= first, 0, n_blocks)
