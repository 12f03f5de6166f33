"""Detections drawn by hand, on a UTM grid in Madre de Dios."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from cvlarray.names import DETECTION_VARIABLES, NO_DATE

CRS = "EPSG:32719"
ORIGIN = (350_000, 8_560_000)


def day(text: str) -> int:
    return int(np.datetime64(text, "D").astype(np.int64))


def empty_detections(shape: tuple[int, int], origin: tuple[int, int] = ORIGIN) -> xr.Dataset:
    geobox = GeoBox(shape, Affine(10, 0, origin[0], 0, -10, origin[1]), CRS)
    variables = {
        variable.name: (
            ("y", "x"),
            np.full(
                shape, 0 if variable.fill_value is None else variable.fill_value, variable.dtype
            ),
            variable.attrs,
        )
        for variable in DETECTION_VARIABLES
    }
    return xr.Dataset(variables, coords=xr_coords(geobox))


def paint(
    detections: xr.Dataset,
    where: tuple[slice, slice],
    flagged: str,
    *,
    delay_days: int = 20,
    last_clear_days: int | None = 10,
    confidence: float = 0.9,
    magnitude: float = 5.0,
) -> None:
    """Make a rectangle of pixels change on a date."""
    first = day(flagged)
    values = {
        "first_flagged": first,
        "confirmed": first + delay_days,
        "interval_start": NO_DATE if last_clear_days is None else first - last_clear_days,
        "interval_end": first,
        "confidence": confidence,
        "magnitude": magnitude,
        "n_flagged": 4,
    }
    for name, value in values.items():
        detections[name].data[where] = value


@pytest.fixture
def two_campaigns() -> xr.Dataset:
    """Two clearings that share a border, half a year apart, and a third one on its own."""
    detections = empty_detections((40, 60))
    paint(detections, np.s_[5:15, 10:20], "2024-05-01")
    paint(detections, np.s_[15:19, 10:20], "2024-05-21")
    paint(detections, np.s_[5:15, 20:30], "2024-12-01", confidence=0.7)
    paint(detections, np.s_[30:33, 50:54], "2024-03-01", last_clear_days=None)
    return detections


@pytest.fixture(scope="session")
def draw() -> Callable[..., None]:
    return paint


@pytest.fixture(scope="session")
def blank() -> Callable[..., xr.Dataset]:
    return empty_detections
