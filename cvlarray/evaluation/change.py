"""Change between dates of Sentinel-2 against the simulator's truth, and how late it is dated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline import fit_baseline, predict
from cvlarray.evaluation.regions import Region
from cvlarray.features import feature_cube
from cvlarray.inference import change_probability, confirmed_change, infer
from cvlarray.masking import is_clear
from cvlarray.models import Model
from cvlarray.names import NO_DATE, NODATA_DN
from cvlarray.simulate import Calendar, LandCover, Pass, changes_between, sentinel2_cube

__all__ = ["N_BINS", "ChangeCounts", "Pairs", "best_threshold", "count_change", "pairs_of"]

N_BINS = 200
"""Probabilities are counted in as many bins."""

_HISTORY_DAYS, _EVERY_DAYS = 730, 20
_WATCH = dt.timedelta(days=150)
_LEAST_CLEAR = 0.3
_SCALES = (1, 2)
"""A date is compared with the one before it, and with the one before that, for clouds' sake."""
_DONE_BY_PEOPLE = (
    LandCover.RECENT_CLEARING, LandCover.MINE_PIT, LandCover.TAILINGS_POND, LandCover.ROAD,
)  # fmt: skip


@dataclass(frozen=True)
class Pairs:
    """Pairs of dates of a region, each looked at again on the date after, and the truth."""

    region: Region
    cube: xr.Dataset
    """``red_before``, ``red_expected_before``, ``red_after``, ... (look, y, x), its first dimension
    named ``time``."""
    after: tuple[int, ...]
    """Place in `dates` of each pair's later one."""
    looks: tuple[tuple[int, int], ...]
    """Places in `cube` of each pair, and of its earlier date with the date after the pair."""
    dates: tuple[dt.date, ...]
    is_changed: NDArray[np.bool_]
    """(pair, y, x) whether people changed it in between."""
    first_changed: NDArray[np.int32]
    """(y, x) day, days since 1970-01-01, -1 for never in all the dates."""
    is_clear: NDArray[np.bool_]
    """(date, y, x)"""


@dataclass(frozen=True)
class ChangeCounts:
    """What a model said of the pairs of one region."""

    region: str
    group: str
    histogram: NDArray[np.int64]
    """(unchanged and changed, `N_BINS`) pixels by the probability that they were given."""
    date_errors: NDArray[np.int64]
    """(pixel found,) clear observations between the true first one and the one it is dated to."""

    def counts(self, threshold: float) -> NDArray[np.int64]:
        """Return true positives, false positives and false negatives."""
        first = round(threshold * N_BINS)
        said = self.histogram[:, first:].sum(axis=1)
        return np.array([said[1], said[0], self.histogram[1, :first].sum()], np.int64)


def pairs_of(
    region: Region, bands: Sequence[str], from_day: dt.date, *, n_dates: int = 6
) -> Pairs | None:
    """Return pairs of the first clear enough dates after a day; None if there are too few.

    Parameters
    ----------
    region
        Any.
    bands
        Common names, such as ``red``.
    from_day
        Day before which the seasons are learned from two years.
    n_dates
        Dates that are paired.
    """
    dates = list(_clear_dates(region, from_day, n_dates))
    if len(dates) < 3:
        return None
    start = from_day - dt.timedelta(days=_HISTORY_DAYS)
    history = Calendar(start, from_day - dt.timedelta(days=1)).sentinel2(every_days=_EVERY_DAYS)
    season = fit_baseline(_seen(region, history, bands))
    seen = _seen(region, dates, bands)
    expected = predict(season, seen["time"].to_numpy()).compute()
    places = [(late - by, late) for by in _SCALES for late in range(by, len(dates) - 1)]
    again = [(early, late + 1) for early, late in places]
    drawn = sorted({*places, *again})
    looks = [
        (drawn.index(one), drawn.index(other)) for one, other in zip(places, again, strict=True)
    ]
    days = tuple(at.date for at in dates)
    whole = changes_between(region.landscape, region.landscape.pixels, days[0], days[-1])
    by_people = np.isin(whole.to_class, _DONE_BY_PEOPLE) & (whole.to_class != whole.from_class)
    return Pairs(
        region,
        _roles(seen, expected, drawn, bands),
        tuple(late for _, late in places),
        tuple(looks),
        days,
        np.stack([_changed(region, days[a], days[b]) for a, b in places]),
        np.where(by_people, whole.first_changed, NO_DATE).astype(np.int32),
        (seen.isel(feature=0).to_numpy() != NODATA_DN),
    )


