"""Stores in a bucket (moto's S3 server) and in icechunk: the same arrays as in a folder."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import pytest
import xarray as xr

from cvlarray.errors import StoreError
from cvlarray.store import open_raw, write_region
from cvlarray.store.bucket import Bucket
from cvlarray.store.location import StoreLocation
from cvlarray.store.place import Place
from cvlarray.store.repository import Repository, _storage
from tests.s3_server import KEYS, S3Server

Make = Callable[..., None]
WHOLE = {"y": slice(0, 27), "x": slice(0, 20)}


@pytest.fixture(scope="module")
def pixels() -> xr.Dataset:
    """Random values; one shard of nothing but fill, and chunks of fill in others."""
    random = np.random.default_rng(3)
    shape = (5, 27, 20)
    red = random.integers(-100, 3000, shape).astype("int16")
    red[:2, :8, :8] = -32768
    red[2:4, 8:12, :4] = -32768
    scl, status = (random.integers(0, 12, shape, dtype=np.uint8) for _ in range(2))
    dims = ("time", "y", "x")
    return xr.Dataset({"red": (dims, red), "scl": (dims, scl), "read_status": (dims, status)})


def opened(place: Place) -> xr.Dataset:
    """Open with plain xarray, without our reader."""
    store = place.zarr_store()
    kind = {} if place.is_consolidated else {"consolidated": False}
    return xr.open_zarr(store, mask_and_scale=False, **kind).load()


def test_same_bits_as_in_a_folder(
    remote_place: Place, make_cube: Make, tmp_path: Path, pixels: xr.Dataset
) -> None:
    written = []
    for location in (tmp_path / "cube.zarr", remote_place):
        make_cube(location)
        n_bytes = write_region(location, pixels.isel(time=slice(0, 4)), time=slice(0, 4), **WHOLE)
        n_bytes += write_region(location, pixels.isel(time=slice(4, 5)), time=slice(4, 5), **WHOLE)
        written.append(n_bytes)
    assert written[0] == written[1]
    plain = xr.open_zarr(tmp_path / "cube.zarr", mask_and_scale=False).load()
    xr.testing.assert_identical(opened(remote_place), plain)
    for name, values in pixels.items():
        np.testing.assert_array_equal(plain[name], values)
    ours = open_raw(remote_place)
    xr.testing.assert_identical(ours.load(), open_raw(tmp_path / "cube.zarr").load())
    window = {"time": slice(1, 4), "y": slice(5, 18), "x": slice(7, 9)}
    np.testing.assert_array_equal(
        open_raw(remote_place)["red"].isel(window), pixels.red.isel(window)
    )


def test_dates_are_added_without_touching_the_old_ones(
    remote_place: Place, make_cube: Make, times: Any, pixels: xr.Dataset
) -> None:
    make_cube(remote_place, times=times[:4])
    write_region(remote_place, pixels.isel(time=slice(0, 4)), time=slice(0, 4), **WHOLE)
    make_cube(remote_place, times=times)
    write_region(remote_place, pixels.isel(time=slice(4, 5)), time=slice(4, 5), **WHOLE)
    found = opened(remote_place)
    np.testing.assert_array_equal(found["time"], times)
    for name, values in pixels.items():
        np.testing.assert_array_equal(found[name], values)
    with pytest.raises(StoreError, match="dates can only be added after the last"):
        make_cube(remote_place, times=times[1:])
    with pytest.raises(StoreError, match=f"{remote_place} was made for another run"):
        make_cube(remote_place, fingerprint={"loader": "another"})


def test_a_shard_written_anew_and_one_made_empty(
    remote_place: Place, make_cube: Make, pixels: xr.Dataset
) -> None:
    make_cube(remote_place)
    write_region(remote_place, pixels, **WHOLE)
    before = open_raw(remote_place)
    other = (pixels + 1).astype({name: values.dtype for name, values in pixels.items()})
    other["red"][2:4, 8:16, 8:16] = -32768
    write_region(remote_place, other, **WHOLE)
    after = open_raw(remote_place)
    assert before["red"].data.name != after["red"].data.name
    np.testing.assert_array_equal(after["red"], other["red"])
    expected = pixels if isinstance(remote_place, Repository) else other  # a snapshot stays
    np.testing.assert_array_equal(before["red"], expected["red"])


def test_a_place_travels_without_its_keys(remote_place: Place, make_cube: Make) -> None:
    make_cube(remote_place)
    raw = open_raw(remote_place)
    for dumped in (pickle.dumps(remote_place), pickle.dumps(raw.__dask_graph__())):
        assert KEYS["AWS_SECRET_ACCESS_KEY"].encode() not in dumped
    again = pickle.loads(pickle.dumps(raw))
    np.testing.assert_array_equal(again["red"], np.full((5, 27, 20), -32768))


def test_what_is_missing_is_said(s3: S3Server, make_cube: Make, pixels: xr.Dataset) -> None:
    bucket = s3.new_bucket()
    place = Bucket(f"s3://{bucket}/cube.zarr")
    assert not place.exists()
    with pytest.raises(
        StoreError, match=r"cube\.zarr is not a Zarr v3 store: .*not found.*run the stage"
    ):
        open_raw(place)
    with pytest.raises(
        StoreError, match=r"cannot write s3://not-there/cube\.zarr: .*check the buck"
    ):
        make_cube(Bucket("s3://not-there/cube.zarr"))
    make_cube(place)
    write_region(place, pixels, **WHOLE)
    shard = s3.client().get_object(Bucket=bucket, Key="cube.zarr/red/c/0/1/1")["Body"].read()
    s3.client().put_object(Bucket=bucket, Key="cube.zarr/red/c/0/1/1", Body=shard[:-7])
    with pytest.raises(StoreError, match="red/c/0/1/1 is damaged: the checksum of its index"):
        open_raw(place)["red"].load()
    assert not Repository(f"s3://{bucket}/cube.icechunk").exists()


def test_repository_nobody_made(s3: S3Server) -> None:
    place = Repository(f"s3://{s3.new_bucket()}/cube.icechunk")
    with pytest.raises(StoreError, match="is not a Zarr v3 store"):
        open_raw(place)


# --- commits ------------------------------------------------------------------------------------


@pytest.fixture
def repository(s3: S3Server, make_cube: Make) -> Repository:
    place = Repository(f"s3://{s3.new_bucket()}/cube.icechunk")
    make_cube(place)
    return place


def left_and_right(pixels: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    return pixels.isel(x=slice(0, 8)), pixels.isel(x=slice(8, 20))


def test_writers_of_other_shards_are_put_in_a_row(
    repository: Repository, pixels: xr.Dataset
) -> None:
    """The first begins, the second begins and ends, the first ends."""
    left, right = left_and_right(pixels)
    with repository.changing("slow") as changes:
        write_region(repository, right, y=WHOLE["y"], x=slice(8, 20))
        changes.write("red/c/0/0/0", [b"left"])
    history = icechunk.Repository.open(_storage(repository.url)).ancestry(branch="main")
    assert [commit.message for commit in history][:2] == [
        "slow",
        "red, scl, read_status at y 0:27, x 8:20",
    ]
    write_region(repository, left, y=WHOLE["y"], x=slice(0, 8))
    np.testing.assert_array_equal(opened(repository)["red"], pixels["red"])


def test_of_two_writers_of_a_shard_the_second_is_refused(
    repository: Repository, pixels: xr.Dataset
) -> None:
    with (  # noqa: PT012 - the second commits in the middle of the first
        pytest.raises(StoreError, match="another process has written the same shards meanwhile"),
        repository.changing("first") as changes,
    ):
        changes.write("red/c/0/0/1", [b"never seen"])
        write_region(repository, pixels, **WHOLE)
    np.testing.assert_array_equal(opened(repository)["red"], pixels["red"])


WRITER = """
import sys, numpy as np, xarray as xr, pickle
from cvlarray.store import write_region
place, pixels, part = pickle.load(open(sys.argv[1], "rb"))
print("ready", flush=True)
for _ in range(int(sys.argv[2])):
    write_region(place, pixels, y=slice(0, 27), x=part)
