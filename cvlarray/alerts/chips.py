"""Pictures of an alert's place before and after its change."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import xarray as xr
from PIL import Image, ImageDraw

from cvlarray.alerts.window import AlertWindow, alert_window, in_pixels
from cvlarray.kernels.season import DAYS_PER_YEAR
from cvlarray.names import NODATA_DN
from cvlarray.store import write_atomic
from cvlarray.vectorize import raster_geobox

__all__ = [
    "ChipPair",
    "chip_files",
    "choose_dates",
    "choose_rendering",
    "render_chips",
    "write_chips",
]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
DnArray = npt.NDArray[np.int16]
Picture = npt.NDArray[np.uint8]

RENDERINGS = {
    "true colour": ("red", "green", "blue"),
    "false colour (near infrared, red, green)": ("nir", "red", "green"),
    "false colour (narrow near infrared, red, green)": ("nir08", "red", "green"),
    "false colour (near infrared, red, red)": ("nir", "red", "red"),
    "false colour (narrow near infrared, red, red)": ("nir08", "red", "red"),
    "false colour (near infrared and short-wave infrared)": ("swir22", "nir", "nir"),
}
"""Bands as red, green and blue, the best first."""

MIN_CLEAR_SHARE = 0.5
"""Dates on which less of the alert or its surroundings was seen aren't shown."""

SEASON_COST, BEFORE_COST, AFTER_COST = 1.0, 0.2, 0.5
"""What makes a pair of dates worse: a day of difference in season, a day before the change, a day
after it was confirmed. A year back at the same season costs as much as 73 days out of season."""
CLOUD_COST = 300.0
"""And a picture in which nothing is clear."""

DARK_PERCENT, BRIGHT_PERCENT = 1.0, 99.0
GAMMA = 1.6
"""Lifts the shadows: forest is dark beside bare ground."""
PICTURE_PX = 224
MAX_BYTES = 32_000
COMPRESS_LEVEL = 4
"""Of zlib; 9 takes three times as long for 8 % less."""
PALETTE_SIZES = 255, 127, 63, 31, 15
"""Colours, the most that stay below `MAX_BYTES`; one more is the outline's own."""
OUTLINE_COLOUR = (255, 214, 10)
MISSING_GREY = 40


class ChipPair(NamedTuple):
    """Pictures of one place before and after its change; None where no clear date was found."""

    before_png: bytes | None
    after_png: bytes | None
    before_date: dt.date | None
    after_date: dt.date | None
    rendering: str = ""
    """How they were made: ``true colour``."""


def render_chips(
    cube: xr.Dataset, is_clear: xr.DataArray, alert: pd.Series, *, size_px: int = 64
) -> ChipPair:
    """Draw an alert's place before and after the change, equally bright, with its outline.

    Of the dates on which the place was seen clear, until the last that was as expected and from the
    confirmation on, the pair is taken that is clearest, near in season and near to the change.

    Parameters
    ----------
    cube
        Bands (time, y, x), int16 of reflectance × 10,000, -32768 missing; lazy is best: only the
        window is read, and of the bands two dates.
    is_clear
        Boolean (time, y, x) on the same grid and dates; read in the window.
    alert
        A row of `cvlarray.alerts.build_alerts`.
    size_px
        Least height and width of the window [pixels].

    Returns
    -------
    PNG files of less than 32 kB and at most 224 pixels a side.

    Raises
    ------
    ValueError
        If the cube lacks the bands of every rendering, or the alert isn't on its grid.
    """
    rendering, bands = choose_rendering([str(name) for name in cube.data_vars])
    window = alert_window(alert["geometry"], raster_geobox(cube[bands[0]][0]), size_px=size_px)
    place = cube[list(dict.fromkeys(bands))].isel(y=window.y, x=window.x)
    clear = is_clear.isel(y=window.y, x=window.x).transpose("time", "y", "x").to_numpy()
    dates = place["time"].to_numpy().astype("datetime64[D]")
    chosen = choose_pair(alert, dates, clear_shares(clear, window))
    shown = [None if i is None else stack_bands(place.isel(time=[i]), bands)[0] for i in chosen]
    shown_dates = [None if i is None else dates[i].item() for i in chosen]
    return draw_pair(shown, shown_dates, window, rendering)


