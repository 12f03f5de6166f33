"""Keep a fitted season up to date, one observation at a time, without the series.

The state is what the weighted normal equations need (information form): the sums that make the Gram
matrix, the coefficients, and sigma. An observation adds to the sums and moves the coefficients by
the solution for its own residual; taking it away again is the same with the sign turned. In between
no history is read: a daily run costs as much as reading the state.

The axis must reach over the time that will be added, since time stands still outside it: fit with
``TimeAxis.over(first_day, last_day + 366)`` and refit within the year.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit, jit_inline
from cvlarray.kernels.harmonics import HarmonicFit
from cvlarray.kernels.normal_equations import (
    TUKEY,
    TUKEY_TUNING,
    solve,
    subtract_change,
    sum_moments,
)
from cvlarray.kernels.pixel_block import (
    BLOCK_PIXELS,
    NODATA,
    Block,
    Tables,
    column,
    load,
    make_block,
    make_tables,
)
from cvlarray.kernels.residual_scale import QUANTISATION_SIGMA
from cvlarray.kernels.season import TimeAxis

_SIGMA_STEP = np.float32(2.33)
"""Step of the stochastic approximation of a median, over the number of observations: one over the
density of a standard Gaussian's size at its median, times that median."""

_MEDIAN_OF_SIZE = np.float32(0.6745)


class SeasonState(NamedTuple):
    """All of a pixel's season that a new observation needs; 88 bytes for two harmonics."""

    moments: NDArray[np.float32]
    """(moment, pixel): weighted sums, as `cvlarray.kernels.season.MomentTable` lists them."""
    coefficients: NDArray[np.float32]
    """(coefficient, pixel)"""
    sigma: NDArray[np.float32]
    """(pixel,)"""


