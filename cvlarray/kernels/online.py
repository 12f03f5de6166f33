"""Keep a fitted season up to date, one date at a time, without the series.

The state is what the weighted normal equations need (information form): the sums that make the Gram
matrix, the coefficients, and sigma. A date's residuals add to the sums and move the coefficients by
the solution for these residuals; taking them away again is the same with the sign turned. In
between no history is read: a daily run costs as much as reading the state.

All features of a pixel share the sums, as they are seen together or not at all: an observation's
weight is the least that Tukey's biweight gives it in any feature, so that a cloud that shows in one
band counts in none.

Outside the axis of the fit time stands still, in the updates as in the predictions: what is added
there moves the level at the history's end, and the trend within it hardly at all.
"""

from __future__ import annotations

import functools
import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit, jit_inline, jit_step
from cvlarray.kernels.normal_equations import TUKEY_TUNING, factorise, substitute
from cvlarray.kernels.pixel_block import (
    BLOCK_PIXELS,
    NODATA,
    Block,
    Tables,
    column,
    make_block,
    make_tables,
)
from cvlarray.kernels.residual_scale import QUANTISATION_SIGMA
from cvlarray.kernels.season import TimeAxis, moment_names

_SIGMA_STEP = np.float32(2.33)
"""Step of the stochastic approximation of a median, over the number of observations: one over the
density of a standard Gaussian's size at its median, times that median."""

_MEDIAN_OF_SIZE = np.float32(0.6745)


class SeasonState(NamedTuple):
    """All of a pixel's season that a new observation needs: 228 bytes for six features."""

    moments: NDArray[np.float32]
    """(moment, pixel): weighted sums, as `cvlarray.kernels.season.MomentTable` lists them."""
    coefficients: NDArray[np.float32]
    """(feature, coefficient, pixel)"""
    sigma: NDArray[np.float32]
    """(feature, pixel)"""


def state_of(
    series: NDArray[np.int16],
    days: NDArray[np.integer],
    axis: TimeAxis,
    coefficients: NDArray[np.float32],
    sigma: NDArray[np.float32],
) -> SeasonState:
    """Return the state of a fit, with arrays of its own.

    Parameters
    ----------
    series
        Shape (feature, time, pixel): what was fitted; -32768 is missing.
    days, axis
        As in the fit.
    coefficients, sigma
        Of the fit, (feature, coefficient, pixel) and (feature, pixel).
    """
    order = (coefficients.shape[1] - 2) // 2
    moments = np.zeros((len(moment_names(order)), series.shape[2]), np.float32)
    state = SeasonState(moments, coefficients.copy(), sigma.copy())
    _sum_history(np.ascontiguousarray(series), make_tables(days, axis, order), state)
    return state


def residuals(
    state: SeasonState, observation: NDArray[np.int16], day: float, axis: TimeAxis
) -> NDArray[np.float32]:
    """Return observed less expected of a date (feature, pixel); NaN where anything is missing.

    Parameters
    ----------
    state
        Of the pixels.
    observation
        Shape (feature, pixel); -32768 is missing.
    day
        Days since 1970-01-01.
    axis
        The axis of the fit.
    """
    order = (state.coefficients.shape[1] - 2) // 2
    residual = np.empty(observation.shape, np.float32)
    basis = _date_tables(day, axis, order).basis[:, 0]
    _subtract_expected(np.ascontiguousarray(observation), basis, state.coefficients, residual)
    return residual


def update(
    state: SeasonState,
    residual: NDArray[np.float32],
    day: float,
    axis: TimeAxis,
    prior_strength: NDArray[np.float32] | None = None,
) -> None:
    """Add the residuals of a date to the state, in place.

    What is beyond 4.685 sigma in any feature changes nothing, nor does what is missing in any: set
    the residuals of pixels with a pending alarm to NaN.

    Parameters
    ----------
    state
        Of the pixels.
    residual
        Shape (feature, pixel), as `residuals` gives them, perhaps less what all pixels share.
    day
        Days since 1970-01-01.
    axis
        The axis of the fit.
    prior_strength
        (feature, coefficient) of the prior that the fit was drawn to, if it was.
    """
    _apply(state, residual, day, axis, prior_strength, np.float32(1))


