"""The line over a local catalogue of PlanetScope: four bands at first, eight later, both masked."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from cvlarray.config import load_config
from cvlarray.grid import outline
from cvlarray.names import QualityFlag
from cvlarray.pipeline import Stage
from cvlarray.store import Workspace
from tests.cube.test_planetscope import EIGHT, FOUR, planet_item, write
from tests.pipeline.forest import (
    CLEARED,
    DATES,
    FIRST_CLEAR_AFTER,
    SIZE_PX,
    forest_dn,
    run_settings,
    scene_classes,
)
from tests.pipeline.runs import run

GEOBOX = GeoBox((SIZE_PX, SIZE_PX), Affine(3, 0, 300_000, 0, -3, 8_600_001), "EPSG:32719")
EIGHT_BANDS_FROM = dt.date(2020, 1, 1)


def write_scene(folder: Path, date: dt.date, rng: np.random.Generator) -> dict[str, Any]:
    """Write bands and mask of a date; return the Item."""
    names = FOUR if date < EIGHT_BANDS_FROM else EIGHT
    is_cloud = scene_classes(date, rng) == 9
    layers = stacked(names, forest_dn(date, rng), is_cloud)
    name = f"{date:%Y%m%d}_143112_35_2518"
    write(folder / f"{name}_SR.tif", layers, GEOBOX, nodata=0)
    mask = np.zeros((8, *GEOBOX.shape), np.uint8)
    mask[0], mask[5] = ~is_cloud, is_cloud
    write(folder / f"{name}_udm2.tif", mask, GEOBOX)
    item = planet_item(folder, name, GEOBOX, len(names))
    item["properties"]["datetime"] = f"{date}T14:31:12.345Z"
    return item


def stacked(
    names: tuple[str, ...], dn: Mapping[str, NDArray[Any]], is_cloud: NDArray[np.bool_]
) -> NDArray[np.uint16]:
    """Return the bands of a file in their order; those that nobody asks for are all alike."""
    other = np.full(GEOBOX.shape, 77, np.uint16)
    bands = np.stack([dn.get(name, other) for name in names])
    return np.where(is_cloud, 6000, bands).astype(np.uint16)


@pytest.mark.slow
def test_a_clearing_is_found_at_three_metres_whichever_bands_the_files_have(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    rng = np.random.default_rng(5)
    items = [write_scene(folder, date, rng) for date in DATES]
    (folder / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    west, south, east, north = outline(GEOBOX.pad(-1)).bounds
    settings = run_settings(folder, tmp_path / "workspace") | {
        "region": {"bbox": [west, south, east, north]},
        "grid": {"crs": "EPSG:32719", "resolution_m": 3, "tile_px": 32},
        "search": {"source": str(folder / "items.json"), "collections": ["PSScene"]},
        "cube": {"bands": ["red", "nir"]},
    }
    path = tmp_path / "planet.yaml"
    path.write_text(yaml.safe_dump(settings))
    config = load_config(path)
    run(config, last=Stage.MONITOR)

    workspace = Workspace(config.workspace)
    cube = xr.open_zarr(workspace.cube, decode_cf=False)
    for number in (0, len(DATES) - 1):  # of four bands, and of eight
        rng = np.random.default_rng(5)
        for date in DATES[: number + 1]:
            is_cloud, dn = scene_classes(date, rng) == 9, forest_dn(date, rng)
        for band in ("red", "nir"):
            np.testing.assert_array_equal(
                cube[band][number], np.where(is_cloud, 6000, dn[band]).astype(np.int16)
            )
        flags = cube["quality"][number].to_numpy()
        np.testing.assert_array_equal(flags & QualityFlag.CLOUD != 0, is_cloud)
    found = xr.open_zarr(workspace.detections)["first_flagged"]
    truth = np.zeros(GEOBOX.shape, bool)
    truth[CLEARED] = True
    np.testing.assert_array_equal(found.notnull(), truth)
    assert (found.to_numpy()[truth] == np.datetime64(FIRST_CLEAR_AFTER)).all()
