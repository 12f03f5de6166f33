from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import odc.geo.xr
import pyproj
import pytest
import rasterio
import rioxarray
import xarray as xr
import zarr
from affine import Affine
from odc.geo.geobox import GeoBox
from zarr.codecs import BloscCodec

from cvlarray import names
from cvlarray.errors import StoreError
from cvlarray.store import atomic, create_store, open_raw, write_region

from .conftest import DATES

# odc-geo 0.5 multiplies affine 3 with `*`; remove when it uses `@`
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

assert odc.geo.xr
assert rioxarray

Make = Callable[..., None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cube.zarr"


def _contents(path: Path) -> dict[str, tuple[bytes, int]]:
    return {
        file.relative_to(path).as_posix(): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in path.rglob("*")
        if file.is_file()
    }


def _fill(path: Path, value: int = 1234) -> None:
    sizes = open_raw(path).sizes
    shape = tuple(sizes[dim] for dim in ("time", "y", "x"))
    dataset = xr.Dataset({"red": (("time", "y", "x"), np.full(shape, value, "int16"))})
    write_region(path, dataset, y=slice(None), x=slice(None))


def test_plain_xarray_decodes_it(path: Path, make_cube: Make, geobox: GeoBox) -> None:
    make_cube(path)
    with xr.open_zarr(path) as empty:
        assert empty["red"].isnull().all()
        assert (empty["read_status"] == names.NOT_COVERED).all()
    _fill(path)
    with xr.open_zarr(path) as cube:
        assert list(cube.data_vars) == ["red", "scl", "read_status"]
        assert cube["red"].dims == ("time", "y", "x")
        np.testing.assert_allclose(cube["red"], 0.1234)
        assert cube["time"].dtype == "datetime64[ns]"
        assert list(cube["time"].dt.strftime("%Y-%m-%d").values) == list(DATES)
        np.testing.assert_array_equal(cube["x"], 300_005 + 10 * np.arange(20))
        np.testing.assert_array_equal(cube["y"], 8_599_995 - 10 * np.arange(27))
        assert cube["x"].attrs["standard_name"] == "projection_x_coordinate"
        assert cube["y"].attrs["standard_name"] == "projection_y_coordinate"
        assert cube["time"].attrs["standard_name"] == "time"


def test_three_libraries_read_its_crs(path: Path, make_cube: Make, geobox: GeoBox) -> None:
    make_cube(path)
    for cube in (xr.open_zarr(path), open_raw(path)):
        for found in (cube, cube["red"]):
            assert found.odc.geobox == geobox
            assert found.rio.crs.to_epsg() == 32719
            assert found.rio.transform() == geobox.affine
        grid_mapping = dict(cube["spatial_ref"].attrs)
        # The parameters alone, as a reader without WKT would take them.
        del grid_mapping["crs_wkt"], grid_mapping["spatial_ref"]
        utm = pyproj.CRS.from_epsg(32719).to_cf()
        assert {key: grid_mapping[key] for key in utm if key != "crs_wkt"} == {
            key: value for key, value in utm.items() if key != "crs_wkt"
        }


def test_dates_per_pixel_and_durations_decode(path: Path, geobox: GeoBox) -> None:
    create_store(
        path,
        geobox=geobox,
        times=None,
        variables=names.DETECTION_VARIABLES,
        shard_px=32,
        chunk_px=16,
        time_shard=1,
    )
    days = np.full((27, 20), names.NO_DATE)
    days[0, 0] = (np.datetime64("2019-04-06") - np.datetime64("1970-01-01")).astype(int)
    write_region(path, xr.Dataset({"confirmed": (("y", "x"), days)}), y=slice(None), x=slice(None))
    with xr.open_zarr(path) as detections:
        assert detections["confirmed"][0, 0] == np.datetime64("2019-04-06")
        assert int(detections["confirmed"].notnull().sum()) == 1
        assert detections["max_gap_days"].dtype == "uint16"
        assert "time" not in detections.dims
    raw = open_raw(path)
    assert raw["confirmed"].dtype == "int32"
    np.testing.assert_array_equal(raw["confirmed"], days)


def test_named_dimensions_are_labels(path: Path, geobox: GeoBox) -> None:
    create_store(
        path,
        geobox=geobox,
        times=None,
        variables=names.BASELINE_VARIABLES,
        shard_px=16,
        chunk_px=8,
        time_shard=1,
        coords={
            "feature": ["ndvi", "red"],
            "coefficient": ["level", "trend", "cos1"],
            "moment": ["one", "time"],
        },
    )
    with xr.open_zarr(path) as baseline:
        assert baseline["coefficients"].sel(feature="ndvi", coefficient="cos1").shape == (27, 20)
    array = zarr.open_group(path, mode="r")["coefficients"]
    assert (array.shards, array.chunks) == ((2, 3, 16, 16), (2, 3, 8, 8))


def test_the_grid_is_told_as_geozarr_asks(path: Path, make_cube: Make, geobox: GeoBox) -> None:
    make_cube(path)
    attrs = zarr.open_group(path, mode="r").attrs
    assert [convention["name"] for convention in attrs["zarr_conventions"]] == ["proj:", "spatial:"]
    assert attrs["proj:code"] == "EPSG:32719"
    assert attrs["spatial:dimensions"] == ["y", "x"]
    assert attrs["spatial:shape"] == [27, 20]
    assert Affine(*attrs["spatial:transform"]) == geobox.affine
    with xr.open_zarr(path) as cube:
        assert attrs["spatial:bbox"] == list(cube.rio.bounds())


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_gdal_names_the_arrays_but_cannot_read_shards_yet(path: Path, make_cube: Make) -> None:
    """GDAL 3.10, which rasterio's wheels carry; when this fails, say so in the README."""
    make_cube(path)
    with rasterio.open(f'ZARR:"{path}"') as dataset:
        assert {name.rsplit("/")[-1] for name in dataset.subdatasets} >= {"red", "scl"}
    with pytest.raises(rasterio.errors.RasterioIOError, match="sharding_indexed"):
        rasterio.open(f'ZARR:"{path}":/red')


def test_a_geographic_grid(path: Path, make_cube: Make) -> None:
    grid = GeoBox((27, 20), Affine(1e-4, 0, -70, 0, -1e-4, -12), "EPSG:4326")
    make_cube(path, geobox=grid)
    with xr.open_zarr(path) as cube:
        assert cube["red"].odc.geobox == grid
        assert cube["red"].rio.crs.to_epsg() == 4326
        assert cube["y"].attrs["standard_name"] == "latitude"
        assert cube["x"].attrs["units"] == "degrees_east"


def test_attributes_are_the_stores_and_part_of_its_fingerprint(path: Path, make_cube: Make) -> None:
    make_cube(path, attrs={"harmonic_order": 2, "time_span_days": 1095.5})
    with xr.open_zarr(path) as cube:
        assert cube.attrs["harmonic_order"] == 2
        assert cube.attrs["time_span_days"] == 1095.5
    with pytest.raises(StoreError, match="harmonic_order is 2 there and 3 here"):
        make_cube(path, attrs={"harmonic_order": 3, "time_span_days": 1095.5})


def test_shards_chunks_and_compression(path: Path, make_cube: Make) -> None:
    make_cube(path)
    group = zarr.open_group(path, mode="r")
    for name, fill_value in (("red", -32768), ("scl", 0), ("read_status", 0)):
        array = group[name]
        assert (array.shards, array.chunks, array.fill_value) == ((2, 8, 8), (2, 4, 4), fill_value)
        (codec,) = array.compressors
        assert isinstance(codec, BloscCodec)
        assert (codec.cname.value, codec.clevel, codec.shuffle.value) == ("lz4", 5, "bitshuffle")
        assert codec.typesize == array.dtype.itemsize


def test_metadata_are_consolidated_as_zarr_itself_would(path: Path, make_cube: Make) -> None:
    make_cube(path)
    ours = json.loads((path / "zarr.json").read_text())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata")
        zarr.consolidate_metadata(path)
    assert ours == json.loads((path / "zarr.json").read_text())


def test_the_same_store_is_kept_untouched(path: Path, make_cube: Make) -> None:
    make_cube(path)
    _fill(path)
    before = _contents(path)
    make_cube(path)
    assert _contents(path) == before


def test_another_runs_store_is_refused_with_every_difference(
    path: Path, make_cube: Make, geobox: GeoBox
) -> None:
    make_cube(path)
    before = _contents(path)
    with pytest.raises(StoreError) as caught:
        make_cube(
            path,
            geobox=geobox.pad(1),
            chunk_px=8,
            variables=(names.band("red", "red"), names.SCL),
            fingerprint={"masking": {"clear_classes": [4]}, "loader": "direct", "extra": None},
        )
    message = str(caught.value)
    for part in (
        str(path),
        "shape is [27, 20] there and [29, 22] here",
        "chunk.y is 4 there and 8 here",
        'variables.read_status.dtype is "uint8" there and absent here',
        "masking.clear_classes is [4, 5] there and [4] here",
        "extra is absent there and null here",
        "delete",
    ):
        assert part in message
    assert "loader" not in message
    assert "\n" not in message
    assert _contents(path) == before


def test_later_dates_are_added_in_place(path: Path, make_cube: Make, times: Any) -> None:
    make_cube(path, times=times[:3])
    _fill(path)
    make_cube(path, times=times)
    for cube in (xr.open_zarr(path), xr.open_zarr(path, consolidated=False), open_raw(path)):
        np.testing.assert_array_equal(cube["time"], times)
        assert cube["red"].shape == (5, 27, 20)
    raw = open_raw(path)["red"]
    assert (raw[:3] == 1234).all()
    assert (raw[3:] == names.NODATA_DN).all()
    _fill(path, 4321)
    assert (open_raw(path)["red"] == 4321).all()
    make_cube(path, times=times)


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (
            ["2020-01-03", "2020-01-05", *DATES[1:]],
            "holds 2020-01-08 as date 2 of 5, this run has 2020-01-05:",
        ),
        (["2019-12-31", *DATES], "holds 2020-01-03 as date 1 of 5, this run has 2019-12-31:"),
        ([*DATES[:-1], "2020-03-02"], "holds 2020-03-01 as date 5 of 5, this run has 2020-03-02:"),
        (DATES[:-1], "holds 2020-03-01 as date 5 of 5, this run has no more dates:"),
    ],
)
def test_other_dates_are_refused_by_the_first_that_differs(
    path: Path, make_cube: Make, dates: list[str], message: str
) -> None:
    make_cube(path)
    before = _contents(path)
    with pytest.raises(StoreError, match="can only be added after the last, 2020-03-01") as caught:
        make_cube(path, times=np.array(dates, "datetime64[ns]"))
    assert message in str(caught.value)
    assert "delete" in str(caught.value)
    assert _contents(path) == before


