"""The truth of a landscape: what lies where on a day, and what has changed since when."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.names import NO_DATE
from cvlarray.simulate.event import Cause
from cvlarray.simulate.ground import FOREST, ground_of, paint, palette_of
from cvlarray.simulate.history import history_of
from cvlarray.simulate.landscape import Landscape
from cvlarray.simulate.pixels import Pixels
from cvlarray.simulate.season import day_number
from cvlarray.simulate.switches import Switches


class Changes(NamedTuple):
    """What has changed in a window between two days; rivers that rise and fall don't count."""

    from_class: NDArray[np.uint8]
    """(y, x) `LandCover` on the first day."""
    to_class: NDArray[np.uint8]
    """(y, x) `LandCover` on the last day."""
    first_changed: NDArray[np.int32]
    """(y, x) day of the first disturbance after the first day, days since 1970-01-01;
    `names.NO_DATE` where there was none. Regrowth is none."""


def land_cover_of(
    landscape: Landscape, pixels: Pixels, date: dt.date, switches: Switches | None = None
) -> NDArray[np.uint8]:
    """Return the truth map of a window on a day.

    Parameters
    ----------
    landscape
        Any.
    pixels
        Window; the class of a pixel is that of its centre.
    date
        Day; what happens on it has happened.
    switches
        Of them, `seasonal_water` and `natural_disturbance`.

    Returns
    -------
    (y, x) `LandCover`.
    """
    switches = switches or Switches()
    day = day_number(date)
    state = ground_of(landscape, pixels, day, switches).state
    return palette_of(landscape, day, switches).land_cover[state]


def changes_between(
    landscape: Landscape,
    pixels: Pixels,
    first: dt.date,
    last: dt.date,
    switches: Switches | None = None,
) -> Changes:
    """Return what has changed in a window from one day to another.

    Parameters
    ----------
    landscape, pixels
        Window of a landscape.
    first, last
        Days, compared as they end.
    switches
        Of them, `natural_disturbance`.

    Raises
    ------
    ValueError
        If ``first`` isn't before ``last``.
    """
    if first >= last:
        raise ValueError(f"first must be before last, got {first} and {last}")
    switches = replace(switches or Switches(), seasonal_water=False)
    history = history_of(landscape)
    regrowth = list(Cause).index(Cause.REGROWTH)
    is_noted = (history.day > day_number(first)) & (history.cause != regrowth)
    chosen = history.within(pixels.bounds, day_number(last), natural=switches.natural_disturbance)
    state = np.full(pixels.shape, FOREST, np.int32)
    event = paint(history, chosen, pixels, state, is_noted)
    days = np.append(history.day, NO_DATE)[event]
    return Changes(
        land_cover_of(landscape, pixels, first, switches),
        land_cover_of(landscape, pixels, last, switches),
        days.astype(np.int32),
    )
