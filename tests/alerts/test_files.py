"""Alerts written and read back by other libraries."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely
import xarray as xr

from cvlarray.alerts import build_alerts, geojson, write_alerts
from cvlarray.errors import StoreError

# odc-geo multiplies transforms the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.fixture
def alerts(two_campaigns: xr.Dataset) -> gpd.GeoDataFrame:
    return build_alerts(two_campaigns)


@pytest.fixture
def no_alerts(blank: Callable[..., xr.Dataset]) -> gpd.GeoDataFrame:
    return build_alerts(blank((4, 4)))


def write(alerts: gpd.GeoDataFrame, folder: Path) -> tuple[Path, Path]:
    paths = folder / "alerts.geojson", folder / "alerts.parquet"
    write_alerts(alerts, *paths)
    return paths


def test_geojson_is_read_back_by_ogr(alerts: gpd.GeoDataFrame, tmp_path: Path) -> None:
    path, _ = write(alerts, tmp_path)
    found = gpd.read_file(path)
    assert found.crs == "EPSG:4326"
    assert found["id"].tolist() == alerts["event_id"].tolist()
    for name in alerts.columns.drop("geometry"):
        expected = alerts[name].astype(object).where(alerts[name].notna(), None).tolist()
        got = found[name].astype(object).where(found[name].notna(), None).tolist()
        assert got == expected, name
    assert shapely.equals_exact(found.geometry.to_numpy(), alerts.geometry.to_numpy()).all()


def test_parquet_is_read_back_by_geopandas(alerts: gpd.GeoDataFrame, tmp_path: Path) -> None:
    _, path = write(alerts, tmp_path)
    found = gpd.read_parquet(path)
    assert found.equals(alerts)
    assert found.dtypes.equals(alerts.dtypes)
    assert found.crs == alerts.crs


def test_geojson_follows_rfc_7946(alerts: gpd.GeoDataFrame) -> None:
    collection = json.loads(geojson(alerts))
    assert collection["type"] == "FeatureCollection"
    assert "crs" not in collection
    first = collection["features"][0]
    assert first["properties"]["first_detected"] == "2024-03-01"
    assert first["properties"]["interval_start"] is None
    assert first["id"] == first["properties"]["event_id"]
    for feature in collection["features"]:
        ring = shapely.LinearRing(feature["geometry"]["coordinates"][0])
        assert ring.is_ccw
        assert -70.5 < ring.coords[0][0] < -70
        assert all(len(repr(x).split(".")[1]) <= 7 for point in ring.coords for x in point)


def test_the_same_alerts_give_the_same_bytes(alerts: gpd.GeoDataFrame, tmp_path: Path) -> None:
    one, two = write(alerts, tmp_path / "a"), write(alerts.copy(), tmp_path / "b")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_no_alerts_give_valid_files(no_alerts: gpd.GeoDataFrame, tmp_path: Path) -> None:
    json_path, parquet_path = write(no_alerts, tmp_path)
    assert json.loads(json_path.read_text()) == {"type": "FeatureCollection", "features": []}
    assert gpd.read_file(json_path).empty
    found = gpd.read_parquet(parquet_path)
    assert found.empty
    assert found.crs == "EPSG:4326"
    assert found.dtypes.equals(no_alerts.dtypes)
    json.loads(
        pq.read_metadata(parquet_path).metadata[b"geo"],
        parse_constant=lambda name: pytest.fail(f"{name} isn't JSON"),
    )


def test_holes_and_several_parts_are_written(tmp_path: Path) -> None:
    ring = shapely.box(-70, -12, -69, -11).difference(shapely.box(-69.6, -11.6, -69.4, -11.4))
    parts = shapely.MultiPolygon([ring, shapely.box(-68, -12, -67, -11)])
    table = gpd.GeoDataFrame(
        {"event_id": ["a"], "first_detected": [pd.Timestamp("2024-05-06")]},
        geometry=[parts],
        crs=4326,
    )
    path, _ = write(table, tmp_path)
    assert gpd.read_file(path).geometry[0].equals(parts)


def test_text_is_kept_as_it_is(alerts: gpd.GeoDataFrame, tmp_path: Path) -> None:
    alerts["place"] = 'Río "Inambari"\n<b>'
    path, _ = write(alerts, tmp_path)
    assert "Río" in path.read_text()
    assert gpd.read_file(path)["place"].tolist() == alerts["place"].tolist()


def test_old_files_are_replaced_and_nothing_else_is_left(
    alerts: gpd.GeoDataFrame, no_alerts: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    write(alerts, tmp_path)
    write(no_alerts, tmp_path)
    assert gpd.read_parquet(tmp_path / "alerts.parquet").empty
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alerts.geojson", "alerts.parquet"]


def test_a_failed_write_keeps_the_old_file(
    alerts: gpd.GeoDataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = write(alerts, tmp_path)
    before = path.read_bytes()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gpd.GeoDataFrame, "to_parquet", full)
    with pytest.raises(StoreError, match="No space left"):
        write(alerts, tmp_path)
    assert path.read_bytes() == before


def test_other_coordinates_are_refused(alerts: gpd.GeoDataFrame) -> None:
    with pytest.raises(ValueError, match="EPSG:4326"):
        geojson(alerts.to_crs("EPSG:32719"))
