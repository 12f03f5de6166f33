"""The demo's input: a real Sentinel-2 cube over Romania, laid out as a STAC catalog of COGs.

The cube comes with the Python package ``nrt`` 0.1.0 (EUPL-1.2): 140 dates from 2015-08 to 2021-01,
1 × 1 km of mountain forest with a river, in EPSG:3035, at 10 m and at 20 m. Its pixels are written
unchanged. It was cut from Level-2A products of before baseline 04.00, so no DN carries the BOA
offset; it doesn't say which baseline, satellite or time of day, so every Item says the same.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.errors import ConfigError, MissingExtraError
from cvlarray.simulate import Product, write_catalog, write_scene
from cvlarray.store import write_atomic

GRID_TILE = "34TER"
"""MGRS tile of the place."""
PLATFORM = "sentinel-2a"
OVERPASS = dt.time(9, 20, tzinfo=dt.UTC)
"""About when Sentinel-2 passes there; the cube knows the day only."""
BASELINE = "02.14"

_PACKAGE = "nrt"
_MARKER = "complete.json"
_WRITERS = 4
_VERSION = 1
"""Raise it when the catalog is written differently, so that an older one is written anew."""


@dataclass(frozen=True)
class DemoCube:
    """One of the two cubes in the package."""

    name: str
    """Folder of its catalog."""
    file: str
    """Path in the package."""
    bands: Mapping[str, str]
    """Band name -> variable of the netCDF."""


CUBES = (
    DemoCube(
        "sentinel2_10m",
        "nrt/data/sentinel2_cube_subset_romania_10m.nc",
        {"blue": "B2", "green": "B3", "red": "B4", "nir": "B8"},
    ),
    DemoCube(
        "sentinel2_20m",
        "nrt/data/sentinel2_cube_subset_romania_20m.nc",
        {"green": "B3", "red": "B4", "nir08": "B8A", "swir16": "B11"},
    ),
)


def demo_config() -> Path:
    """Return the path of the demo's YAML.

    Raises
    ------
    ConfigError
        If the package was installed without the repository's ``configs/``.
    """
    path = Path(__file__).parents[1] / "configs" / "demo.yaml"
    if not path.is_file():
        raise ConfigError(f"expected the demo's config at {path}; run the demo in a clone")
    return path


def write_romania(workspace: Path) -> dict[str, Path]:
    """Write the demo's catalogs; what is there and complete is left as it is.

    Parameters
    ----------
    workspace
        Of the run; the catalogs go to ``<workspace>/source/<name>``.

    Returns
    -------
    ``catalog.json`` of each cube by name: ``sentinel2_10m``, ``sentinel2_20m``.

    Raises
    ------
    MissingExtraError
        If the package that carries the cubes isn't installed.
    StoreError
        If the catalogs can't be written.
    """
    return {cube.name: _write_cube(workspace / "source" / cube.name, cube) for cube in CUBES}


def open_demo_cube(cube: DemoCube) -> xr.Dataset:
    """Open one of the cubes as it lies in the package, without importing that package.

    Returns
    -------
    Dataset (time, y, x), uint16 DN as stored; 0 is no data.

    Raises
    ------
    MissingExtraError
        If the package, or netCDF4 to read it, isn't installed.
    """
    try:
        dataset: xr.Dataset = xr.open_dataset(
            _package_file(cube.file), engine="netcdf4", mask_and_scale=False
        )
    except (ImportError, PackageNotFoundError, ValueError) as error:
        raise _missing(str(error)) from error
    return dataset


def _write_cube(folder: Path, cube: DemoCube) -> Path:
    """Write one catalog, its marker last; an unmarked one is begun anew."""
    source = _package_file(cube.file)
    state = {"version": _VERSION, "source": source.name, "bytes": source.stat().st_size}
    if _read_marker(folder) == state:
        return folder / "catalog.json"
    if folder.exists():
        shutil.rmtree(folder)
    with open_demo_cube(cube) as lazy:
        dataset = lazy.load()
    dates = [dataset.isel(time=index) for index in range(dataset.sizes["time"])]
    # Most of the time goes into waiting for the disk to say that a file is safe.
    with ThreadPoolExecutor(_WRITERS) as pool:
        items = list(pool.map(lambda date: _write_date(folder, date, cube), dates))
    catalog = write_catalog(folder, items)
    write_atomic(folder / _MARKER, json.dumps(state))
    return catalog


def _write_date(folder: Path, dataset: xr.Dataset, cube: DemoCube) -> pystac.Item:
    """Write the scene of one date."""
    date = dt.date.fromisoformat(str(dataset["time"].to_numpy().astype("datetime64[D]")))
    scl = dataset["SCL"].to_numpy()
    return write_scene(
        folder,
        item_id=f"S2A_{GRID_TILE}_{date:%Y%m%d}_0_L2A",
        datetime=dt.datetime.combine(date, OVERPASS),
        bands={name: dataset[variable].to_numpy() for name, variable in cube.bands.items()},
        scl=scl.astype(np.uint8),
        geobox=demo_geobox(dataset),
        product=Product(platform=PLATFORM, grid_tile=GRID_TILE, processing_baseline=BASELINE),
    )


def demo_geobox(dataset: xr.Dataset) -> GeoBox:
    """Return the grid of a cube from its pixel centres."""
    x, y = dataset["x"].to_numpy(), dataset["y"].to_numpy()
    step = round(float(x[1] - x[0]))
    affine = Affine(step, 0, float(x[0]) - step / 2, 0, -step, float(y[0]) + step / 2)
    return GeoBox((y.size, x.size), affine, "EPSG:3035")


def _package_file(name: str) -> Path:
    """Return a data file of the package; importing the package would compile its kernels."""
    try:
        found = [file for file in files(_PACKAGE) or [] if str(file) == name]
    except PackageNotFoundError as error:
        raise _missing(f"{_PACKAGE} is not installed") from error
    if not found or not (path := Path(str(found[0].locate()))).is_file():
        raise _missing(f"the installed {_PACKAGE} has no {name}; version 0.1.0 has")
    return path


def _missing(reason: str) -> MissingExtraError:
    """Return the error that names the extra."""
    return MissingExtraError(
        f"the demo's data are missing: {reason}; install them with pip install 'cvlarray[demo]'"
    )


def _read_marker(folder: Path) -> Any:
    """Return what the marker says, None without one."""
    try:
        return json.loads((folder / _MARKER).read_text())
    except (FileNotFoundError, ValueError):
        return None