def downdate(
    state: SeasonState,
    residual: NDArray[np.float32],
    day: float,
    axis: TimeAxis,
    prior_strength: NDArray[np.float32] | None = None,
) -> None:
    """Take residuals away from the state again, in place; parameters as for `update`.

    Sigma stays as it is. Take away only what was added, and less than all of it.
    """
    _apply(state, residual, day, axis, prior_strength, np.float32(-1))


def _apply(
    state: SeasonState,
    residual: NDArray[np.float32],
    day: float,
    axis: TimeAxis,
    prior_strength: NDArray[np.float32] | None,
    sign: np.float32,
) -> None:
    n_features, n_coefficients, _ = state.coefficients.shape
    order = (n_coefficients - 2) // 2
    strengths = np.zeros((n_features, n_coefficients), np.float32)
    if prior_strength is not None:
        strengths[:] = prior_strength
    _learn(residual, state, _date_tables(day, axis, order), strengths, sign, _scratch.block(order))


class _Scratch(threading.local):
    """Each thread's own: to allocate it for every date costs as much as to use it."""

    def __init__(self) -> None:
        self.blocks: dict[int, Block] = {}

    def block(self, order: int) -> Block:
        """Return the scratch for models of so many harmonics."""
        if order not in self.blocks:
            self.blocks[order] = make_block(1, order)
        return self.blocks[order]


_scratch = _Scratch()


@functools.lru_cache(maxsize=4096)
def _date_tables(day: float, axis: TimeAxis, order: int) -> Tables:
    """Return the tables of a single date, which many blocks of pixels ask for."""
    return make_tables([day], axis, order)


@jit
def _sum_history(series: NDArray[np.int16], tables: Tables, state: SeasonState) -> None:
    """Sum the moments of the history with the weights that the finished fit gives it."""
    n_features, n_dates, n_pixels = series.shape
    residual = np.empty((n_features, BLOCK_PIXELS), np.float32)
    weight = np.empty(BLOCK_PIXELS, np.float32)
    for first in range(0, n_pixels, BLOCK_PIXELS):
        end = min(first + BLOCK_PIXELS, n_pixels)
        size = end - first
        for t in range(n_dates):
            _subtract_expected(
                series[:, t, first:end],
                tables.basis[:, t],
                state.coefficients[:, :, first:end],
                residual[:, :size],
            )
            _weigh(residual[:, :size], state.sigma[:, first:end], weight[:size])
            _add_moments(weight[:size], tables.moments[:, t], state.moments[:, first:end])


@jit
def _subtract_expected(
    observation: NDArray[np.int16],
    basis: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    residual: NDArray[np.float32],
) -> None:
    nan = np.float32(np.nan)
    for f in range(observation.shape[0]):
        for p in range(observation.shape[1]):
            residual[f, p] = np.float32(observation[f, p]) - coefficients[f, 0, p]
        for k in range(1, coefficients.shape[1]):
            for p in range(observation.shape[1]):
                residual[f, p] -= basis[k] * coefficients[f, k, p]
        for p in range(observation.shape[1]):
            residual[f, p] = residual[f, p] if observation[f, p] != NODATA else nan


@jit_step
def _weigh(
    residual: NDArray[np.float32], sigma: NDArray[np.float32], weight: NDArray[np.float32]
) -> None:
    """Set each pixel's weight to the least of Tukey's over the features; 0 where one is missing."""
    zero, one = np.float32(0), np.float32(1)
    for p in range(weight.size):
        weight[p] = one
    for f in range(residual.shape[0]):
        for p in range(weight.size):
            share = residual[f, p] / (TUKEY_TUNING * max(sigma[f, p], QUANTISATION_SIGMA))
            rest = one - share * share
            of_feature = rest * rest if rest > zero else zero
            weight[p] = min(weight[p], of_feature)


