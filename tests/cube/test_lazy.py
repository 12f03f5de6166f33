"""The cube equals what three other ways of reading the same files give, and stays lazy."""

import datetime as dt
from dataclasses import replace

import numpy as np
import odc.stac
import pytest
import rasterio
import xarray as xr
from dask.base import tokenize
from dask.utils import key_split
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.warp import Resampling, reproject

from cvlarray.cube import load_cube, stackstac_loader
from cvlarray.names import NODATA_DN
from cvlarray.sensors import read_item

from .conftest import NORTH, WEST, grid

pytestmark = [
    # odc-geo 0.5 multiplies affine 3 with `*`; remove when it uses `@`
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'shapely.ops.transform:DeprecationWarning"),
]

BANDS = ["red", "nir", "swir16", "scl"]


@pytest.fixture(scope="module")
def scenes(make_scene):
    """Three days; on the second two tiles that overlap by half."""
    left = grid(96, 128)
    right = grid(96, 128, left=WEST + 64 * 10)
    return [
        make_scene(left, day="2023-07-01"),
        make_scene(left, day="2023-07-06"),
        make_scene(right, day="2023-07-06"),
        make_scene(right, day="2023-07-11", nodata=0),
    ]


AREA = grid(80, 160, top=NORTH - 10 * 10, left=WEST + 6 * 10)
"""Within the rows of the scenes, and from the left one over into the right one."""


ZONE_18 = grid(90, 90, crs="EPSG:32718", top=8_697_240, left=954_320)
"""The same ground in the neighbouring UTM zone."""


def raw(item, band):
    """Return a file's pixels, coarse ones repeated to the 10 m grid."""
    with rasterio.open(item.get_assets()[band].get_absolute_href()) as file:
        values, factor = file.read(1), round(file.transform.a / 10)
        return values.repeat(factor, 0).repeat(factor, 1), file.transform


def by_windows(items, area, band):
    """Mosaic files by array indices; the first one listed wins where it has data."""
    out = np.zeros(area.shape, np.uint16)
    for item in items:
        values, transform = raw(item, band)
        padded = np.zeros((2000, 2000), values.dtype)
        row = round((area.affine.f - transform.f) / -10) + 500
        col = round((area.affine.c - transform.c) / 10) + 500
        padded[500 : 500 + values.shape[0], 500 : 500 + values.shape[1]] = values
        window = padded[row : row + area.shape[0], col : col + area.shape[1]]
        out = np.where(out == 0, window, out)
    return out


def canonical(dn, band):
    return dn.astype("u1") if band == "scl" else np.where(dn == 0, NODATA_DN, dn.astype("i2"))


def equal(cube, other):
    assert list(other), "nothing to compare"
    for name in other:
        np.testing.assert_array_equal(cube[name].values, other[name].values, err_msg=str(name))


def test_equals_plain_rasterio_windows(scenes):
    cube = load_cube(scenes, AREA, bands=BANDS, block_px=50, time_block=2).compute()

    assert cube.sizes == {"time": 3, "y": 80, "x": 160}
    days = [scenes[:1], scenes[1:3], scenes[3:]]
    for band in BANDS:
        expected = np.stack([canonical(by_windows(day, AREA, band), band) for day in days])
        np.testing.assert_array_equal(cube[band].values, expected, err_msg=band)
    assert (cube.red == NODATA_DN).any()


@pytest.mark.parametrize("area", [AREA, grid(64, 64, top=NORTH - 160, left=WEST + 320)])
def test_equals_odc_stac(scenes, area):
    cube = load_cube(scenes, area, bands=BANDS).compute()
    peer = odc.stac.load(
        scenes,
        bands=BANDS,
        geobox=area,
        groupby="solar_day",
        resampling="nearest",
        dtype={"*": "uint16", "scl": "uint8"},
    )
    equal(cube, {band: xr.DataArray(canonical(peer[band].values, band)) for band in BANDS})


