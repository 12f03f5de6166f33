"""A small forest with one clearing of known place and date, as COGs and Items on disk."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.grid import outline
from cvlarray.simulate import Product, write_catalog, write_scene

SIZE_PX = 64
CLEARED = slice(20, 30), slice(26, 40)
"""Rows and columns; it crosses the border between two tiles at column 32."""
NOWHERE = slice(0), slice(0)
CLEARED_ON = dt.date(2021, 6, 10)
FIRST_CLEAR_AFTER = dt.date(2021, 6, 18)
GEOBOX = GeoBox((SIZE_PX, SIZE_PX), Affine(10, 0, 400_000, 0, -10, 8_600_000), "EPSG:32719")
DATES = [dt.date(2018, 1, 5) + dt.timedelta(days=n) for n in range(0, 1450, 12)]


def forest_dn(date: dt.date, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return red and near infrared of a forest with a season, and of the clearing."""
    phase = 2 * np.pi * date.timetuple().tm_yday / 365.2425
    noise = {band: rng.normal(0, 25, (SIZE_PX, SIZE_PX)) for band in ("red", "nir")}
    red = 300 + 40 * np.cos(phase) + noise["red"]
    nir = 3200 - 300 * np.cos(phase) + 2 * noise["nir"]
    if date >= CLEARED_ON:
        red[CLEARED] += 900
        nir[CLEARED] -= 1000
    return {"red": red.round().astype(np.uint16), "nir": nir.round().astype(np.uint16)}


def scene_classes(date: dt.date, rng: np.random.Generator) -> np.ndarray:
    """Return vegetation with a cloud in a random place; every seventh date is all cloud."""
    scl = np.full((SIZE_PX, SIZE_PX), 4, np.uint8)
    if date.toordinal() % 7 == 0:
        return np.full_like(scl, 9)
    row, col = rng.integers(0, SIZE_PX - 12, 2)
    if date != FIRST_CLEAR_AFTER:
        scl[row : row + 12, col : col + 12] = 9
    return scl


def write_forest(folder: Path, hidden: tuple[slice, slice] = NOWHERE) -> None:
    """Write the scenes and their catalog; ``hidden`` lies under cloud on eleven dates of twelve."""
    rng = np.random.default_rng(7)
    items = []
    for number, date in enumerate(DATES):
        scl = scene_classes(date, rng)
        if number % 12:
            scl[hidden] = 9
        bands = forest_dn(date, rng)
        # Cloud is bright, so that a pixel taken for clear by mistake would show.
        bands = {name: np.where(scl == 9, 6000, dn).astype(np.uint16) for name, dn in bands.items()}
        items.append(
            write_scene(
                folder,
                item_id=f"S2A_19LDF_{date:%Y%m%d}_0_L2A",
                datetime=dt.datetime.combine(date, dt.time(15, 0), dt.UTC),
                bands=bands,
                scl=scl,
                geobox=GEOBOX,
                product=Product(
                    platform="sentinel-2a", grid_tile="19LDF", processing_baseline="05.10"
                ),
            )
        )
    write_catalog(folder, items)


def run_settings(source: Path, workspace: Path) -> dict[str, object]:
    """Return the config of a run over the forest: four tiles, several blocks of dates."""
    west, south, east, north = outline(GEOBOX.pad(-1)).bounds
    return {
        "name": "forest",
        "workspace": str(workspace),
        "region": {"bbox": [west, south, east, north]},
        "grid": {"crs": "EPSG:32719", "resolution_m": 10, "tile_px": 32},
        "search": {"source": str(source / "catalog.json"), "collections": ["sentinel-2-l2a"]},
        "periods": {
            "history": {"start": "2018-01-01", "end": "2020-12-31"},
            "monitoring": {"start": "2021-01-01", "end": "2021-12-31"},
        },
        "cube": {"bands": ["red", "nir", "scl"]},
        "store": {"shard_px": 32, "chunk_px": 16, "time_shard": 24},
        "cluster": {"kind": "threads", "n_threads": 2},
    }
