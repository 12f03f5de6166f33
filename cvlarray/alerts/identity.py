"""Names of alerts that stay the same from run to run."""

from __future__ import annotations

import base64
import hashlib
import math

import numpy as np
from odc.geo.geobox import GeoBox

__all__ = ["event_id"]

_DIGEST_BYTES = 10
"""80 bits, 16 letters: two of a million alerts of one day share them with probability 10⁻¹²."""


def event_id(
    geobox: GeoBox,
    row: int,
    col: int,
    first_flagged: np.datetime64,
    split_on: np.datetime64 | None = None,
) -> str:
    """Name a change by the pixel in which it was first seen, and when.

    The pixel is counted from the origin of the CRS, so that the name depends neither on the region
    of the run nor on tiles or the order of rows. It changes only if an earlier pixel turns up, or
    one of the same day further up or left.

    Parameters
    ----------
    geobox
        Grid of the run.
    row, col
        The pixel on it.
    first_flagged
        Its date.
    split_on
        Date on which it came off another change, whose name may have been made of this pixel.

    Returns
    -------
    Date and 16 letters and digits, such as ``20190321-k3jq7x2mfa5dnw6o``.
    """
    transform = geobox.affine
    x = transform.c + (col + 0.5) * transform.a + (row + 0.5) * transform.b
    y = transform.f + (col + 0.5) * transform.d + (row + 0.5) * transform.e
    width, height = math.hypot(transform.a, transform.d), math.hypot(transform.b, transform.e)
    day = np.datetime_as_string(first_flagged, unit="D")
    place = geobox.crs.epsg or geobox.crs.to_wkt() if geobox.crs else ""
    text = f"{place}/{width:g}/{math.floor(x / width)}/{math.floor(y / height)}/{day}"
    text += "" if split_on is None else f"/{np.datetime_as_string(split_on, unit='D')}"
    digest = hashlib.sha256(text.encode()).digest()[:_DIGEST_BYTES]
    return f"{day.replace('-', '')}-{base64.b32encode(digest).decode().lower()}"
