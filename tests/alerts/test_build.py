"""Alerts from detections whose truth is drawn by hand."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from pyproj import Geod

from cvlarray.alerts import ALERT_DTYPES, build_alerts
from cvlarray.alerts.identity import event_id
from cvlarray.names import DETECTION_VARIABLES
from cvlarray.store import create_store, open_raw, write_region
from cvlarray.vectorize import raster_geobox

# odc-geo multiplies transforms the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

GOLDEN_IDS = ["20240301-gg5ywhlbyf2grmf7", "20240501-dqj2yqvlfxa4i45r", "20241201-imrle4noiqhrtpwq"]


def dates(alerts: gpd.GeoDataFrame, column: str) -> list[str | None]:
    return [None if pd.isna(day) else str(day.date()) for day in alerts[column]]


def test_each_campaign_is_an_alert(two_campaigns: xr.Dataset) -> None:
    alerts = build_alerts(two_campaigns)
    assert alerts["n_pixels"].tolist() == [12, 140, 100]
    assert dates(alerts, "first_detected") == ["2024-03-01", "2024-05-01", "2024-12-01"]
    assert dates(alerts, "confirmed") == ["2024-03-21", "2024-05-21", "2024-12-21"]
    assert dates(alerts, "interval_start") == [None, "2024-04-21", "2024-11-21"]
    assert dates(alerts, "interval_end") == ["2024-03-01", "2024-05-21", "2024-12-01"]
    assert alerts["confidence"].tolist() == [0.9, 0.9, 0.7]
    assert set(alerts["priority"]) == {"unassigned"}
    assert set(alerts["class"]) == {"forest_disturbance"}
    assert set(alerts["sensor"]) == {"sentinel-2"}


def test_the_table_has_the_columns_other_programs_expect(two_campaigns: xr.Dataset) -> None:
    alerts = build_alerts(two_campaigns)
    assert alerts.crs == "EPSG:4326"
    assert {n: str(t) for n, t in alerts.drop(columns="geometry").dtypes.items()} == ALERT_DTYPES


def test_polygons_lie_where_the_pixels_are(two_campaigns: xr.Dataset) -> None:
    alerts = build_alerts(two_campaigns)
    on_grid = alerts.to_crs("EPSG:32719").geometry
    expected = shapely.box(350_100, 8_560_000 - 190, 350_200, 8_560_000 - 50)
    assert on_grid[1].symmetric_difference(expected).area < 3  # rounding, over 480 m
    assert alerts.geometry.is_valid.all()


def test_coordinates_are_rounded_to_a_centimetre(two_campaigns: xr.Dataset) -> None:
    coordinates = shapely.get_coordinates(build_alerts(two_campaigns).geometry)
    assert (coordinates == np.round(coordinates, 7)).all()


def test_areas_are_geodesic_and_small_ones_uncertain_by_15_percent(
    two_campaigns: xr.Dataset,
) -> None:
    alerts = build_alerts(two_campaigns)
    geod = Geod(ellps="WGS84")
    geodesic = [abs(geod.geometry_area_perimeter(polygon)[0]) for polygon in alerts.geometry]
    assert alerts["area_m2"].tolist() == pytest.approx(geodesic, rel=1e-3)
    assert (alerts["area_uncertainty_m2"] / alerts["area_m2"]).tolist() == pytest.approx(
        [0.15] * 3, rel=1e-3
    )


@pytest.mark.parametrize(("max_gap_days", "n_alerts"), [(400, 2), (120, 3), (10, 4)])
def test_how_long_a_pause_separates(
    two_campaigns: xr.Dataset, max_gap_days: int, n_alerts: int
) -> None:
    assert len(build_alerts(two_campaigns, max_gap_days=max_gap_days)) == n_alerts


def test_a_clearing_that_goes_on_stays_one(
    blank: Callable[..., xr.Dataset], draw: Callable[..., None]
) -> None:
    detections = blank((20, 40))
    for month in range(1, 10):
        draw(detections, np.s_[5:15, 4 * month : 4 * month + 4], f"2024-{month:02d}-15")
    alerts = build_alerts(detections)
    assert len(alerts) == 1
    assert dates(alerts, "first_detected") == ["2024-01-15"]
    assert dates(alerts, "interval_end") == ["2024-09-15"]


def test_campaigns_split_apart_by_a_later_one_are_two(
    blank: Callable[..., xr.Dataset], draw: Callable[..., None]
) -> None:
    detections = blank((10, 30))
    draw(detections, np.s_[2:6, 2:20], "2023-06-01")
    draw(detections, np.s_[2:6, 10:12], "2024-06-01")
    assert build_alerts(detections)["n_pixels"].tolist() == [32, 32, 8]


@pytest.mark.parametrize(("connectivity", "n_alerts"), [(4, 2), (8, 1)])
def test_corners_connect_if_asked(
    blank: Callable[..., xr.Dataset], draw: Callable[..., None], connectivity: int, n_alerts: int
) -> None:
    detections = blank((20, 20))
    draw(detections, np.s_[2:5, 2:5], "2024-06-01")
    draw(detections, np.s_[5:8, 5:8], "2024-06-01")
    alerts = build_alerts(detections, connectivity=connectivity)
    assert len(alerts) == n_alerts
    assert alerts.geometry.is_valid.all()
    assert alerts["area_m2"].sum() == pytest.approx(1800, rel=1e-3)


def test_small_and_doubtful_ones_are_left_out(two_campaigns: xr.Dataset) -> None:
    assert build_alerts(two_campaigns, min_area_m2=2000)["n_pixels"].tolist() == [140, 100]
    assert build_alerts(two_campaigns, min_confidence=0.8)["n_pixels"].tolist() == [12, 140]


def test_unconfirmed_pixels_are_no_alerts(two_campaigns: xr.Dataset) -> None:
    two_campaigns["confirmed"].data[:] = -1
    assert build_alerts(two_campaigns).empty


def test_no_detections_give_a_table_without_rows(blank: Callable[..., xr.Dataset]) -> None:
    alerts = build_alerts(blank((7, 5)))
    assert alerts.empty
    assert alerts.crs == "EPSG:4326"
    assert {n: str(t) for n, t in alerts.drop(columns="geometry").dtypes.items()} == ALERT_DTYPES


# two_campaigns is only read.
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.integers(7, 40), cols=st.integers(7, 60))
def test_chunks_do_not_matter(two_campaigns: xr.Dataset, rows: int, cols: int) -> None:
    expected = build_alerts(two_campaigns)
    assert expected.equals(build_alerts(two_campaigns.chunk(y=rows, x=cols)))


def test_names_are_the_same_in_every_run(two_campaigns: xr.Dataset) -> None:
    assert build_alerts(two_campaigns)["event_id"].tolist() == GOLDEN_IDS


def test_a_name_is_the_digest_of_place_and_date(two_campaigns: xr.Dataset) -> None:
    first_pixel = b"32719/10/35050/855969/2024-03-01"  # column and row from the origin of the CRS
    digest = base64.b32encode(hashlib.sha256(first_pixel).digest()[:10]).decode().lower()
    assert build_alerts(two_campaigns)["event_id"][0] == f"20240301-{digest}"


def test_names_do_not_depend_on_the_region(
    blank: Callable[..., xr.Dataset], draw: Callable[..., None]
) -> None:
    detections = blank((50, 50))
    draw(detections, np.s_[20:25, 20:25], "2024-06-01")
    inside = detections.isel(y=slice(15, 40), x=slice(18, 30))
    assert build_alerts(inside).equals(build_alerts(detections))


def test_names_stay_when_a_clearing_grows(
    blank: Callable[..., xr.Dataset], draw: Callable[..., None]
) -> None:
    detections = blank((50, 50))
    draw(detections, np.s_[20:25, 20:25], "2024-06-01")
    before = build_alerts(detections)["event_id"].tolist()
    draw(detections, np.s_[15:20, 20:25], "2024-07-01")
    grown = build_alerts(detections)
    assert grown["event_id"].tolist() == before
    assert grown["n_pixels"].tolist() == [50]


def test_names_differ_by_place_and_date(two_campaigns: xr.Dataset) -> None:
    geobox = raster_geobox(two_campaigns["confirmed"])
    names = {
        event_id(geobox, row, col, np.datetime64(date))
        for row in range(5)
        for col in range(5)
        for date in ("2024-01-01", "2024-01-02")
    }
    assert len(names) == 50
    assert all(len(name) == 25 for name in names)


def test_stored_and_decoded_detections_give_the_same(
    two_campaigns: xr.Dataset, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("store") / "detections.zarr"
    create_store(
        path,
        geobox=raster_geobox(two_campaigns["confirmed"]),
        times=None,
        variables=DETECTION_VARIABLES,
        shard_px=32,
        chunk_px=16,
        time_shard=1,
    )
    write_region(path, two_campaigns, y=slice(0, 40), x=slice(0, 60))
    expected = build_alerts(two_campaigns)
    with xr.open_zarr(path) as decoded:
        assert decoded["first_flagged"].dtype.kind == "M"
        assert build_alerts(decoded).equals(expected)
    with open_raw(path, chunks={"y": 32, "x": 32}) as raw:
        assert build_alerts(raw).equals(expected)


@pytest.mark.parametrize("name", ["first_flagged", "magnitude"])
def test_missing_variables_are_named(two_campaigns: xr.Dataset, name: str) -> None:
    with pytest.raises(ValueError, match=f"missing: {name}"):
        build_alerts(two_campaigns.drop_vars(name))


def test_a_grid_in_degrees_is_refused(two_campaigns: xr.Dataset) -> None:
    geobox = GeoBox((40, 60), Affine(1e-4, 0, -70, 0, -1e-4, -12), "EPSG:4326")
    degrees = two_campaigns.drop_vars(["x", "y", "spatial_ref"])
    degrees = degrees.assign_coords({d: xr_coords(geobox, dims=("y", "x"))[d] for d in ("y", "x")})
    with pytest.raises(ValueError, match="projected"):
        build_alerts(degrees.odc.assign_crs("EPSG:4326"))
