from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from dask.base import tokenize
from dask.utils import key_split
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray import names
from cvlarray.errors import StoreError
from cvlarray.store import open_raw, write_region
from cvlarray.store.folder import ArrayFolder
from cvlarray.store.metadata import read_metadata
from cvlarray.store.raw import StoredPixels

from .conftest import CUBE_VARIABLES

# odc-geo 0.5 multiplies affine 3 with `*`; remove when it uses `@`
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

SIZES = {"time": 5, "y": 27, "x": 20}
WHOLE = {"y": slice(None), "x": slice(None)}


def _values(seed: int) -> xr.Dataset:
    """Return values none of which is the fill, so that every chunk is in its file."""
    rng = np.random.default_rng(seed)
    shape = tuple(SIZES.values())
    values = {v.name: (tuple(SIZES), rng.integers(1, 9, shape, v.dtype)) for v in CUBE_VARIABLES}
    return xr.Dataset(values)


@pytest.fixture(scope="module")
def values() -> xr.Dataset:
    return _values(0)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, empty_cube: Path, values: xr.Dataset) -> Path:
    """One cube that all drawn examples read."""
    path = shutil.copytree(empty_cube, tmp_path_factory.mktemp("raw") / "cube.zarr")
    write_region(path, values, **WHOLE)
    return path


@pytest.fixture
def path(tmp_path: Path, shared: Path) -> Path:
    """A cube with shards of 2 × 8 × 8 and chunks of 2 × 4 × 4."""
    return shutil.copytree(shared, tmp_path / "cube.zarr")


def test_it_is_lazy_with_a_chunk_a_shard(
    path: Path,
    raise_if_dask_computes: Callable[..., Any],
    pixel_reads: Callable[[], dict[Path, int]],
) -> None:
    with raise_if_dask_computes():
        raw = open_raw(path)
    assert pixel_reads() == {}
    assert raw["red"].chunks == ((2, 2, 1), (8, 8, 8, 3), (8, 8, 4))
    assert [raw[name].dtype for name in raw] == ["int16", "uint8", "uint8"]
    assert raw["red"].attrs["_FillValue"] == names.NODATA_DN
    assert raw["red"].attrs["scale_factor"] == 1e-4
    assert set(raw.coords) == {"time", "y", "x", "spatial_ref"}


def test_it_is_what_xarray_reads(path: Path) -> None:
    plain = xr.open_zarr(path, mask_and_scale=False, chunks=None)
    assert open_raw(path).load().identical(plain.load())


def test_other_chunks(path: Path, values: xr.Dataset) -> None:
    raw = open_raw(path, chunks={"time": -1, "y": 4, "x": 20})
    assert raw["red"].chunks == ((5,), (4, 4, 4, 4, 4, 4, 3), (20,))
    np.testing.assert_array_equal(raw["red"], values["red"])
    raw = open_raw(path, chunks={"y": 5, "x": 3})  # across the borders of the store's own
    np.testing.assert_array_equal(raw["scl"], values["scl"])


def test_a_task_a_chunk_with_a_name_to_read(path: Path) -> None:
    raw = open_raw(path)
    for name in raw:
        tasks = dict(raw[name].__dask_graph__())
        assert len(tasks) == raw[name].data.npartitions
        assert {key_split(key) for key in tasks} == {f"read_{name}"}


@pytest.mark.parametrize("chunks", [{}, {"y": 4, "x": 20}, {"time": -1}])
def test_a_slice_reads_only_the_chunks_it_touches(
    path: Path,
    values: xr.Dataset,
    pixel_reads: Callable[[], dict[Path, int]],
    chunks: dict[str, int],
) -> None:
    region = {"time": slice(1, 3), "y": slice(7, 9), "x": slice(8, 12)}
    sliced = open_raw(path, chunks=chunks).isel(region)
    found = (sliced + 1).compute()
    # Dates 0-1 and 2-3, rows 4-7 and 8-11, columns 8-11; dates and rows lie in two shards each.
    expected = {path / name / f"c/{t}/{y}/1": 1 for name in values for t in (0, 1) for y in (0, 1)}
    assert pixel_reads() == expected
    for name in values:
        np.testing.assert_array_equal(found[name], values[name].isel(region) + 1)


def test_an_integer_reads_only_the_chunks_it_touches(
    path: Path, values: xr.Dataset, pixel_reads: Callable[[], dict[Path, int]]
) -> None:
    found = open_raw(path)["red"].isel(time=4, y=26).compute()
    assert pixel_reads() == {path / f"red/c/2/3/{x}": n for x, n in ((0, 2), (1, 2), (2, 1))}
    np.testing.assert_array_equal(found, values["red"].isel(time=4, y=26))


def _indices(size: int) -> st.SearchStrategy[Any]:
    listed = st.lists(st.integers(0, size - 1), min_size=1, max_size=3, unique=True).map(sorted)
    return st.integers(-size, size - 1) | st.slices(size) | listed


@settings(max_examples=40)
@given(data=st.data())
def test_any_index_is_that_of_the_values(
    data: st.DataObject, shared: Path, values: xr.Dataset
) -> None:
    chunks = {dim: data.draw(st.integers(1, n)) for dim, n in SIZES.items()}
    index = {dim: data.draw(_indices(n)) for dim, n in SIZES.items() if data.draw(st.booleans())}
    found = open_raw(shared, chunks=chunks)["red"].isel(index)
    again = {dim: data.draw(_indices(n)) for dim, n in found.sizes.items() if n}
    expected = values["red"].isel(index).isel(again)
    np.testing.assert_array_equal(found.isel(again), expected, strict=True)


