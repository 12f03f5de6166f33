"""Both sides of the season's comparisons, prepared for `benchmarks.worker`; peers import lazily.

Every side gets the same series: 220 dates over three years, 65 % missing, 6 % outliers.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.worker import Work

N_DATES = 220
MISSING_SHARE = 0.65
OUTLIER_SHARE = 0.06
NOISE_DN = 100
MISSING = -32768
N_NEW = 10
"""Dates of an online update."""
N_WATCHED = 16_384
"""Pixels that both sides keep up to date: 128 × 128."""

FIRST_DAY, LAST_DAY = 17_897, 18_992
"""2019-01-01 and 2021-12-31, days since 1970-01-01."""
DAYS_PER_YEAR = 365.2425


def days() -> NDArray[np.int64]:
    """Return the dates, shape (time,), days since 1970-01-01."""
    return np.linspace(FIRST_DAY, LAST_DAY, N_DATES).astype(np.int64)


def series(n_pixels: int, *, seed: int = 0) -> NDArray[np.int16]:
    """Return int16 DN, shape (time, pixel): season, trend, noise, bright outliers, missing."""
    rng = np.random.default_rng(seed)
    angle = (days() * (2 * np.pi / DAYS_PER_YEAR))[:, np.newaxis]
    years = ((days() - FIRST_DAY) / DAYS_PER_YEAR)[:, np.newaxis]
    level, amplitude, shift = (
        rng.uniform(low, high, n_pixels) for low, high in ((2000, 4000), (200, 1500), (0, 6.28))
    )
    values = level + amplitude * np.cos(angle - shift) + 0.3 * amplitude * np.cos(2 * angle)
    values += years * rng.normal(0, 30, n_pixels) + rng.normal(0, NOISE_DN, values.shape)
    is_outlier = rng.random(values.shape) < OUTLIER_SHARE
    values[is_outlier] += rng.uniform(500, 4000, np.count_nonzero(is_outlier))
    values[rng.random(values.shape) < MISSING_SHARE] = MISSING
    return values.round().clip(-32768, 32767).astype(np.int16)


def series_float(n_pixels: int) -> NDArray[np.float64]:
    """Return the same series as peers take them: float64, NaN where missing."""
    integers = series(n_pixels)
    return np.where(integers == MISSING, np.nan, integers.astype(np.float64))


def design() -> NDArray[np.float64]:
    """Return the design matrix of the peers, shape (time, 6), time scaled to [-1, 1]."""
    angle = days() * (2 * np.pi / DAYS_PER_YEAR)
    scaled = np.linspace(-1, 1, N_DATES)
    waves = [wave(h * angle) for h in (1, 2) for wave in (np.cos, np.sin)]
    return np.stack([np.ones_like(scaled), scaled, *waves], axis=1)


def our_ols() -> Work:
    """Our ordinary least squares."""
    from cvlarray.kernels.harmonics import fit_ols
    from cvlarray.kernels.season import TimeAxis

    n_pixels = 262_144
    axis = TimeAxis.over(FIRST_DAY, LAST_DAY)
    return partial(fit_ols, series(n_pixels), days(), axis), n_pixels


def our_robust() -> Work:
    """Our robust fit: two Huber steps and one pass with Tukey's weights."""
    from cvlarray.kernels.harmonics import fit_robust
    from cvlarray.kernels.season import TimeAxis

    n_pixels = 131_072
    axis = TimeAxis.over(FIRST_DAY, LAST_DAY)
    return partial(fit_robust, series(n_pixels), days(), axis), n_pixels


def nrt_ols() -> Work:
    """Ordinary least squares of nrt, compiled and in parallel where threads allow."""
    from nrt.fit_methods import ols

    n_pixels = 16_384
    return partial(ols, design(), series_float(n_pixels)), n_pixels


def nrt_rirls() -> Work:
    """Reweighted least squares of nrt; its first pass is the unweighted one, so 4 are our 1 + 3."""
    from nrt.fit_methods import rirls

    n_pixels = 4_096
    return partial(rirls, design(), series_float(n_pixels), maxiter=4), n_pixels


def our_update() -> Work:
    """Our state kept up to date by `N_NEW` dates of one feature."""
    from cvlarray.kernels.harmonics import fit_robust
    from cvlarray.kernels.online import residuals, state_of, update
    from cvlarray.kernels.season import TimeAxis

    n_pixels = N_WATCHED
    axis, observed, all_days = TimeAxis.over(FIRST_DAY, LAST_DAY), series(n_pixels), days()
    fit = fit_robust(observed, all_days, axis)
    state = state_of(observed[None], all_days, axis, fit.coefficients[None], fit.sigma[None])

    def run() -> None:
        for t in range(-N_NEW, 0):
            day = float(all_days[t])
            update(state, residuals(state, observed[None, t], day, axis), day, axis)

    return run, n_pixels * N_NEW


def nrt_ewma() -> Work:
    """EWMA of nrt, told of as many dates one after the other; missing is NaN, as it wants it."""
    import datetime as dt

    import xarray as xr
    from nrt.monitor.ewma import EWMA

    n_pixels = N_WATCHED
    observed = series_float(n_pixels).reshape(N_DATES, 128, 128)
    times = days().astype("datetime64[D]").astype("datetime64[ns]")
    history = xr.DataArray(observed, {"time": times}, ("time", "y", "x"))
    monitor = EWMA(trend=True, harmonic_order=2)
    monitor.fit(history)
    dates = [dt.datetime(1970, 1, 1) + dt.timedelta(int(day)) for day in days()]

    def run() -> None:
        for t in range(-N_NEW, 0):
            monitor.monitor(observed[t], dates[t])

    return run, n_pixels * N_NEW


def cold() -> Work:
    """COLD on a single band, called as its documentation has it: pixel by pixel."""
    from pyxccd import cold_detect_flex

    n_pixels = 512
    proleptic = days() + 719_163  # days since 1970-01-01 to Python's ordinal
    stacks = series(n_pixels).astype(np.int64)
    quality = np.where(stacks == MISSING, 255, 0)

    def run() -> None:
        for pixel in range(n_pixels):
            stack = np.ascontiguousarray(stacks[:, pixel : pixel + 1])
            cold_detect_flex(proleptic, stack, np.ascontiguousarray(quality[:, pixel]), lam=20)

    return run, n_pixels


def matrix_product() -> Work:
    """A float32 matrix product: the multiply-adds this core can do at best."""
    n = 1024
    a, b = np.ones((n, n), np.float32), np.ones((n, n), np.float32)
    out = np.empty((n, n), np.float32)
    return partial(np.matmul, a, b, out=out), n**3


def copy() -> Work:
    """A copy of memory far larger than the caches; its units are bytes read and written."""
    source = np.ones(64_000_000, np.float32)
    target = np.empty_like(source)
    return partial(np.copyto, target, source), 2 * source.nbytes
