"""A picture of a landscape on a day: true colour, infrared, radar, and the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cvlarray.simulate.acquisitions import OrbitState, Pass, Sensor
from cvlarray.simulate.landcover import COLOURS, LandCover
from cvlarray.simulate.landscape import Landscape
from cvlarray.simulate.pixels import Pixels
from cvlarray.simulate.radar import RadarView, view_sentinel1
from cvlarray.simulate.sentinel2 import Sentinel2View, view_sentinel2
from cvlarray.simulate.switches import Switches
from cvlarray.simulate.truth import land_cover_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ORBIT: OrbitState = "descending"


def quicklook(
    landscape: Landscape, at: Pass, pixels: Pixels | None = None, switches: Switches | None = None
) -> Figure:
    """Draw what Sentinel-2 sees on a day, what Sentinel-1 would, and what is there.

    Parameters
    ----------
    landscape
        Any.
    at
        Pass of Sentinel-2.
    pixels
        Window of 10 m, on multiples of 20 m; the whole landscape if None.
    switches
        Effects to simulate; all if None.

    Returns
    -------
    Figure of four panels; ``figure.savefig(path)`` writes it.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (half a second, for pictures alone)

    pixels = pixels or landscape.pixels
    optical = view_sentinel2(landscape, at, pixels, switches=switches)
    radar_pass = replace(at, sensor=Sensor.SENTINEL_1, platform="sentinel-1a", orbit_state=_ORBIT)
    panels = {
        f"Sentinel-2, red green blue, {at.date}": true_colour(optical),
        "Sentinel-2, short-wave and near infrared, red": false_colour(optical),
        "Sentinel-1, VV VH VV/VH": radar_colour(
            view_sentinel1(landscape, radar_pass, pixels, switches)
        ),
        "truth": truth_colour(land_cover_of(landscape, pixels, at.date, switches)),
    }
    figure = Figure(figsize=(16, 16.6), layout="constrained")
    for axes, (title, picture) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        axes.imshow(picture, interpolation="none")
        axes.set_title(title)
        axes.set_axis_off()
    handles = [
        figure.axes[0].scatter([], [], marker="s", s=90, color=COLOURS[cover],
                               label=cover.name.replace("_", " ").lower())
        for cover in LandCover
    ]  # fmt: skip
    figure.legend(handles=handles, ncols=5, loc="outside lower center", frameon=False)
    return figure


def write_quicklook(path: Path, landscape: Landscape, at: Pass) -> None:
    """Write the picture of a whole landscape to a file."""
    quicklook(landscape, at).savefig(path, dpi=100)


def true_colour(view: Sentinel2View) -> NDArray[np.float32]:
    """Return (y, x, 3) from 0 to 1, brightened as the eye would."""
    planes = [view.bands[name].astype(np.float32) / 10_000 for name in ("red", "green", "blue")]
    bright = np.clip((np.stack(planes, axis=-1) - 0.005) / 0.17, 0, 1)
    return np.asarray(bright**0.7, np.float32)


def false_colour(view: Sentinel2View) -> NDArray[np.float32]:
    """Return (y, x, 3): short-wave infrared, near infrared, red."""
    swir = view.bands["swir16"].repeat(2, axis=0).repeat(2, axis=1)
    planes: list[NDArray[Any]] = [swir / 4000, view.bands["nir"] / 4500, view.bands["red"] / 2000]
    return np.asarray(np.clip(np.stack(planes, axis=-1), 0, 1), np.float32)


def radar_colour(view: RadarView) -> NDArray[np.float32]:
    """Return (y, x, 3): VV and VH in decibels, and their ratio."""
    vv, vh = 10 * np.log10(view.vv), 10 * np.log10(view.vh)
    planes = [(vv + 18) / 16, (vh + 26) / 18, (vv - vh - 2) / 10]
    return np.asarray(np.clip(np.stack(planes, axis=-1), 0, 1), np.float32)


def truth_colour(land_cover: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (y, x, 3) in the colours of the legend."""
    table = np.zeros((256, 3), np.float32)
    for cover, colour in COLOURS.items():
        table[cover] = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return table[land_cover]