@pytest.mark.parametrize("area", [AREA, grid(40, 64, resolution=20)])
def test_equals_stackstac(scenes, area):
    bands = BANDS if area is AREA else ["swir16", "scl"]
    cube = load_cube(scenes, area, bands=bands).compute()
    peer = load_cube(scenes, area, bands=bands, loader=stackstac_loader.read_asset).compute()
    equal(cube, peer)


def test_any_block_size_gives_the_same_cube(scenes):
    whole = load_cube(scenes, AREA, bands=BANDS).compute()

    @settings(max_examples=10)
    @given(st.integers(1, 5), st.integers(29, 170))
    def law(time_block, block_px):
        cube = load_cube(scenes, AREA, bands=BANDS, time_block=time_block, block_px=block_px)
        equal(cube.compute(), whole)

    law()


@pytest.mark.parametrize(
    "area",
    [
        pytest.param(grid(70, 90, top=NORTH - 87, left=WEST + 113), id="shifted"),
        pytest.param(grid(24, 30, resolution=30, top=NORTH - 15, left=WEST + 15), id="coarser"),
        pytest.param(grid(60, 60, resolution=7), id="finer"),
        pytest.param(ZONE_18, id="other zone"),
    ],
)
def test_any_block_size_gives_the_same_warped_cube(scenes, area):
    whole = load_cube(scenes, area, bands=BANDS).compute()
    assert (whole.red > 0).mean() > 0.3

    @settings(max_examples=5)
    @given(st.integers(19, 110))
    def law(block_px):
        equal(load_cube(scenes, area, bands=BANDS, block_px=block_px).compute(), whole)

    law()


def test_nothing_is_computed(scenes, raise_if_dask_computes):
    with raise_if_dask_computes():
        cube = load_cube(scenes, AREA, bands=BANDS, block_px=64)
    assert all(array.chunks is not None for array in cube.data_vars.values())


def test_graph_is_few_readable_deterministic_tasks(scenes):
    cube = load_cube(scenes, AREA, bands=BANDS, time_block=2, block_px=80)
    again = load_cube(scenes, AREA, bands=BANDS, time_block=2, block_px=80)
    other = load_cube(scenes[:-1], AREA, bands=BANDS, time_block=2, block_px=80)

    assert tokenize(cube) == tokenize(again) != tokenize(other)
    graph = dict(xr.Dataset.__dask_graph__(cube))
    kinds = [key_split(key) for key in graph]
    assert set(kinds) == {"ingest", "days", *BANDS, "read_status"}
    assert kinds.count("ingest") == 2 * 1 * 2  # blocks of time, y and x, whatever the bands


def test_reads_each_file_once_per_block(scenes, monkeypatch):
    opened = []
    open_file = rasterio.open
    monkeypatch.setattr(rasterio, "open", lambda path: opened.append(path) or open_file(path))
    load_cube(scenes[3:], AREA, bands=BANDS).compute(scheduler="synchronous")
    assert len(opened) == len(set(opened)) == len(BANDS)


def test_covered_overlap_is_not_read(make_scene, monkeypatch):
    place = grid(64, 64)
    items = [make_scene(place, nodata=0), make_scene(place, nodata=0)]
    opened = []
    open_file = rasterio.open
    monkeypatch.setattr(rasterio, "open", lambda path: opened.append(path) or open_file(path))
    load_cube(items, place, bands=["red"]).compute(scheduler="synchronous")
    assert [path.split("/")[-2] for path in opened] == [items[0].id]


