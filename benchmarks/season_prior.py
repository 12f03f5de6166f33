"""What a region's season does for pixels seldom seen; forest simulated with a known truth.

Curves of pixels differ from the region's by what `SPREAD` says. The prior is learnt from other
pixels than those it is judged on, seen as often as forest is, a fifth of them cleared on the way.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.registry import Measurement, measures
from cvlarray.kernels.harmonics import HarmonicFit, Prior, fit_robust
from cvlarray.kernels.prior import estimate_prior
from cvlarray.kernels.season import DAYS_PER_YEAR, TimeAxis, design_matrix

DAYS = np.arange(17_897, 18_992, 5)
AXIS = TimeAxis.over(DAYS[0], DAYS[-1])
BASIS = design_matrix(DAYS, AXIS).T
REGION = np.array([6000, 0, -900, 500, 150, 80])
SPREAD = np.array([400, 120, 150, 120, 60, 60])
"""Of level, trend, and two harmonics' cosine and sine [DN]."""
NOISE_DN = 250
N_PIXELS = 5_000
MISSING = -32_768
DRY = np.cos(DAYS * (2 * np.pi / DAYS_PER_YEAR)) < -0.4
"""About April to August: the dates of Amazonian optical data."""


@measures("sparse_curve_rmse")
def sparse_curve_rmse() -> Measurement:
    """Against two harmonics and a trend through the same eight dates, without a prior."""
    curve, series = _observed(8)
    ours, free = _error(_fit(series, prior=_prior()), curve), _error(_fit(series), curve)
    note = f"ours {ours:.0f}, unregularised {free:.0f} DN, {N_PIXELS:,} held-out pixels"
    return Measurement(ours / free, "×", free, ours / free, note)


@measures("sparse_curve_vs_prior")
def sparse_curve_vs_prior() -> Measurement:
    """Against the region's season taken for every pixel's; the worst of 1 to 30 dates."""
    ratios = {}
    for n_valid in (1, 2, 4, 8, 16, 30):
        curve, series = _observed(n_valid)
        alone = _rmse(BASIS @ _prior().mean[:, None] - curve)
        ratios[n_valid] = _error(_fit(series, prior=_prior()), curve) / alone
    each = ", ".join(f"{n} dates {ratio:.2f}" for n, ratio in ratios.items())
    return Measurement(max(ratios.values()), "×", note=each)


@measures("wet_from_dry")
def wet_from_dry() -> Measurement:
    """Error of the expected curve outside the months that were seen, over the noise's sigma."""
    curve, series = _observed(25, season=DRY)
    ours, free = (_fit(series, prior=prior) for prior in (_prior(), None))
    off, off_free = (
        _rmse((BASIS @ fit.coefficients - curve)[~DRY]) / NOISE_DN for fit in (ours, free)
    )
    note = f"RMSE of {N_PIXELS:,} held-out pixels with 25 dry-season dates; {off_free:.1f} without"
    return Measurement(off, "sigma", off_free, off / off_free, note)


@cache
def _prior() -> Prior:
    series = _observed(70, seed=1)[1]
    series[100:, : N_PIXELS // 5] = 2_000
    return estimate_prior(_fit(series, min_observations=12), DAYS, AXIS)


def _fit(
    series: NDArray[np.int16], *, prior: Prior | None = None, min_observations: int | None = None
) -> HarmonicFit:
    minimum = min_observations or (6 if prior is None else 1)
    return fit_robust(series, DAYS, AXIS, prior=prior, min_observations=minimum)


def _observed(
    n_valid: int, *, season: NDArray[np.bool_] | None = None, seed: int = 2
) -> tuple[NDArray[np.float64], NDArray[np.int16]]:
    """Return true curves and series with so many random dates a pixel, within a season if given."""
    rng = np.random.default_rng(seed)
    curve = BASIS @ (REGION[:, None] + SPREAD[:, None] * rng.normal(size=(6, N_PIXELS)))
    series = (curve + rng.normal(0, NOISE_DN, curve.shape)).round()
    order = rng.random(series.shape)
    if season is not None:
        order[~season] = 2
    series[order.argsort(axis=0).argsort(axis=0) >= n_valid] = MISSING
    return curve, series.astype(np.int16)


def _error(fit: HarmonicFit, curve: NDArray[np.float64]) -> float:
    return _rmse(BASIS @ fit.coefficients.astype(np.float64) - curve)


def _rmse(off: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(off**2)))
