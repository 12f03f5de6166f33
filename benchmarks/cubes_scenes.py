"""Two granules that overlap, on 24 dates: a scene's files are of 10 m and of 20 m, as they come."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from benchmarks.measure import ROOT
from cvlarray.cube.cog import COG_BLOCK_PX

FOLDER = ROOT / ".bench" / "cubes"
BANDS = ("blue", "green", "red", "nir", "swir16", "scl")
COARSE = ("swir16", "scl")
"""Of 20 m."""
DATES = [dt.datetime(2023, 1, 4, 15, tzinfo=dt.UTC) + dt.timedelta(days=5 * n) for n in range(24)]
NOISE_DN = 40.0
"""From pixel to pixel. With it a pixel takes 1.2 bytes in the file, as real forest does."""
CORNER = 400_000.0, 8_600_000.0
EPSG = 32719


def grid(height: int, width: int) -> GeoBox:
    """Return the pixels that both granules cover together."""
    x, y = CORNER
    return GeoBox((height, width), Affine(10, 0, x, 0, -10, y), f"EPSG:{EPSG}")


def granules(width: int) -> list[slice]:
    """Return the columns of each granule; they share one column of the files' blocks."""
    half = (width + COG_BLOCK_PX) // 2
    return [slice(0, half), slice(width - half, width)]


def scenes(height: int, width: int) -> list[dict[str, Any]]:
    """Write the scenes, unless an earlier call did; return their Items with absolute hrefs."""
    folder = FOLDER / f"{height}x{width}"
    listed = folder / "items.json"
    if not listed.exists():
        shutil.rmtree(folder, ignore_errors=True)
        items = list(_write(folder, height, width))
        listed.write_text(json.dumps(items))
    found: list[dict[str, Any]] = json.loads(listed.read_text())
    return found


def _write(folder: Path, height: int, width: int) -> Iterator[dict[str, Any]]:
    # Here, for a side whose memory is measured needs neither.
    from scipy.ndimage import gaussian_filter

    from cvlarray.simulate import Product, write_scene

    rng = np.random.default_rng(11)
    whole = grid(height, width)
    ground = gaussian_filter(rng.normal(0, 1, (height, width)), 12) * 3000 + 2000
    for date in DATES:
        bands = {name: _band(rng, ground, coarse=name in COARSE) for name in BANDS[:-1]}
        scl = _classes(rng, ground[::2, ::2])
        for number, columns in enumerate(granules(width)):
            parts = {name: _part(values, columns, name in COARSE) for name, values in bands.items()}
            item = write_scene(
                folder,
                item_id=f"S2A_19LD{'FG'[number]}_{date:%Y%m%d}_0_L2A",
                datetime=date,
                bands=parts,
                scl=_part(scl, columns, coarse=True),
                geobox=whole[:, columns],
                product=Product(grid_tile=f"19LD{'FG'[number]}"),
            )
            item.make_asset_hrefs_absolute()
            yield item.to_dict(include_self_link=True, transform_hrefs=False)


def _band(
    rng: np.random.Generator, ground: NDArray[np.float64], *, coarse: bool
) -> NDArray[np.uint16]:
    mean = ground[::2, ::2] if coarse else ground
    return (mean + rng.normal(0, NOISE_DN, mean.shape)).clip(1, 9000).astype(np.uint16)


def _classes(rng: np.random.Generator, ground: NDArray[np.float64]) -> NDArray[np.uint8]:
    from scipy.ndimage import gaussian_filter

    cloud = gaussian_filter(rng.normal(0, 1, ground.shape), 30) > 0.01
    return np.where(cloud, 9, 4).astype(np.uint8)


def _part(values: NDArray[Any], columns: slice, coarse: bool) -> NDArray[Any]:
    step = 2 if coarse else 1
    return np.ascontiguousarray(values[:, columns.start // step : columns.stop // step])
