"""A block of the cube: some days, a rectangle of pixels, all bands, read eagerly."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
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
from cvlarray.cube.beside import lies_beside
from cvlarray.cube.days import Day
from cvlarray.cube.geofile import GDAL_OPTIONS
from cvlarray.cube.raster import Patch, read_asset
from cvlarray.cube.variables import is_missing, measured_bands
from cvlarray.errors import ReadError
from cvlarray.grid import outline, project
from cvlarray.kernels.mosaic import missing_bounds
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


@dataclass(frozen=True)
class _BrokenScene:
    """A scene that is left out."""

    assets: Sequence[UnreadAsset]
    is_on_grid: bool
    """Whether its footprint touches the block."""


class Loader(Protocol):
    """Fills a layer from one file; picklable, runs in any thread or process.

    Takes file, its CRS by the catalogue, grid, variable, layer and what is missing of it, and
    returns what was changed; `raster.read_asset` says what is what.
    """

    def __call__(
        self,
        asset: Asset,
        crs: str | None,
        geobox: GeoBox,
        variable: Variable,
        layer: NDArray[Any],
        missing: Extent | None,
    ) -> Patch:
        """Fill the pixels of ``layer`` that are missing."""


def read_block(
    days: Sequence[Day],
    geobox: GeoBox,
    variables: Sequence[Variable],
    loader: Loader = read_asset,
) -> Block:
    """Read a block from its files, each file once.

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
    loader
        How a file is read: straight with rasterio, or by `stackstac_loader.read_asset`.

    Returns
    -------
    Arrays of shape (len(days), *geobox.shape). ``read_status`` is 1 where a scene was read,
    2 where data is missing in some band and the footprint of a broken scene lies, else 0.
    """
    shape = (len(days), *geobox.shape)
    bands = _bands(variables)
    arrays = {band.name: np.empty(shape, band.dtype) for band in bands}
    status = np.full(shape, NOT_COVERED, READ_STATUS.dtype)
    broken = _fill(days, geobox, bands, arrays, status, loader)
    unread = tuple(asset for one in broken if one.is_on_grid for asset in one.assets)
    for asset in unread:
        logger.warning("unread: %s %s: %s", asset.scene_id, asset.band, asset.reason)
    return Block({**arrays, READ_STATUS.name: status}, unread)


def read_bands(
    days: Sequence[Day],
    geobox: GeoBox,
    variables: Sequence[Variable],
    loader: Loader = read_asset,
) -> Iterator[Block]:
    """Read what `read_block` reads, one variable after the other, in the memory of one band.

    Parameters
    ----------
    days, geobox, variables, loader
        As of `read_block`.

    Yields
    ------
    One variable each, in order, and ``read_status`` last. An array is another's as soon as the
    next is asked for. Where a file turns out to be broken, its scene is in no band: all of them
    then come once more, from the first on, and what came before doesn't count.
    """
    shape = (len(days), *geobox.shape)
    status = np.full(shape, NOT_COVERED, READ_STATUS.dtype)
    buffers: dict[str, NDArray[Any]] = {}
    bands = _bands(variables)
    for number, band in enumerate(bands):
        # Fresh memory costs as much as decoding a tenth of it, but what has served its turn goes.
        ahead = {later.dtype for later in bands[number:]}
        buffers = {dtype: buffer for dtype, buffer in buffers.items() if dtype in ahead}
        if band.dtype not in buffers:
            buffers[band.dtype] = np.empty(shape, band.dtype)
        arrays = {band.name: buffers[band.dtype]}
        if _fill(days, geobox, [band], arrays, status, loader):
            break
        yield Block(arrays)
        arrays = {}
    else:
        yield Block({READ_STATUS.name: status})
        return
    del buffers, arrays, status
    block = read_block(days, geobox, variables, loader)
    for name, array in block.arrays.items():
        yield Block({name: array}, block.unread if name == READ_STATUS.name else ())


def _bands(variables: Sequence[Variable]) -> list[Variable]:
    """Return what is read from files."""
    return [variable for variable in variables if variable.name != READ_STATUS.name]


def _fill(
    days: Sequence[Day],
    geobox: GeoBox,
    bands: Sequence[Variable],
    arrays: Mapping[str, NDArray[Any]],
    status: NDArray[np.uint8],
    loader: Loader,
) -> list[_BrokenScene]:
    """Fill the arrays of some bands, note in ``status`` what was read, and tell what wasn't."""
    block_ground = ground(geobox)
    broken: list[_BrokenScene] = []
    with rasterio.Env(**GDAL_OPTIONS):
        for index, day in enumerate(days):
            # Filled day by day: what is read over it is then still in the processor's cache.
            for band in bands:
                arrays[band.name][index] = band.fill_value
            layers = {band.name: arrays[band.name][index] for band in bands}
            scenes = [scene for scene in day.scenes if scene.footprint.intersects(block_ground)]
            broken += _read_day(scenes, geobox, bands, layers, status[index], loader)
    return broken