@jit_step
def _add_moments(
    weight: NDArray[np.float32],
    row: NDArray[np.float32],
    moments: NDArray[np.float32],
) -> None:
    for k in range(moments.shape[0]):
        for p in range(weight.size):
            moments[k, p] += weight[p] * row[k]


@jit
def _learn(
    residual: NDArray[np.float32],
    state: SeasonState,
    tables: Tables,
    strengths: NDArray[np.float32],
    sign: np.float32,
    block: Block,
) -> None:
    """Take a date's residuals into the state of all features, a block of pixels after the other.

    What a residual of one moves the coefficients by is the same for all features that are drawn to
    their priors equally, or have none: it is solved for once.
    """
    n_features, n_pixels = residual.shape
    zero = np.float32(0)
    weight, move = block.weight[0], block.change
    for first in range(0, n_pixels, BLOCK_PIXELS):
        size = min(BLOCK_PIXELS, n_pixels - first)
        part = slice(first, first + size)
        _weigh(residual[:, part], state.sigma[:, part], weight[:size])
        heaviest = zero
        for p in range(size):
            heaviest = max(heaviest, weight[p])
        if heaviest == zero:
            continue
        for k in range(state.moments.shape[0]):
            entry = sign * tables.moments[k, 0]
            for p in range(size):
                moment = state.moments[k, column(first, p)] + entry * weight[p]
                state.moments[k, column(first, p)] = moment
                block.moments[k, p] = moment
        for f in range(n_features):
            if f == 0 or not np.array_equal(strengths[f], strengths[f - 1]):
                _solve_for_one(block, tables, strengths[f])
            pull = block.weighted[0]
            for p in range(size):
                signed = sign * weight[p] * residual[f, column(first, p)]
                pull[p] = signed if weight[p] > zero else zero
            for k in range(state.coefficients.shape[1]):
                for p in range(size):
                    state.coefficients[f, k, column(first, p)] += pull[p] * move[k, p]
            _adapt_sigma(residual[f], state.sigma[f], sign, first, size, block)


@jit_inline
def _solve_for_one(block: Block, tables: Tables, prior_strength: NDArray[np.float32]) -> None:
    """Set ``change`` to what a residual of one moves the coefficients by; its curve, ``scale``.

    The prior pulls at what the fit had balanced already: only its strength counts.
    """
    factorise(block, tables, prior_strength)
    n = block.coefficients.shape[0]
    for k in range(n):
        for p in range(BLOCK_PIXELS):
            block.change[k, p] = tables.basis[k, 0]
    substitute(block)
    for p in range(BLOCK_PIXELS):
        block.scale[p] = np.float32(0)
    for k in range(n):
        for p in range(BLOCK_PIXELS):
            block.scale[p] += tables.basis[k, 0] * block.change[k, p]


@jit_inline
def _adapt_sigma(
    residual: NDArray[np.float32],
    sigma: NDArray[np.float32],
    sign: np.float32,
    first: int,
    size: int,
    block: Block,
) -> None:
    """Move sigma's median a step up or down, by the recursive residual of what is added.

    That is the geometric mean of the residuals before and after: it has the noise's variance.
    What is taken away leaves sigma as it is.
    """
    weight = block.weight[0]
    if sign < 0:
        return
    for p in range(size):
        kept = max(np.float32(1) - weight[p] * block.scale[p], np.float32(0))
        typical = abs(residual[column(first, p)]) * np.sqrt(kept)
        is_wide = typical > _MEDIAN_OF_SIZE * sigma[column(first, p)]
        side = np.float32(0.5) if is_wide else np.float32(-0.5)
        step = side * _SIGMA_STEP / max(block.moments[0, p], np.float32(1))
        factor = np.float32(1) + step if weight[p] > 0 else np.float32(1)
        sigma[column(first, p)] *= factor
