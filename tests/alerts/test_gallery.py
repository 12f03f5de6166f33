"""The pictures of many alerts are those of each alert on its own."""

from __future__ import annotations

from collections.abc import Callable

import dask.array as da
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from cvlarray.alerts import gallery, render_chips, render_gallery
from cvlarray.masking import is_clear

# odc-geo multiplies transforms the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

GRID = GeoBox((400, 700), Affine(10, 0, 350_000, 0, -10, 8_560_000), "EPSG:32719")
TIMES = pd.date_range("2023-01-15", periods=30, freq="20D")
PIXELS = [
    (10, 10, 4, 4),
    (14, 30, 3, 8),
    (250, 250, 20, 5),
    (258, 262, 2, 2),
    (100, 400, 150, 40),  # large: drawn alone
    (396, 690, 4, 10),  # in the corner
]
"""Row, column, height and width of each alert."""


@pytest.fixture
def cube() -> xr.Dataset:
    rng = np.random.default_rng(0)
    shape = (len(TIMES), *GRID.shape)
    variables = {
        band: (("time", "y", "x"), rng.integers(100, 4000, shape, np.int16))
        for band in ("red", "green", "blue")
    }
    variables["red"][1][:, 255:259] = -32768
    classes = rng.choice(np.array([4, 8], np.uint8), (len(TIMES), 10, 14), p=[0.8, 0.2])
    scl = classes.repeat(40, axis=1).repeat(50, axis=2)
    variables["scl"] = (("time", "y", "x"), scl)
    return xr.Dataset(variables, coords={**xr_coords(GRID), "time": TIMES})


@pytest.fixture
def alerts() -> gpd.GeoDataFrame:
    first = pd.Series(TIMES.to_numpy()[[12, 20, 15, 15, 18, 25]])
    never_unchanged = pd.Series([False, True, False, False, False, False])
    boxes = [
        shapely.box(*(GRID.affine @ (col, row + height)), *(GRID.affine @ (col + width, row)))
        for row, col, height, width in PIXELS
    ]
    columns = {
        "event_id": [f"event-{i}" for i in range(len(PIXELS))],
        "first_detected": first,
        "confirmed": first + pd.Timedelta(days=40),
        "interval_start": (first - pd.Timedelta(days=20)).mask(never_unchanged),
    }
    return gpd.GeoDataFrame(columns, geometry=boxes, crs=GRID.crs).to_crs(4326)


def find_clear(part: xr.Dataset) -> xr.DataArray:
    return is_clear(part["scl"])


@pytest.mark.parametrize("values_at_once", [gallery.VALUES_AT_ONCE, 1])
def test_they_are_those_of_each_alert_alone(
    cube: xr.Dataset,
    alerts: gpd.GeoDataFrame,
    values_at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gallery, "VALUES_AT_ONCE", values_at_once)
    monkeypatch.setattr(gallery, "DATES_TOGETHER", 7)
    together = dict(render_gallery(cube.chunk(time=8, y=128, x=128), find_clear, alerts))
    clear = find_clear(cube)
    assert together == {
        alert["event_id"]: render_chips(cube, clear, alert) for _, alert in alerts.iterrows()
    }
    assert any(chips.before_png and chips.after_png for chips in together.values())


def test_the_order_of_the_alerts_does_not_matter(
    cube: xr.Dataset, alerts: gpd.GeoDataFrame
) -> None:
    one, two = (dict(render_gallery(cube, find_clear, a)) for a in (alerts, alerts[::-1]))
    assert one == two


def test_neighbours_are_read_once(cube: xr.Dataset, alerts: gpd.GeoDataFrame) -> None:
    reads: list[tuple[str, tuple[int, ...]]] = []

    def counted(name: str) -> Callable[..., np.ndarray]:
        def load(block: np.ndarray, block_info: dict | None = None) -> np.ndarray:
            if block_info:
                reads.append((name, tuple(block_info[0]["chunk-location"])))
            return block

        return load

    lazy = cube.map(
        lambda band: band.copy(
            data=da.from_array(band.data, chunks=(1, 100, 100)).map_blocks(
                counted(str(band.name)), dtype=band.dtype
            )
        )
    )
    list(render_gallery(lazy, find_clear, alerts.iloc[:2]))
    assert len(reads) == len(set(reads))
    assert {place[1:] for _, place in reads} == {(0, 0)}


def test_without_alerts_nothing_is_drawn(cube: xr.Dataset, alerts: gpd.GeoDataFrame) -> None:
    assert list(render_gallery(cube, find_clear, alerts.iloc[:0])) == []


def test_an_alert_elsewhere_is_refused(cube: xr.Dataset, alerts: gpd.GeoDataFrame) -> None:
    moved = alerts.set_geometry(alerts.translate(1.0))
    with pytest.raises(ValueError, match="isn't on the grid"):
        list(render_gallery(cube, find_clear, moved))
