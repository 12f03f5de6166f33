"""Masks and normalisation: kappa on real labelled chips, speed, and what an injected error leaves.

Nothing was chosen on what is reported here but the three numbers that `kernels.shadows` names.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from benchmarks.measure import ONE_THREAD, Worker
from benchmarks.registry import Measurement, UnavailableError, measures
from cvlarray.kernels.clouds import Bands
from cvlarray.masking.fmask import fmask
from cvlarray.names import QualityFlag
from cvlarray.normalize import apply_corrections, fit_corrections

FOLDER_VARIABLE = "CVLARRAY_TEST_DATA"
BAND_NAMES = ("blue", "green", "red", "nir", "swir16", "swir22")
PIXEL_M = 30.0
UNKNOWN_SUN = (np.nan, np.nan)


def chip(name: str) -> tuple[Bands, NDArray[np.uint8]]:
    """Return a labelled chip (ukis-csmask's test data): bands, and 0 clear, 1 cloud, 2 shadow."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        raise UnavailableError(f"the chips lie in csmask_chips of {FOLDER_VARIABLE}, not set")
    with np.load(Path(folder) / "csmask_chips" / f"{name}.npz") as data:
        dn, label = np.rint(data["img"] * 1e4).astype(np.int16), data["msk"][..., 0]
    bands = Bands(*(np.ascontiguousarray(dn[..., i]) for i in range(len(BAND_NAMES))))
    return bands, np.select([label == 4, label == 0], [1, 2], 0).astype(np.uint8)


def kappa(true: NDArray[Any], found: NDArray[Any]) -> float:
    """Return Cohen's kappa of clear, cloud and shadow, as the peer's figures are."""
    table = np.zeros((3, 3))
    np.add.at(table, (true.astype(int).ravel(), found.astype(int).ravel()), 1)
    table /= table.sum()
    by_chance = float(table.sum(axis=0) @ table.sum(axis=1))
    return (float(np.trace(table)) - by_chance) / (1 - by_chance)


def of_chip(name: str, peer: float) -> Measurement:
    """Compare the mask of a chip with its labels."""
    bands, true = chip(name)
    flags = fmask(bands, UNKNOWN_SUN, PIXEL_M)
    is_cloud, is_shadow = (flags & flag != 0 for flag in (QualityFlag.CLOUD, QualityFlag.SHADOW))
    found = np.where(is_cloud, 1, 2 * is_shadow).astype(np.uint8)
    alone = [kappa(true == one, found == one) for one in (1, 2)]
    note = f"three classes; cloud alone {alone[0]:.2f}, shadow alone {alone[1]:.2f}; one chip"
    return Measurement(kappa(true, found), "kappa", baseline=peer, note=note)


@measures("mask_kappa_sentinel2")
def mask_kappa_sentinel2() -> Measurement:
    return of_chip("sentinel2", 0.78)


@measures("mask_kappa_landsat7")
def mask_kappa_landsat7() -> Measurement:
    return of_chip("landsat7", 0.79)


@measures("mask_kappa_landsat5")
def mask_kappa_landsat5() -> Measurement:
    return of_chip("landsat5", 0.74)


def mask_tile() -> tuple[object, float]:
    """Prepare a tile of 2048 × 2048 px, the Sentinel-2 chip sixteen times, with a known sun."""
    small, _ = chip("sentinel2")
    bands = Bands(*(np.tile(band, (4, 4)) for band in small[: len(BAND_NAMES)]))
    return lambda: fmask(bands, (40.0, 50.0), PIXEL_M), 2048 * 2048 / 1e6


@measures("fmask_speed")
def fmask_speed() -> Measurement:
    """Of the whole method, from bands to flags: tests, statistics, basins, shadow matching."""
    chip("sentinel2")  # or say why not
    with Worker("benchmarks.cubes_masks:mask_tile", env=ONE_THREAD) as worker:
        seconds = min(worker.cpu_per_unit() for _ in range(7))
    return Measurement(1 / seconds, "Mpx/s", note="six bands, least CPU time of seven runs")


SIDE, N_DATES = 256, 24
FOREST = {"red": (350, 60, 15), "nir": (3000, 300, 60)}
"""Mean, spread and a date's noise [DN]."""


@cache
def forest() -> tuple[xr.Dataset, xr.DataArray, xr.Dataset, xr.DataArray, xr.Dataset]:
    """Return a cube without errors, what is clear, what is expected, the reference, its error."""
    random = np.random.default_rng(11)
    times = pd.date_range("2024-01-01", periods=N_DATES, freq="5D")
    shape = (N_DATES, SIDE, SIDE)
    bands, expected, error = {}, {}, {}
    for name, (mean, spread, noise) in FOREST.items():
        ground = random.normal(mean, spread, shape[1:])
        seen = ground + random.normal(0, noise, shape)
        bands[name] = (("time", "y", "x"), np.rint(seen).astype(np.int16))
        expected[name] = (
            ("y", "x"),
            (ground + random.normal(0, noise / 3, ground.shape)).astype(np.float32),
        )
        error[name] = (("y", "x"), np.full(ground.shape, noise / 3, np.float32))
    cube = xr.Dataset(bands, coords={"time": times})
    clear = xr.DataArray(random.random(shape) < 0.6, dims=("time", "y", "x"))
    everywhere = xr.DataArray(np.ones(shape[1:], bool), dims=("y", "x"))
    clear = clear.assign_coords(time=times)
    return cube, clear, xr.Dataset(expected), everywhere, xr.Dataset(error)


def corrected(cube: xr.Dataset) -> xr.Dataset:
    """Return a cube with what is found of errors taken off."""
    _, clear, expected, everywhere, error = forest()
    return apply_corrections(
        cube, fit_corrections(cube, clear, expected, everywhere, expected_error=error)
    )


@measures("normalisation_error")
def normalisation_error() -> Measurement:
    """Of 24 scenes with gains to ±6 % and offsets to ±100 DN; the worst scene and band."""
    cube = forest()[0]
    random = np.random.default_rng(12)
    wrong, left, before = cube.copy(deep=True), [], []
    for name in FOREST:
        gain, offset = random.uniform(0.94, 1.06, N_DATES), random.uniform(-100, 100, N_DATES)
        values = gain[:, None, None] * cube[name].to_numpy() + offset[:, None, None]
        wrong[name].data[...] = np.rint(values).astype(np.int16)
    right = corrected(wrong)
    for name in FOREST:
        true = np.maximum(cube[name].to_numpy().astype(float), 100)
        for found, into in ((right, left), (wrong, before)):
            off = np.abs(found[name].to_numpy() - true) / true
            into.append(np.percentile(off, 95, axis=(1, 2)).max())
    note = f"95th percentile of the pixels of the worst scene; {100 * max(before):.0f} % before"
    return Measurement(100 * max(left), "%", note=note)


@measures("normalisation_of_right_scene")
def normalisation_of_right_scene() -> Measurement:
    """Over the same 24 scenes without any error."""
    cube = forest()[0]
    change = [np.abs(corrected(cube)[name].astype(int) - cube[name]).max() for name in FOREST]
    return Measurement(float(max(change)), "DN", note=f"{N_DATES} scenes, {len(FOREST)} bands")
