"""What official rows become: valid shapes, one feature a code, attributes as they were."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.alerts.enrich import LayerError, Role
from cvlarray.alerts.enrich.clean import FEATURE_DTYPES, clean_features, split_names
from tests.alerts.enrich.worlds import box, make_layer, make_snapshot

BOWTIE = shapely.from_wkt("POLYGON((-70 -12, -69 -11, -69 -12, -70 -11, -70 -12))")
TWO_LOBES = 0.5
OVERLAPPING = shapely.from_wkt(
    "MULTIPOLYGON(((-70 -12, -68 -12, -68 -10, -70 -10, -70 -12)),"
    "((-69 -11, -67 -11, -67 -9, -69 -9, -69 -11)))"
)
SPIKE = shapely.from_wkt("POLYGON((-70 -12, -69 -12, -69 -11, -69 -10, -69 -11, -70 -11, -70 -12))")
INSIDE_OUT = shapely.from_wkt(
    "POLYGON((-70 -12, -69 -12, -69 -11, -70 -11, -70 -12), (-70 -12, -69 -12, -69 -11, -70 -12))"
)


def clean(rows, **declared):
    declared = {"name": "a", "role": Role.CONCESSION} | declared
    frame = gpd.GeoDataFrame(rows, geometry="geometry", crs=4326)
    return clean_features((frame,), make_layer(**declared))


@pytest.mark.parametrize(
    ("shape", "area"), [(BOWTIE, TWO_LOBES), (OVERLAPPING, 7), (SPIKE, 1), (INSIDE_OUT, 0.5)]
)
def test_invalid_rings_are_repaired(shape, area):
    assert not shape.is_valid
    repaired = clean({"geometry": [shape]}).geometry.iloc[0]
    assert repaired.is_valid
    assert shapely.get_dimensions(repaired) == 2
    assert repaired.area == pytest.approx(area)


def test_rows_without_area_are_left_out():
    rows = [
        None,
        shapely.Polygon(),
        shapely.Point(-70, -12),
        shapely.LineString([(-70, -12), (-69, -12)]),
    ]
    mixed = shapely.GeometryCollection([box(0, 0, 1, 1), shapely.Point(-70, -12)])
    features = clean({"geometry": [*rows, mixed, box(5, 5, 1, 1)]})
    assert len(features) == 2
    assert shapely.get_dimensions(features.geometry).tolist() == [2, 2]
    with pytest.raises(LayerError, match="no usable feature"):
        clean({"geometry": rows})


def test_heights_are_dropped_and_long_edges_of_metres_followed():
    flat = shapely.Polygon([(300_000, 8_600_000), (400_000, 8_600_000), (400_000, 8_700_000)])
    frame = gpd.GeoDataFrame(geometry=[shapely.force_3d(flat, 250)], crs=32719)
    feature = clean_features((frame,), make_layer("a", Role.BUFFER_ZONE)).geometry.iloc[0]
    assert not feature.has_z
    back = gpd.GeoSeries([feature], crs=4326).to_crs(32719).iloc[0]
    assert back.hausdorff_distance(flat) < 1
    plain = gpd.GeoSeries([flat], crs=32719).to_crs(4326).to_crs(32719).iloc[0]
    assert back.symmetric_difference(plain).area < 1e-3 * flat.area


def test_parts_of_one_code_are_one_feature():
    rows = {
        "geometry": [box(0, 0, 2, 2), box(10, 10, 1, 1), box(1, 0, 2, 2), box(20, 0, 1, 1)],
        "code": ["PN08", None, "PN08 ", ""],
        "name": ["Bahuaja-Sonene", "first", None, "second"],
        "status": ["T", "T", "F", "T"],
        "legal": [1_091_416.0, 1, 1_091_416.0, 1],
    }
    columns = {"code": "code", "name": "name", "status": "status", "legal_area_ha": "legal"}
    features = clean(rows, columns=columns)
    assert features["code"].fillna("-").tolist() == ["PN08", "-", "-"]
    assert features["name"].tolist() == ["Bahuaja-Sonene", "first", "second"]
    assert features["status"].tolist() == ["T / F", "T", "T"]
    assert features["licence"].tolist() == ["unknown", "licensed", "licensed"]
    assert features["legal_area_ha"].tolist() == [1_091_416.0, 1, 1]
    assert features.geometry.iloc[0].symmetric_difference(box(0, 0, 3, 2)).area < 1e-15


def test_legal_area_is_not_the_geometry():
    rows = {"geometry": [box(0, 0, 2, 2)], "anp_suleg": ["1716295.22"]}
    features = clean(rows, columns={"legal_area_ha": "anp_suleg"})
    assert features["legal_area_ha"].tolist() == [1_716_295.22]
    assert features.geometry.iloc[0].equals(box(0, 0, 2, 2))
    worded = {"geometry": [box(0, 0, 2, 2)], "anp_suleg": ["s/d"]}
    assert np.isnan(clean(worded, columns={"legal_area_ha": "anp_suleg"})["legal_area_ha"]).all()


def test_slash_lists_stay_and_can_be_split():
    rows = {"geometry": [box(0, 0, 1, 1)], "PROVI": ["JULCAN / SANTIAGO DE CHUCO"]}
    province = clean(rows, columns={"province": "PROVI"})["province"].iloc[0]
    assert province == "JULCAN / SANTIAGO DE CHUCO"
    assert split_names(province) == ("JULCAN", "SANTIAGO DE CHUCO")
    assert split_names("MANU/TAMBOPATA /") == ("MANU", "TAMBOPATA")


def test_codes_are_text_however_they_were_stored():
    rows = {"geometry": [box(0, 0, 1, 1), box(2, 0, 1, 1)], "IDPROV": [1701.0, np.nan]}
    assert clean(rows, columns={"code": "IDPROV"})["code"].fillna("-").tolist() == ["1701", "-"]


def test_only_rows_to_keep():
    rows = {
        "geometry": [box(0, 0, 1, 1), box(2, 0, 1, 1), box(4, 0, 1, 1)],
        "anp_cate": ["Parque Nacional", "Reserva Nacional", " Parque Nacional"],
    }
    features = clean(rows, keep={"anp_cate": ("Parque Nacional",)})
    assert len(features) == 2
    with pytest.raises(LayerError, match="no usable feature"):
        clean(rows, keep={"anp_cate": ("Parque",)})


def test_only_rows_within_a_box():
    rows = {"geometry": [box(0, 0, 1, 1), box(2, 0, 1, 1), box(4, 0, 1, 1)]}
    assert len(clean(rows, within=box(1.5, 0, 2, 1).bounds)) == 1
    with pytest.raises(LayerError, match="no usable feature"):
        clean(rows, within=(0, 0, 1, 1))
    with pytest.raises(ValueError, match="west, south, east, north in degrees"):
        clean(rows, within=(-70, -100, -69, -12))
    with pytest.raises(ValueError, match="west, south, east, north in degrees"):
        clean(rows, within=(-69, -13, -70, -12))


def test_missing_columns_are_named():
    with pytest.raises(LayerError, match=r"must have columns \['CODIGO', 'x'\], has \['CODIGOU'\]"):
        clean(
            {"geometry": [box(0, 0, 1, 1)], "CODIGOU": ["1"]},
            columns={"code": "CODIGO"}, keep={"x": ("1",)},
        )  # fmt: skip


def test_dates_as_text_and_as_milliseconds():
    for date in ("2016-01-04", "2016-01-04T18:00:00Z", 1_451_926_800_000):
        rows = {"geometry": [box(0, 0, 1, 1)], "FEC_DENU": [date]}
        features = clean(rows, columns={"date": "FEC_DENU"}, role=Role.EXTERNAL_ALERTS)
        assert features["dated_from"].tolist() == [pd.Timestamp("2016-01-04")]
    with pytest.raises(LayerError, match="has a date it can't read"):
        clean({"geometry": [box(0, 0, 1, 1)], "d": ["EPOCA INDEP."]}, columns={"date": "d"})


def test_columns_and_numbering_are_always_the_same():
    snapshot = make_snapshot(
        "roads", Role.ROAD, {"geometry": [shapely.LineString([(-70, -12), (-69, -12)])]}
    )
    features = snapshot.features
    assert {name: str(features[name].dtype) for name in FEATURE_DTYPES} == FEATURE_DTYPES
    assert features.index.tolist() == [0]
    assert features["licence"].isna().all()


@given(st.lists(st.sampled_from(["A", "B", "C", None]), min_size=1, max_size=12))
def test_merging_codes_loses_no_ground(codes):
    shapes = [box(3 * number, 0, 2, 2) for number in range(len(codes))]
    features = clean({"geometry": shapes, "code": codes}, columns={"code": "code"})
    assert len(features) == len({code for code in codes if code}) + codes.count(None)
    assert shapely.area(features.geometry).sum() == pytest.approx(
        sum(shape.area for shape in shapes)
    )
