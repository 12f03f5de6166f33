"""The monitor stage: each tile's new dates against its season, to dated changes."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import numpy as np
import xarray as xr

import cvlarray
from cvlarray.baseline import is_forest
from cvlarray.config import RunConfig
from cvlarray.grid import Tile
from cvlarray.monitor import Sightings, detections, measure_dates, refit, start, update
from cvlarray.names import DATE_OFFSET, DETECTION_VARIABLES
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.ingested import DateInput
from cvlarray.pipeline.normalize import prepared
from cvlarray.pipeline.prior import read_prior, with_prior
from cvlarray.pipeline.run_store import create_run_store
from cvlarray.pipeline.season import fit_season, read_features
from cvlarray.pipeline.sightings import write_sightings
from cvlarray.pipeline.state import StateLog, read_log, read_state, write_log, write_state
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, Workspace, input_hash, open_raw, write_region

MIN_DATES_A_YEAR = 6
"""As many as a season of two harmonics has coefficients; a year with fewer counts as unseen."""


def create_detections(context: RunContext) -> None:
    """Make the detections' store, or check that the one there is this run's.

    Raises
    ------
    StoreError
        If the store there was made by another config; it names the difference.
    """
    create_run_store(context.workspace.detections, context, DETECTION_VARIABLES)


def monitor_units(context: RunContext, ledger: Ledger) -> Iterator[WorkUnit]:
    """Yield a unit for each tile that has a baseline."""
    config = context.config
    inputs = prepared(context, ledger, context.monitoring)
    baselines, done = ledger.done(Stage.BASELINE), ledger.done(Stage.MONITOR)
    settings = config.monitor, config.masking, config.baseline, config.periods.history
    # Not the end of the period: it may be today.
    common = input_hash(
        cvlarray.__version__,
        config.events.pending,
        *(part.model_dump() for part in settings),
        config.periods.monitoring.start,
    )
    n_dates = context.monitoring.stop - context.monitoring.start
    cube_dates = _Dates(tuple(context.dates.astype(str).tolist()))
    for tile in context.tiles:
        if tile.name not in baselines:
            continue
        basis = input_hash(common, baselines[tile.name])
        key = input_hash(basis, inputs.identity(tile))
        # What is done isn't watched again: of that the dates needn't be read.
        wanted = () if done.get(tile.name) == key else inputs.dates(tile)
        work = partial(watch_tile, context.workspace, tile, basis, wanted, cube_dates, config)
        n_pixels = math.prod(tile.geobox.shape) * n_dates
        yield WorkUnit(Stage.MONITOR, tile.name, key, n_pixels, work)


def watch_tile(
    workspace: Workspace,
    tile: Tile,
    basis: str,
    wanted: Sequence[DateInput],
    cube_dates: _Dates,
    config: RunConfig,
) -> UnitOutcome:
    """Take the dates into a tile's state that it doesn't hold, and write what it knows then.

    Where the dates wanted don't go on with those taken in, because one came late or was processed
    anew, all are taken in again from the season's beginning: the state is always that of the dates
    in order.
    """
    log = read_log(workspace, tile)
    if log is not None and log.goes_on_with(basis, wanted):
        state = with_prior(read_state(workspace, tile, log), read_prior(workspace, config))
    else:
        state = begin(workspace, tile, config)
        log = StateLog(basis, {}, place=1 if log is None else log.place)
    n_bytes_read = state.nbytes
    kept_until, new = log.last_date, wanted[len(log.dates) :]
    sightings = Sightings(config.events.pending)
    detector = config.monitor.detector.build()
    for block in in_blocks([date for date, _ in new], cube_dates, config):
        year = years_since_start(block.first, config)
        if year > years_since_start(log.last_date, config):
            state = refit_tile(workspace, tile, state, year, cube_dates, config)
        lazy = read_features(workspace.cube, tile, block.time, config)
        features = lazy.compute(scheduler="synchronous")
        n_bytes_read += features.nbytes
        dates = measure_dates(features, state, detector=detector)
        state = update(state, features, dates=dates, detector=detector, sightings=sightings)
        taken = wanted[len(log.dates) : len(log.dates) + features.sizes["time"]]
        log = replace(log, dates=(*log.dates, *taken), unjudged=(*log.unjudged, *unjudged(dates)))
    n_written = 0
    if new or kept_until is None:
        log, n_written = write_state(workspace, tile, log, state)
    n_written += write_region(workspace.detections, detections(state), y=tile.y, x=tile.x)
    n_written += write_sightings(
        workspace.sightings, tile, sightings.table, kept_until=day_number(kept_until)
    )
    write_log(workspace, tile, log)
    return UnitOutcome(
        n_bytes_read=n_bytes_read,
        n_bytes_written=n_written,
        detail={"unjudged_dates": list(log.unjudged), "n_new_dates": len(new)},
    )


def day_number(date: str | None) -> int:
    """Return a date as days since 1970-01-01; -1, before all of them, for none."""
    return -1 if date is None else int(np.datetime64(date, "D").astype(int))


def begin(workspace: Workspace, tile: Tile, config: RunConfig) -> xr.Dataset:
    """Return the state of a tile before its first date, from its baseline."""
    stored = open_raw(workspace.baseline).isel(y=tile.y, x=tile.x)
    season = stored.compute(scheduler="synchronous")
    forest, season = is_forest(season), with_prior(season, read_prior(workspace, config))
    return start(season, is_forest=forest, detector=config.monitor.detector.build())


def refit_tile(
    workspace: Workspace,
    tile: Tile,
    state: xr.Dataset,
    year: int,
    cube_dates: _Dates,
    config: RunConfig,
) -> xr.Dataset:
    """Return the state with seasons fitted to a history that ends where a new year begins."""
    first, last = refit_period(year, cube_dates, config)
    history = cube_dates.between(first, last)
    features = read_features(workspace.cube, tile, history, config)
    prior = read_prior(workspace, config)
    season = fit_season(features, first, last, config, prior).compute(scheduler="synchronous")
    return refit(state, season)


def refit_period(year: int, cube_dates: _Dates, config: RunConfig) -> tuple[dt.date, dt.date]:
    """Return the first and last day of the history for a year of the watch, counted from 0.

    It is as long as the first one, and ends where the year begins. For a year in which next to
    nothing was seen it takes in an earlier one: a season that rests on a single year takes that
    year's weather for normal.
    """
    periods = config.periods
    first, after = (in_year(one.start, year) for one in (periods.history, periods.monitoring))
    wanted = _n_years_seen(periods.history.start, periods.monitoring.start, cube_dates)
    while first > periods.history.start and _n_years_seen(first, after, cube_dates) < wanted:
        first = max(in_year(first, -1), periods.history.start)
    return first, after - dt.timedelta(days=1)


def _n_years_seen(first: dt.date, after: dt.date, cube_dates: _Dates) -> int:
    """Return how many years, counted back from a day, have dates enough for a season."""
    n_seen = 0
    while after > first:
        start = max(in_year(after, -1), first)
        seen = cube_dates.between(start, after - dt.timedelta(days=1))
        n_seen += seen.stop - seen.start >= MIN_DATES_A_YEAR
        after = start
    return n_seen


@dataclass(frozen=True)
class _Dates:
    """The dates of the cube."""

    dates: tuple[str, ...]

    def position(self, date: str) -> int:
        """Return where a date lies along the cube's time."""
        return self.dates.index(date)

    def between(self, first: dt.date, last: dt.date) -> slice:
        """Return where the dates from one to another lie, both included."""
        start = sum(date < str(first) for date in self.dates)
        return slice(start, sum(date <= str(last) for date in self.dates))


