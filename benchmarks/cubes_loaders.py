"""The same pixels by both loaders, by odc-stac, and by plain windows of the files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window, from_bounds

from benchmarks.cubes_scenes import BANDS, scenes
from benchmarks.cubes_sides import SIZE, misaligned
from benchmarks.registry import Measurement, measures
from cvlarray.cube import cube_variables, group_by_day, read_block, stackstac_loader
from cvlarray.names import NODATA_DN, SCL
from cvlarray.sensors import read_item

N_ITEMS = 6
"""Three dates of two granules."""


@measures("loader_difference")
def loader_difference() -> Measurement:
    """On a grid of 10 m whose pixels are the files', or parts of them, but whose blocks aren't."""
    geobox, items = misaligned(), scenes(*SIZE)[:N_ITEMS]
    read = [read_item(item) for item in items]
    days, variables = group_by_day(read), cube_variables(read, BANDS)
    ours = read_block(days, geobox, variables).arrays
    by_stackstac = read_block(days, geobox, variables, stackstac_loader.read_asset).arrays
    peers = {"stackstac": by_stackstac, "odc-stac": odc_stac(geobox, items)}
    peers["rasterio"] = plain_windows(geobox, items)
    worst = {
        name: max(int(np.abs(ours[b].astype(int) - peer[b]).max()) for b in BANDS)
        for name, peer in peers.items()
    }
    n_values = sum(ours[band].size for band in BANDS)
    note = f"{n_values} values; " + ", ".join(f"{name} {dn} DN" for name, dn in worst.items())
    return Measurement(float(max(worst.values())), "DN", note=note)


def odc_stac(geobox: Any, items: Sequence[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return the cube as odc-stac reads it, missing as we have it."""
    import odc.stac
    import pystac

    cube = odc.stac.load(
        [pystac.Item.from_dict(item) for item in items],
        bands=BANDS,
        geobox=geobox,
        groupby="solar_day",
        resampling="nearest",
        dtype="uint16",
    )
    return {band: canonical(cube[band].to_numpy(), band) for band in BANDS}


def plain_windows(geobox: Any, items: Sequence[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return the cube as rasterio's windows, 20 m pixels repeated, the first granule on top."""
    found: dict[str, list[NDArray[Any]]] = {band: [] for band in BANDS}
    for pair in zip(items[::2], items[1::2], strict=True):
        for band in BANDS:
            layers = [_window(geobox, item["assets"][band]["href"]) for item in pair]
            found[band].append(np.where(layers[0] != 0, layers[0], layers[1]))
    return {band: canonical(np.stack(layers), band) for band, layers in found.items()}


def _window(geobox: Any, href: str) -> NDArray[Any]:
    """Return a file's pixels under the grid, 0 where it has none."""
    with rasterio.open(href) as file:
        step = round(file.transform.a / 10)
        window = from_bounds(*geobox.boundingbox.bbox, file.transform)
        top, left = np.floor([window.row_off, window.col_off]).astype(int)
        height, width = (size // step + 1 for size in geobox.shape)
        wanted = Window(left, top, width, height)
        values = file.read(1, window=wanted, boundless=True, fill_value=0)
        row, col = (round((offset - whole) * step) for offset, whole in
                    ((window.row_off, top), (window.col_off, left)))  # fmt: skip
    fine = values.repeat(step, 0).repeat(step, 1)
    return fine[row : row + geobox.shape[0], col : col + geobox.shape[1]]


def canonical(dn: NDArray[Any], band: str) -> NDArray[Any]:
    """Return a file's values as the cube has them."""
    return dn if band == SCL.name else np.where(dn == 0, NODATA_DN, dn.astype(np.int32))