"""


def start_writer(folder: Path, place: StoreLocation, pixels: xr.Dataset, part: slice, times: int):
    path = folder / f"{part.start}.pickle"
    path.write_bytes(pickle.dumps((place, pixels, part)))
    command = [sys.executable, "-c", WRITER, str(path), str(times)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_processes_that_commit_at_the_same_time(
    repository: Repository, pixels: xr.Dataset, tmp_path: Path
) -> None:
    parts = (slice(0, 8), slice(8, 20))
    writers = [
        start_writer(tmp_path, repository, half, part, 4)
        for half, part in zip(left_and_right(pixels), parts, strict=True)
    ]
    for writer in writers:
        writer.communicate(timeout=100)
        assert writer.returncode == 0
    np.testing.assert_array_equal(opened(repository)["red"], pixels["red"])


def test_a_killed_writer_leaves_no_shard_half_written(
    remote_place: Place, make_cube: Make, pixels: xr.Dataset, tmp_path: Path
) -> None:
    make_cube(remote_place)
    ones, twos = (xr.full_like(pixels, value) for value in (1, 2))
    write_region(remote_place, ones, **WHOLE)
    for pause_s in (0.02, 0.15):
        writer = start_writer(tmp_path, remote_place, twos, slice(0, 20), 1000)
        time.sleep(pause_s)
        writer.kill()
        writer.communicate()
        red = open_raw(remote_place)["red"].to_numpy()
        shards = [
            set(red[t : t + 2, y : y + 8, x : x + 8].ravel().tolist())
            for t in range(0, 5, 2)
            for y in range(0, 27, 8)
            for x in range(0, 20, 8)
        ]
        assert all(values in ({1}, {2}) for values in shards)
        if isinstance(remote_place, Repository):
            assert len({value for values in shards for value in values}) == 1
    write_region(remote_place, twos, **WHOLE)
    assert (open_raw(remote_place)["red"] == 2).all()