def count_change(pairs: Pairs, model: Model, threshold: float = 0.5) -> ChangeCounts:
    """Return how a model's changes meet the truth.

    Parameters
    ----------
    pairs
        Of a region.
    model
        Of two classes, over the pairs' bands.
    threshold
        Probability from which a pixel is dated.
    """
    names = [band.name for band in model.spec.bands]
    maps = infer(pairs.cube[names], model, window=256, overlap=128 if model.spec.halo > 32 else 64)
    looks = change_probability(maps, model.spec.output).to_numpy()
    said = np.stack([confirmed_change(looks[one], looks[again]) for one, again in pairs.looks])
    known = np.isfinite(said)
    bins = np.minimum((np.where(known, said, 0) * N_BINS).astype(np.int64), N_BINS - 1)
    index = pairs.is_changed[known].astype(np.int64) * N_BINS + bins[known]
    histogram = np.bincount(index, minlength=2 * N_BINS).reshape(2, N_BINS)
    errors = _date_errors(pairs, np.where(known, said, 0) >= threshold)
    return ChangeCounts(pairs.region.name, str(pairs.region.group), histogram, errors)


def best_threshold(histogram: NDArray[np.int64]) -> float:
    """Return the probability from which on F1 is highest, by counts (2, `N_BINS`).

    It is 0.5 where nothing has changed, as in a few small regions: they say nothing of it.
    """
    if not histogram[1].any():
        return 0.5
    right, wrong = (np.cumsum(one[::-1])[::-1].astype(np.float64) for one in histogram[::-1])
    f1 = 2 * right / np.maximum(right[0] + right + wrong, 1)
    return int(np.argmax(f1)) / N_BINS


def _clear_dates(region: Region, from_day: dt.date, n_dates: int) -> Iterator[Pass]:
    passes = Calendar(from_day, from_day + _WATCH).sentinel2()
    found = 0
    for at in passes:
        sky = sentinel2_cube(region.landscape, [at], bands=("scl",))["scl"]
        if float(is_clear(sky).mean()) >= _LEAST_CLEAR:
            yield at
            found += 1
        if found == n_dates:
            return


def _seen(region: Region, passes: Sequence[Pass], bands: Sequence[str]) -> xr.DataArray:
    """Return the bands (feature, time, y, x) as DN, missing where not clear."""
    cube = sentinel2_cube(region.landscape, passes, bands=(*bands, "scl")).compute()
    return feature_cube(cube, is_clear(cube["scl"]), tuple(bands))


def _changed(region: Region, before: dt.date, after: dt.date) -> NDArray[np.bool_]:
    """Return where people changed the land between two days."""
    changes = changes_between(region.landscape, region.landscape.pixels, before, after)
    return np.asarray(
        (changes.first_changed != NO_DATE)
        & np.isin(changes.to_class, _DONE_BY_PEOPLE)
        & (changes.to_class != changes.from_class)
    )


def _roles(
    seen: xr.DataArray,
    expected: xr.DataArray,
    places: Sequence[tuple[int, int]],
    bands: Sequence[str],
) -> xr.Dataset:
    """Return each pair's bands by their names and roles, int16."""
    whole = expected.round().clip(-32_767, 32_767)
    rounded = whole.fillna(NODATA_DN).astype(np.int16)
    layers = {}
    for name in bands:
        for end, role in enumerate(("before", "after")):
            dates = [place[end] for place in places]
            for kind, source in (("", seen), ("expected_", rounded)):
                layer = source.sel(feature=name, drop=True).isel(time=dates)
                layers[f"{name}_{kind}{role}"] = layer.drop_vars("time").assign_attrs({})
    return xr.Dataset(layers)


def _date_errors(pairs: Pairs, is_said: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return, for each changed pixel that is found, how many clear observations it is off."""
    days = np.array([(day - dt.date(1970, 1, 1)).days for day in pairs.dates])
    never = len(days)
    said = np.full(pairs.first_changed.shape, never)
    for pair, place in enumerate(pairs.after):
        said = np.where(is_said[pair], np.minimum(said, place), said)
    real = np.where(
        pairs.first_changed == NO_DATE, never, np.searchsorted(days, pairs.first_changed)
    )
    n_clear = np.concatenate([np.zeros((1, *said.shape), np.int64), pairs.is_clear.cumsum(axis=0)])
    rows, cols = np.nonzero((said < never) & (real < never))
    # Observations before a date; a hidden first date counts as the next one that is clear.
    at_said = n_clear[said[rows, cols], rows, cols]
    at_real = n_clear[real[rows, cols], rows, cols]
    return np.asarray(np.abs(at_said - at_real), np.int64)
