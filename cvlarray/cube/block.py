"""A block of the cube: some days, a rectangle of pixels, all bands, read eagerly."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import geometry_mask
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from cvlarray.cube.align import Extent
from cvlarray.cube.days import Day
from cvlarray.cube.geofile import GDAL_OPTIONS
from cvlarray.cube.raster import Patch, read_asset
from cvlarray.cube.variables import is_missing, measured_bands
from cvlarray.errors import ReadError
from cvlarray.grid import outline, project
from cvlarray.names import NOT_COVERED, READ, READ_STATUS, UNREAD, Variable
from cvlarray.sensors import Asset, Scene, read_footprint

logger = logging.getLogger(__name__)

FOOTPRINT_MARGIN_DEG = 0.01
"""Catalogues simplify footprints by up to some hundred metres; about 1 km is on the safe side."""


NOTHING: Extent = (slice(0, 0), slice(0, 0))
"""A part of a block without pixels."""


@dataclass(frozen=True)
class UnreadAsset:
    """A file that could not be read after all retries."""

    scene_id: str
    band: str
    href: str
    """Unsigned; empty if the Item doesn't have the band at all."""
    reason: str


@dataclass(frozen=True)
class Block:
    """What was read."""

    arrays: Mapping[str, NDArray[Any]]
    """Raw values (time, y, x) by variable name, ``read_status`` among them."""
    unread: Sequence[UnreadAsset] = ()
    """Files that could not be read. Their scenes are missing from the block in all bands."""


class BlockLoader(Protocol):
    """Reads a block; picklable, runs in any thread or process."""

    def __call__(self, days: Sequence[Day], geobox: GeoBox, variables: Sequence[Variable]) -> Block:
        """Return all ``variables`` of ``days`` on ``geobox``."""


AssetReader = Callable[[Asset, str | None, GeoBox, Variable, NDArray[Any], Extent | None], Patch]
"""Fills a layer from one file; `raster.read_asset` says what is what."""


def read_block(days: Sequence[Day], geobox: GeoBox, variables: Sequence[Variable]) -> Block:
    """Read a block straight from the files with rasterio, each file once.

    On grids whose pixel edges coincide pixels are copied, repeated (20 m on 10 m) or merged; on
    any other grid they are interpolated, by a rule that doesn't depend on the block's size. In
    each band the first scene of a day wins where it has data; a file is not read where an earlier
    scene left nothing missing. A scene with a broken file is left out whole, in every band.

    Parameters
    ----------
    days
        Time slices, from `group_by_day`.
    geobox
        North-up grid of the block.
    variables
        From `cube_variables`.

    Returns
    -------
    Arrays of shape (len(days), *geobox.shape). ``read_status`` is 1 where a scene was read,
    2 where data is missing in some band and the footprint of a broken scene lies, else 0.
    """
    return mosaic_block(days, geobox, variables, read_asset)


def mosaic_block(
    days: Sequence[Day], geobox: GeoBox, variables: Sequence[Variable], read: AssetReader
) -> Block:
    """Read a block with any reader of files; the rules of `read_block` hold for all."""
    shape = (len(days), *geobox.shape)
    status = np.empty(shape, READ_STATUS.dtype)
    bands = [variable for variable in variables if variable.name != READ_STATUS.name]
    arrays = {band.name: np.empty(shape, band.dtype) for band in bands}
    block_ground = ground(geobox)
    unread: list[UnreadAsset] = []
    with rasterio.Env(**GDAL_OPTIONS):
        for index, day in enumerate(days):
            # Filled day by day: what is read over it is then still in the processor's cache.
            status[index] = NOT_COVERED
            for band in bands:
                arrays[band.name][index] = band.fill_value
            layers = {name: array[index] for name, array in arrays.items()}
            scenes = [scene for scene in day.scenes if scene.footprint.intersects(block_ground)]
            unread += _read_day(scenes, geobox, bands, layers, status[index], read)
    for asset in unread:
        logger.warning("unread: %s %s: %s", asset.scene_id, asset.band, asset.reason)
    return Block({**arrays, READ_STATUS.name: status}, tuple(unread))


def _read_day(
    scenes: Sequence[Scene],
    geobox: GeoBox,
    bands: Sequence[Variable],
    layers: Mapping[str, NDArray[Any]],
    status: NDArray[np.uint8],
    read: AssetReader,
) -> list[UnreadAsset]:
    """Mosaic the scenes of a day into its layers, and tell the files that are broken."""
    unread: list[UnreadAsset] = []
    broken_ground = np.zeros(geobox.shape, bool)
    is_empty = True
    for scene in scenes:
        missing = {
            band.name: None if is_empty else _missing_extent(layers[band.name], band)
            for band in bands
        }
        broken = _read_scene(scene, geobox, bands, layers, status, missing, read)
        if not broken:
            is_empty = False
            continue
        ground = _rasterised(scene.footprint, geobox)
        if ground.any():
            broken_ground |= ground
            unread += broken
    if unread:
        for band in bands:
            status[broken_ground & is_missing(layers[band.name], band)] = UNREAD
    return unread


def _read_scene(
    scene: Scene,
    geobox: GeoBox,
    bands: Sequence[Variable],
    layers: Mapping[str, NDArray[Any]],
    status: NDArray[np.uint8],
    missing: Mapping[str, Extent | None],
    read: AssetReader,
) -> list[UnreadAsset]:
    """Add a scene to the layers of its day; if a file of it is broken, add nothing."""
    patches: dict[str, Patch] = {}
    unread: list[UnreadAsset] = []
    for band in bands:
        if missing[band.name] == NOTHING:
            continue
        asset = scene.assets.get(band.name)
        if asset is None and band.name not in measured_bands(scene):
            continue  # another sensor's mask
        if asset is None:
            unread.append(UnreadAsset(scene.id, band.name, "", "the Item has no such asset"))
            continue
        try:
            patches[band.name] = read(
                asset, scene.crs, geobox, band, layers[band.name], missing[band.name]
            )
        except ReadError as error:
            unread.append(UnreadAsset(scene.id, band.name, asset.href, str(error)))
    if unread:
        for band in bands:
            if band.name in patches:
                patches[band.name].undo(layers[band.name], band)
        return unread
    for patch in patches.values():
        status[patch.extent][patch.is_covered] = READ
    return []


def _missing_extent(layer: NDArray[Any], variable: Variable) -> Extent:
    """Return the rows and columns outside which nothing is missing."""
    missing = is_missing(layer, variable)
    rows = np.flatnonzero(missing.any(axis=1))
    if rows.size == 0:
        return NOTHING
    cols = np.flatnonzero(missing.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def ground(geobox: GeoBox) -> BaseGeometry:
    """Return the outline of a grid, EPSG:4326, widened by what catalogues leave off footprints.

    A scene whose footprint doesn't meet it has no pixels on the grid.
    """
    return widened(outline(geobox))


def widened(edge: BaseGeometry) -> BaseGeometry:
    """Return an outline widened as `ground` is."""
    return read_footprint(mapping(edge)).buffer(FOOTPRINT_MARGIN_DEG)


def _rasterised(footprint: BaseGeometry, geobox: GeoBox) -> NDArray[np.bool_]:
    """Return which pixels of the block a footprint (EPSG:4326) touches."""
    edges = shapely.segmentize(footprint, FOOTPRINT_MARGIN_DEG)
    on_grid = project(edges, "EPSG:4326", str(geobox.crs))
    touched: NDArray[np.bool_] = geometry_mask(
        [mapping(on_grid)], geobox.shape, geobox.affine, all_touched=True, invert=True
    )
    return touched
