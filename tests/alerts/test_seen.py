"""What was seen when, of places whose truth is drawn by hand."""

from __future__ import annotations

import datetime as dt

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from cvlarray.alerts.enrich import take_snapshot
from cvlarray.alerts.enrich.layer import Layer
from cvlarray.alerts.seen import seen_in_period
from cvlarray.names import NOT_COVERED, READ
from tests.alerts.conftest import CRS, ORIGIN

DAYS = ["2024-05-03", "2024-05-08", "2024-05-16", "2024-06-05", "2024-07-05"]
"""10-day windows since 1970 start on 2024-04-27, 05-07, 05-17, 05-27 and 06-06."""


@pytest.fixture
def parks(tmp_path):
    """Two parks of 4 × 2 pixels side by side."""
    left, top = ORIGIN
    boxes = [shapely.box(left + x, top - 40, left + x + 20, top) for x in (0, 20)]
    table = gpd.GeoDataFrame({"code": ["W", "E"]}, geometry=boxes, crs=CRS)
    table.to_file(tmp_path / "parks.gpkg")
    return take_snapshot(
        Layer(
            name="parks",
            role="strict_protection",
            source={"path": tmp_path / "parks.gpkg"},
            columns={"code": "code"},
        )
    )


def cube(status: np.ndarray, clear: np.ndarray) -> tuple[xr.DataArray, xr.DataArray]:
    left, top = ORIGIN
    grid = GeoBox((4, 4), Affine(10, 0, left, 0, -10, top), CRS)
    coords = {"time": pd.to_datetime(DAYS), **xr_coords(grid)}
    return tuple(xr.DataArray(each, coords, ("time", "y", "x")) for each in (status, clear))


@pytest.mark.parametrize("chunks", [None, {"y": 3, "x": 1, "time": 2}])
def test_shares_and_days_of_each_jurisdiction(parks, chunks):
    status = np.full((5, 4, 4), READ, np.uint8)
    status[1, :, :2] = NOT_COVERED
    clear = np.zeros((5, 4, 4), bool)
    clear[0, :, 2:] = True  # the east on 3 May
    clear[2, 0, 2:] = True  # a quarter of it again on 16 May
    clear[3, :2, :2] = True  # half of the west on 5 June
    clear[4] = True  # after the period
    given = cube(status, clear)
    if chunks is not None:
        given = tuple(each.chunk(chunks) for each in given)
    start, end = dt.date(2024, 5, 1), dt.date(2024, 6, 10)
    found = seen_in_period(*given, [parks], start=start, end=end)
    rows = found.windows.set_index(["code", "start"])
    whole = found.windows[found.windows["layer"] == "region"]
    assert whole["clear_share"].tolist() == [0.5, 0.125, 0, 0.25, 0]
    west, east = rows.loc["W"], rows.loc["E"]
    assert [f"{day:%m-%d}" for day in east.index] == ["04-27", "05-07", "05-17", "05-27", "06-06"]
    assert east["n_dates"].tolist() == [1, 2, 0, 1, 0]
    assert west["n_dates"].tolist() == [1, 1, 0, 1, 0]
    assert east["seen_share"].tolist() == [1, 1, 0, 1, 0]
    assert east["clear_share"].tolist() == [1, 0.25, 0, 0, 0]
    assert west["clear_share"].tolist() == [0, 0, 0, 0.5, 0]
    blind = found.blind.set_index("code")
    assert blind.loc["E", "longest_blind_days"] == 38  # 3 May to 10 June
    assert blind.loc["W", "longest_blind_days"] == 40  # all of it
    assert blind.loc["W", "median_blind_days"] == 35  # until 5 June
    assert blind.loc[["E", "W"], "never_seen_share"].tolist() == [0, 0.5]


def test_a_period_without_dates_was_blind(parks):
    given = cube(np.full((5, 4, 4), READ, np.uint8), np.ones((5, 4, 4), bool))
    found = seen_in_period(*given, [parks], start=dt.date(2025, 1, 1), end=dt.date(2025, 1, 20))
    assert found.windows["clear_share"].eq(0).all()
    assert found.blind["longest_blind_days"].tolist() == [19, 19, 19]
    with pytest.raises(ValueError, match="must not end"):
        seen_in_period(*given, [parks], start=dt.date(2025, 1, 2), end=dt.date(2025, 1, 1))