@pytest.mark.parametrize("n_replaced", [0, 1, 4, 7])
def test_a_crash_while_dates_are_added_leaves_the_old_store(
    path: Path, make_cube: Make, times: Any, monkeypatch: pytest.MonkeyPatch, n_replaced: int
) -> None:
    make_cube(path, times=times[:3])
    _fill(path)
    replace, left = Path.replace, [None] * n_replaced

    def crash(temporary: Path, target: Path) -> Path:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return replace(temporary, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            make_cube(path, times=times)
    for cube in (xr.open_zarr(path), open_raw(path)):
        np.testing.assert_array_equal(cube["time"], times[:3])
        assert cube["red"].shape == (3, 27, 20)
    make_cube(path, times=times)
    raw = open_raw(path)
    np.testing.assert_array_equal(raw["time"], times)
    assert (raw["red"][:3] == 1234).all()


def test_a_crash_while_it_is_made_leaves_nothing(
    path: Path, make_cube: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "sync_tree", crash)
        with pytest.raises(KeyboardInterrupt):
            make_cube(path)
    assert list(path.parent.iterdir()) == []
    make_cube(path)
    # As after kill -9: no clean-up had a chance.
    shutil.copytree(path, path.with_name(".cube.0123.partial.zarr"))
    make_cube(path)
    assert list(path.parent.iterdir()) == [path]


def test_what_is_no_store_of_ours_is_refused(tmp_path: Path, make_cube: Make) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="is not a Zarr v3 store"):
        make_cube(tmp_path / "folder")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is not a Zarr v3 store"):
        make_cube(tmp_path / "file")
    zarr.create_group(tmp_path / "other.zarr")
    with pytest.raises(StoreError, match="is a Zarr store of another program"):
        make_cube(tmp_path / "other.zarr")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chunk_px": 3}, "a shard must be a multiple of its chunks, got 8 and 3 in y"),
        ({"time_shard": 0}, "a shard must be a multiple of its chunks, got 0 and 0 in time"),
        ({"times": ["2020-01-02", "2020-01-01"]}, "one increasing series of dates"),
        ({"times": ["2020-01-01", "2020-01-01"]}, "one increasing series of dates"),
        ({"times": ["2020-01-01", "NaT"]}, "one increasing series of dates"),
        ({"times": ["2020-01-01T00:00:00.5"]}, r"whole seconds, got 2020-01-01T00:00:00\.5"),
        ({"times": None}, r"red has dims .* no values along \['time'\]"),
        ({"variables": names.BASELINE_VARIABLES}, r"along \['coefficient', 'feature'\]"),
        ({"fingerprint": {"a": float("nan")}}, "fingerprint of a store must be JSON"),
        ({"fingerprint": {"a": {1}}}, "fingerprint of a store must be JSON"),
        (
            {"geobox": GeoBox((2, 2), Affine.rotation(30), "EPSG:32719")},
            "a grid with a CRS and no rotation",
        ),
        ({"geobox": GeoBox((2, 2), Affine.identity(), None)}, "a grid with a CRS"),
        (
            {"variables": [names.Variable("t", ("y", "x", "time"), "uint8", None)]},
            "t must end in dims y, x",
        ),
    ],
)
def test_a_layout_that_does_not_fit_together_is_refused(
    path: Path, make_cube: Make, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_cube(path, **changes)
    assert not path.exists()
