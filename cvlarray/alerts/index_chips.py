"""Pictures of a vegetation index at an alert's place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cvlarray.alerts.chips import MISSING_GREY, outlined_png
from cvlarray.alerts.window import AlertWindow
from cvlarray.names import NODATA_DN

__all__ = ["index_png"]

STOPS = np.array([-2000, 0, 2000, 4000, 6000, 9000])
"""Index × 10,000."""
COLOURS = np.array(
    [[94, 79, 162], [213, 62, 79], [253, 174, 97], [255, 255, 191], [166, 217, 106], [26, 102, 58]]
)
"""Water violet, bare ground red, forest dark green."""


def index_png(values: npt.NDArray[np.int16], window: AlertWindow) -> bytes:
    """Draw an index in fixed colours, so that two pictures can be compared, with the outline.

    Parameters
    ----------
    values
        (y, x) of the window, index × 10,000; -32768 (grey) where not seen.
    window
        The place.
    """
    channels = [np.interp(values, STOPS, COLOURS[:, channel]) for channel in range(3)]
    rgb = np.stack(channels, axis=-1)
    rgb[values == NODATA_DN] = MISSING_GREY
    return outlined_png(rgb.round().astype(np.uint8), window)
