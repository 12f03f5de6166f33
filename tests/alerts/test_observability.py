"""What could be seen: places and dates whose truth is drawn by hand."""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr

from cvlarray.alerts.enrich import take_snapshot
from cvlarray.alerts.enrich.layer import Layer
from cvlarray.alerts.observability import BLINDNESS_DTYPES, blindness, observability
from cvlarray.names import NO_DATE
from tests.alerts.conftest import CRS, ORIGIN

MEANINGS = ["not_covered", "unread", "obscured", "clear", "changed"]


@pytest.mark.parametrize("chunks", [None, {"y": 1, "time": 2}])
def test_every_place_and_day_says_whether_it_was_seen(chunks: dict[str, int] | None) -> None:
    times = pd.date_range("2024-05-01", periods=4, freq="5D")
    dims = ("time", "y", "x")
    coords = {"time": times, "y": [1.5, 0.5], "x": [0.5, 1.5]}
    status = xr.DataArray(np.ones((4, 2, 2), np.uint8), coords, dims)
    status[0, 0, 0], status[1, 0, 0] = 0, 2
    is_clear = xr.DataArray(np.ones((4, 2, 2), bool), coords, dims)
    is_clear[:2, 0, 0] = is_clear[2, 1, :] = False
    first = np.full((2, 2), NO_DATE, np.int32)
    first[1, 1] = (times[1] - pd.Timestamp("1970-01-01")).days
    detections = xr.Dataset({"first_flagged": (("y", "x"), first)})
    if chunks is not None:
        status, is_clear = status.chunk(chunks), is_clear.chunk(chunks)
        detections = detections.chunk(y=1)
    seen = observability(status, is_clear, detections)
    assert (seen.chunks is not None) == (chunks is not None)
    assert seen.dtype == np.uint8
    assert seen.attrs["flag_meanings"].split() == MEANINGS
    words = np.array(MEANINGS)[seen.to_numpy()]
    assert words[:, 0, 0].tolist() == ["not_covered", "unread", "clear", "clear"]
    assert words[:, 1, 0].tolist() == ["clear", "clear", "obscured", "clear"]
    assert words[:, 1, 1].tolist() == ["clear", "changed", "obscured", "changed"]


@pytest.fixture
def layer(tmp_path):
    """Two parks side by side, and a road."""
    left, top = ORIGIN
    parks = gpd.GeoDataFrame(
        {"codigo": ["PN02", "PN01"], "nombre": ["West", "East"]},
        geometry=[
            shapely.box(left, top - 400, left + 200, top),
            shapely.box(left + 200, top - 400, left + 5000, top),
        ],
        crs=CRS,
    )
    parks.to_file(tmp_path / "parks.gpkg")
    return Layer(
        name="parks",
        role="strict_protection",
        source={"path": tmp_path / "parks.gpkg"},
        columns={"code": "codigo", "name": "nombre"},
    )


@pytest.mark.parametrize("chunks", [None, {"y": 7, "x": 9}])
def test_days_blind_are_those_of_the_pixels_of_each_jurisdiction(
    layer: Layer, blank: Callable[..., xr.Dataset], chunks: dict[str, int] | None
) -> None:
    detections = blank((40, 60))
    detections["n_clear"].data[:] = 9
    detections["max_gap_days"].data[:, :20] = 30
    detections["max_gap_days"].data[:, 20:] = 60
    detections["max_gap_days"].data[:8, 20:] = 200
    detections["n_clear"].data[:4, 20:] = 0
    if chunks is not None:
        detections = detections.chunk(chunks)
    table = blindness(detections, [take_snapshot(layer)])
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == BLINDNESS_DTYPES
    assert table["name"].tolist() == ["East", "West"]
    assert table["median_blind_days"].tolist() == [60, 30]
    assert table["p90_blind_days"].tolist() == [200, 30]
    assert table["longest_blind_days"].tolist() == [200, 30]
    assert table["never_seen_share"].tolist() == [0.1, 0]
    assert table["area_km2"].tolist() == pytest.approx([40 * 40 * 1e-4, 40 * 20 * 1e-4])


def test_only_what_was_watched_counts(layer: Layer, blank: Callable[..., xr.Dataset]) -> None:
    detections = blank((40, 60))
    left, top = ORIGIN
    west = gpd.GeoSeries([shapely.box(left, top - 400, left + 100, top)], crs=CRS).to_crs(4326)
    table = blindness(detections, [take_snapshot(layer)], region=west.iloc[0])
    assert table["name"].tolist() == ["West"]
    assert table["area_km2"].tolist() == pytest.approx([0.04], rel=0.03)
    assert table["never_seen_share"].tolist() == [1]


def test_no_layers_are_a_table_without_rows(blank: Callable[..., xr.Dataset]) -> None:
    table = blindness(blank((4, 4)), [])
    assert table.empty
    assert list(table) == list(BLINDNESS_DTYPES)
