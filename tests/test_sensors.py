"""Profiles against built Items, and against 28 real ones of seven catalogues."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import shapely
import xarray as xr
from dask.base import tokenize
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, box, mapping

from cvlarray.errors import ItemError
from cvlarray.names import NODATA_DN
from cvlarray.sensors import (
    Asset,
    OffsetVerdict,
    Quantity,
    Scene,
    central_longitude,
    check_boa_offset,
    newest_baseline,
    read_footprint,
    read_item,
    solar_day,
    to_dn,
)

FOOTPRINT = box(-70.0, -13.0, -69.0, -12.0)


def s2_item(**changes: Any) -> dict[str, Any]:
    """Return an Earth Search Item over Madre de Dios; a property given as None is left out."""
    properties = {
        "datetime": "2024-07-01T14:58:00.123456Z",
        "platform": "sentinel-2a",
        "grid:code": "MGRS-19LCF",
        "proj:epsg": 32719,
        "eo:cloud_cover": 12.5,
        "s2:processing_baseline": "05.11",
        "s2:datatake_id": "GS2A_20240701T145731_047000_N05.11",
        "s2:generation_time": "2024-07-01T20:00:00Z",
    } | changes
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "S2A_19LCF_20240701_0_L2A",
        "collection": "sentinel-2-l2a",
        "geometry": mapping(FOOTPRINT),
        "bbox": list(FOOTPRINT.bounds),
        "properties": {key: value for key, value in properties.items() if value is not None},
        "links": [],
        "assets": {
            "red": {
                "href": "https://example.com/B04.tif",
                "proj:shape": [10980, 10980],
                "proj:transform": [10, 0, 300000, 0, -10, 8600020],
                "raster:bands": [{"nodata": 0, "data_type": "uint16", "offset": -0.1}],
            },
            "scl": {"href": "https://example.com/SCL.tif"},
        },
    }


def s1_item(**changes: Any) -> dict[str, Any]:
    """Return a Planetary Computer RTC Item."""
    item = s2_item()
    item |= {"id": "S1A_IW_GRDH_1SDV_20240419T045839_rtc", "collection": "sentinel-1-rtc"}
    item["properties"] = {
        "datetime": "2024-04-19T04:58:51Z",
        "platform": "SENTINEL-1A",
        "proj:epsg": 32719,
        "sat:orbit_state": "descending",
        "sat:relative_orbit": 51,
    } | changes
    item["assets"] = {"vv": {"href": "/data/vv.tif"}, "vh": {"href": "/data/vh.tif"}}
    return item


# --- one Item ---------------------------------------------------------------------------------


def test_scene_of_a_built_item() -> None:
    scene = read_item(s2_item())
    assert scene.sensor == "sentinel-2-l2a/earth-search"
    assert scene.family == "sentinel-2"
    assert scene.datetime == datetime(2024, 7, 1, 14, 58, 0, 123000, tzinfo=UTC)
    assert scene.solar_day == date(2024, 7, 1)
    assert (scene.platform, scene.grid_tile, scene.crs) == ("sentinel-2a", "19LCF", "EPSG:32719")
    assert scene.cloud_cover == 12.5
    assert scene.footprint.equals(FOOTPRINT)
    assert scene.assets["red"] == Asset(
        band="red",
        href="https://example.com/B04.tif",
        quantity=Quantity.REFLECTANCE,
        dtype="uint16",
        nodata=0,
        scale=1,
        offset_dn=0,
        resolution_m=10,
        shape=(10980, 10980),
        transform=(10, 0, 300000, 0, -10, 8600020),
    )
    scl = scene.assets["scl"]
    assert (scl.dtype, scl.nodata, scl.resolution_m, scl.offset_dn) == ("uint8", 0, 20, 0)
    assert (scl.resampling, scene.assets["red"].resampling) == ("nearest", "bilinear")
    assert (scl.shape, scl.transform) == (None, None)
    assert list(scene.assets) == ["red", "scl"]


def test_item_object_and_its_json_give_the_same_scene(tmp_path: Path) -> None:
    raw = s2_item()
    raw["assets"]["red"]["href"] = "./B04.tif"
    raw["links"] = [{"rel": "self", "href": str(tmp_path / "item.json")}]
    from_json = read_item(raw)
    from_item = read_item(pystac.Item.from_dict(raw, migrate=False))
    assert from_item == from_json
    assert from_json.assets["red"].href == str(tmp_path / "B04.tif")
    assert tokenize(from_item) == tokenize(from_json)


def test_scene_survives_pickling_and_has_the_same_token_in_another_process() -> None:
    scene = read_item(s2_item())
    assert pickle.loads(pickle.dumps(scene)) == scene
    assert hash(pickle.loads(pickle.dumps(scene))) == hash(scene)
    code = (
        "import pickle, sys; from dask.base import tokenize; "
        "print(tokenize(pickle.loads(sys.stdin.buffer.read())))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(scene), capture_output=True, check=True
    )
    assert other.stdout.decode().strip() == tokenize(scene)


def test_token_tells_scenes_apart() -> None:
    items = [s2_item(), s2_item(**{"s2:processing_baseline": "02.14"}), s1_item()]
    moved = s2_item()
    moved["assets"]["red"]["href"] = "https://example.com/other.tif"
    assert len({tokenize(read_item(item)) for item in [*items, moved]}) == 4


def broken(**parts: Any) -> dict[str, Any]:
    """Return a built Item with top-level parts replaced."""
    return s2_item() | parts


POINT = {"type": "Point", "coordinates": [0, 0]}
METRES = mapping(box(300000, 8500000, 400000, 8600000))


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (broken(geometry=None), "has no geometry"),
        (broken(geometry=POINT), "has a Point geometry, expected an area"),
        (broken(geometry=METRES), "has a geometry not in degrees"),
        (broken(geometry={"type": "Polygon", "coordinates": []}), "geometry"),
        (broken(geometry={"nonsense": 1}), "not GeoJSON"),
        (s2_item(datetime=None), "has no datetime"),
        (s2_item(datetime="yesterday"), "has no datetime"),
        (broken(collection=None), "belongs to no collection"),
        (
            broken(collection="modis"),
            "has no sensor profile; known collections: PSScene, landsat-c2-l2",
        ),
        (broken(collection="sentinel-2-l1c"), "is top-of-atmosphere reflectance (L1C)"),
        (broken(assets={"scl": {"href": "/a.tif"}}), "expected coastal, blue"),
        (broken(assets={"red": {"title": "no href"}}), "got red"),
        (broken(assets={"red": {"href": "B04.tif"}}), "relative asset href (B04.tif)"),
        (s2_item(**{"s2:processing_baseline": None}), "has no processing baseline"),
        (s2_item(**{"s2:processing_baseline": "latest"}), "got 'latest'"),
        (s1_item(**{"sat:orbit_state": None}), "has no orbit"),
        ({"id": "x", "assets": {}}, "item x has no properties"),
        ({"type": "Feature"}, "without id"),
    ],
)
def test_item_is_refused_with_its_name_and_the_reason(item: dict[str, Any], reason: str) -> None:
    with pytest.raises(ItemError) as caught:
        read_item(item)
    message = str(caught.value)
    assert reason in message
    assert str(item.get("id", "without id")) in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "transform",
    [[float("nan")] * 6, [0, 0, 0, 0, 0, 0], [10, 0], "10", None, [10, 0, 5, 0, None, 7]],
)
def test_senseless_projection_fields_are_left_to_the_file(transform: Any) -> None:
    item = s2_item()
    item["assets"]["red"] |= {"proj:transform": transform, "proj:shape": [0, -1]}
    red = read_item(item).assets["red"]
    assert (red.transform, red.shape, red.resolution_m) == (None, None, 10)


def test_projection_under_its_old_and_new_name_and_on_either_level() -> None:
    newer = s2_item(**{"proj:epsg": None, "proj:code": "EPSG:32718"})
    on_asset = s2_item(**{"proj:epsg": None})
    on_asset["assets"]["red"]["proj:code"] = "epsg:32718"
    assert read_item(newer).crs == read_item(on_asset).crs == "EPSG:32718"
    assert read_item(s2_item(**{"proj:epsg": None})).crs is None
    as_float = read_item(s2_item(**{"proj:epsg": 32719.0}))  # as stac-geoparquet may return it
    assert as_float == read_item(s2_item())


def test_grid_of_the_item_is_taken_for_bands_of_its_pixel_size_only() -> None:
    grid = {"proj:shape": [100, 200], "proj:transform": [10, 0, 5, 0, -10, 7, 0, 0, 1]}
    item = s2_item(**grid)
    item["assets"]["red"] = {"href": "/red.tif"}
    red, scl = (read_item(item).assets[name] for name in ("red", "scl"))
    assert (red.shape, red.transform) == ((100, 200), (10, 0, 5, 0, -10, 7))
    assert (scl.shape, scl.transform, scl.resolution_m) == (None, None, 20)


# --- BOA offset ---------------------------------------------------------------------------------


def boa(baseline: str, *, collection: str = "sentinel-2-l2a", **properties: Any) -> int:
    """Return the offset of the red band."""
    item = s2_item(**{"s2:processing_baseline": baseline} | properties)
    return read_item(item | {"collection": collection}).assets["red"].offset_dn


FLAG, MADE = "earthsearch:boa_offset_applied", "s2:generation_time"


def test_boa_offset_at_earth_search_is_removed_by_the_provider() -> None:
    assert boa("03.01", **{FLAG: False, MADE: "2021-06-01T00:00:00Z"}) == 0
    assert boa("04.00", **{FLAG: True, MADE: "2022-01-26T00:00:00Z"}) == 0
    # https://github.com/Element84/earth-search/issues/66: flag false and true to the pixels
    assert boa("04.00", **{FLAG: False, MADE: "2022-01-26T09:00:00Z"}) == -1000
    # https://github.com/cirrus-geo/cirrus-earth-search/issues/33 and earth-search/issues/71:
    # flag false, pixels say otherwise
    assert boa("04.00", **{FLAG: False, MADE: "2022-10-23T20:00:00Z"}) == 0
    assert boa("05.11", **{FLAG: False, MADE: "2025-03-02T12:00:00Z"}) == 0
    assert boa("05.11", **{FLAG: None}) == 0


def test_boa_offset_is_in_the_file_where_esa_products_are_served_unchanged() -> None:
    assert boa("05.11", collection="sentinel-2-c1-l2a") == -1000
    assert boa("03.01", collection="sentinel-2-c1-l2a") == 0
    item = s2_item(**{"s2:processing_baseline": "04.00"})
    red = item["assets"]["red"]
    for key in ("B04", "B04_10m"):
        assert read_item(item | {"assets": {key: red}}).assets["red"].offset_dn == -1000


def test_baseline_is_read_from_the_product_name_if_nowhere_else() -> None:
    uri = "S2B_MSIL2A_20220612T182919_N0400_R027_T24XWR_20220613T123251.SAFE"
    scene = read_item(s2_item(**{"s2:processing_baseline": None, "s2:product_uri": uri}))
    assert scene.processing_baseline == "04.00"


def test_histogram_check_on_real_dark_pixels() -> None:
    """The Romanian cube's products (2015-2021) have no offset; add ESA's 1000 and it must show."""
    data = pytest.importorskip("nrt.data", reason="the demo extra carries the cube")
    path = Path(data.__file__).parent / "sentinel2_cube_subset_romania_10m.nc"
    with xr.open_dataset(path, mask_and_scale=False) as cube:
        scl, red = cube["SCL"].values, cube["B4"].values
    is_dark = np.isin(scl, [2, 4, 6])
    dark = [dn[at] for dn, at in zip(red, is_dark, strict=True) if (at & (dn > 0)).sum() >= 500]
    shifted = [np.where(dn > 0, dn + 1000, 0) for dn in dark]
    without = [check_boa_offset(dn, 0) for dn in dark]
    assert len(dark) > 100
    assert without.count(OffsetVerdict.AGREES) > 0.95 * len(dark)
    assert without.count(OffsetVerdict.CONTRADICTS) <= 2  # haze over the whole square kilometre
    assert {check_boa_offset(dn, -1000) for dn in shifted} == {OffsetVerdict.AGREES}
    assert {check_boa_offset(dn, 0) for dn in shifted} == {OffsetVerdict.CONTRADICTS}


def test_histogram_check_leaves_open_what_it_cannot_know() -> None:
    dark = np.full(1000, 300, "uint16")
    assert check_boa_offset(dark, -1000) is OffsetVerdict.CONTRADICTS
    assert check_boa_offset(dark[:400], -1000) is OffsetVerdict.UNDECIDED
    assert check_boa_offset(np.zeros(5000, "uint16"), 0) is OffsetVerdict.UNDECIDED
    assert check_boa_offset(np.full(1000, 800, "uint16"), 0) is OffsetVerdict.UNDECIDED


# --- values -------------------------------------------------------------------------------------


def asset(**changes: Any) -> Asset:
    fields = {
        "band": "red",
        "href": "/a.tif",
        "quantity": Quantity.REFLECTANCE,
        "dtype": "uint16",
        "nodata": 0,
        "scale": 1.0,
        "offset_dn": 0,
        "resolution_m": 10,
    }
    return Asset(**(fields | changes))


def test_sentinel2_dn_less_offset() -> None:
    dn = to_dn(np.array([0, 1, 999, 1000, 11000, 65535], "uint16"), asset(offset_dn=-1000))
    assert dn.dtype == np.int16
    assert dn.tolist() == [NODATA_DN, -999, -1, 0, 10000, 32767]


def test_landsat_dn_is_its_published_reflectance() -> None:
    raw = np.arange(65536).astype("uint16")
    dn = to_dn(raw, asset(scale=0.275, offset_dn=-2000))
    reflectance = raw[1:].astype("float64") * 0.0000275 - 0.2
    assert dn[0] == NODATA_DN
    np.testing.assert_allclose(dn[1:] / 10_000, reflectance, atol=0.5001e-4)


def test_power_stays_linear_and_borders_are_no_data() -> None:
    power = asset(quantity=Quantity.POWER, dtype="float32", nodata=-32768)
    got = to_dn(np.array([0.25, 0.0, -32768, np.nan, 1e-5], "float32"), power)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.array([0.25, *[np.nan] * 3, 1e-5], "float32"))


def test_classes_are_unchanged_and_amplitude_is_refused() -> None:
    scl = np.array([[0, 4], [11, 255]], "uint8")
    assert to_dn(scl, asset(quantity=Quantity.CLASSES)) is scl
    with pytest.raises(ValueError, match="calibrate and terrain-correct"):
        to_dn(scl, asset(quantity=Quantity.AMPLITUDE))


def test_band_without_nodata_and_float_band_with_nan() -> None:
    assert to_dn(np.array([0, 5], "uint16"), asset(nodata=None)).tolist() == [0, 5]
    floats = to_dn(np.array([np.nan, 2.5, 7.0], "float32"), asset(nodata=7.0))
    assert floats.tolist() == [NODATA_DN, 2, NODATA_DN]


# --- place and day ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "longitude", "day"),
    [
        (datetime(2025, 7, 22, 23, 7, tzinfo=UTC), 164.4, date(2025, 7, 23)),
        (datetime(2025, 7, 22, 23, 7, tzinfo=UTC), 0.0, date(2025, 7, 22)),
        (datetime(2024, 1, 1, 3, 0, tzinfo=UTC), -70.0, date(2023, 12, 31)),
        (datetime(2024, 1, 1, 12, 0, tzinfo=UTC), -179.9, date(2024, 1, 1)),
    ],
)
def test_solar_day(moment: datetime, longitude: float, day: date) -> None:
    assert solar_day(moment, longitude) == day


@given(st.floats(-179, 179), st.integers(0, 86_399))
def test_solar_day_of_a_morning_pass_never_depends_on_utc(longitude: float, second: int) -> None:
    """A satellite that passes at 10:30 mean solar time is on the day of its ground."""
    day = datetime(2024, 3, 10, tzinfo=UTC)
    local = 10.5 * 3600 + second % 600
    moment = datetime.fromtimestamp(day.timestamp() + local - longitude * 240, UTC)
    assert solar_day(moment, longitude) == date(2024, 3, 10)


def test_footprint_across_the_antimeridian_is_cut_in_two() -> None:
    ring = [[179, -18], [-179, -18], [-179, -17], [179, -17], [179, -18]]
    footprint = read_footprint({"type": "Polygon", "coordinates": [ring]})
    assert footprint.equals(MultiPolygon([box(179, -18, 180, -17), box(-180, -18, -179, -17)]))
    assert abs(central_longitude(footprint)) == pytest.approx(180)
    beyond = read_footprint(mapping(box(179, -18, 181, -17)))
    assert beyond.equals(footprint)


def test_footprint_is_made_valid_and_flat() -> None:
    bow_tie = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    assert read_footprint(bow_tie).is_valid
    assert read_footprint(bow_tie).area == pytest.approx(0.5)
    high = {"type": "Polygon", "coordinates": [[[0, 0, 9], [1, 0, 9], [1, 1, 9], [0, 0, 9]]]}
    assert not shapely.has_z(read_footprint(high))
    alone = read_footprint(mapping(MultiPolygon([box(0, 0, 1, 1)])))
    assert alone.geom_type == "Polygon"


# --- duplicates and groups ----------------------------------------------------------------------


def processing(name: str, baseline: str, footprint: Any = FOOTPRINT, **properties: Any) -> Scene:
    item = s2_item(
        **{
            "s2:processing_baseline": baseline,
            "s2:datatake_id": f"GS2A_20240701T145731_047000_N{baseline}",
        }
        | properties
    )
    return read_item(item | {"id": name, "geometry": mapping(footprint)})


def ids(scenes: list[Scene]) -> list[str]:
    return [scene.id for scene in scenes]


def test_newest_baseline_wins_whatever_the_order() -> None:
    old = processing("old", "02.14", datetime="2024-07-01T14:58:00.586Z")
    new = processing("new", "05.00", datetime="2024-07-01T14:58:00.587Z")
    other = processing("other", "02.14", **{"grid:code": "MGRS-19LDF"})
    assert ids(newest_baseline([old, new, other])) == ["new", "other"]
    assert ids(newest_baseline([other, new, old])) == ["other", "new"]


def test_two_halves_of_a_tile_are_no_duplicates() -> None:
    west, east = box(-70, -13, -69.5, -12), box(-69.5, -13, -69, -12)
    halves = [processing("w", "05.00", west), processing("e", "05.00", east)]
    assert ids(newest_baseline(halves)) == ["w", "e"]
    # only the west has been processed again: the old whole stays, behind the new half
    whole = processing("whole", "02.14")
    assert ids(newest_baseline([whole, halves[0]])) == ["w", "whole"]
    assert ids(newest_baseline([whole, *halves])) == ["w", "e"]


def test_same_baseline_twice_stays_for_footprints_may_be_of_the_whole_tile() -> None:
    halves = [processing("north", "02.14"), processing("south", "02.14")]
    assert ids(newest_baseline(halves)) == ["north", "south"]


def test_other_passes_are_no_duplicates() -> None:
    first = processing("a", "02.14")
    later = processing("b", "05.00", **{"s2:datatake_id": "GS2A_20240706T145731_047071_N05.00"})
    untiled = [processing(name, "02.14", **{"grid:code": None}) for name in "cd"]
    assert ids(newest_baseline([first, later, *untiled])) == ["a", "b", "c", "d"]


def test_sar_orbits_are_series_of_their_own() -> None:
    descending = read_item(s1_item())
    ascending = read_item(s1_item(**{"sat:orbit_state": "ascending"}))
    orbit = read_item(s1_item(**{"sat:relative_orbit": 7.0}))
    assert descending.grouping_key == (date(2024, 4, 19), "descending-051")
    assert len({scene.grouping_key for scene in (descending, ascending, orbit)}) == 3
    assert descending.assets["vv"].quantity is Quantity.POWER
    assert descending.assets["vv"].nodata == -32768


# --- real Items -----------------------------------------------------------------------------------

ES, C1, PC, CDSE = (
    "sentinel-2-l2a/earth-search",
    "sentinel-2-c1-l2a/earth-search",
    "sentinel-2-l2a/planetary-computer",
    "sentinel-2-l2a/cdse",
)
LANDSAT, RTC, GRD = "landsat-c2-l2", "sentinel-1-rtc/planetary-computer", "sentinel-1-grd"

# beginning of the id -> profile, solar day, tile, baseline, CRS, offset of red (or vv), cloud cover
REAL = {
    "S2A_MSIL2A_20200703T103031": (CDSE, "2020-07-03", "32TMT", "05.00", 32632, -1000, 99.73),
    "S2A_MSIL2A_20241107T113311": (CDSE, "2024-11-07", "32VKR", "05.11", 32632, -1000, 100.0),
    "S2B_MSIL2A_20200705T101559": (CDSE, "2020-07-05", "32TMT", "05.00", 32632, -1000, 11.32),
    "LC08_L2SP_033032_20231008": (LANDSAT, "2023-10-08", "033032", "02.T1", 32613, -2000, 0.06),
    "S2B_T24MUV_20250731T130245": (C1, "2025-07-31", "24MUV", "05.11", 32724, -1000, 56.813848),
    "S2B_T24MVV_20250731T130245": (C1, "2025-07-31", "24MVV", "05.11", 32724, -1000, 34.760532),
    "S2A_13TDE_20231008_0_L2A": (ES, "2023-10-08", "13TDE", "05.09", 32613, 0, 0.000299),
    "S2A_32TMT_20200305_0_L2A": (ES, "2020-03-05", "32TMT", "02.14", 32632, 0, 99.997049),
    "S2A_32TMT_20200305_1_L2A": (ES, "2020-03-05", "32TMT", "05.00", 32632, 0, 99.9852),
    "S2A_32TNT_20200302_0_L2A": (ES, "2020-03-02", "32TNT", "02.14", 32632, 0, 99.978003),
    "S2A_32TNT_20200302_1_L2A": (ES, "2020-03-02", "32TNT", "05.00", 32632, 0, 99.687064),
    "S2A_32TPS_20230602_0_L2A": (ES, "2023-06-02", "32TPS", "05.09", 32632, 0, 31.735489),
    "S2B_24MUV_20250731_0_L2A": (ES, "2025-07-31", "24MUV", "05.11", 32724, 0, 56.813848),
    "S2B_24MVV_20250731_0_L2A": (ES, "2025-07-31", "24MVV", "05.11", 32724, 0, 34.760532),
    "LC08_L2SP_202033_20220327": (LANDSAT, "2022-03-27", "202033", "02.T1", 32630, -2000, 52.77),
    # 23:07 and 23:46 UTC are the morning of the next day in the south-west Pacific
    "LC09_L2SP_084069_20250722": (LANDSAT, "2025-07-23", "084069", "02.T2", 32658, -2000, 15.45),
    "LC09_L2SP_089090_20240417": (LANDSAT, "2024-04-18", "089090", "02.T1", 32655, -2000, 97.54),
    "LC09_L2SR_084074_20250722": (LANDSAT, "2025-07-23", "084074", "02.T1", 32658, -2000, 4.26),
    "S1A_IW_GRDH_1SDV_20250312T052236": (GRD, "2025-03-12", "", "", None, 0, None),
    "S1A_IW_GRDH_1SDV_20240419T045839": (RTC, "2024-04-19", "", "", 32633, 0, None),
    "S1A_IW_GRDH_1SDV_20250311T044231": (RTC, "2025-03-11", "", "", 32634, 0, None),
    "S2B_MSIL2A_20200606T080609": (PC, "2020-06-06", "35LNF", "02.12", 32735, 0, 5.371107),
    "S2B_MSIL2A_20220612T182919": (PC, "2022-06-12", "24XWR", "04.00", 32624, -1000, 30.529344),
    "S2B_MSIL2A_20240419T095549": (PC, "2024-04-19", "47XML", "05.10", 32647, -1000, 0.219774),
    "S2B_MSIL2A_20250312T014549": (PC, "2025-03-12", "53NKG", "05.11", 32653, -1000, 9.976021),
}
REFUSED = {
    "S2B_24MUV_20250731_0_L1C": "is top-of-atmosphere reflectance (L1C)",
    "S1A_EW_GRDM_1SDH_20250709": "expected vv, vh; got hh, hv",
    "S1A_IW_GRDH_1SSH_20250731": "expected vv, vh; got hh",
}
METRES_OF = {
    "coastal": 60,
    "blue": 10,
    "green": 10,
    "red": 10,
    "rededge1": 20,
    "rededge2": 20,
    "rededge3": 20,
    "nir": 10,
    "nir08": 20,
    "nir09": 60,
    "swir16": 20,
    "swir22": 20,
    "scl": 20,
}


@pytest.fixture(scope="module")
def real_items(external_data: Path) -> list[dict[str, Any]]:
    paths = sorted((external_data / "stac_fixtures").glob("*/*/*.json"))
    return [json.loads(path.read_text()) for path in paths if path.name != "collection.json"]


def expected_of(item: dict[str, Any], table: dict[str, Any]) -> Any:
    found = [value for start, value in table.items() if item["id"].startswith(start)]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.external_data
def test_every_real_item_is_read_or_refused(real_items: list[dict[str, Any]]) -> None:
    assert len(real_items) == 28 == len(REAL) + len(REFUSED)
    for item in real_items:
        reason = expected_of(item, REFUSED)
        if reason:
            with pytest.raises(ItemError) as caught:
                read_item(item)
            assert reason in str(caught.value)
            continue
        sensor, day, tile, baseline, epsg, offset, cloud_cover = expected_of(item, REAL)
        scene = read_item(item)
        assert scene.sensor == sensor
        assert str(scene.solar_day) == day
        assert (scene.grid_tile, scene.processing_baseline) == (tile, baseline)
        assert scene.crs == (f"EPSG:{epsg}" if epsg else None)
        main = scene.assets["vv" if "vv" in scene.assets else "red"]
        assert main.offset_dn == offset
        assert scene.cloud_cover == cloud_cover
        assert scene.platform == item["properties"]["platform"].lower()


@pytest.mark.external_data
def test_bands_and_grids_of_the_real_items(real_items: list[dict[str, Any]]) -> None:
    scenes = [read_item(item) for item in real_items if not expected_of(item, REFUSED)]
    for scene in scenes:
        if scene.family == "sentinel-2":
            assert {name: a.resolution_m for name, a in scene.assets.items()} == METRES_OF
            sizes = {round(a.resolution_m * a.shape[0]) for a in scene.assets.values() if a.shape}
            assert sizes == {109_800}
            assert {a.nodata for a in scene.assets.values()} == {0}
            assert scene.assets["scl"].offset_dn == 0
        if scene.family == "landsat":
            assert {a.resolution_m for a in scene.assets.values()} == {30}
            assert scene.assets["nir08"].scale == 0.275
            assert (scene.assets["qa_pixel"].nodata, scene.assets["qa_radsat"].nodata) == (1, None)
    by_start = {scene.id[:25]: scene for scene in scenes}
    landsat = by_start["LC08_L2SP_033032_20231008"].assets["red"]
    assert landsat.transform == (30, 0, 449085, 0, -30, 4581915)
    assert landsat.shape == (7831, 7711)
    assert landsat.href.endswith("_T1_SR_B4.TIF")
    rtc = next(scene for scene in scenes if scene.id.startswith("S1A_IW_GRDH_1SDV_20240419T"))
    assert rtc.series == "descending-051"
    assert rtc.assets["vh"].transform == (10, 0, 388450, 0, -10, 3591080)
    assert (rtc.assets["vh"].dtype, rtc.assets["vh"].nodata) == ("float32", -32768)
    grd = next(scene for scene in scenes if scene.sensor == GRD)
    assert (grd.crs, grd.assets["vv"].transform) == (None, None)


@pytest.mark.external_data
def test_real_duplicates_keep_the_newest_baseline(real_items: list[dict[str, Any]]) -> None:
    """Earth Search has both scenes of March 2020 twice, one millisecond apart."""
    chosen = [item for item in real_items if "_32T" in item["id"] and "_2020030" in item["id"]]
    assert len(chosen) == 4
    kept = newest_baseline(read_item(item) for item in chosen)
    assert sorted(ids(kept)) == ["S2A_32TMT_20200305_1_L2A", "S2A_32TNT_20200302_1_L2A"]


@pytest.mark.external_data
def test_reading_changes_nothing_and_agrees_with_pystac(real_items: list[dict[str, Any]]) -> None:
    for item in real_items:
        before = copy.deepcopy(item)
        if not expected_of(item, REFUSED):
            as_object = pystac.Item.from_dict(item, migrate=False)
            assert read_item(item) == read_item(as_object)
            assert as_object.datetime is not None
            assert abs((read_item(item).datetime - as_object.datetime).total_seconds()) < 0.001
        assert item == before
