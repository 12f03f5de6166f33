"""What the time of year does: sun, river level, leaves and grass."""

from __future__ import annotations

import datetime as dt
import math
from typing import NamedTuple

import numpy as np

from cvlarray.simulate.randomness import generator

EPOCH = dt.date(1970, 1, 1)
YEAR_DAYS = 365.2425
_PULSE_DAYS = 12
"""Distance between the knots of a river's ups and downs within a season."""


class Sun(NamedTuple):
    """Where the sun stands."""

    zenith: float
    """Angle from the vertical [rad]."""
    azimuth: float
    """Direction it is in, from north, clockwise [rad]."""


def day_number(date: dt.date) -> int:
    """Return the days since 1970-01-01, the form in which dates are stored."""
    return (date - EPOCH).days


def date_of(day: int) -> dt.date:
    """Return the date of a day number."""
    return EPOCH + dt.timedelta(days=int(day))


def wave(day: float, peak_day_of_year: float) -> float:
    """Return a yearly cosine, 1 on its peak day and -1 half a year later."""
    start_of_year = day_number(dt.date(date_of(int(day)).year, 1, 1))
    return math.cos(2 * math.pi * (day - start_of_year - peak_day_of_year + 1) / YEAR_DAYS)


def sun_at(moment: dt.datetime, longitude: float, latitude: float) -> Sun:
    """Return the sun's position to about half a degree.

    Parameters
    ----------
    moment
        With time zone.
    longitude, latitude
        Degrees.

    References
    ----------
    Spencer, "Fourier series representation of the position of the sun", Search 2, 1971.
    """
    moment = moment.astimezone(dt.UTC)
    hours = moment.hour + moment.minute / 60 + moment.second / 3600
    angle = 2 * math.pi * (moment.timetuple().tm_yday - 1 + (hours - 12) / 24) / YEAR_DAYS
    declination = (
        0.006918
        - 0.399912 * math.cos(angle) + 0.070257 * math.sin(angle)
        - 0.006758 * math.cos(2 * angle) + 0.000907 * math.sin(2 * angle)
    )  # fmt: skip
    equation_of_time_h = 3.8197 * (
        0.000075
        + 0.001868 * math.cos(angle) - 0.032077 * math.sin(angle)
        - 0.014615 * math.cos(2 * angle) - 0.040849 * math.sin(2 * angle)
    )  # fmt: skip
    hour_angle = math.radians(15 * (hours + longitude / 15 + equation_of_time_h - 12))
    phi = math.radians(latitude)
    up = math.sin(phi) * math.sin(declination) + math.cos(phi) * math.cos(declination) * math.cos(
        hour_angle
    )
    east = -math.cos(declination) * math.sin(hour_angle)
    north = math.cos(phi) * math.sin(declination) - math.sin(phi) * math.cos(
        declination
    ) * math.cos(hour_angle)
    return Sun(math.acos(min(1.0, max(-1.0, up))), math.atan2(east, north) % (2 * math.pi))


def river_level(seed: int, day: int) -> float:
    """Return the stage of the rivers, 0 lowest to 1 bankfull.

    High in February and low in August, with rises and falls of some weeks that are larger in the
    rains.
    """
    season = 0.5 + 0.42 * wave(day, 46)
    knot, share = divmod(day, _PULSE_DAYS)
    pulses = [generator(seed, "river level", knot + i).normal() for i in range(2)]
    pulse = np.interp(share / _PULSE_DAYS, (0, 1), pulses)
    return float(np.clip(season + (0.05 + 0.10 * season) * pulse, 0, 1))


def dryness(day: int) -> float:
    """Return how dry grass is, 0 in March to 1 in September."""
    return 0.5 - 0.5 * wave(day, 75)


def leaf_flush(day: int) -> float:
    """Return the forest's state between old leaves (-1, in May) and new ones (1, in October).

    Amazon forests change their leaves in the dry season (Lopes et al., "Leaf flush drives dry
    season green-up of the Central Amazon", Remote Sensing of Environment 182, 2016,
    doi:10.1016/j.rse.2016.05.009).
    """
    return wave(day, 285)
