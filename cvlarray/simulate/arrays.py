"""Simulated cubes without files: lazy, in the form that `cube.load_cube` gives them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from operator import getitem
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from cvlarray.cube import Block, Day, block_dataset
from cvlarray.names import READ, READ_STATUS, SCL, Variable, band
from cvlarray.simulate.acquisitions import Pass
from cvlarray.simulate.landcover import NO_TRUTH, LandCover, Sky
from cvlarray.simulate.landsat import LANDSAT_BANDS, REFLECTANCE_PER_DN, ZERO_DN, view_landsat
from cvlarray.simulate.landscape import PIXEL_M, Landscape
from cvlarray.simulate.pixels import Pixels, pixels_of
from cvlarray.simulate.radar import view_sentinel1
from cvlarray.simulate.sentinel2 import SENTINEL2_BANDS, Sentinel2View, view_sentinel2
from cvlarray.simulate.switches import Switches
from cvlarray.simulate.tiles import Tile, tiles_of
from cvlarray.simulate.truth import land_cover_of

LAND_COVER = Variable(
    "land_cover", ("time", "y", "x"), "uint8", np.uint8(NO_TRUTH),
    {
        "long_name": "land cover, simulated truth",
        "flag_values": [cover.value for cover in LandCover],
        "flag_meanings": " ".join(cover.name.lower() for cover in LandCover),
    },
)  # fmt: skip
SKY = Variable(
    "sky", ("time", "y", "x"), "uint8", np.uint8(NO_TRUTH),
    {
        "long_name": "what was between ground and sensor, simulated truth",
        "flag_values": [sky.value for sky in Sky],
        "flag_meanings": " ".join(sky.name.lower() for sky in Sky),
    },
)  # fmt: skip

Layers = Mapping[str, NDArray[Any]]
Draw = Callable[[Pass, GeoBox], Layers]
"""Draws all layers (y, x) of a pass on the grid of a block."""


def sentinel2_cube(
    landscape: Landscape,
    passes: Sequence[Pass],
    *,
    geobox: GeoBox | None = None,
    bands: Sequence[str] = (*SENTINEL2_BANDS, "scl"),
    tiles: Sequence[Tile] = (),
    switches: Switches | None = None,
    block_px: int = 1024,
) -> xr.Dataset:
    """Return simulated Sentinel-2 scenes as one lazy cube.

    Parameters
    ----------
    landscape
        What is seen.
    passes
        Of Sentinel-2, one a day at most.
    geobox
        Any window of the landscape's grid, or beyond it; the whole if None.
    bands
        Names from `sentinel2.SENTINEL2_BANDS`, and ``scl``.
    tiles
        The landscape's tiles, earlier ones on top; `tiles.tiles_of` if empty.
    switches
        Effects to simulate; all if None.
    block_px
        Pixels along the side of a chunk; a chunk is one date.

    Returns
    -------
    Dataset (time, y, x) as `cube.load_cube` returns it, and ``sky``, the cloud truth. Pixels of
    20 m are repeated. What lies beyond the last tile is drawn as part of it.

    Raises
    ------
    ValueError
        If a band isn't simulated, passes share a day, or the grid isn't the landscape's.
    """
    switches = switches or Switches()
    whole = tuple(tiles) or tiles_of(landscape)
    chosen = tuple(name for name in bands if name != SCL.name)
    variables = [SCL if name == SCL.name else _reflectance(name) for name in bands]

    def draw(at: Pass, block: GeoBox) -> Layers:
        pixels = pixels_of(block, PIXEL_M, origin=(0.0, 0.0))
        return _mosaic(landscape, at, pixels, chosen, whole, switches)

    token = tokenize("sentinel2", landscape, chosen, whole, switches)
    return _cube(draw, token, passes, geobox or landscape.geobox, [*variables, SKY], block_px)


def sentinel1_cube(
    landscape: Landscape,
    passes: Sequence[Pass],
    *,
    geobox: GeoBox | None = None,
    switches: Switches | None = None,
    block_px: int = 1024,
) -> xr.Dataset:
    """Return simulated Sentinel-1 scenes of one orbit as one lazy cube.

    Parameters
    ----------
    landscape, passes, geobox, switches, block_px
        As for `sentinel2_cube`; passes of one orbit.

    Returns
    -------
    Dataset (time, y, x) of ``vv`` and ``vh``, float32 linear gamma0.

    Raises
    ------
    ValueError
        If passes are of several orbits or share a day, or the grid isn't the landscape's.
    """
    switches = switches or Switches()
    orbits = sorted({f"{at.orbit_state}-{at.relative_orbit}" for at in passes})
    if len(orbits) > 1:
        raise ValueError(f"a cube is of one orbit, got {', '.join(orbits)}; make a cube of each")

    def draw(at: Pass, block: GeoBox) -> Layers:
        pixels = pixels_of(block, PIXEL_M, origin=(0.0, 0.0))
        return view_sentinel1(landscape, at, pixels, switches)._asdict()

    variables = [
        Variable(
            name, ("time", "y", "x"), "float32", np.float32("nan"),
            {"long_name": f"{name.upper()} backscatter, gamma0, linear power", "units": "1"},
        )
        for name in ("vv", "vh")
    ]  # fmt: skip
    token = tokenize("sentinel1", landscape, switches)
    return _cube(draw, token, passes, geobox or landscape.geobox, variables, block_px)


def landsat_cube(
    landscape: Landscape,
    passes: Sequence[Pass],
    *,
    geobox: GeoBox,
    switches: Switches | None = None,
    block_px: int = 512,
) -> xr.Dataset:
    """Return simulated Landsat scenes as one lazy cube.

    Parameters
    ----------
    landscape, passes, switches, block_px
        As for `sentinel2_cube`.
    geobox
        Grid of 30 m, such as `landsat_grid`.

    Returns
    -------
    Dataset (time, y, x): bands as int16 DN, ``qa_pixel``, and ``sky``, the cloud truth.

    Raises
    ------
    ValueError
        If passes share a day, or the grid isn't of 30 m.
    """
    switches = switches or Switches()

    def draw(at: Pass, block: GeoBox) -> Layers:
        view = view_landsat(landscape, at, pixels_of(block, 30.0, origin=(15.0, 15.0)), switches)
        scale, offset = REFLECTANCE_PER_DN * 1e4, ZERO_DN * REFLECTANCE_PER_DN * 1e4
        bands = {
            name: np.rint(values * scale - offset).astype(np.int16)
            for name, values in view.bands.items()
        }
        return {**bands, "qa_pixel": view.qa_pixel, SKY.name: view.sky}

    flags = Variable(
        "qa_pixel", ("time", "y", "x"), "uint16", np.uint16(1), {"long_name": "qa_pixel flags"}
    )
    variables = [*(_reflectance(name) for name in LANDSAT_BANDS), flags, SKY]
    token = tokenize("landsat", landscape, switches)
    return _cube(draw, token, passes, geobox, variables, block_px)


def truth_cube(
    landscape: Landscape,
    dates: Sequence[dt.date],
    *,
    geobox: GeoBox | None = None,
    switches: Switches | None = None,
    block_px: int = 1024,
) -> xr.Dataset:
    """Return the land cover on some days, lazily.

    Parameters
    ----------
    landscape, geobox, switches, block_px
        As for `sentinel2_cube`; the grid may be of any pixel size.
    dates
        Days, ascending.

    Returns
    -------
    Dataset (time, y, x) with ``land_cover``, `LandCover` codes.
    """
    switches = switches or Switches()
    grid = geobox or landscape.geobox

    def draw(date: dt.date, block: GeoBox) -> Layers:
        pixels = pixels_of(block, float(grid.affine.a))
        return {LAND_COVER.name: land_cover_of(landscape, pixels, date, switches)}

    token = tokenize("truth", landscape, switches)
    return _lazy(draw, token, dates, dates, grid, [LAND_COVER], block_px)


def landsat_grid(landscape: Landscape) -> GeoBox:
    """Return the smallest grid of 30 m, edges at multiples of 30 m plus 15, over a landscape."""
    left, bottom, right, top = landscape.bounds
    x0, y0 = ((edge - 15) // 30 * 30 + 15 for edge in (left, bottom))
    x1, y1 = (-(-(edge - 15) // 30) * 30 + 15 for edge in (right, top))
    shape = round((y1 - y0) / 30), round((x1 - x0) / 30)
    affine = landscape.geobox.affine
    return GeoBox(shape, type(affine)(30, 0, x0, 0, -30, y1), landscape.geobox.crs)


def _mosaic(
    landscape: Landscape,
    at: Pass,
    pixels: Pixels,
    bands: tuple[str, ...],
    tiles: Sequence[Tile],
    switches: Switches,
) -> dict[str, NDArray[Any]]:
    """Return a block out of the tiles it touches, as int16 DN; the first tile wins."""
    window = pixels.padded(0, 2)
    layers: dict[str, NDArray[Any]] = {}
    is_missing = np.ones(window.shape, bool)
    for tile in tiles:
        part = _common(window, tile.pixels if tile is not tiles[-1] else window)
        if part is None or not is_missing[part.within(window)].any():
            continue
        view = view_sentinel2(landscape, at, part, bands=bands, tile=tile.name, switches=switches)
        place = part.within(window)
        for name, values in _on_fine_pixels(view).items():
            layer = layers.setdefault(name, np.zeros(window.shape, values.dtype))
            layer[place] = np.where(is_missing[place], values, layer[place])
        is_missing[place] = False
    inside = pixels.within(window)
    return {name: np.ascontiguousarray(layer[inside]) for name, layer in layers.items()}


def _common(window: Pixels, other: Pixels) -> Pixels | None:
    """Return the window that two have in common, None if there is none."""
    row0, col0 = max(window.row0, other.row0), max(window.col0, other.col0)
    row1 = min(window.row0 + window.shape[0], other.row0 + other.shape[0])
    col1 = min(window.col0 + window.shape[1], other.col0 + other.shape[1])
    if row0 >= row1 or col0 >= col1:
        return None
    return Pixels(row0, col0, (row1 - row0, col1 - col0), window.size_m, window.origin)


def _on_fine_pixels(view: Sentinel2View) -> dict[str, NDArray[Any]]:
    """Return every layer at 10 m, reflectance as int16."""
    fine = {
        name: values if SENTINEL2_BANDS[name] == PIXEL_M else _doubled(values)
        for name, values in view.bands.items()
    }
    bands = {name: np.minimum(values, 32767).astype(np.int16) for name, values in fine.items()}
    return {**bands, SCL.name: _doubled(view.scl), SKY.name: _doubled(view.sky)}


def _doubled(values: NDArray[Any]) -> NDArray[Any]:
    return values.repeat(2, axis=0).repeat(2, axis=1)


def _reflectance(name: str) -> Variable:
    return band(name, f"{name} surface reflectance, simulated")


def _cube(
    draw: Draw,
    token: str,
    passes: Sequence[Pass],
    geobox: GeoBox,
    variables: Sequence[Variable],
    block_px: int,
) -> xr.Dataset:
    """Return the lazy cube of some passes, ``read_status`` included."""
    dates = [at.date for at in passes]
    if not dates or len(set(dates)) != len(dates):
        raise ValueError("passes must be one or more, each on a day of its own")

    def draw_all(at: Pass, block: GeoBox) -> Layers:
        status = np.full(block.shape, READ, READ_STATUS.dtype)
        return {**draw(at, block), READ_STATUS.name: status}

    return _lazy(draw_all, token, passes, dates, geobox, [*variables, READ_STATUS], block_px)


def _lazy(
    draw: Callable[[Any, GeoBox], Layers],
    token: str,
    moments: Sequence[Any],
    dates: Sequence[dt.date],
    geobox: GeoBox,
    variables: Sequence[Variable],
    block_px: int,
) -> xr.Dataset:
    """Return a Dataset of which each chunk, one moment and a square, is drawn in one task."""
    token = tokenize(token, moments, geobox, variables, block_px)
    tasks: dict[Any, Any] = {}
    rows, cols = (_parts(int(size), block_px) for size in geobox.shape)
    places = list(product(range(len(moments)), range(len(rows)), range(len(cols))))
    for t, i, j in places:
        block = geobox[rows[i], cols[j]]
        tasks[f"simulate-{token}", t, i, j] = (_drawn, draw, moments[t], block)
    chunks = (
        (1,) * len(moments),
        tuple(part.stop - part.start for part in rows),
        tuple(part.stop - part.start for part in cols),
    )
    make_array: Any = da.Array  # Dask doesn't annotate it
    arrays = {}
    for variable in variables:
        name = f"{variable.name}-{token}"
        picks = {
            (name, *place): (getitem, (f"simulate-{token}", *place), variable.name)
            for place in places
        }
        drawn = f"simulate-{token}"
        layers: dict[str, Any] = {drawn: tasks, name: picks}
        graph = HighLevelGraph(layers, {drawn: set(), name: {drawn}})
        arrays[variable.name] = make_array(graph, name, chunks, dtype=variable.dtype)
    days = [Day(date, ()) for date in dates]
    return block_dataset(Block(arrays), days, geobox, variables)


def _drawn(draw: Callable[[Any, GeoBox], Layers], moment: Any, block: GeoBox) -> Layers:
    """Draw a block within a task; the layers get a time axis."""
    return {name: layer[np.newaxis] for name, layer in draw(moment, block).items()}


def _parts(size: int, length: int) -> list[slice]:
    return [slice(start, min(start + length, size)) for start in range(0, size, length)]
