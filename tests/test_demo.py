"""The demo's catalog holds the netCDF's pixels and nothing else."""

import datetime as dt
import importlib.metadata
import json
import sys

import netCDF4
import numpy as np
import pystac
import pytest
import rasterio

from cvlarray import demo
from cvlarray.cube import load_cube
from cvlarray.errors import CvlarrayError, MissingExtraError
from cvlarray.sensors import read_item

pytestmark = [
    # odc-geo 0.5 multiplies affine 3 with `*`; remove when it uses `@`
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workspace")
    demo.write_romania(folder)
    return folder


def netcdf(cube):
    """Return the raw arrays, read by another library than the code under test."""
    path = importlib.metadata.distribution("nrt").locate_file(cube.file)
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        return {name: variable[:] for name, variable in file.variables.items()}


def items(workspace, cube):
    catalog = pystac.Catalog.from_file(str(workspace / "source" / cube.name / "catalog.json"))
    return sorted(catalog.get_items(recursive=True), key=lambda item: item.datetime)


@pytest.mark.parametrize("cube", demo.CUBES, ids=lambda cube: cube.name)
def test_pixels_are_the_netcdf_s(workspace, cube):
    source = netcdf(cube)
    days = [dt.date(2015, 8, 1) + dt.timedelta(days=int(day)) for day in source["time"]]
    written = items(workspace, cube)

    assert [item.datetime.date() for item in written] == days
    assert len(days) == 140
    for index, item in enumerate(written):
        assert item.assets.keys() == {*cube.bands, "scl"}
        for name, variable in (cube.bands | {"scl": "SCL"}).items():
            with rasterio.open(item.get_assets()[name].get_absolute_href()) as file:
                np.testing.assert_array_equal(file.read(1), source[variable][index])


@pytest.mark.parametrize("cube", demo.CUBES, ids=lambda cube: cube.name)
def test_items_are_read(workspace, cube):
    source = netcdf(cube)
    step = source["x"][1] - source["x"][0]
    cloud = np.isin(source["SCL"], (8, 9, 10)).mean(axis=(1, 2)) * 100
    for index, item in enumerate(items(workspace, cube)):
        scene = read_item(item)
        assert scene.solar_day == item.datetime.date()
        assert (scene.platform, scene.crs) == ("sentinel-2a", "EPSG:3035")
        assert scene.cloud_cover == pytest.approx(cloud[index], abs=1e-5)
        for asset in scene.assets.values():
            assert (asset.nodata, asset.scale, asset.offset_dn) == (0, 1, 0)
            assert asset.resolution_m == step
            assert asset.transform[2] == source["x"][0] - step / 2
            assert asset.transform[5] == source["y"][0] + step / 2


def test_cube_of_it_is_the_netcdf(workspace):
    cube = demo.CUBES[0]
    source = netcdf(cube)
    with demo.open_demo_cube(cube) as dataset:
        area = demo.demo_geobox(dataset)
    loaded = load_cube(items(workspace, cube), area, bands=["red", "scl"]).compute()
    np.testing.assert_array_equal(loaded.red.values, source["B4"].astype(np.int16))
    np.testing.assert_array_equal(loaded.scl.values, source["SCL"].astype(np.uint8))
    np.testing.assert_array_equal(loaded.x.values, source["x"])
    assert (loaded.read_status == 1).all()


def test_second_call_does_nothing(workspace):
    def state():
        return {p: p.stat().st_mtime_ns for p in (workspace / "source").rglob("*")}

    before = state()
    catalogs = demo.write_romania(workspace)
    assert state() == before
    assert catalogs["sentinel2_10m"] == workspace / "source" / "sentinel2_10m" / "catalog.json"


def test_unfinished_catalog_is_written_anew(tmp_path, monkeypatch):
    """The marker is the last thing written: without it nothing is believed."""
    short = demo.open_demo_cube
    monkeypatch.setattr(demo, "open_demo_cube", lambda cube: short(cube).isel(time=slice(3)))
    monkeypatch.setattr(demo, "CUBES", demo.CUBES[1:])
    write_atomic = demo.write_atomic

    def killed(path, content):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "write_atomic", killed)
    with pytest.raises(KeyboardInterrupt):
        demo.write_romania(tmp_path)
    folder = tmp_path / "source" / "sentinel2_20m"
    stray = folder / "sentinel-2-l2a" / "stray.json"
    stray.write_text("{}")

    monkeypatch.setattr(demo, "write_atomic", write_atomic)
    demo.write_romania(tmp_path)
    assert not stray.exists()
    assert json.loads((folder / "complete.json").read_text())["source"].endswith("20m.nc")


def test_does_not_import_the_package(workspace):
    assert "nrt" not in sys.modules


@pytest.mark.parametrize("found", [importlib.metadata.PackageNotFoundError("nrt"), []])
def test_missing_package_names_the_extra(tmp_path, monkeypatch, found):
    def files(_name):
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(demo, "files", files)
    with pytest.raises(MissingExtraError, match=r"pip install 'cvlarray\[demo\]'") as caught:
        demo.write_romania(tmp_path)
    assert isinstance(caught.value, CvlarrayError)
    assert not (tmp_path / "source").exists()


def test_missing_netcdf4_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "netCDF4", None)
    with pytest.raises(MissingExtraError, match="demo"):
        demo.open_demo_cube(demo.CUBES[0])


def test_config_is_there():
    assert demo.demo_config().name == "demo.yaml"
