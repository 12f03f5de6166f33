"""Which pixels are drawn around an alert."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.alerts.window import alert_window

# odc-geo multiplies transforms the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

GRID = GeoBox((100, 200), Affine(10, 0, 350_000, 0, -10, 8_560_000), "EPSG:32719")


def pixels(rows: slice, cols: slice) -> shapely.Polygon:
    """The outline of a rectangle of pixels, in degrees."""
    corners = 350_000 + 10 * cols.start, 8_560_000 - 10 * rows.stop
    opposite = 350_000 + 10 * cols.stop, 8_560_000 - 10 * rows.start
    return gpd.GeoSeries([shapely.box(*corners, *opposite)], crs=32719).to_crs(4326).iloc[0]


def test_the_alert_is_in_the_middle() -> None:
    window = alert_window(pixels(slice(50, 54), slice(80, 90)), GRID, size_px=32)
    assert (window.y, window.x) == (slice(36, 68), slice(69, 101))
    assert window.geobox == GRID[36:68, 69:101]


def test_inside_are_the_pixels_of_the_alert() -> None:
    window = alert_window(pixels(slice(50, 54), slice(80, 90)), GRID, size_px=32)
    row, col = np.nonzero(window.is_inside)
    assert (row.min(), row.max(), col.min(), col.max()) == (14, 17, 11, 20)
    assert window.is_inside.sum() == 40


@pytest.mark.parametrize(
    ("rows", "cols", "expected"),
    [
        ((0, 2), (0, 2), (slice(0, 32), slice(0, 32))),
        ((98, 100), (199, 200), (slice(68, 100), slice(168, 200))),
    ],
    ids=["top left", "bottom right"],
)
def test_the_window_stays_on_the_grid(
    rows: tuple[int, int], cols: tuple[int, int], expected: tuple[slice, slice]
) -> None:
    window = alert_window(pixels(slice(*rows), slice(*cols)), GRID, size_px=32)
    assert (window.y, window.x) == expected


def test_a_large_alert_gets_a_margin_and_a_larger_one_the_whole_grid() -> None:
    window = alert_window(pixels(slice(30, 70), slice(50, 60)), GRID, size_px=20)
    assert (window.y, window.x) == (slice(22, 78), slice(45, 65))
    whole = alert_window(pixels(slice(0, 100), slice(0, 200)), GRID, size_px=20)
    assert whole.geobox.shape == GRID.shape


def test_one_pixel_is_a_window_of_its_own() -> None:
    window = alert_window(pixels(slice(5, 6), slice(7, 8)), GRID)
    assert (window.y, window.x) == (slice(5, 6), slice(7, 8))
    assert window.is_inside.tolist() == [[True]]


def test_an_alert_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match="isn't on the grid"):
        alert_window(pixels(slice(500, 510), slice(0, 5)), GRID)
