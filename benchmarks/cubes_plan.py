"""The plan of a cube of 10⁵ × 10⁵ pixels and 500 dates: 9,604 tiles, 16,650 Items."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rustac
import yaml
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from benchmarks.registry import Measurement, measures
from cvlarray.config import RunConfig, load_config
from cvlarray.config.region import RegionConfig
from cvlarray.grid import outline
from cvlarray.pipeline import make_plan

SIZE_PX, N_DATES = 100_000, 500
SCENE_PX, STEP_PX = 10_980, 10_000
"""Edge of a scene, and from one to the next: they overlap as those of Sentinel-2 do."""
N_STRIPS = 3
"""A pass sees a third of the region."""
WEST, NORTH = 300_000, 9_400_000
FIRST = dt.datetime(2018, 1, 3, 15, tzinfo=dt.UTC)
STEP_DAYS = 5
CRS = "EPSG:32719"
DTYPES = {"red": "uint16", "nir": "uint16", "scl": "uint8"}
BANDS = {"red": ("B04", 10), "nir": ("B08", 10), "scl": ("SCL", 20)}


@dataclass(frozen=True)
class Place:
    """Where the scenes of one tile lie."""

    name: str
    grid: GeoBox
    footprint: BaseGeometry
    strip: int


def places(size_px: int) -> list[Place]:
    """Return the tiles of the catalogue, which overlap."""
    n_side = size_px // STEP_PX
    found = []
    for row, col in np.ndindex(n_side, n_side):
        west, north = WEST + 10 * STEP_PX * col, NORTH - 10 * STEP_PX * row
        grid = GeoBox((SCENE_PX, SCENE_PX), Affine(10, 0, west, 0, -10, north), CRS)
        found.append(Place(f"19L{row}{col}", grid, outline(grid), col % N_STRIPS))
    return found


def items(folder: Path, size_px: int, n_dates: int) -> Iterator[dict[str, Any]]:
    """Yield the Items, as a search on a STAC API leaves them in the snapshot."""
    every = places(size_px)
    for number in range(n_dates):
        moment = FIRST + dt.timedelta(days=STEP_DAYS * number)
        for place in every:
            if place.strip == number % N_STRIPS:
                yield item(folder, place, moment)


def write_empty_files(folder: Path, size_px: int) -> None:
    """Write the files that the plan samples: those round the middle, without a pixel in them."""
    middle = {size_px // STEP_PX // 2, size_px // STEP_PX // 2 - 1}
    for place in places(size_px):
        if {int(place.name[-2]), int(place.name[-1])} <= middle:
            for band, (esa, metres) in BANDS.items():
                write_empty(folder / f"{place.name}_{esa}.tif", place.grid, metres, DTYPES[band])


def write_empty(path: Path, grid: GeoBox, metres: int, dtype: str) -> None:
    """Write a file that has no blocks."""
    coarse = grid.zoom_out(metres / 10)
    height, width = coarse.shape
    profile = {"height": height, "width": width, "transform": coarse.affine, "dtype": dtype}
    how = {"driver": "GTiff", "count": 1, "crs": CRS, "nodata": 0, "tiled": True, "sparse_ok": True}
    rasterio.open(path, "w", **profile, **how).close()


def item(folder: Path, place: Place, moment: dt.datetime) -> dict[str, Any]:
    """Return one Item."""
    tile, footprint = place.name, place.footprint
    a, _, west, _, e, north = place.grid.affine[:6]
    assets = {
        band: {
            "href": str(folder / f"{tile}_{esa}.tif"),
            "proj:shape": [SCENE_PX * 10 // metres] * 2,
            "proj:transform": [a * metres / 10, 0, west, 0, e * metres / 10, north],
            "file:size": 2 * 10**8,
            "raster:bands": [{"nodata": 0, "data_type": DTYPES[band]}],
        }
        for band, (esa, metres) in BANDS.items()
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"S2A_{tile}_{moment:%Y%m%d}_0_L2A",
        "collection": "sentinel-2-l2a",
        "geometry": mapping(footprint),
        "bbox": list(footprint.bounds),
        "properties": {
            "datetime": moment.isoformat(),
            "platform": "sentinel-2a",
            "grid:code": f"MGRS-{tile}",
            "proj:code": CRS,
            "s2:processing_baseline": "05.11",
            "earthsearch:boa_offset_applied": True,
            "eo:cloud_cover": 20.0,
        },
        "links": [],
        "assets": assets,
    }


def huge_run(folder: Path, size_px: int = SIZE_PX, n_dates: int = N_DATES) -> RunConfig:
    """Write the snapshot and the YAML of the run."""
    write_empty_files(folder, size_px)
    source = folder / "items.parquet"
    rustac.write_sync(str(source), list(items(folder, size_px, n_dates)), format="geoparquet")
    region = GeoBox((size_px, size_px), Affine(10, 0, WEST, 0, -10, NORTH), CRS)
    settings = {
        "name": "huge",
        "workspace": str(folder / "workspace"),
        "region": {"geometry": {"type": "Polygon", "coordinates": corners(region)}},
        "grid": {"crs": CRS, "resolution_m": 10, "tile_px": 1024},
        "search": {"source": str(source)},
        "periods": {
            "history": {"start": "2018-01-01", "end": "2023-12-31"},
            "monitoring": {"start": "2024-01-01", "end": "2024-12-31"},
        },
        "cube": {"bands": list(BANDS)},
    }
    path = folder / "huge.yaml"
    path.write_text(yaml.safe_dump(settings))
    return load_config(path)


def corners(grid: GeoBox) -> list[list[list[float]]]:
    """Return the outline of a grid as GeoJSON's coordinates."""
    return [[[float(x), float(y)] for x, y in outline(grid).exterior.coords]]


@measures("plan_huge_cube")
def plan_huge_cube() -> Measurement:
    """Plan a run of the cube that has not begun; its Items lie in a snapshot."""
    with tempfile.TemporaryDirectory() as folder:
        config = huge_run(Path(folder))
        make_plan(small_run(config))
        started = time.process_time()
        plan = make_plan(config)
        seconds = time.process_time() - started
    note = (
        f"{plan.n_items} Items, {plan.n_dates} dates, {plan.n_tiles} tiles, {plan.n_tasks} tasks; "
        "CPU time, reading the Items included"
    )
    return Measurement(seconds, "s", note=note)


def small_run(config: RunConfig) -> RunConfig:
    """Return the same run over one tile, which compiles what there is to compile."""
    west, south, east, north = config.region.to_geometry().bounds
    middle = (west + east) / 2, (south + north) / 2
    box = (middle[0] - 0.02, middle[1] - 0.02, middle[0] + 0.02, middle[1] + 0.02)
    return config.model_copy(update={"region": RegionConfig(bbox=box)})
