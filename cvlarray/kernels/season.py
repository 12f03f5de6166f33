"""The seasonal model's basis functions, and the moments its normal equations are made of.

``level + trend·τ + Σ_h cosine_h·cos(hφ) + sine_h·sin(hφ)`` with ``φ = 2π·days/365.2425`` and ``τ``
the time scaled to [-1, 1] over the history: the Gram matrix's condition is then about 4 instead of
10¹². Products of harmonics are harmonics again, so that the 21 entries of the Gram matrix of a
two-harmonic model come from 15 sums.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

DAYS_PER_YEAR = 365.2425
"""The Gregorian mean year, so that leap years never shift the phase for long."""


class TimeAxis(NamedTuple):
    """How days become the model's scaled time.

    Outside the history the time stands still: a trend of three years, extrapolated, soon expects
    what can't be.
    """

    origin_days: float
    """Middle of the history [days since 1970-01-01], where τ is 0."""
    span_days: float
    """Length of the history [days]; τ is 1 at its end."""

    @classmethod
    def over(cls, first_day: float, last_day: float) -> TimeAxis:
        """Return the axis of a history from ``first_day`` to ``last_day`` [days since 1970]."""
        if not last_day > first_day:
            raise ValueError(
                f"a history needs a last day after its first, got {first_day:g} to {last_day:g}"
            )
        return cls((first_day + last_day) / 2, last_day - first_day)

    def scaled(self, days: ArrayLike) -> NDArray[np.float64]:
        """Return τ of ``days`` [days since 1970-01-01], within [-1, 1]."""
        scaled = (np.asarray(days, np.float64) - self.origin_days) * (2 / self.span_days)
        return np.clip(scaled, -1, 1)


def coefficient_names(harmonic_order: int) -> list[str]:
    """Return the coefficients' names, in order: level, trend, cosine_1, sine_1, cosine_2, ..."""
    harmonics = [f"{wave}_{h}" for h in range(1, harmonic_order + 1) for wave in ("cosine", "sine")]
    return ["level", "trend", *harmonics]


def moment_names(harmonic_order: int) -> list[str]:
    """Return the names of the sums that make the Gram matrix, as `MomentTable` lists them."""
    waves = [f"{wave}_{h}" for wave in ("cosine", "sine") for h in range(1, 2 * harmonic_order + 1)]
    products = [
        f"trend_{wave}_{h}" for wave in ("cosine", "sine") for h in range(1, harmonic_order + 1)
    ]
    return ["weight", "trend", "trend_squared", *waves, *products]


def phase(days: ArrayLike) -> NDArray[np.float64]:
    """Return the phase of the year [rad] of ``days`` since 1970-01-01."""
    return np.asarray(days, np.float64) * (2 * np.pi / DAYS_PER_YEAR)


def design_matrix(
    days: ArrayLike, axis: TimeAxis, *, harmonic_order: int = 2
) -> NDArray[np.float64]:
    """Return the basis functions at ``days``.

    Parameters
    ----------
    days
        Shape (time,), days since 1970-01-01.
    axis
        Scaling of the trend's time.
    harmonic_order
        Annual harmonics, at least 0.

    Returns
    -------
    Shape (coefficient, time), ``2 + 2 * harmonic_order`` rows as `coefficient_names` lists them.
    """
    scaled, angle = axis.scaled(days), phase(days)
    rows = [np.ones_like(scaled), scaled]
    for harmonic in range(1, harmonic_order + 1):
        rows += [np.cos(harmonic * angle), np.sin(harmonic * angle)]
    return np.stack(rows)


class MomentTable(NamedTuple):
    """How the Gram matrix is put together from weighted sums over time."""

    moments: NDArray[np.float64]
    """(moment, time): 1, τ, τ², cos hφ and sin hφ up to twice the order, τ·cos hφ, τ·sin hφ."""
    entries: NDArray[np.int64]
    """(coefficient, coefficient, 2): the two moments that make an entry of the Gram matrix."""
    factors: NDArray[np.float64]
    """(coefficient, coefficient, 2): what each is multiplied with."""


def moment_table(days: ArrayLike, axis: TimeAxis, *, harmonic_order: int = 2) -> MomentTable:
    """Return the moments at ``days`` and the recipe of the Gram matrix; shapes in `MomentTable`."""
    scaled, angle = axis.scaled(days), phase(days)
    twice = range(1, 2 * harmonic_order + 1)
    once = range(1, harmonic_order + 1)
    rows = [np.ones_like(scaled), scaled, scaled**2]
    rows += [wave(h * angle) for wave in (np.cos, np.sin) for h in twice]
    rows += [scaled * wave(h * angle) for wave in (np.cos, np.sin) for h in once]
    entries, factors = _gram_recipe(harmonic_order)
    return MomentTable(np.stack(rows), entries, factors)


def _gram_recipe(order: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return which two moments, with which factors, make each entry of the Gram matrix."""
    n = 2 + 2 * order
    entries, factors = np.zeros((n, n, 2), np.int64), np.zeros((n, n, 2))
    for i in range(n):
        for j in range(n):
            for slot, (moment, factor) in enumerate(_product(i, j, order)):
                entries[i, j, slot], factors[i, j, slot] = moment, factor
    return entries, factors


def _product(i: int, j: int, order: int) -> list[tuple[int, float]]:
    """Return the product of basis functions ``i`` and ``j`` as a sum of (moment, factor)."""
    i, j = min(i, j), max(i, j)
    if j < 2:
        return [(i + j, 1.0)]
    if i < 2:
        wave, harmonic = j % 2, j // 2
        first = (3, 3 + 4 * order)[i] + wave * (2 * order, order)[i]
        return [(first + harmonic - 1, 1.0)]
    low, high = i // 2, j // 2
    if i % 2 == j % 2:  # cos·cos or sin·sin
        sign = 1.0 if i % 2 == 0 else -1.0
        return [_cosine(high - low, 0.5), _cosine(high + low, 0.5 * sign)]
    sine, cosine = (low, high) if i % 2 else (high, low)
    difference = sine - cosine
    return [
        _sine(sine + cosine, 0.5, order),
        _sine(abs(difference), 0.5 * np.sign(difference), order),
    ]


def _cosine(harmonic: int, factor: float) -> tuple[int, float]:
    return (2 + harmonic, factor) if harmonic else (0, factor)


def _sine(harmonic: int, factor: float, order: int) -> tuple[int, float]:
    return (2 + 2 * order + harmonic, factor) if harmonic else (0, 0.0)
