"""The state of a watch: all that goes on from one date to the next, as a Dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline import time_axis
from cvlarray.baseline.dates import days_of
from cvlarray.baseline.pixelwise import over_pixels, require_one_chunk
from cvlarray.features import FEATURES, Feature, find_feature
from cvlarray.kernels.detectors import Consecutive, Detector
from cvlarray.kernels.evidence import N_KEPT
from cvlarray.kernels.online import SeasonState
from cvlarray.kernels.residual import DateStatistics
from cvlarray.monitor.scan import PixelState, Watch, scan
from cvlarray.monitor.sightings import Sightings
from cvlarray.names import (
    ALARM_FIRST,
    COEFFICIENTS,
    DATE_OFFSET,
    DATE_SPREAD,
    MOMENTS,
    NO_DATE,
    SIGMA,
    STATE_VARIABLES,
    Variable,
)

LAST_DATE, DETECTOR = "last_date", "detector"
"""Attributes of a state: the last date it holds, and what watches."""


def start(
    baseline: xr.Dataset,
    *,
    is_forest: xr.DataArray | None = None,
    detector: Detector = Consecutive(),  # noqa: B008  frozen
) -> xr.Dataset:
    """Return the state of a watch before its first date.

    Parameters
    ----------
    baseline
        What `cvlarray.baseline.fit_baseline` returned.
    is_forest
        Boolean (y, x): where a change is looked for; everywhere by default.
    detector
        Sequential test, which `update` must be given again.

    Returns
    -------
    The variables `cvlarray.names.STATE_VARIABLES`. Lazy if ``baseline`` is.
    """
    sigma = baseline[SIGMA.name].transpose("feature", "y", "x")
    forest = xr.ones_like(sigma.isel(feature=0, drop=True), dtype=bool)
    packed = over_pixels(
        partial(_start, detector=detector),
        baseline[MOMENTS.name].transpose("moment", "y", "x"),
        baseline[COEFFICIENTS.name].transpose("feature", "coefficient", "y", "x"),
        sigma,
        (forest if is_forest is None else is_forest).transpose("y", "x"),
        dims=("word", "y", "x"),
        sizes={"word": _n_words(_lengths(baseline, detector))},
        dtype=np.int32,
    )
    state = _unpack(packed, baseline, detector)
    state.attrs = {**baseline.attrs, DETECTOR: repr(detector)}
    return state


def update(
    state: xr.Dataset,
    observation: xr.DataArray,
    *,
    dates: xr.Dataset | None = None,
    detector: Detector = Consecutive(),  # noqa: B008  frozen
    definitions: Mapping[str, Feature] = FEATURES,
    sightings: Sightings | None = None,
) -> xr.Dataset:
    """Return the state after one date more, or several.

    Each date is compared with the season as the dates before have left it. What is as expected then
    moves the season; what is beyond 4.685 standard deviations doesn't, nor does anything while a
    change is pending or confirmed.

    Parameters
    ----------
    state
        What `start` or an earlier update returned.
    observation
        int16 (feature, time, y, x), -32768 missing, later than the dates the state holds; ``time``
        increases and is one chunk. Replay late dates, in order, on a state from before them.
    dates
        What `measure_dates` returned for the same dates, perhaps over a wider region; without it
        no date is corrected, which suits single pixels.
    detector
        The one the state was started with.
    definitions
        Each feature's direction and noise floor by its name.
    sightings
        Gets every observation that changes what is known of a pixel; only if the inputs are in
        memory.

    Returns
    -------
    As ``state``. Lazy if the inputs are.

    Raises
    ------
    ValueError
        If ``time`` has more than one chunk, isn't increasing, or isn't later than the state;
        ``dates`` are others; the features or the detector aren't the state's; sightings are wanted
        of inputs that are lazy.
    """
    if sightings is not None and (state.chunks or observation.chunks):
        raise ValueError("sightings are collected in memory only, got lazy inputs; load them first")
    watch = watch_of(state, observation, detector, definitions)
    days = days_to_watch(state, observation)
    packed = over_pixels(
        partial(_update, watch=watch, days=days, sightings=sightings),
        in_order(observation, state).transpose("feature", "time", "y", "x"),
        _date_array(observation, state, dates),
        *state_arrays(state),
        dims=("word", "y", "x"),
        sizes={"word": _n_words(_lengths(state, detector))},
        dtype=np.int32,
    )
    after = _unpack(packed, state, detector)
    after.attrs = dict(state.attrs)
    if days:
        after.attrs[LAST_DATE] = str(np.datetime64(days[-1], "D"))
    return after


def refit(state: xr.Dataset, baseline: xr.Dataset) -> xr.Dataset:
    """Return the state with the seasons of a newer fit, as once a year.

    What is known of changes stays. Pixels with a pending or a confirmed one keep the season that
    they left, as it was at the end of its own time axis; so do those without a newer one.

    Parameters
    ----------
    state
        What `update` returned.
    baseline
        What `cvlarray.baseline.fit_baseline` returned for the same features and pixels, fitted to
        a history that ends with the state's last date or later.

    Returns
    -------
    As ``state``. Lazy if the inputs are.
    """
    newer = baseline.sel(feature=state["feature"].to_numpy())
    has_newer = newer[COEFFICIENTS.name].notnull().all(("feature", "coefficient"))
    keeps = (state[ALARM_FIRST.name] != NO_DATE) | ~has_newer
    old = state[COEFFICIENTS.name].transpose(*COEFFICIENTS.dims)
    # Beyond its axis the old trend stood still at its end.
    level = old.isel(coefficient=[0]) + old.isel(coefficient=1, drop=True)
    ended = xr.concat(
        [level, xr.zeros_like(old.isel(coefficient=[1])), old.isel(coefficient=slice(2, None))],
        "coefficient",
    )
    after = state.copy()
    for variable in (COEFFICIENTS, SIGMA, MOMENTS):
        kept = ended if variable is COEFFICIENTS else state[variable.name]
        chosen = kept.where(keeps, newer[variable.name]).transpose(*variable.dims)
        after[variable.name] = chosen.assign_attrs(state[variable.name].attrs)
    after.attrs = {**state.attrs, **baseline.attrs}
    return after


def season_of(features: xr.DataArray, baseline: xr.Dataset) -> xr.Dataset:
    """Return the part of a baseline that features are watched with, in the baseline's order.

    Raises
    ------
    ValueError
        If it lacks one.
    """
    known = [str(name) for name in baseline["feature"].to_numpy()]
    wanted = {str(name) for name in features["feature"].to_numpy()}
    if missing := sorted(wanted - set(known)):
        raise ValueError(
            f"the baseline has {', '.join(known)}, but not {', '.join(missing)}; fit it to them too"
        )
    chosen = [name for name in known if name in wanted]
    return baseline if chosen == known else baseline.sel(feature=chosen)


def watch_of(
    state: xr.Dataset,
    observation: xr.DataArray,
    detector: Detector,
    definitions: Mapping[str, Feature],
) -> Watch:
    """Return how dates are judged, if it is how those before were."""
    if state.attrs[DETECTOR] != repr(detector):
        raise ValueError(
            f"the state was started with {state.attrs[DETECTOR]}, got {detector!r}; give the same, "
            "or start anew"
        )
    known = [str(name) for name in state["feature"].to_numpy()]
    given = [str(name) for name in observation["feature"].to_numpy()]
    if set(known) != set(given):
        raise ValueError(
            f"the state watches {', '.join(known)}, got {', '.join(given)}; give the same features"
        )
    strength = None
    if "prior_strength" in state:
        values = state["prior_strength"].transpose("feature", "coefficient").to_numpy()
        strength = tuple(tuple(map(float, row)) for row in values)
    features = tuple(find_feature(name, definitions) for name in known)
    return Watch(time_axis(state), features, detector, strength)


def days_to_watch(state: xr.Dataset, observation: xr.DataArray) -> list[int]:
    """Return the days of an observation, if they go on where the state ends."""
    require_one_chunk(observation, "time", "monitor")
    days = days_of(observation)
    if np.any(np.diff(days) <= 0):
        raise ValueError("time must increase from slice to slice; use features.sortby('time')")
    last = state.attrs.get(LAST_DATE)
    if days.size and last is not None:
        first = np.datetime64(int(days[0]), "D")
        if first <= np.datetime64(last, "D"):
            raise ValueError(
                f"the state holds the dates up to {last}, got {first}; replay the dates from there "
                "on, in order, on a state from before"
            )
    return [int(day) for day in days]


def in_order(observation: xr.DataArray, state: xr.Dataset) -> xr.DataArray:
    """Return an observation with its features in the order of the state's."""
    known = list(state["feature"].to_numpy())
    is_ordered = list(observation["feature"].to_numpy()) == known
    return observation if is_ordered else observation.sel(feature=known)