def test_labels_and_attributes(scenes):
    cube = load_cube(scenes, AREA, bands=BANDS)

    assert {name: array.dtype.name for name, array in cube.data_vars.items()} == {
        "red": "int16", "nir": "int16", "swir16": "int16", "scl": "uint8", "read_status": "uint8",
    }  # fmt: skip
    assert cube.red.attrs["scale_factor"] == 1e-4
    assert cube.red.attrs["_FillValue"] == NODATA_DN
    assert all(array.attrs["grid_mapping"] == "spatial_ref" for array in cube.data_vars.values())
    assert cube.time.dtype == "datetime64[ns]"
    assert cube.time.values.tolist() == [
        np.datetime64(day, "ns").astype(int) for day in ("2023-07-01", "2023-07-06", "2023-07-11")
    ]
    assert cube.odc.geobox == AREA
    assert cube.x.values[0] == AREA.affine.c + 5
    assert cube.y.values[0] == AREA.affine.f - 5


def test_goes_through_zarr_as_cf(scenes, tmp_path):
    cube = load_cube(scenes, AREA, bands=BANDS, block_px=64)
    cube.to_zarr(tmp_path / "cube.zarr", zarr_format=3, consolidated=False)
    stored = xr.open_zarr(tmp_path / "cube.zarr", consolidated=False)

    dn = cube.red.values
    expected = np.where(dn == NODATA_DN, np.nan, dn * 1e-4)
    np.testing.assert_allclose(stored.red.values, expected, atol=1e-7)
    assert stored.odc.geobox == AREA


def test_read_status_tells_what_is_covered(scenes):
    status = load_cube(scenes, AREA, bands=["red"]).read_status.values

    left = slice(0, 128 - 6)  # of the area's columns
    assert (status[0, :, left] == 1).all()
    assert (status[0, :, left.stop :] == 0).all()
    assert (status[1] == 1).all()
    assert (status[2, :, : 64 - 6] == 0).all()
    assert (status[2, :, 64 - 6 :] == 1).all()


def test_newest_baseline_wins_whatever_the_order(make_scene):
    place = grid(64, 64)
    old = make_scene(place, processing_baseline="02.14", day="2020-03-05", item_id="old")
    new = make_scene(place, processing_baseline="05.00", day="2020-03-05", item_id="new")
    for order in ([old, new], [new, old]):
        cube = load_cube(order, place, bands=["red"]).compute()
        np.testing.assert_array_equal(cube.red.values[0], canonical(raw(new, "red")[0], "red"))


def test_boa_offset_is_removed(make_scene):
    place = grid(64, 64)
    item = make_scene(place, collection="sentinel-2-c1-l2a", processing_baseline="05.11")
    dn = raw(item, "red")[0].astype(int)
    cube = load_cube([item], place, bands=["red"]).compute()
    np.testing.assert_array_equal(cube.red.values[0], np.where(dn == 0, NODATA_DN, dn - 1000))
    assert ((cube.red.values < 0) & (cube.red.values != NODATA_DN)).any()


def test_scenes_around_midnight_utc_are_one_day(make_scene):
    """At 178° E local noon is midnight UTC, so one pass has two dates by UTC and one by the sun."""
    place = grid(64, 64, crs="EPSG:32760", top=8_000_000, left=600_000)
    evening = make_scene(place, day="2023-07-11", hour=23.99, grid_tile="60KXF")
    morning = make_scene(place, day="2023-07-12", hour=0.01, grid_tile="60KXG")
    cube = load_cube([morning, evening], place, bands=["red"])

    assert cube.time.values.astype("datetime64[D]").tolist() == [dt.date(2023, 7, 12)]
    first = canonical(raw(morning, "red")[0], "red")
    second = canonical(raw(evening, "red")[0], "red")
    np.testing.assert_array_equal(cube.red.values[0], np.where(first == NODATA_DN, second, first))


