"""Orbit files (EOF): where the satellite was, known better some hours or weeks later."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import xarray as xr

from cvlarray.errors import ReadError

MARGIN = np.timedelta64(60, "s")
"""State vectors, one in ten seconds, are kept so long before and after a scene: enough for a
polynomial of degree 5, little enough for it to be good to a centimetre."""


def read_orbit_file(path: Path, start: np.datetime64, stop: np.datetime64) -> xr.DataArray:
    """Return the state vectors of an orbit file around a scene.

    Parameters
    ----------
    path
        ``…_AUX_POEORB_….EOF`` (precise) or ``…_AUX_RESORB_….EOF`` (restituted), as ESA has them.
    start, stop
        Of the scene, UTC.

    Returns
    -------
    Position (axis, azimuth_time) [m], Earth-fixed.

    Raises
    ------
    ReadError
        If the file is no orbit file, or doesn't cover the scene with a margin of a minute.
    """
    times, positions = [], []
    first, last = start - MARGIN, stop + MARGIN
    try:
        for _, element in ET.iterparse(path):  # noqa: S314 (a file of the operator's)
            if element.tag != "OSV":
                continue
            text = (element.findtext("UTC") or "").removeprefix("UTC=")
            time = np.datetime64(text, "ns")
            if first <= time <= last:
                times.append(time)
                positions.append([float(element.findtext(axis) or "nan") for axis in "XYZ"])
            element.clear()
    except (OSError, ValueError, ET.ParseError) as error:
        raise ReadError(f"{path} is no orbit file: {error}") from error
    step = np.timedelta64(20, "s")
    if not times or times[0] > first + step or times[-1] < last - step:
        raise ReadError(f"{path} does not cover {start} to {stop} with a minute on either side")
    return xr.DataArray(
        np.array(positions).T,
        coords={"axis": [0, 1, 2], "azimuth_time": np.array(times)},
        dims=("axis", "azimuth_time"),
        attrs={"units": "m", "long_name": f"position by {path.name}"},
    )