def state_arrays(state: xr.Dataset) -> list[xr.DataArray]:
    """Return the variables of a state in their order, dims as declared."""
    return [state[variable.name].transpose(*variable.dims) for variable in STATE_VARIABLES]


def pixel_state(arrays: tuple[NDArray[Any], ...]) -> PixelState:
    """Return copies of the arrays of a block, pixels along one axis."""
    return PixelState.of(flat_pixels(one).copy() for one in arrays)


def flat_pixels(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array with its last two axes, y and x, as one."""
    *leading, height, width = array.shape
    return array.reshape(*leading, height * width)


def _date_array(
    observation: xr.DataArray, state: xr.Dataset, dates: xr.Dataset | None
) -> xr.DataArray:
    """Return offset and spread of each feature and date as one array (statistic, ...)."""
    dims = ("statistic", "feature", "time")
    if dates is None:
        neutral = DateStatistics.neutral(observation.sizes["feature"], observation.sizes["time"])
        return xr.DataArray(np.stack(neutral), dims=dims)
    if not dates.indexes["time"].equals(observation.indexes["time"]):
        raise ValueError(
            f"dates must be those of features, got {dates.sizes['time']} for "
            f"{observation.sizes['time']}; measure them with measure_dates"
        )
    chosen = dates[[DATE_OFFSET.name, DATE_SPREAD.name]].sel(feature=state["feature"].to_numpy())
    return chosen.to_dataarray("statistic").transpose(*dims)


def _lengths(source: xr.Dataset, detector: Detector) -> dict[str, int]:
    """Return the lengths of the leading dims of the state's variables."""
    return {
        **{str(dim): source.sizes[dim] for dim in ("moment", "feature", "coefficient")},
        "remembered": detector.n_remembered,
        "kept": N_KEPT,
    }


def _shape(variable: Variable, lengths: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(lengths[dim] for dim in variable.dims if dim not in {"y", "x"})


def _n_words(lengths: Mapping[str, int]) -> int:
    return sum(int(np.prod(_shape(variable, lengths))) for variable in STATE_VARIABLES)


def _start(
    moments: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    sigma: NDArray[np.float32],
    is_forest: NDArray[np.bool_],
    *,
    detector: Detector,
) -> NDArray[np.int32]:
    arrays = (moments, coefficients, sigma)
    season = SeasonState(*map(flat_pixels, arrays))
    return _pack(PixelState.begin(detector, season, is_forest.ravel()), is_forest.shape)


def _update(
    features: NDArray[np.int16],
    dates: NDArray[np.float32],
    *arrays: NDArray[Any],
    watch: Watch,
    days: list[int],
    sightings: Sightings | None,
) -> NDArray[np.int32]:
    words, parts = _laid_out(arrays)
    state = PixelState.of(flat_pixels(one) for one in parts)
    note = None if sightings is None else sightings.note
    scan(watch, state, flat_pixels(features), days, DateStatistics(*dates), note)
    return _with_narrow(words, parts)


def _pack(state: PixelState, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Return a state as words of four bytes (word, y, x): a task returns one array."""
    return _with_narrow(*_laid_out([one.reshape(-1, *shape) for one in state.arrays()]))


def _laid_out(
    arrays: Iterable[NDArray[Any]],
) -> tuple[NDArray[np.int32], list[NDArray[Any]]]:
    """Return words with room for a state, and a copy of its arrays to work on.

    Those of four bytes are views of the words, so that a tile's state isn't copied once more when
    it is done with; narrower ones are copies of their own.
    """
    given = list(arrays)
    height, width = given[0].shape[-2:]
    sizes = [int(np.prod(one.shape[:-2])) for one in given]
    words = np.empty((sum(sizes), height, width), np.int32)
    parts = []
    for first, size, one in zip(accumulate(sizes, initial=0), sizes, given, strict=False):
        is_word = one.dtype.itemsize == words.itemsize
        part = words[first : first + size].view(one.dtype) if is_word else np.empty_like(one)
        parts.append(part.reshape(one.shape))
        parts[-1][...] = one
    return words, parts


def _with_narrow(words: NDArray[np.int32], parts: Sequence[NDArray[Any]]) -> NDArray[np.int32]:
    """Return the words with the arrays that are narrower than a word written into them."""
    first = 0
    for part in parts:
        size = int(np.prod(part.shape[:-2]))
        if part.dtype.itemsize != words.itemsize:
            words[first : first + size] = part.reshape(size, *part.shape[-2:])
        first += size
    return words


def _unpack(packed: xr.DataArray, source: xr.Dataset, detector: Detector) -> xr.Dataset:
    """Return the variables that words hold."""
    lengths = _lengths(source, detector)
    variables = {}
    first = 0
    for variable in STATE_VARIABLES:
        shape = _shape(variable, lengths)
        n_words = int(np.prod(shape))
        words = packed.isel(word=slice(first, first + n_words))
        first += n_words
        is_word = np.dtype(variable.dtype).itemsize == 4
        data = words.data.view(variable.dtype) if is_word else words.data.astype(variable.dtype)
        values = data.reshape(*shape, *data.shape[1:])
        attrs = {**variable.attrs, **packed.attrs}
        variables[variable.name] = xr.Variable(variable.dims, values, attrs)
    state = xr.Dataset(variables, coords=packed.coords)
    for name in ("feature", "coefficient", "moment"):
        if name in source.coords:
            state = state.assign_coords({name: source[name]})
    if "prior_strength" in source:
        state["prior_strength"] = source["prior_strength"]
    return state