def state_of(
    series: NDArray[np.int16], days: NDArray[np.integer], axis: TimeAxis, fit: HarmonicFit
) -> SeasonState:
    """Return the state of a fit.

    Parameters
    ----------
    series
        Shape (time, pixel): what was fitted.
    days, axis
        As in the fit.
    fit
        Of the same pixels.
    """
    order = (fit.coefficients.shape[0] - 2) // 2
    n_pixels = series.shape[1]
    state = SeasonState(
        np.zeros((3 + 6 * order, n_pixels), np.float32), fit.coefficients.copy(), fit.sigma.copy()
    )
    padded = np.full((series.shape[0], -(-n_pixels // BLOCK_PIXELS) * BLOCK_PIXELS), NODATA)
    padded[:, :n_pixels] = series
    tables, block = make_tables(days, axis, order), make_block(series.shape[0], order)
    _sum_history(padded.astype(np.int16), tables, block, state)
    return state


def update(state: SeasonState, observation: NDArray[np.int16], day: float, axis: TimeAxis) -> None:
    """Add an observation of a date to the state, in place.

    Residuals beyond 4.685 sigma change nothing (Tukey's biweight), nor do missing ones: set those
    of pixels with a pending alarm to -32768 and add them once it has come to nothing.

    Parameters
    ----------
    state
        Of the pixels.
    observation
        Shape (pixel,); -32768 is missing.
    day
        Days since 1970-01-01.
    axis
        The axis of the fit; the day must not lie beyond it.

    Raises
    ------
    ValueError
        If the day lies outside the axis.
    """
    _apply(state, observation, day, axis, np.float32(1))


def downdate(
    state: SeasonState, observation: NDArray[np.int16], day: float, axis: TimeAxis
) -> None:
    """Take an observation away from the state again, in place; parameters as for `update`.

    Sigma stays as it is. Take away only what was added, and less than all of it.
    """
    _apply(state, observation, day, axis, np.float32(-1))


def _apply(
    state: SeasonState,
    observation: NDArray[np.int16],
    day: float,
    axis: TimeAxis,
    sign: np.float32,
) -> None:
    reach = axis.origin_days - axis.span_days / 2, axis.origin_days + axis.span_days / 2
    if not reach[0] <= day <= reach[1]:
        raise ValueError(
            f"the state's time axis reaches from day {reach[0]:g} to {reach[1]:g}, got {day:g}; "
            "refit with a longer one"
        )
    order = (state.coefficients.shape[0] - 2) // 2
    _apply_blocks(state, observation, make_tables([day], axis, order), make_block(1, order), sign)


@jit
def _sum_history(
    series: NDArray[np.int16], tables: Tables, block: Block, state: SeasonState
) -> None:
    """Sum the moments of the history with the weights that the finished fit gives it."""
    n = state.coefficients.shape[0]
    for first in range(0, series.shape[1], BLOCK_PIXELS):
        size = min(BLOCK_PIXELS, state.sigma.size - first)
        n_rows = load(series, first, block, tables)
        for p in range(size):
            block.sigma[p] = state.sigma[column(first, p)]
            block.scale[p] = 0
            for k in range(n):
                fitted = state.coefficients[k, column(first, p)]
                block.change[k, p] = fitted - block.coefficients[k, p]
        subtract_change(block, tables, n_rows)
        sum_moments(block, tables, n_rows, TUKEY)
        for k in range(block.moments.shape[0]):
            for p in range(size):
                state.moments[k, column(first, p)] = block.moments[k, p]


@jit
def _apply_blocks(
    state: SeasonState,
    observation: NDArray[np.int16],
    tables: Tables,
    block: Block,
    sign: np.float32,
) -> None:
    for first in range(0, observation.size, BLOCK_PIXELS):
        size = min(BLOCK_PIXELS, observation.size - first)
        _take(state, first, size, block)
        _weigh_one(observation, first, size, block, tables, sign)
        solve(block, tables)
        if sign > 0:
            _adapt_sigma(block, tables)
        _put_back(state, first, size, block)


@jit_inline
def _take(state: SeasonState, first: int, size: int, block: Block) -> None:
    for k in range(block.moments.shape[0]):
        for p in range(size):
            block.moments[k, p] = state.moments[k, column(first, p)]
    for k in range(block.coefficients.shape[0]):
        for p in range(size):
            block.coefficients[k, p] = state.coefficients[k, column(first, p)]
    for p in range(size):
        block.sigma[p] = state.sigma[column(first, p)]


@jit_inline
def _put_back(state: SeasonState, first: int, size: int, block: Block) -> None:
    for k in range(block.moments.shape[0]):
        for p in range(size):
            state.moments[k, column(first, p)] = block.moments[k, p]
    for k in range(block.coefficients.shape[0]):
        for p in range(size):
            state.coefficients[k, column(first, p)] = block.coefficients[k, p]
    for p in range(size):
        state.sigma[column(first, p)] = block.sigma[p]


@jit_inline
def _weigh_one(
    observation: NDArray[np.int16],
    first: int,
    size: int,
    block: Block,
    tables: Tables,
    sign: np.float32,
) -> None:
    """Weigh one date's residuals and add them to the moments; the gradient is theirs alone."""
    zero, one = np.float32(0), np.float32(1)
    residual, weight = block.residual[0], block.weight[0]
    for p in range(size):
        residual[p] = np.float32(observation[column(first, p)])
    for k in range(block.coefficients.shape[0]):
        for p in range(size):
            residual[p] -= tables.basis[k, 0] * block.coefficients[k, p]
    for p in range(size):
        share = residual[p] / (TUKEY_TUNING * max(block.sigma[p], QUANTISATION_SIGMA))
        rest = one - share * share
        is_used = (rest > zero) & (observation[column(first, p)] != NODATA)
        weight[p] = sign * rest * rest if is_used else zero
    for k in range(block.moments.shape[0]):
        for p in range(size):
            block.moments[k, p] += weight[p] * tables.moments[k, 0]
    for k in range(block.coefficients.shape[0]):
        for p in range(size):
            block.gradient[k, p] = weight[p] * residual[p] * tables.basis[k, 0]


@jit_inline
def _adapt_sigma(block: Block, tables: Tables) -> None:
    """Move sigma's median a step up or down, by the recursive residual.

    That is the geometric mean of the residuals before and after: it has the noise's variance.
    """
    residual, weight = block.residual[0], block.weight[0]
    for p in range(BLOCK_PIXELS):
        after = residual[p]
        for k in range(block.coefficients.shape[0]):
            after -= tables.basis[k, 0] * block.change[k, p]
        size = np.sqrt(max(residual[p] * after, np.float32(0)))
        side = np.float32(0.5) if size > _MEDIAN_OF_SIZE * block.sigma[p] else np.float32(-0.5)
        step = side * _SIGMA_STEP / max(block.moments[0, p], np.float32(1))
        block.sigma[p] *= np.float32(1) + step if weight[p] > 0 else np.float32(1)
