"""Alerts of other systems, as each of them writes them."""

from __future__ import annotations

import datetime as dt

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.alerts.enrich import Layer, LayerError, Reader, enrich, external, take_snapshot
from cvlarray.alerts.enrich.external import decode_gfw
from tests.alerts.enrich.worlds import box, make_alerts


def read(path, reader, **declared):
    layer = Layer(
        name="x", source={"path": path}, role="external_alerts", reader=reader, **declared
    )
    return take_snapshot(layer).features


@given(st.sampled_from([2, 3, 4]), st.dates(dt.date(2015, 1, 1), dt.date(2040, 1, 1)))
def test_gfw_values_by_the_documented_formula(level, date):
    days = (date - dt.date(2014, 12, 31)).days
    dates, confidence = decode_gfw([level * 10_000 + days])
    assert dates[0] == np.datetime64(date)
    assert confidence[0] == {2: "nominal", 3: "high", 4: "highest"}[level]


def test_gfw_values_of_no_confidence_are_refused():
    with pytest.raises(ValueError, match=r"must be 2 to 4, got \[0, 5\]"):
        decode_gfw([20_001, 123, 50_000])


def write_raster(path, band, nodata=None):
    transform = rasterio.transform.from_origin(-70, -12, 0.0001, 0.0001)
    profile = {"count": 1, "crs": "EPSG:4326", "transform": transform, "nodata": nodata}
    height, width = band.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, dtype=band.dtype, **profile
    ) as file:
        file.write(band, 1)


def test_gfw_raster(tmp_path):
    band = np.zeros((5, 6), np.uint16)
    band[0, :2] = 23_654  # nominal, 2025-01-01
    band[3:5, 4:6] = 43_784  # highest, 2025-05-11
    band[1, 5] = 999
    write_raster(tmp_path / "gfw.tif", band, nodata=999)
    features = read(tmp_path / "gfw.tif", Reader.GFW_RASTER)
    assert features["confidence"].tolist() == ["nominal", "highest"]
    assert features["dated_from"].dt.strftime("%F").tolist() == ["2025-01-01", "2025-05-11"]
    assert (features["dated_to"] == features["dated_from"]).all()
    np.testing.assert_allclose(features.bounds.iloc[0], [-70, -12.0001, -69.9998, -12])
    np.testing.assert_allclose(shapely.area(features.geometry), [2e-8, 4e-8])


def test_gfw_raster_in_blocks_and_in_part(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    band = np.where(rng.random((40, 50)) < 0.3, 20_100, 0).astype(np.uint16)
    write_raster(tmp_path / "gfw.tif", band)
    whole = read(tmp_path / "gfw.tif", Reader.GFW_RASTER)
    monkeypatch.setattr(external, "BLOCK_PX", 16)
    blocks = read(tmp_path / "gfw.tif", Reader.GFW_RASTER)
    assert len(blocks) > len(whole)
    seam = shapely.union_all(blocks.geometry).symmetric_difference(
        shapely.union_all(whole.geometry)
    )
    assert seam.area < 1e-15
    box = (-69.9990, -12.0030, -69.9970, -12.0010)
    part = read(tmp_path / "gfw.tif", Reader.GFW_RASTER, within=box)
    inside = shapely.union_all(part.geometry).intersection(shapely.box(*box))
    expected = shapely.union_all(whole.geometry).intersection(shapely.box(*box))
    assert inside.symmetric_difference(expected).area < 1e-15
    assert len(part) < len(blocks)
    with pytest.raises(LayerError, match="has no alert there"):
        read(tmp_path / "gfw.tif", Reader.GFW_RASTER, within=(10, 10, 11, 11))


def test_readers_of_alerts_read_files_of_alerts(tmp_path):
    source = {"path": tmp_path / "x"}
    with pytest.raises(ValueError, match="got a FileSource of role road"):
        Layer(name="x", source=source, role="road", reader="gfw_csv")
    with pytest.raises(ValueError, match="got a TableSource of role external_alerts"):
        Layer(name="x", source={"table": "x"}, role="external_alerts", reader="mapbiomas")
    with pytest.raises(ValueError, match=r"need columns\.date"):
        Layer(name="x", source=source, role="external_alerts")


def test_gfw_raster_without_alerts_or_of_floats(tmp_path):
    write_raster(tmp_path / "none.tif", np.zeros((3, 3), np.uint16))
    with pytest.raises(LayerError, match="has no alert"):
        read(tmp_path / "none.tif", Reader.GFW_RASTER)
    write_raster(tmp_path / "float.tif", np.ones((3, 3), np.float32))
    with pytest.raises(LayerError, match="must hold integers, got float32"):
        read(tmp_path / "float.tif", Reader.GFW_RASTER)
    (tmp_path / "text.tif").write_text("nothing")
    with pytest.raises(LayerError, match="not recognized"):
        read(tmp_path / "text.tif", Reader.GFW_RASTER)


@pytest.mark.parametrize(
    "system", ["gfw_integrated_alerts", "umd_glad_landsat_alerts", "wur_radd_alerts"]
)
def test_gfw_csv(tmp_path, system):
    path = tmp_path / "alerts.csv"
    path.write_text(
        f"latitude,longitude,{system}__date,{system}__confidence\n"
        "-12.5,-70.1,2024-10-31,high\n-12.6,-70.2,2024-11-01,nominal\n"
    )
    features = read(path, Reader.GFW_CSV)
    assert features["dated_from"].dt.strftime("%F").tolist() == ["2024-10-31", "2024-11-01"]
    assert features["confidence"].tolist() == ["high", "nominal"]
    assert [(point.x, point.y) for point in features.geometry] == [(-70.1, -12.5), (-70.2, -12.6)]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("latitude,longitude,a__confidence", "one column …__date"),
        ("lat,lon,a__date,a__confidence", "columns latitude and longitude"),
        ("latitude,longitude,a__date,b__date,a__confidence", "one column …__date"),
    ],
)
def test_gfw_csv_of_another_form(tmp_path, header, reason):
    path = tmp_path / "alerts.csv"
    path.write_text(header + "\n")
    with pytest.raises(LayerError, match=reason):
        read(path, Reader.GFW_CSV)


