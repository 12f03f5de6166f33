"""A daily update of many stored events."""

from __future__ import annotations

import datetime as dt
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from benchmarks.measure import wall_seconds
from benchmarks.registry import Measurement, measures
from cvlarray.alerts.events import OBSERVED, Acquisition, EventRules, EventStore
from cvlarray.kernels.sightings import CONFIRMED, PENDING

STEP_PX = 30
"""Distance of events, which lie on a square lattice."""
SIDE_PX = 3
"""Events are squares of so many pixels."""
N_STORED, N_UPDATED = 1_000_000, 5_000
FIRST = dt.date(2024, 5, 1)
EPOCH = dt.date(1970, 1, 1)


def squares(numbers: NDArray[np.int64], across: int, day: dt.date, **values: float) -> Acquisition:
    """Return events of the lattice as they are seen on a day."""
    inside = np.arange(SIDE_PX)
    row = (numbers // across * STEP_PX)[:, None, None] + inside[:, None]
    col = (numbers % across * STEP_PX)[:, None, None] + inside
    row, col = np.broadcast_arrays(row, col)
    pixels = np.empty(row.size, OBSERVED)
    number = (day - EPOCH).days
    pixels["day"], pixels["row"], pixels["col"] = number, row.ravel(), col.ravel()
    pixels["first_flagged"] = (FIRST - EPOCH).days - 5
    pixels["interval_start"] = (FIRST - EPOCH).days - 15
    for name in ("status", "confidence", "magnitude"):
        pixels[name] = values[name]
    return Acquisition(day, "sentinel-2", pixels)


def days_of_updates(n_stored: int, n_updated: int) -> list[Acquisition]:
    """Return the days on which the events were first seen, and the one that is to be measured.

    On it 2,500 events are confirmed, 1,250 are seen once more, and 1,250 are new.
    """
    across = int(np.ceil(np.sqrt(n_stored + n_updated)))
    stored = np.array_split(np.arange(n_stored), 10)
    values = {"status": PENDING, "confidence": 0.6, "magnitude": 4.0}
    days = [FIRST + dt.timedelta(days=5 * k) for k in range(len(stored) + 1)]
    known = [squares(part, across, day, **values) for part, day in zip(stored, days, strict=False)]
    chosen = np.random.default_rng(0).permutation(n_stored)[: 3 * n_updated // 4]
    new = n_stored + np.arange(n_updated - chosen.size)
    parts = [
        squares(
            np.sort(chosen[: n_updated // 2]), across, days[-1], **values | {"status": CONFIRMED}
        ),
        squares(
            np.sort(chosen[n_updated // 2 :]), across, days[-1], **values | {"confidence": 0.8}
        ),
        squares(new, across, days[-1], **values),
    ]
    update = np.concatenate([part.pixels for part in parts])
    return [*known, Acquisition(days[-1], "sentinel-2", update)]


@measures("daily_update")
def daily_update(n_stored: int = N_STORED, n_updated: int = N_UPDATED) -> Measurement:
    """On disk, everything included: read, follow, draw, write, wait for the disk."""
    *known, new = days_of_updates(n_stored, n_updated)
    size = STEP_PX * int(np.ceil(np.sqrt(n_stored + n_updated)))
    geobox = GeoBox((size, size), Affine(10, 0, 300_000, 0, -10, 8_900_000), "EPSG:32719")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.gpkg"
        with EventStore(path, geobox, EventRules(min_pixels=5)) as store:
            built_s = wall_seconds(partial(store.update, known))
            wall_s = wall_seconds(partial(store.update, [*known, new]))
            n_events = len(store)
        megabytes = path.stat().st_size / 1e6
    note = f"{n_updated:,} of {n_events:,} events, made in {built_s:.0f} s, {megabytes:,.0f} MB"
    return Measurement(wall_s, "s", note=note)
