"""What the line costs at least: decoding its pixels, and its kernels on arrays in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks.worker import Work
from cvlarray.features import FEATURES
from cvlarray.kernels.detectors import Consecutive
from cvlarray.kernels.evidence import findings
from cvlarray.kernels.harmonics import fit_robust
from cvlarray.kernels.indices import clear_band, normalised_difference
from cvlarray.kernels.online import SeasonState, state_of
from cvlarray.kernels.residual import DateStatistics
from cvlarray.kernels.season import TimeAxis
from cvlarray.monitor.scan import PixelState, Watch, scan


def _day(text: str) -> int:
    """Return days since 1970-01-01."""
    return int(np.datetime64(text, "D").astype(int))


FOLDER_VARIABLE = "BENCH_SCENES"
"""Environment variable that names the folder of scenes."""
HISTORIES = (
    (_day("2015-08-01"), _day("2018-08-31")),
    (_day("2016-08-01"), _day("2019-08-31")),
    (_day("2017-08-01"), _day("2020-08-31")),
)
"""First and last day of the demo's history, and of those to which the yearly refits fit."""
CLEAR_CLASSES = (4, 5, 6)
ROWS_AT_ONCE = 128
"""As the line does it: strips that fit into memory."""
NODATA = np.int16(-32768)


def decode() -> Work:
    """Decode every file of the scenes once, whole, in one thread."""
    files = sorted(Path(os.environ[FOLDER_VARIABLE]).glob("*/*/*.tif"))

    def run() -> None:
        for file in files:
            with rasterio.open(file) as source:
                source.read(1)

    return run, 1


def kernels() -> Work:
    """Run every kernel of the line on the scenes' pixels, which lie in memory."""
    days, red, nir, scl = _read_scenes(Path(os.environ[FOLDER_VARIABLE]))
    strips = [slice(y, y + ROWS_AT_ONCE) for y in range(0, red.shape[1], ROWS_AT_ONCE)]

    def run() -> None:
        for strip in strips:
            _one_strip(days, red[:, strip], nir[:, strip], scl[:, strip])

    return run, 1


def _one_strip(
    days: NDArray[np.int64], red: NDArray[np.int16], nir: NDArray[np.int16], scl: NDArray[np.uint8]
) -> None:
    is_clear = np.isin(scl, CLEAR_CLASSES)
    features = np.stack([normalised_difference(nir, red, is_clear), clear_band(red, is_clear)])
    series = features.reshape(2, days.size, -1)
    later = days > HISTORIES[0][1]
    axis = TimeAxis.over(*HISTORIES[0])
    watch = Watch(axis, (FEATURES["ndvi"], FEATURES["red"]), Consecutive())
    # Which pixels take a refit's season over is no kernel's work, so all go on with the first.
    season, *_ = [_season(days, series, history) for history in HISTORIES]
    state = PixelState.begin(watch.detector, season, np.ones(season.sigma.shape[1], bool))
    neutral = DateStatistics.neutral(2, np.count_nonzero(later))
    scan(watch, state, series[:, later], days[later].tolist(), neutral)
    findings(state.alarm, state.evidence)


def _season(
    days: NDArray[np.int64], series: NDArray[np.int16], history: tuple[int, int]
) -> SeasonState:
    axis = TimeAxis.over(*history)
    inside = (days >= history[0]) & (days <= history[1])
    past = [np.ascontiguousarray(one[inside]) for one in series]
    fits = [fit_robust(one, days[inside], axis, min_observations=12) for one in past]
    coefficients, sigma, _ = (np.stack(arrays) for arrays in zip(*fits, strict=True))
    return state_of(np.stack(past), days[inside], axis, coefficients, sigma)


def _read_scenes(
    folder: Path,
) -> tuple[NDArray[np.int64], NDArray[np.int16], NDArray[np.int16], NDArray[np.uint8]]:
    """Return days (time,) and red, nir and classification (time, y, x)."""
    scenes = sorted((one for one in folder.glob("*/*") if one.is_dir()), key=_day_of)

    def stack(name: str, convert: Callable[[NDArray[np.uint16]], NDArray[np.int16]]) -> NDArray:
        layers = []
        for scene in scenes:
            with rasterio.open(scene / f"{name}.tif") as source:
                layers.append(convert(source.read(1)))
        return np.stack(layers)

    days = np.array([_day_of(scene) for scene in scenes])
    return days, stack("B04", _with_nodata), stack("B08", _with_nodata), stack("SCL", lambda a: a)


def _with_nodata(values: NDArray[np.uint16]) -> NDArray[np.int16]:
    return np.where(values > 0, values, NODATA).astype(np.int16)


def _day_of(scene: Path) -> int:
    stamp = scene.name.split("_")[2]
    return _day(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:]}")
