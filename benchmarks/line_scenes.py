"""The demo's real square in a larger forest, which is its mirror image with the clearings healed.

Real pixels compress, and so cost, as real pixels do; and alerts stay as rare as they are.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely
import xarray as xr
import yaml
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.ndimage import binary_dilation, distance_transform_edt

from benchmarks.measure import ROOT
from cvlarray.demo import CUBES, OVERPASS, PLATFORM, open_demo_cube
from cvlarray.simulate import Product, write_catalog, write_scene
from tests import romania

Pixels = tuple[NDArray[np.intp], NDArray[np.intp]]

FOLDER = ROOT / ".bench" / "line"
BASE_CONFIG = ROOT / "configs" / "demo.yaml"
EDGE_STEP_M = 500
"""Edges of the region get a vertex every so often: straight in metres isn't straight in degrees."""


def mirrored_run(size_px: int) -> tuple[Path, Path]:
    """Write scenes of ``size_px`` squared and a config that covers them; kept for the next time.

    Returns
    -------
    The config, and the workspace it names (which may hold an earlier run).
    """
    folder = FOLDER / f"mirrored_{size_px}"
    config = folder / "run.yaml"
    if not config.exists():
        shutil.rmtree(folder, ignore_errors=True)
        with open_demo_cube(CUBES[0]) as lazy:
            cube = lazy.load()
        geobox = _geobox(cube, size_px)
        _write_scenes(folder / "source", cube, geobox)
        config.write_text(yaml.safe_dump(_config(folder, geobox)))
    return config, folder / "workspace"


def _geobox(cube: xr.Dataset, size_px: int) -> GeoBox:
    x, y = (cube[dim].to_numpy() for dim in ("x", "y"))
    step = float(x[1] - x[0])
    corner = Affine.translation(float(x[0]) - step / 2, float(y[0]) + step / 2)
    return GeoBox((size_px, size_px), corner * Affine.scale(step, -step), "EPSG:3035")


def _write_scenes(folder: Path, cube: xr.Dataset, geobox: GeoBox) -> None:
    healed = _healed_pixels()

    def write(date: xr.Dataset) -> Any:
        day = dt.date.fromisoformat(str(date["time"].to_numpy().astype("datetime64[D]")))
        bands = {name: date[key].to_numpy() for name, key in CUBES[0].bands.items()}
        return write_scene(
            folder,
            item_id=f"S2A_34TER_{day:%Y%m%d}_0_L2A",
            datetime=dt.datetime.combine(day, OVERPASS),
            bands={
                name: _widened(band.astype(np.uint16), geobox, healed)
                for name, band in bands.items()
            },
            scl=_widened(date["SCL"].to_numpy().astype(np.uint8), geobox, healed),
            geobox=geobox,
            product=Product(platform=PLATFORM, grid_tile="34TER"),
        )

    with ThreadPoolExecutor(2) as pool:
        dates = [cube.isel(time=index) for index in range(cube.sizes["time"])]
        write_catalog(folder, list(pool.map(write, dates)))


def _healed_pixels() -> Pixels:
    """Return for each pixel the place (row, column) of the nearest one that wasn't cut."""
    is_cut = binary_dilation(romania.truth(romania.load(10)).dropped, iterations=2)
    rows, cols = distance_transform_edt(is_cut, return_distances=False, return_indices=True)
    return rows, cols


def _widened(values: NDArray[Any], geobox: GeoBox, healed: Pixels) -> NDArray[Any]:
    """Return the square as it is, in the corner of mirror images of the square without its cuts."""
    height, width = geobox.shape
    missing = [(0, height - values.shape[0]), (0, width - values.shape[1])]
    wide = np.pad(values[healed], missing, mode="symmetric")
    wide[: values.shape[0], : values.shape[1]] = values
    return wide


def _config(folder: Path, geobox: GeoBox) -> dict[str, Any]:
    inside = shapely.box(*geobox.boundingbox.bbox).buffer(-1, join_style="mitre")
    to_degrees = pyproj.Transformer.from_crs(3035, 4326, always_xy=True).transform
    region = shapely.transform(
        shapely.segmentize(inside, EDGE_STEP_M), to_degrees, interleaved=False
    )
    return {
        "extends": str(BASE_CONFIG),
        "name": folder.name,
        "workspace": str(folder / "workspace"),
        "region": {"geometry": json.loads(shapely.to_geojson(region))},
        "search": {"source": str(folder / "source" / "catalog.json")},
    }
