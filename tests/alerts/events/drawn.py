"""Acquisitions drawn by hand: a letter a pixel."""

from __future__ import annotations

import datetime as dt

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.alerts.events import OBSERVED, Acquisition
from cvlarray.kernels.sightings import CLEARED, CONFIRMED, PENDING

GEOBOX = GeoBox((40, 40), Affine(10, 0, 350_000, 0, -10, 8_560_000), "EPSG:32719")
STATUS = {"p": PENDING, "C": CONFIRMED, "x": CLEARED}
START = dt.date(2024, 5, 1)


def acquisition(
    day: int,
    drawing: str,
    *,
    first: int | None = None,
    sensor: str = "sentinel-2",
    confidence: float = 0.9,
) -> Acquisition:
    """Return what is seen ``day`` days after the start.

    Parameters
    ----------
    drawing
        Rows of pixels: p is flagged again, C confirmed, x as expected after all, anything else
        isn't spoken of.
    first
        Day on which the pixels were first flagged; 5 days before by default.
    """
    date = START + dt.timedelta(days=day)
    number = (date - dt.date(1970, 1, 1)).days
    flagged = number - 5 if first is None else number - day + first
    pixels = [
        (number, row, col, STATUS[letter], flagged, flagged - 10, confidence, 5.0)
        for row, line in enumerate(drawing.splitlines())
        for col, letter in enumerate(line)
        if letter in STATUS
    ]
    return Acquisition(date, sensor, np.array(pixels, OBSERVED))