@dataclass(frozen=True)
class _Block:
    """Consecutive dates of one year that are taken in at once."""

    first: str
    time: slice
    """Where they lie along the cube's time."""


def in_blocks(new: Sequence[str], cube_dates: _Dates, config: RunConfig) -> Iterator[_Block]:
    """Yield the new dates as the cube's blocks hold them, cut where a year of the watch begins."""
    places = [(date, cube_dates.position(date)) for date in new]
    size = config.cube.time_block

    def kind(place: tuple[str, int]) -> tuple[int, int]:
        date, position = place
        return years_since_start(date, config), position // size

    for _, group in groupby(places, kind):
        block = list(group)
        yield _Block(block[0][0], slice(block[0][1], block[-1][1] + 1))


def years_since_start(date: str | None, config: RunConfig) -> int:
    """Return how many years of the watch were over at a date; 0 before any."""
    if date is None:
        return 0
    start, day = config.periods.monitoring.start, dt.date.fromisoformat(date)
    years = day.year - start.year
    return years if day >= in_year(start, years) else years - 1


def in_year(day: dt.date, n_years: int) -> dt.date:
    """Return the same day of another year; 1 March for a 29 February that there isn't."""
    try:
        return day.replace(year=day.year + n_years)
    except ValueError:
        return dt.date(day.year + n_years, 3, 1)


def unjudged(dates: xr.Dataset) -> list[str]:
    """Return the dates on which too little forest was seen to judge them."""
    is_judged = dates[DATE_OFFSET.name].notnull().all("feature")
    missing = dates["time"].where(~is_judged, drop=True).to_numpy()
    return [str(day) for day in missing.astype("datetime64[D]").astype(np.str_)]