def test_a_task_can_be_given_any_index(path: Path, values: xr.Dataset) -> None:
    """Dask moves into it what slices come after."""
    pixels = StoredPixels(ArrayFolder(path / "red"), read_metadata(path).arrays["red"], "")
    red = values["red"].to_numpy()
    for key in (
        (slice(None), slice(None), slice(None)),
        (slice(4, None, -2), slice(3, 20, 5), slice(None, None, -1)),
        (0, [1, 7, 26], slice(2, 9)),
        (slice(3, 3), 5, slice(None)),
        (-1, 26, 19),
    ):
        np.testing.assert_array_equal(pixels[key], red[key])


def test_a_few_elements_do_not_keep_their_chunks_in_memory(path: Path) -> None:
    found = open_raw(path, chunks=SIZES)["red"].isel(y=slice(None, None, 9))
    (block,) = dask.compute(found.data.map_blocks(lambda block: np.array(_n_kept(block), ndmin=3)))
    assert block.item() == found.nbytes


def _n_kept(block: np.ndarray[Any, Any]) -> int:
    return block.nbytes if block.base is None else block.base.nbytes


def test_names_are_stable_and_tell_stores_variables_and_chunks_apart(
    path: Path, make_cube: Callable[..., None]
) -> None:
    assert tokenize(open_raw(path)) == tokenize(open_raw(path))
    twin = path.with_name("twin.zarr")
    shutil.copytree(path, twin)
    raw = [open_raw(path), open_raw(path, chunks={"y": 4}), open_raw(twin)]
    assert len({dataset[name].data.name for dataset in raw for name in dataset}) == 9


def test_names_do_not_depend_on_the_working_directory(
    path: Path, monkeypatch: pytest.MonkeyPatch, values: xr.Dataset
) -> None:
    absolute = open_raw(path)
    monkeypatch.chdir(path.parent)
    relative = open_raw(Path(path.name))
    assert tokenize(relative) == tokenize(absolute)
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(relative["red"], values["red"])


def test_what_was_written_gets_another_name(path: Path, make_cube: Callable[..., None]) -> None:
    """A cluster holds results by their names: those of the old values must not be taken."""
    for name in ("red", "scl"):
        os.utime(path / name, ns=(0, 0))  # two writes may come within one tick of the clock
    before = open_raw(path)
    write_region(path, _values(1)[["red"]], **WHOLE)
    after = open_raw(path)
    assert after["red"].data.name != before["red"].data.name
    assert after["scl"].data.name == before["scl"].data.name


def test_a_write_that_failed_half_way_gets_another_name_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.utime(path / "red", ns=(0, 0))
    before = open_raw(path)

    def interrupt(source: Any, target: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_region(path, _values(1), **WHOLE)
    assert open_raw(path)["red"].data.name != before["red"].data.name


def test_added_dates_get_another_name(
    path: Path, make_cube: Callable[..., None], times: Any
) -> None:
    before = open_raw(path)
    make_cube(path, times=np.append(times, np.datetime64("2020-04-01", "ns")))
    after = open_raw(path)
    assert not {before[n].data.name for n in before} & {after[n].data.name for n in after}
    # A graph goes on reading what it was made for.
    assert before["red"].load().sizes["time"] == 5


def test_it_can_be_sent_to_another_process(path: Path, values: xr.Dataset) -> None:
    packed = pickle.dumps(open_raw(path).isel(y=slice(3, 9)))
    assert len(packed) < 50_000
    assert b"LazilyIndexedArray" not in packed  # all that isn't pixels has been read
    found = pickle.loads(packed)
    np.testing.assert_array_equal(found["red"], values["red"].isel(y=slice(3, 9)))


def test_dasks_threads_read_at_once(path: Path, values: xr.Dataset) -> None:
    with dask.config.set(scheduler="threads", num_workers=8):
        found = open_raw(path, chunks={"time": 1, "y": 3, "x": 3}).compute()
    for name in values:
        np.testing.assert_array_equal(found[name], values[name])


def test_a_damaged_shard_stops_the_computation_of_its_chunk_alone(
    path: Path, values: xr.Dataset
) -> None:
    shard = path / "red/c/0/0/0"
    shard.write_bytes(shard.read_bytes()[:-7])
    raw = open_raw(path)
    with pytest.raises(StoreError, match=f"{shard} is damaged"):
        raw["red"].compute()
    np.testing.assert_array_equal(raw["red"].isel(y=slice(8, 27)), values["red"][:, 8:])


def test_chunks_along_no_dimension_are_refused(path: Path) -> None:
    with pytest.raises(ValueError, match=r"has dims time, y, x, got chunks along \['feature'\]"):
        open_raw(path, chunks={"feature": 1})


def test_what_is_not_there_is_refused(tmp_path: Path, path: Path) -> None:
    with pytest.raises(StoreError, match="is not a Zarr v3 store"):
        open_raw(tmp_path / "absent.zarr")
    shutil.rmtree(path / "scl")
    with pytest.raises(StoreError, match=r"scl is gone: .*; run the stage that makes it"):
        open_raw(path)