def _read_day(
    scenes: Sequence[Scene],
    geobox: GeoBox,
    bands: Sequence[Variable],
    layers: Mapping[str, NDArray[Any]],
    status: NDArray[np.uint8],
    loader: Loader,
) -> list[_BrokenScene]:
    """Mosaic the scenes of a day into its layers, and tell those that are broken."""
    broken: list[_BrokenScene] = []
    broken_ground = np.zeros(geobox.shape, bool)
    is_empty = True
    for scene in scenes:
        missing = {
            band.name: None if is_empty else _missing_extent(layers[band.name], band)
            for band in bands
        }
        unread = _read_scene(scene, geobox, bands, layers, status, missing, loader)
        if not unread:
            is_empty = False
            continue
        ground = _rasterised(scene.footprint, geobox)
        broken.append(_BrokenScene(unread, bool(ground.any())))
        broken_ground |= ground
    if broken:
        for band in bands:
            status[broken_ground & is_missing(layers[band.name], band)] = UNREAD
    return broken


def _read_scene(
    scene: Scene,
    geobox: GeoBox,
    bands: Sequence[Variable],
    layers: Mapping[str, NDArray[Any]],
    status: NDArray[np.uint8],
    missing: Mapping[str, Extent | None],
    loader: Loader,
) -> list[UnreadAsset]:
    """Add a scene to the layers of its day; if a file of it is broken, add nothing."""
    patches: dict[str, Patch] = {}
    unread: list[UnreadAsset] = []
    for band in bands:
        asset = scene.assets.get(band.name)
        if missing[band.name] == NOTHING or _has_nothing(scene, asset, band, geobox):
            continue
        if asset is None:
            unread.append(UnreadAsset(scene.id, band.name, "", "the Item has no such asset"))
            continue
        try:
            patches[band.name] = loader(
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


def _has_nothing(scene: Scene, asset: Asset | None, band: Variable, geobox: GeoBox) -> bool:
    """Tell whether a scene needn't have a band here: it is another sensor's mask, or elsewhere."""
    if asset is None:
        return band.name not in measured_bands(scene)
    return lies_beside(asset, scene, geobox)


def _missing_extent(layer: NDArray[Any], variable: Variable) -> Extent:
    """Return the rows and columns outside which nothing is missing."""
    top, bottom, left, right = missing_bounds(layer, layer.dtype.type(variable.fill_value))
    return slice(top, bottom), slice(left, right)


def ground(geobox: GeoBox) -> BaseGeometry:
    """Return the outline of a grid, EPSG:4326, widened by what catalogues leave off footprints.

    A scene whose footprint doesn't meet it has no pixels on the grid.
    """
    return widened(outline(geobox))


def widened(edge: BaseGeometry) -> BaseGeometry:
    """Return an outline widened as `ground` is."""
    west, _, east, _ = edge.bounds
    is_plain = west >= -180 and east <= 180 and east - west < 180
    whole = edge if is_plain else read_footprint(mapping(edge))
    return whole.buffer(FOOTPRINT_MARGIN_DEG)


def _rasterised(footprint: BaseGeometry, geobox: GeoBox) -> NDArray[np.bool_]:
    """Return which pixels of the block a footprint (EPSG:4326) touches."""
    edges = shapely.segmentize(footprint, FOOTPRINT_MARGIN_DEG)
    on_grid = project(edges, "EPSG:4326", str(geobox.crs))
    touched: NDArray[np.bool_] = geometry_mask(
        [mapping(on_grid)], geobox.shape, geobox.affine, all_touched=True, invert=True
    )
    return touched
