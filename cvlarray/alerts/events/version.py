"""Versions of an event: what was known of it after each acquisition that changed it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
from odc.geo.geobox import GeoBox

from cvlarray.alerts.days import dates_of
from cvlarray.alerts.events.advance import Shown
from cvlarray.alerts.events.observed import SENSORS
from cvlarray.alerts.events.patches import places
from cvlarray.alerts.events.state import State
from cvlarray.alerts.shapes import geographic, label_polygons
from cvlarray.names import NO_DATE
from cvlarray.vectorize import Connectivity, area_m2, area_uncertainty_m2

__all__ = ["EVENT_DTYPES", "RADAR_CYCLE_DAYS", "describe"]

RADAR = SENSORS.index("sentinel-1")
RADAR_CYCLE_DAYS = 12
"""Repeat cycle of one Sentinel-1 satellite. Wet ground and standing water hide a clearing from
radar, or look like one, for as long: what radar alone has seen is dated no better."""

Table = npt.NDArray[np.void]


EVENT_DTYPES = {
    "event_id": "string",
    "version": "int64",
    "acquisition": "datetime64[ms]",
    "state": "string",
    "change": "string",
    "class": "string",
    "confidence": "float64",
    "first_detected": "datetime64[ms]",
    "confirmed": "datetime64[ms]",
    "interval_start": "datetime64[ms]",
    "interval_end": "datetime64[ms]",
    "area_m2": "float64",
    "area_uncertainty_m2": "float64",
    "magnitude": "float64",
    "n_pixels": "int64",
    "sensor": "string",
    "needs_review": "bool",
    "parents": "object",
    "children": "object",
    "revision": "int64",
}
"""Columns of events and of their versions, beside ``geometry`` in EPSG:4326. ``version`` counts
from 1 within an event and never goes back; ``acquisition`` is the date of the observations that
made it; ``revision`` tells the chains of an event apart: observations of before that were
read anew begin another one, and the versions of the highest count. ``parents`` and
``children`` are lists of event ids."""

DATES = ("first_detected", "confirmed", "interval_start", "interval_end")


def describe(
    shown: Sequence[Shown], geobox: GeoBox, *, class_name: str, connectivity: Connectivity
) -> gpd.GeoDataFrame:
    """Return one row for each event that an acquisition changed.

    Parameters
    ----------
    shown
        Events and the pixels to speak of.
    geobox
        Grid of the pixels.
    class_name
        Class of all events.
    connectivity
        As for the patches.

    Returns
    -------
    Columns of `EVENT_DTYPES` but ``version``, ``acquisition`` and ``revision``. Over the pixels
    ``first_detected`` and ``confirmed`` are the earliest dates; ``interval_start`` (NaT if never
    seen unchanged) and ``interval_end`` are the earliest and the latest, so that the whole change
    lies between them, and for events that radar alone has seen a cycle more on either side;
    ``confidence`` and ``magnitude`` are medians.
    """
    sizes = [one.pixels.size for one in shown]
    pixels = np.concatenate([one.pixels for one in shown])
    label = np.repeat(np.arange(len(shown)), sizes)
    table = _medians_and_dates(pixels, label)
    order = np.lexsort((places(pixels), label))
    pixels, label = pixels[order], label[order]
    is_first = (np.diff(places(pixels), prepend=-1) != 0) | (np.diff(label, prepend=-1) != 0)
    row, col, label = pixels["row"][is_first], pixels["col"][is_first], label[is_first]
    geometry = label_polygons(row, col, label, geobox, connectivity=connectivity)
    areas = area_m2(geometry)
    pixel_m = float(np.sqrt(abs(geobox.affine.determinant)))
    patches = [one.patch for one in shown]
    table["event_id"] = [patch.event_id for patch in patches]
    states = (State.CONFIRMED if patch.is_confirmed else State.PENDING for patch in patches)
    table["state"] = [str(state) for state in states]
    table["change"] = [str(one.change) for one in shown]
    table["class"] = class_name
    table["area_m2"] = areas.round(1)
    uncertainty = area_uncertainty_m2(geometry, areas, pixel_m=pixel_m)
    table["area_uncertainty_m2"] = uncertainty.round(1)
    table["n_pixels"] = np.bincount(label, minlength=len(shown))
    table["parents"] = [patch.parents for patch in patches]
    table["children"] = [patch.children for patch in patches]
    return gpd.GeoDataFrame(table, geometry=geographic(geometry))


def _medians_and_dates(pixels: Table, label: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Return what is said of the pixels of each label."""
    frame = pd.DataFrame({name: pixels[name] for name in pixels.dtype.names or ()})
    dates = ["first_flagged", "confirmed", "interval_start"]
    frame[dates] = frame[dates].where(frame[dates] != NO_DATE)
    grouped = frame.groupby(label, sort=True)
    table = grouped.agg(
        first_detected=("first_flagged", "min"),
        confirmed=("confirmed", "min"),
        interval_start=("interval_start", "min"),
        interval_end=("first_flagged", "max"),
        confidence=("confidence", "median"),
        magnitude=("magnitude", "median"),
    )
    masks = np.zeros(len(table), np.int64)
    np.bitwise_or.at(masks, label, 1 << pixels["sensor"].astype(np.int64))
    table["sensor"] = [_names_of(mask) for mask in masks.tolist()]
    table["needs_review"] = masks == 1 << RADAR
    wider = RADAR_CYCLE_DAYS * table["needs_review"].astype("int64")
    table["interval_start"] -= wider
    table["interval_end"] += wider
    table["confidence"] = table["confidence"].astype("float64").round(4)
    table["magnitude"] = table["magnitude"].astype("float64").round(3)
    for name in DATES:
        table[name] = dates_of(table[name])
    return table


@cache
def _names_of(mask: int) -> str:
    """Return the sensors of which ``mask`` has the bits."""
    return ",".join(name for number, name in enumerate(SENSORS) if mask >> number & 1)
