"""Colours of pictures and dates; those of the page itself are in templates/style.css."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Stops: TypeAlias = Sequence[str]

DATE_STOPS: Stops = ("#ffe45c", "#ffab40", "#f4605a", "#c63d96", "#6b3fd4")
"""Early to late: falls in lightness all the way, so that it reads without hue, and stands out on
forest, soil and water alike."""

GAP_STOPS: Stops = ("#f3ecdc", "#e0bf8c", "#b8714f", "#6e2f45", "#2b1331")
"""Days without a clear observation, short to long."""

NEVER_CLEAR = "#8a8f98"
UNDATED = "#9aa0a6"
_DARK_INK, _LIGHT_INK = "#000000", "#ffffff"


def rgb(colour: str) -> npt.NDArray[np.float64]:
    """Return red, green and blue (0..255) of ``#rrggbb``."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float64)


def ramp(fraction: npt.ArrayLike, stops: Stops) -> npt.NDArray[np.uint8]:
    """Return the colours (..., 3) at ``fraction`` (0..1, clipped) between evenly spaced stops."""
    at = np.linspace(0, 1, len(stops))
    channels = np.stack([rgb(stop) for stop in stops]).T
    values = np.clip(np.asarray(fraction, dtype=np.float64), 0, 1)
    blended = [np.interp(values, at, channel) for channel in channels]
    return np.stack(blended, axis=-1).round().astype(np.uint8)


def hex_colour(channels: npt.ArrayLike) -> str:
    """Return ``#rrggbb`` of red, green and blue (0..255)."""
    return "#" + "".join(f"{int(channel):02x}" for channel in np.asarray(channels))


@cache
def date_colour(fraction: float) -> str:
    """Return the colour of a date at ``fraction`` (0 earliest, 1 latest)."""
    return hex_colour(ramp(fraction, DATE_STOPS))


def relative_luminance(colour: str) -> float:
    """Return the relative luminance (0..1) as WCAG 2.2 defines it."""
    srgb = rgb(colour) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


@cache
def ink_on(colour: str) -> str:
    """Return dark or light ink, whichever contrasts more with ``colour``."""
    luminance = relative_luminance(colour)
    dark = (luminance + 0.05) / (relative_luminance(_DARK_INK) + 0.05)
    light = (relative_luminance(_LIGHT_INK) + 0.05) / (luminance + 0.05)
    return _DARK_INK if dark >= light else _LIGHT_INK


def css_gradient(stops: Stops) -> str:
    """Return the CSS background of a legend running left to right."""
    return f"linear-gradient(to right, {', '.join(stops)})"
