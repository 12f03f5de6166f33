from __future__ import annotations

import itertools
import random
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from affine import Affine
from hypothesis import example, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from cvlarray import names
from cvlarray.errors import StoreError
from cvlarray.store import create_store, open_raw, write_region
from cvlarray.store.atomic import FileBatch

from .conftest import CUBE_VARIABLES

# odc-geo 0.5 multiplies affine 3 with `*`; remove when it uses `@`
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

SIZES = {"time": 5, "y": 27, "x": 20}
SHARD = {"time": 2, "y": 8, "x": 8}
WHOLE = {"y": slice(None), "x": slice(None)}


def _values(seed: int) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    shape = tuple(SIZES.values())
    values = {
        variable.name: (tuple(SIZES), rng.integers(-3, 3, shape).astype(variable.dtype))
        for variable in CUBE_VARIABLES
    }
    return xr.Dataset(values)


def _read_by_zarr(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    group = zarr.open_group(path, mode="r", use_consolidated=False)
    return {variable.name: group[variable.name][...] for variable in CUBE_VARIABLES}


def _assert_equal(path: Path, dataset: xr.Dataset) -> None:
    for name, values in _read_by_zarr(path).items():
        np.testing.assert_array_equal(values, dataset[name])


@pytest.fixture
def path(tmp_path: Path, empty_cube: Path) -> Path:
    return shutil.copytree(empty_cube, tmp_path / "cube.zarr")


# A small store of one variable, because each shard waits for the disk.
FEW = {"time": 3, "y": 19, "x": 12}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store that each drawn example writes all over."""
    path = tmp_path_factory.mktemp("region") / "cube.zarr"
    create_store(
        path,
        geobox=GeoBox((FEW["y"], FEW["x"]), Affine(10, 0, 0, 0, -10, 0), "EPSG:32719"),
        times=np.arange(FEW["time"]).astype("datetime64[D]"),
        variables=CUBE_VARIABLES[:1],
        shard_px=8,
        chunk_px=4,
        time_shard=2,
    )
    return path


def _red(path: Path) -> np.ndarray[Any, Any]:
    return np.asarray(zarr.open_group(path, mode="r", use_consolidated=False)["red"][...])


@st.composite
def _cuts(draw: st.DrawFn, dim: str) -> list[slice]:
    """Draw a way to cut a dimension along borders of shards."""
    borders = [edge for edge in range(SHARD[dim], FEW[dim], SHARD[dim]) if draw(st.booleans())]
    return [slice(start, stop) for start, stop in pairwise([0, *borders, FEW[dim]])]


@settings(max_examples=20)
@given(_cuts("time"), _cuts("y"), _cuts("x"), st.integers(0, 1000))
def test_any_tiling_gives_the_same_store(
    shared: Path, times: list[slice], ys: list[slice], xs: list[slice], seed: int
) -> None:
    values = np.random.default_rng(seed).integers(-3, 3, tuple(FEW.values())).astype("int16")
    dataset = xr.Dataset({"red": (tuple(FEW), values)})
    regions = [{"time": t, "y": y, "x": x} for t in times for y in ys for x in xs]
    random.Random(seed).shuffle(regions)
    for region in regions:
        write_region(shared, dataset.isel(region), **region)
    np.testing.assert_array_equal(_red(shared), values)


@st.composite
def _intervals(draw: st.DrawFn, dim: str) -> slice:
    """Draw bounds that lie on borders of shards more often than by chance."""
    borders = st.sampled_from([*range(0, FEW[dim], SHARD[dim]), FEW[dim]])
    edge = borders | st.integers(-2, FEW[dim] + 2)
    return slice(draw(edge), draw(edge))


def _is_whole_shards(dim: str, bounds: slice) -> bool:
    """Return whether no shard has pixels both inside and outside."""
    shard_of = np.arange(FEW[dim]) // SHARD[dim]
    inside = 0 <= bounds.start < bounds.stop <= FEW[dim]
    return inside and not set(shard_of[bounds]) & set(np.delete(shard_of, bounds))


def _shards(path: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in (path / "red" / "c").rglob("*") if file.is_file()}


@given(_intervals("time"), _intervals("y"), _intervals("x"))
@example(slice(0, 2), slice(8, 19), slice(8, 12))
@example(slice(0, 2), slice(8, 18), slice(8, 12))
@example(slice(1, 2), slice(8, 19), slice(8, 12))
def test_a_region_of_other_than_whole_shards_is_refused(
    shared: Path, time: slice, y: slice, x: slice
) -> None:
    region = {"time": time, "y": y, "x": x}
    shape = tuple(max(0, bounds.stop - bounds.start) for bounds in region.values())
    dataset = xr.Dataset({"red": (tuple(region), np.full(shape, 7, "int16"))})
    if all(_is_whole_shards(dim, bounds) for dim, bounds in region.items()):
        expected = _red(shared)
        expected[time, y, x] = 7
        write_region(shared, dataset, **region)
        np.testing.assert_array_equal(_red(shared), expected)
    else:
        before = _shards(shared)
        with pytest.raises(StoreError, match="written whole"):
            write_region(shared, dataset, **region)
        assert _shards(shared) == before


def test_the_refusal_names_region_and_shard(path: Path) -> None:
    dataset = _values(0).isel(y=slice(4, 12))
    with pytest.raises(
        StoreError,
        match=r"cannot write red of .*cube\.zarr at y=4:12: shards are 8 long in y and are written "
        r"whole; start at a multiple of 8 and stop at one or at the end, 27",
    ):
        write_region(path, dataset, y=slice(4, 12), x=slice(None))
    assert open_raw(path)["read_status"].sum() == 0


def test_it_returns_what_it_wrote_and_all_of_it_is_there(path: Path) -> None:
    written = write_region(path, _values(0), **WHOLE)
    files = [
        file for name in ("red", "scl", "read_status") for file in (path / name).rglob("c/**/*")
    ]
    assert written == sum(file.stat().st_size for file in files if file.is_file())


def test_values_equal_to_fill_take_the_place_of_others(path: Path) -> None:
    write_region(path, _values(0), **WHOLE)
    empty = xr.full_like(_values(0)[["red"]], names.NODATA_DN)
    assert write_region(path, empty, **WHOLE) == 0
    assert (open_raw(path)["red"] == names.NODATA_DN).all()
    assert not any(file.is_file() for file in (path / "red" / "c").rglob("*"))


def test_a_write_that_fails_leaves_every_shard_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_region(path, _values(0), **WHOLE)
    calls = itertools.count()
    write = FileBatch.write

    def full(files: FileBatch, file: Path, parts: Any) -> None:
        if next(calls) == 7:
            raise StoreError("No space left on device")
        write(files, file, parts)

    monkeypatch.setattr(FileBatch, "write", full)
    with pytest.raises(StoreError, match="No space left"):
        write_region(path, _values(1), **WHOLE)
    _assert_equal(path, _values(0))
    assert not list(path.rglob("*.partial*"))


def test_one_variable_leaves_the_others_alone(path: Path) -> None:
    write_region(path, _values(0), **WHOLE)
    write_region(path, _values(1)[["scl"]], **WHOLE)
    expected = _values(0).assign(scl=_values(1)["scl"])
    _assert_equal(path, expected)


def test_threads_write_side_by_side_where_they_have_no_shard_in_common(path: Path) -> None:
    dataset = _values(0)
    starts = [(t, y, x) for t in range(0, 5, 2) for y in range(0, 27, 8) for x in range(0, 20, 8)]

    def write(start: tuple[int, int, int]) -> None:
        region = {
            dim: slice(begin, min(begin + SHARD[dim], SIZES[dim]))
            for dim, begin in zip(SIZES, start, strict=True)
        }
        write_region(path, dataset.isel(region), **region)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, starts))
    _assert_equal(path, dataset)


def test_it_starts_no_thread_and_changes_no_setting(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_raw(path)
    settings_before = zarr.config.to_dict()

    def start(thread: threading.Thread) -> None:
        pytest.fail(f"{thread} was started")

    monkeypatch.setattr(threading.Thread, "start", start)
    write_region(path, _values(1), **WHOLE)
    assert zarr.config.to_dict() == settings_before


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda data: data.rename(red="blue"), ValueError, "has no variable blue; it has red"),
        (lambda data: data.astype("float32"), TypeError, "red must be raw int16, got float32"),
        (lambda data: data.chunk(), TypeError, "red must be NumPy-backed"),
        (lambda data: data.isel(y=slice(8)), ValueError, "red must have the region's shape"),
        (lambda data: data.transpose("y", "x", "time"), ValueError, "red must have the region's"),
        (
            lambda data: data.assign_coords(x=300_015 + 10 * np.arange(20)),
            StoreError,
            "x of the region is 300005.0 to 300195.0, of the values 300015 to 300205",
        ),
        (
            lambda data: data.assign_coords(time=np.arange(5).astype("datetime64[D]")),
            StoreError,
            "time of the region is 2020-01-03",
        ),
    ],
)
def test_values_that_do_not_belong_there_are_refused(
    path: Path, change: Any, error: type[Exception], message: str
) -> None:
    before = _read_by_zarr(path)
    with pytest.raises(error, match=message):
        write_region(path, change(_values(0)), **WHOLE)
    for name, values in _read_by_zarr(path).items():
        np.testing.assert_array_equal(values, before[name])


def test_the_stores_own_coordinates_are_accepted(path: Path) -> None:
    region = {"time": slice(2, 4), "y": slice(8, 16), "x": slice(8, 20)}
    coords = {dim: open_raw(path)[dim] for dim in region}
    rounded = coords["x"] + 1e-7
    dataset = _values(0).assign_coords(coords | {"x": rounded}).isel(region)
    write_region(path, dataset, **region)
    written = open_raw(path)["red"].isel(region)
    np.testing.assert_array_equal(written, dataset["red"])


def test_a_step_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="a region has no step"):
        write_region(path, _values(0), y=slice(0, 27, 2), x=slice(None))


def test_dates_added_by_another_process_are_seen(
    path: Path, make_cube: Callable[..., None], times: Any
) -> None:
    write_region(path, _values(0), **WHOLE)
    make_cube(path, times=np.append(times, np.datetime64("2020-04-01", "ns")))
    longer = xr.concat([_values(1), _values(2).isel(time=[0])], "time").isel(time=slice(4, 6))
    write_region(path, longer, time=slice(4, 6), **WHOLE)
    np.testing.assert_array_equal(open_raw(path)["red"][4:], longer["red"])
    np.testing.assert_array_equal(open_raw(path)["red"][:4], _values(0)["red"][:4])
