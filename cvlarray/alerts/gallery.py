"""The pictures of many alerts: what neighbours have in common is read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from cvlarray.alerts.chips import (
    ChipPair,
    DnArray,
    FloatArray,
    choose_pair,
    choose_rendering,
    clear_shares,
    draw_pair,
    stack_bands,
)
from cvlarray.alerts.window import AlertWindow, alert_window
from cvlarray.vectorize import raster_geobox

__all__ = ["render_gallery"]

CELL_PX = 256
"""Alerts whose middles lie in one square of the grid are drawn together."""

LARGE_PX = 128
"""Larger alerts are drawn alone, or what is read for their neighbours would grow with them."""

VALUES_AT_ONCE = 16 * 2**20
"""Pixels × dates × bands that are in memory together: 32 MB of int16."""

DATES_TOGETHER = 24
"""Dates that a store decodes together; reading fewer at once would decode them again."""

FindClear = Callable[[xr.Dataset], xr.DataArray]
"""From a cube, or a part of it, to where the ground was seen: boolean (time, y, x)."""

DatePair = tuple[int | None, int | None]


def render_gallery(
    cube: xr.Dataset, find_clear: FindClear, alerts: gpd.GeoDataFrame, *, size_px: int = 64
) -> Iterator[tuple[str, ChipPair]]:
    """Draw the places of alerts before and after their changes, neighbours together.

    The pictures are those of `cvlarray.alerts.render_chips`. It reads each alert's window, this
    each square of 256 pixels with alerts in it, so it costs less the denser they are.

    Parameters
    ----------
    cube
        Bands (time, y, x), int16 of reflectance × 10,000, -32768 missing, and what ``find_clear``
        needs; lazy.
    find_clear
        Returns where the ground was seen in the part of the cube that it is given: only that is
        read.
    alerts
        What `cvlarray.alerts.build_alerts` returned.
    size_px
        Least height and width of a window [pixels].

    Yields
    ------
    Each alert's ``event_id`` and pictures, square by square. In memory are at most 16 million
    pixels × dates × bands (or 24 dates of the largest alert's window) and the windows of a
    square's alerts on two dates each, 50 kB an alert of 64 pixels.

    Raises
    ------
    ValueError
        If the cube lacks the bands of every rendering, or an alert isn't on its grid.
    """
    rendering, bands = choose_rendering([str(name) for name in cube.data_vars])
    geobox = raster_geobox(cube[bands[0]][0])
    for positions in _cells(alerts, geobox):
        members = alerts.iloc[positions]
        cell = _Cell.around(
            [alert_window(shape, geobox, size_px=size_px) for shape in members.geometry]
        )
        part = cube.isel(y=cell.y, x=cell.x)
        dates = part["time"].to_numpy().astype("datetime64[D]")
        shares = _read_shares(find_clear(part), cell)
        rows = [alert for _, alert in members.iterrows()]
        pairs = [choose_pair(*row) for row in zip(rows, [dates] * len(rows), shares, strict=True)]
        layers = _read_layers(part, bands, pairs, cell)
        for i, (alert, pair, window) in enumerate(zip(rows, pairs, cell.windows, strict=True)):
            # One date may be both, where a large alert was seen changed in one part only.
            taken = {date: layers.pop((i, date)) for date in set(pair) if date is not None}
            shown = [None if date is None else taken[date] for date in pair]
            shown_dates = [None if date is None else dates[date].item() for date in pair]
            yield alert["event_id"], draw_pair(shown, shown_dates, window, rendering)


@dataclass(frozen=True)
class _Cell:
    """Alerts that are drawn together, and the rectangle of the grid that they need."""

    y: slice
    x: slice
    windows: list[AlertWindow]

    @classmethod
    def around(cls, windows: list[AlertWindow]) -> _Cell:
        """Return the smallest rectangle with all the windows."""
        y = slice(min(w.y.start for w in windows), max(w.y.stop for w in windows))
        x = slice(min(w.x.start for w in windows), max(w.x.stop for w in windows))
        return cls(y, x, windows)

    def place(self, window: AlertWindow) -> tuple[slice, slice]:
        """Return where a window lies in the rectangle."""
        rows = slice(window.y.start - self.y.start, window.y.stop - self.y.start)
        return rows, slice(window.x.start - self.x.start, window.x.stop - self.x.start)

    def dates_at_once(self, n_bands: int) -> int:
        """Return how many dates of the rectangle may be in memory together."""
        n_values = (self.y.stop - self.y.start) * (self.x.stop - self.x.start) * n_bands
        n_times: int = VALUES_AT_ONCE // (n_values * DATES_TOGETHER)
        return max(1, n_times) * DATES_TOGETHER


def _cells(alerts: gpd.GeoDataFrame, geobox: GeoBox) -> list[list[int]]:
    """Return the positions of the alerts that are drawn together, squares row by row."""
    bounds = alerts.geometry.to_crs(geobox.crs).bounds.to_numpy()
    to_pixels = ~geobox.affine
    col, row = to_pixels @ ((bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2)
    size_px = np.maximum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1]) * to_pixels.a
    cells: dict[tuple[int, int, int], list[int]] = {}
    for i, is_large in enumerate(size_px > LARGE_PX):
        key = int(row[i] // CELL_PX), int(col[i] // CELL_PX), i if is_large else -1
        cells.setdefault(key, []).append(i)
    return [cells[key] for key in sorted(cells)]


def _read_shares(is_clear: xr.DataArray, cell: _Cell) -> FloatArray:
    """Return for each alert and date how clear it was, read some dates at a time."""
    lazy = is_clear.transpose("time", "y", "x")
    step = cell.dates_at_once(1)
    blocks = [slice(start, start + step) for start in range(0, lazy.sizes["time"], step)]
    shares = np.empty((len(cell.windows), lazy.sizes["time"]))
    for block in blocks:
        clear = lazy[block].to_numpy()
        for i, window in enumerate(cell.windows):
            shares[i, block] = clear_shares(clear[:, *cell.place(window)], window)
    return shares


def _read_layers(
    part: xr.Dataset, bands: Sequence[str], pairs: Sequence[DatePair], cell: _Cell
) -> dict[tuple[int, int], DnArray]:
    """Return what each alert's window showed on its dates (y, x, band), by alert and date."""
    wanted: dict[int, list[int]] = {}
    for i, pair in enumerate(pairs):
        for date in pair:
            if date is not None:
                wanted.setdefault(date, []).append(i)
    layers = {}
    every, step = sorted(wanted), cell.dates_at_once(len(bands))
    for dates in (every[start : start + step] for start in range(0, len(every), step)):
        read = stack_bands(part[list(dict.fromkeys(bands))].isel(time=dates), bands)
        for layer, date in zip(read, dates, strict=True):
            for i in wanted[date]:
                layers[i, date] = layer[cell.place(cell.windows[i])].copy()
    return layers