class TestTwoZones:
    """Scenes of 18S and 19S on one grid: the border of Madre de Dios' two UTM zones."""

    def test_classes_are_the_pixels_at_the_exact_place(self, scenes):
        cube = load_cube(scenes[:1], ZONE_18, bands=["scl"]).compute()
        values, transform = raw(scenes[0], "scl")
        ys, xs = np.meshgrid(cube.y.values, cube.x.values, indexing="ij")
        x, y = Transformer.from_crs(32718, 32719, always_xy=True).transform(xs, ys)
        row, col = np.floor((transform.f - y) / 20), np.floor((x - transform.c) / 20)
        small = values[::2, ::2]
        inside = (row >= 0) & (row < small.shape[0]) & (col >= 0) & (col < small.shape[1])
        expected = np.zeros(row.shape, "u1")
        expected[inside] = small[row[inside].astype(int), col[inside].astype(int)]
        # a millimetre may tip a pixel whose centre lies on a border
        assert (cube.scl.values[0] != expected).mean() < 2e-3
        assert inside.mean() > 0.5
        np.testing.assert_array_equal(cube.read_status.values[0] == 1, inside)

    def test_reflectance_is_bilinear(self, scenes):
        cube = load_cube(scenes[3:], ZONE_18, bands=["red"]).compute()
        values, transform = raw(scenes[3], "red")
        peer = np.zeros(ZONE_18.shape, np.float32)
        reproject(
            values.astype(np.float32),
            peer,
            src_transform=transform,
            src_crs="EPSG:32719",
            dst_transform=ZONE_18.affine,
            dst_crs="EPSG:32718",
            src_nodata=0,
            resampling=Resampling.bilinear,
        )
        ours = cube.red.values[0]
        both = (peer > 0) & (ours != NODATA_DN)
        assert both.mean() > 0.2
        # random pixels differ by thousands; GDAL may be 1/8 pixel off
        assert np.abs(ours[both] - peer[both]).mean() < 40


class TestAnotherResolution:
    def test_means_of_whole_squares(self, scenes):
        area = grid(40, 60, resolution=20, top=NORTH - 20, left=WEST)
        cube = load_cube(scenes[:1], area, bands=["red", "scl", "swir16"]).compute()

        fine = canonical(raw(scenes[0], "red")[0], "red")[2:82, :120].astype(float)
        fine[fine == NODATA_DN] = np.nan
        squares = fine.reshape(40, 2, 60, 2).transpose(0, 2, 1, 3).reshape(40, 60, 4)
        n_valid = np.isfinite(squares).sum(-1)
        with np.errstate(invalid="ignore"):
            mean = np.nansum(squares, -1) / n_valid
        expected = np.where(n_valid >= 2, np.rint(mean), NODATA_DN)
        np.testing.assert_array_equal(cube.red.values[0], expected)
        coarse = raw(scenes[0], "scl")[0][2:82:2, :120:2]
        np.testing.assert_array_equal(cube.scl.values[0], coarse)


class TestRefuses:
    def test_no_scenes(self):
        with pytest.raises(ValueError, match="at least one scene, got none"):
            load_cube([], AREA, bands=["red"])

    def test_unknown_band(self, scenes):
        with pytest.raises(ValueError, match="no scene has the band blue; bands are nir, red, scl"):
            load_cube(scenes, AREA, bands=["blue"])

    @pytest.mark.parametrize("bands", [[], ["red", "red"]])
    def test_bands(self, scenes, bands):
        with pytest.raises(ValueError, match="bands must be one or more different names"):
            load_cube(scenes, AREA, bands=bands)

    def test_sizes(self, scenes):
        with pytest.raises(ValueError, match="must be at least 1, got 0 and 2048"):
            load_cube(scenes, AREA, bands=["red"], time_block=0)

    def test_rotated_grid(self, scenes):
        with pytest.raises(ValueError, match="north-up grid"):
            load_cube(scenes, AREA.rotate(30), bands=["red"])

    def test_two_sensors(self, scenes):
        scene = read_item(scenes[0])
        other = replace(scene, family="landsat", id="other", grid_tile="")
        with pytest.raises(ValueError, match="one sensor and one orbit, got landsat, sentinel-2"):
            load_cube([scene, other], AREA, bands=["red"])