def draw_pair(
    layers: Sequence[DnArray | None],
    dates: Sequence[dt.date | None],
    window: AlertWindow,
    rendering: str,
) -> ChipPair:
    """Draw what was seen in a window before and after its change.

    Parameters
    ----------
    layers
        Two arrays (y, x, 3), int16 of reflectance × 10,000, -32768 missing, to be shown as red,
        green and blue; None where there is no date to show.
    dates
        Their dates.
    window
        The place that they show.
    rendering
        What the bands are called together; it is handed on.
    """
    shown = [None if dn is None else without_haze(_reflectance(dn)) for dn in layers]
    full = full_scale([rgb for rgb in shown if rgb is not None])
    before, after = (
        None if rgb is None else outlined_png(scaled_picture(rgb, full), window) for rgb in shown
    )
    before_date, after_date = dates
    return ChipPair(before, after, before_date, after_date, rendering)


def choose_pair(
    alert: pd.Series, dates: npt.NDArray[np.datetime64], shares: FloatArray
) -> tuple[int | None, int | None]:
    """Choose the dates that show an alert: `choose_dates` on either side of its own dates."""
    last_unchanged = alert["interval_start"]
    if pd.isna(last_unchanged):
        last_unchanged = alert["first_detected"] - pd.Timedelta(days=1)
    return choose_dates(
        dates, shares, last_unchanged.to_datetime64(), alert["confirmed"].to_datetime64()
    )


def choose_dates(
    dates: npt.NDArray[np.datetime64],
    clear_shares: FloatArray,
    last_before: np.datetime64,
    first_after: np.datetime64,
) -> tuple[int | None, int | None]:
    """Choose two dates that show a change: clear, of a like season, and not far from it.

    Parameters
    ----------
    dates
        (time,) datetime64[D].
    clear_shares
        (time,) share of the place that was clear, 0 to 1.
    last_before, first_after
        The earlier date is on or before the one, the later on or after the other.

    Returns
    -------
    Positions of both dates; None where there is no date clear enough.
    """
    is_seen = clear_shares >= MIN_CLEAR_SHARE
    before = np.flatnonzero(is_seen & (dates <= last_before.astype("datetime64[D]")))
    after = np.flatnonzero(is_seen & (dates >= first_after.astype("datetime64[D]")))
    days = dates.astype(np.int64)
    clouds = CLOUD_COST * (1 - clear_shares)
    cost_before = clouds[before] + BEFORE_COST * -(days[before] - days[before].max(initial=0))
    cost_after = clouds[after] + AFTER_COST * days[after]
    if before.size == 0 or after.size == 0:
        return _cheapest(before, cost_before), _cheapest(after, cost_after)
    apart = (days[after][None, :] - days[before][:, None]) % DAYS_PER_YEAR
    season = SEASON_COST * np.minimum(apart, DAYS_PER_YEAR - apart)
    cost = season + cost_before[:, None] + cost_after[None, :]
    i, j = np.unravel_index(np.argmin(cost), cost.shape)
    return int(before[i]), int(after[j])


def write_chips(chips: ChipPair, folder: Path, event_id: str) -> list[Path]:
    """Write the pictures there are, each whole or not at all; return their paths."""
    files = chip_files(chips, folder, event_id)
    for path, png in files.items():
        write_atomic(path, png)
    return list(files)


def chip_files(chips: ChipPair, folder: Path, event_id: str) -> dict[Path, bytes]:
    """Return where the pictures there are belong in a folder, and their content."""
    named = {"before": chips.before_png, "after": chips.after_png}
    return {
        folder / f"{event_id}_{name}.png": png for name, png in named.items() if png is not None
    }