@pytest.mark.parametrize(
    ("column", "value", "start", "end"),
    [
        ("year", 202_400, "2024-01-01", "2024-12-31"),
        ("year", 2023, "2023-01-01", "2023-12-31"),
        ("year", 202_502, "2025-04-01", "2025-06-30"),
        ("year", 201_800, None, "2018-12-31"),
        ("period", "2025Q4", "2025-10-01", "2025-12-31"),
    ],
)
def test_amazon_mining_watch_periods(tmp_path, column, value, start, end):
    path = tmp_path / "amw.geojson"
    gpd.GeoDataFrame({column: [value]}, geometry=[box(0, 0, 1, 1)], crs=4326).to_file(path)
    features = read(path, Reader.AMAZON_MINING_WATCH)
    expected = [pd.NaT if start is None else pd.Timestamp(start), pd.Timestamp(end)]
    assert [features["dated_from"].iloc[0], features["dated_to"].iloc[0]] == expected


@pytest.mark.parametrize(("column", "value"), [("year", 20_255), ("period", "spring"), ("when", 1)])
def test_amazon_mining_watch_of_another_form(tmp_path, column, value):
    path = tmp_path / "amw.geojson"
    gpd.GeoDataFrame({column: [value]}, geometry=[box(0, 0, 1, 1)], crs=4326).to_file(path)
    with pytest.raises(LayerError, match=r"year or period|like 202400 or 2025Q3"):
        read(path, Reader.AMAZON_MINING_WATCH)


def test_mapbiomas(tmp_path):
    path = tmp_path / "mb.geojson"
    rows = {"id": [17, 18], "detected_at": ["2024-03-05", "2024-03-06"], "area": [1.0, 2.0]}
    frame = gpd.GeoDataFrame(rows, geometry=[box(0, 0, 1, 1), box(2, 0, 1, 1)], crs=4326)
    path.write_text(frame.to_json())
    features = read(path, Reader.MAPBIOMAS)
    assert features["code"].tolist() == ["17", "18"]
    assert features["dated_to"].dt.strftime("%F").tolist() == ["2024-03-05", "2024-03-06"]
    path.write_text(frame.drop(columns="detected_at").to_json())
    with pytest.raises(LayerError, match="must have columns id and detected_at"):
        read(path, Reader.MAPBIOMAS)


@pytest.mark.parametrize("days", [["15/03/2025", "02/04/2025"], ["2025-03-15", "2025-04-02"]])
def test_maap_polygons_by_their_own_columns(tmp_path, days):
    """MAAP publishes reports and what they show, without a schema: columns are declared."""
    path = tmp_path / "maap.geojson"
    rows = {"reporte": ["MAAP #1", "MAAP #2"], "fecha": days, "causa": ["minería", "tala"]}
    frame = gpd.GeoDataFrame(rows, geometry=[box(0, 0, 1, 1), box(9, 0, 1, 1)], crs=4326)
    path.write_text(frame.to_json())
    columns = {"name": "reporte", "date": "fecha", "category": "causa"}
    layer = Layer(
        name="MAAP", source={"path": path}, role="external_alerts", columns=columns,
        match={"distance_m": 100, "days": 60},
    )  # fmt: skip
    alerts = make_alerts(box(0.2, 0.2, 0.5, 0.5), box(5, 0, 1, 1))  # first seen on 10 May
    result = enrich(alerts, [take_snapshot(layer)])
    assert result["agreement_layers"].fillna("").tolist() == ["MAAP", ""]
    assert result["agreement_days"].iloc[0] == -56
    ((entry,), ()) = result["agreement"]
    assert (entry["dated_from"], entry["share"]) == ("2025-03-15", 1.0)


def test_files_of_the_data_folder(external_data):
    folder = external_data / "layers/mining_amw"
    annual = read(
        folder / "amw_mining_differences_2018_2025Q3_mdd.parquet", Reader.AMAZON_MINING_WATCH
    )
    assert len(annual) == 3307
    assert annual["dated_from"].isna().sum() == 228
    assert annual["dated_to"].max() == pd.Timestamp("2025-09-30")
    latest = read(folder / "amw_diff_2025Q4_mdd.parquet", Reader.AMAZON_MINING_WATCH)
    assert len(latest) == 199
    assert latest["dated_from"].unique().tolist() == [pd.Timestamp("2025-10-01")]
