"""Dated changes in real series: how far off our dates are, beside those of the peers.

`python -m benchmarks.season_dates` prints the table. Everybody who takes an index gets NBR with
three harmonics, as many as COLD has: with two, the spring and autumn of a deciduous forest are
noise. The history is the three calendar years before the change's, for whoever takes one.

Ours, COLD and S-CCD date the first changed observation, and confirm with the fourth, sixth and
sixth; the monitors of nrt date the one that crosses their boundary.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import xarray as xr

from benchmarks.measure import ROOT
from benchmarks.peers import peers_python
from benchmarks.registry import Measurement, UnavailableError, measures
from benchmarks.season_dates_series import BANDS, SERIES, DatedSeries
from cvlarray.baseline import fit_baseline
from cvlarray.features import feature_cube
from cvlarray.monitor import monitor

HARMONIC_ORDER = 3
OURS, OURS_CONFIRMED = "cvlarray", "cvlarray, confirmed"


def detect(series: DatedSeries, features: tuple[str, ...] = ("nbr",)) -> xr.Dataset:
    """Return our detection in a series, of one pixel, with the monitor's defaults."""
    clear = series.clear()
    dims = ("time", "y", "x")
    layers = {
        name: (dims, clear[name].to_numpy(np.int16)[:, np.newaxis, np.newaxis]) for name in BANDS
    }
    cube = xr.Dataset(layers, {"time": clear.index, "y": [0], "x": [0]})
    cubes = feature_cube(cube, xr.ones_like(cube["red"], bool), features)
    history = slice(str(series.first_year - 3), str(series.first_year - 1))
    baseline = fit_baseline(cubes, history=history, harmonic_order=HARMONIC_ORDER)
    watched = cubes.sel(time=slice(str(series.first_year), None))
    return monitor(watched, baseline).isel(y=0, x=0)


@cache
def dates_by_series() -> dict[str, dict[str, list[str]]]:
    """Return ISO dates by series and method, ours first."""
    ours = {series.name: _our_dates(series) for series in SERIES}
    command = [str(peers_python()), "-m", "benchmarks.season_dates_peers"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    peers = json.loads(done.stdout)
    return {name: {**dates, **peers[name]} for name, dates in ours.items()}


def _our_dates(series: DatedSeries) -> dict[str, list[str]]:
    found = detect(series)
    days = {OURS: int(found["first_flagged"]), OURS_CONFIRMED: int(found["confirmed"])}
    return {name: [str(np.datetime64(day, "D"))] if day >= 0 else [] for name, day in days.items()}


def _error(name: str) -> Measurement:
    """Return our largest error in a series; the note has everybody's."""
    errors = errors_by_method()
    ours = [math.inf if error is None else abs(error) for error in errors[OURS][name]]
    note = "; ".join(f"{method} {_words(found[name])}" for method, found in errors.items())
    return Measurement(max(ours), "days", note=f"days late: {note}")


def errors_by_method() -> dict[str, dict[str, list[int | None]]]:
    """Return days late by method and series, one for each change."""
    dates = dates_by_series()
    return {
        method: {series.name: series.errors(dates[series.name][method]) for series in SERIES}
        for method in dates[SERIES[0].name]
    }


def _words(errors: Sequence[int | None]) -> str:
    return " / ".join(
        "none" if error is None else f"{error:+d}" if error else "0" for error in errors
    )


@measures("date_error_logging")
def date_error_logging() -> Measurement:
    """A Planet image of 2024-04-15 confirms it upstream."""
    return _error("logging")


@measures("date_error_fire")
def date_error_fire() -> Measurement:
    """The date is that of COLD and S-CCD, and of the first observation that is changed."""
    return _error("fire")


@measures("date_error_landsat")
def date_error_landsat() -> Measurement:
    """A fire in June; upstream hands the second break to a reconstruction."""
    measured = _error("landsat")
    remark = "nothing was observed on 2013-07-27, nor changed about it"
    return replace(measured, note=f"{measured.note}; {remark}")


@measures("date_error_spongy_moth")
def date_error_spongy_moth() -> Measurement:
    """From June to August every date is right."""
    return _error("spongy_moth")


def table() -> str:
    """Return the errors as a table in Markdown."""
    names = [series.name for series in SERIES]
    truths = ["; ".join(" to ".join(dict.fromkeys(one)) for one in s.changes) for s in SERIES]
    lines = [
        ["days late"] + [f"{name} ({truth})" for name, truth in zip(names, truths, strict=True)]
    ]
    lines.append(["---"] * len(lines[0]))
    for method, errors in errors_by_method().items():
        lines.append([method] + [_words(errors[name]) for name in names])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    try:
        print(table())
    except UnavailableError as error:
        sys.exit(str(error))