def choose_rendering(available: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """Return the best rendering that the bands allow: its name, and what is shown as RGB.

    Raises
    ------
    ValueError
        If the bands allow none.
    """
    for name, bands in RENDERINGS.items():
        if set(bands) <= set(available):
            return name, bands
    raise ValueError(
        "a picture needs the bands red, green and blue, or nir (or nir08) and red; "
        f"got {', '.join(available)}"
    )


def clear_shares(clear: BoolArray, window: AlertWindow) -> FloatArray:
    """Return for each date how clear the alert or its surroundings were, whichever less.

    ``clear`` is (time, y, x) of the window.
    """
    shares: FloatArray = np.minimum(
        clear.mean(axis=(1, 2)), clear[:, window.is_inside].mean(axis=1)
    )
    return shares


def _cheapest(dates: npt.NDArray[np.int64], cost: FloatArray) -> int | None:
    return int(dates[np.argmin(cost)]) if dates.size else None


def stack_bands(place: xr.Dataset, bands: Sequence[str]) -> DnArray:
    """Read the bands of a place, computed in one go: (time, y, x, band), as stored."""
    read = place[list(dict.fromkeys(bands))].transpose("time", "y", "x").compute()
    return np.stack([read[band].to_numpy() for band in bands], axis=-1)


def _reflectance(dn: DnArray) -> FloatArray:
    """Return (y, x, 3) reflectance × 10,000, NaN where any band is missing."""
    is_seen = (dn != NODATA_DN).all(axis=2, keepdims=True)
    return np.where(is_seen, dn.astype(np.float64), np.nan)


def without_haze(rgb: FloatArray) -> FloatArray:
    """Return a picture less the darkest values of each band, which are mostly air.

    Else a hazy date looks blue beside a clear one (dark object subtraction: Chavez 1988,
    DOI 10.1016/0034-4257(88)90019-3).
    """
    seen = rgb[np.isfinite(rgb).all(axis=2)]
    return rgb - np.percentile(seen, DARK_PERCENT, axis=0) if seen.size else rgb


def full_scale(pictures: list[FloatArray]) -> float:
    """Return the value that is drawn brightest, in all bands of all pictures."""
    values = np.concatenate([np.ones(1), *(picture.ravel() for picture in pictures)])
    return max(float(np.nanpercentile(values, BRIGHT_PERCENT)), 1.0)


def scaled_picture(rgb: FloatArray, full: float) -> Picture:
    scaled = np.clip(rgb / full, 0, 1) ** (1 / GAMMA) * 255
    return np.where(np.isnan(scaled), MISSING_GREY, scaled).round().astype(np.uint8)


def outlined_png(rgb: Picture, window: AlertWindow) -> bytes:
    """Enlarge a picture to whole multiples (or shrink it), draw the outline, and encode it."""
    height, width = rgb.shape[:2]
    longest = max(height, width)
    factor = PICTURE_PX // longest if longest <= PICTURE_PX else PICTURE_PX / longest
    size = max(1, round(width * factor)), max(1, round(height * factor))
    picture = Image.fromarray(rgb)
    if factor < 1:
        picture = picture.resize(size, Image.Resampling.BOX)
    outline = shapely.boundary(shapely.get_parts(in_pixels(window.outline, window.geobox)))
    rings = [shapely.get_coordinates(ring) * factor for ring in shapely.get_parts(outline)]
    for colours in PALETTE_SIZES:
        encoded = _encode(picture, size, rings, colours)
        if len(encoded) <= MAX_BYTES:
            break
    return encoded


def _encode(
    picture: Image.Image, size: tuple[int, int], rings: list[FloatArray], colours: int
) -> bytes:
    """Return a PNG of a size, of so many colours and one more, for the rings.

    Colours are chosen before the picture is enlarged: a ninth of the pixels, the same colours. The
    octree takes a tenth of median cut's time.
    """
    image = picture.quantize(colours, method=Image.Quantize.FASTOCTREE)
    image = image.resize(size, Image.Resampling.NEAREST)
    palette = (image.getpalette() or [])[: 3 * colours]
    palette += [0] * (3 * colours - len(palette))
    image.putpalette([*palette, *OUTLINE_COLOUR])
    draw = ImageDraw.Draw(image)
    for ring in rings:
        draw.line(ring.ravel().tolist(), fill=colours, width=1)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=COMPRESS_LEVEL)
    return file.getvalue()
