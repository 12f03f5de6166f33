"""zarr-python's own reader is the second opinion."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numcodecs.blosc import BITSHUFFLE, Blosc
from zarr.codecs import BloscCodec

from cvlarray.errors import StoreError
from cvlarray.store.folder import ArrayFolder
from cvlarray.store.shard import ShardFormat, encode_shard
from cvlarray.store.window import read_window

FILLS = {"int16": -32768, "uint8": 0, "int32": -1, "float32": np.nan}


@dataclass(frozen=True)
class Drawn:
    """An array of any layout, and a window of it."""

    shape: tuple[int, ...]
    shard: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: str
    window: tuple[slice, ...]
    seed: int

    @property
    def format(self) -> ShardFormat:
        return _format(self.dtype, self.shard, self.chunk)

    def values(self) -> np.ndarray[Any, Any]:
        """Return noise with whole chunks, whole shards and single elements of fill."""
        rng = np.random.default_rng(self.seed)
        values = rng.integers(-99, 99, self.shape).astype(self.dtype)
        for piece in (self.shard, self.chunk, (1,) * len(self.shape)):
            counts = [-(-size // n) for size, n in zip(self.shape, piece, strict=True)]
            is_fill = rng.random(counts) < 0.3
            grown = np.kron(is_fill, np.ones(piece, bool)).astype(bool)
            values[grown[tuple(map(slice, self.shape))]] = FILLS[self.dtype]
        return values

    def array(self, folder: Path) -> zarr.Array[Any]:
        """Return the array, empty, as zarr-python writes and reads it."""
        return zarr.create_array(
            folder,
            shape=self.shape,
            dtype=self.dtype,
            shards=self.shard,
            chunks=self.chunk,
            compressors=BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"),
            fill_value=FILLS[self.dtype],
        )


def _format(dtype: str, shard: tuple[int, ...], chunk: tuple[int, ...]) -> ShardFormat:
    kind = np.dtype(dtype)
    codec = Blosc("lz4", 5, BITSHUFFLE, typesize=kind.itemsize)
    return ShardFormat(shard, chunk, kind, kind.type(FILLS[dtype]), codec)


@st.composite
def _drawn(draw: st.DrawFn) -> Drawn:
    n_dims = draw(st.integers(1, 4))
    chunk = tuple(draw(st.integers(1, 4)) for _ in range(n_dims))
    shard = tuple(n * draw(st.integers(1, 3)) for n in chunk)
    shape = tuple(draw(st.integers(1, 2 * n + 1)) for n in shard)
    edges = [sorted((draw(st.integers(0, n)), draw(st.integers(0, n)))) for n in shape]
    window = tuple(slice(start, stop) for start, stop in edges)
    dtype = draw(st.sampled_from(list(FILLS)))
    return Drawn(shape, shard, chunk, dtype, window, draw(st.integers(0, 1000)))


@settings(max_examples=60)
@given(drawn=_drawn())
@example(drawn=Drawn((5, 19), (4, 8), (2, 4), "float32", (slice(0, 5), slice(3, 19)), 0))
@example(drawn=Drawn((4, 8), (4, 8), (4, 8), "int16", (slice(0, 4), slice(0, 8)), 2))
def test_every_window_is_zarrs_bit_for_bit(
    drawn: Drawn, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("window")
    array = drawn.array(folder)
    array[...] = drawn.values()
    expected = array[drawn.window]
    found = read_window(ArrayFolder(folder), drawn.format, drawn.window)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.tobytes() == expected.tobytes()


SHARD, CHUNK, SHAPE = (2, 64, 64), (2, 16, 16), (4, 100, 128)
FORMAT = _format("int16", SHARD, CHUNK)
WHOLE = tuple(slice(0, n) for n in SHAPE)


@pytest.fixture
def values() -> np.ndarray[Any, Any]:
    values = np.random.default_rng(0).normal(2000, 30, SHAPE).astype("int16")
    values[:2, :16, 16:32] = FORMAT.fill_value
    return values


@pytest.fixture
def folder(tmp_path: Path, values: np.ndarray[Any, Any]) -> Path:
    """An array of 2 × 2 × 2 shards of 4 × 4 chunks."""
    Drawn(SHAPE, SHARD, CHUNK, "int16", WHOLE, 0).array(tmp_path / "red")[...] = values
    return tmp_path / "red"


def test_only_the_chunks_that_the_window_touches_are_read(
    folder: Path, values: np.ndarray[Any, Any], pixel_reads: Callable[[], dict[Path, int]]
) -> None:
    window = (slice(0, 1), slice(60, 70), slice(0, 17))
    np.testing.assert_array_equal(read_window(ArrayFolder(folder), FORMAT, window), values[window])
    # Rows 48-63 are the last of a shard, rows 64-79 the first of the next; columns 0-15 and 16-31.
    assert pixel_reads() == {folder / "c/0/0/0": 2, folder / "c/0/1/0": 2}
    window = (slice(0, 4), slice(0, 16), slice(0, 32))
    np.testing.assert_array_equal(read_window(ArrayFolder(folder), FORMAT, window), values[window])
    # Of the two chunks on the first dates one is fill, and so isn't in the file.
    assert pixel_reads() == {folder / "c/0/0/0": 1, folder / "c/1/0/0": 2}


def test_a_missing_shard_is_fill(folder: Path, values: np.ndarray[Any, Any]) -> None:
    (folder / "c/0/1/0").unlink()
    shutil.rmtree(folder / "c/1")
    values[:2, 64:, :64] = values[2:] = FORMAT.fill_value
    np.testing.assert_array_equal(read_window(ArrayFolder(folder), FORMAT, WHOLE), values)


def test_leftovers_of_killed_writers_are_not_read(
    folder: Path, values: np.ndarray[Any, Any]
) -> None:
    whole = (folder / "c/0/0/0").read_bytes()
    (folder / "c/0/0/.0.0123.partial").write_bytes(whole[: len(whole) // 2])
    (folder / "c/0/0/0.4567.partial").write_bytes(b"")
    np.testing.assert_array_equal(read_window(ArrayFolder(folder), FORMAT, WHOLE), values)


def _flip(data: bytes, position: int) -> bytes:
    """Change one byte."""
    changed = bytearray(data)
    changed[position] ^= 0xFF
    return bytes(changed)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[: len(data) // 2], "the checksum of its index is wrong"),
        (lambda data: data[:-1], "the checksum of its index is wrong"),
        (lambda data: data + b"\0", "the checksum of its index is wrong"),
        (lambda data: _flip(data, -100), "the checksum of its index is wrong"),
        (lambda data: _flip(data, -1), "the checksum of its index is wrong"),
        (lambda data: b"", "its index takes 260 bytes, the file has 0"),
        (lambda data: data[-260:], r"chunk \(0, 0, 0\) ends at byte \d+, the data at 0"),
        (lambda data: _flip(data, 0), "a chunk can't be decoded"),
        (lambda data: _flip(data, 4), "a chunk has another size than its header says"),
        (lambda data: _flip(data, 12), "a chunk has another size than its header says"),
    ],
)
def test_a_damaged_shard_is_named_with_the_damage_and_what_helps(
    folder: Path,
    values: np.ndarray[Any, Any],
    damage: Callable[[bytes], bytes],
    reason: str,
) -> None:
    shard = folder / "c/0/0/0"
    shard.write_bytes(damage(shard.read_bytes()))
    with pytest.raises(StoreError, match=f"{shard} is damaged: {reason}") as caught:
        read_window(ArrayFolder(folder), FORMAT, WHOLE)
    message = str(caught.value)
    for advice in ("delete the file", "ledger", "run again"):
        assert advice in message
    assert "\n" not in message
    elsewhere = (slice(2, 4), *WHOLE[1:])
    np.testing.assert_array_equal(
        read_window(ArrayFolder(folder), FORMAT, elsewhere), values[elsewhere]
    )


@given(data=st.data())
def test_no_damage_is_worse_than_an_error_and_no_truncation_is_less(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Blosc has no checksum: within a chunk's bytes, other values may come out."""
    block = np.random.default_rng(0).normal(2000, 30, SHARD).astype("int16")
    whole = b"".join(encode_shard(block, FORMAT))
    folder = tmp_path_factory.mktemp("damage")
    (folder / "c/0/0").mkdir(parents=True)
    window = tuple(map(slice, (0, 0, 0), SHARD))
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 3))):
        # The headers of chunks and the index more often than by chance.
        position = data.draw(st.integers(0, 16) | st.integers(1, len(whole)).map(lambda n: -n))
        damaged[position] = data.draw(st.integers(0, 255))
    n_bytes = data.draw(st.just(len(whole)) | st.integers(0, len(whole) - 1))
    (folder / "c/0/0/0").write_bytes(damaged[:n_bytes])
    found = None
    with suppress(StoreError):
        found = read_window(ArrayFolder(folder), FORMAT, window)
    if n_bytes < len(whole):
        assert found is None
    elif damaged == whole:
        assert (found == block).all()
    elif found is not None:
        assert found.shape == SHARD


def test_a_shard_that_cannot_be_read_is_named(folder: Path) -> None:
    shard = folder / "c/0/0/0"
    shard.unlink()
    shard.mkdir()
    with pytest.raises(StoreError, match=f"cannot read {shard}: .*Is a directory"):
        read_window(ArrayFolder(folder), FORMAT, WHOLE)


def test_an_array_that_is_gone_is_not_taken_for_fill(folder: Path) -> None:
    shutil.rmtree(folder)
    with pytest.raises(StoreError, match=f"{folder} is gone"):
        read_window(ArrayFolder(folder), FORMAT, WHOLE)


def test_threads_read_side_by_side(folder: Path, values: np.ndarray[Any, Any]) -> None:
    rng = np.random.default_rng(1)
    edges = [np.sort(rng.integers(0, n + 1, (200, 2)), axis=1) for n in SHAPE]
    windows = [tuple(slice(*map(int, dim[i])) for dim in edges) for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda window: read_window(ArrayFolder(folder), FORMAT, window), windows)
        )
    for window, block in zip(windows, found, strict=True):
        np.testing.assert_array_equal(block, values[window])


def test_a_shard_replaced_meanwhile_is_of_one_moment(folder: Path) -> None:
    shard = folder / "c/0/0/0"
    blocks = [np.random.default_rng(i).integers(-99, 99, SHARD).astype("int16") for i in (0, 1)]
    versions = [b"".join(encode_shard(block, FORMAT)) for block in blocks]
    shard.write_bytes(versions[0])
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for data in versions:
                shard.with_name("new").write_bytes(data)
                shard.with_name("new").replace(shard)

    writer = threading.Thread(target=write)
    writer.start()
    window = tuple(map(slice, (0, 0, 0), SHARD))
    seen = {read_window(ArrayFolder(folder), FORMAT, window).tobytes() for _ in range(100)}
    stop.set()
    writer.join()
    assert seen <= {block.tobytes() for block in blocks}


def test_it_reads_in_the_calling_thread_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_threads = _n_threads()

    def start(thread: threading.Thread) -> None:
        pytest.fail(f"{thread} was started")

    monkeypatch.setattr(threading.Thread, "start", start)
    read_window(ArrayFolder(folder), FORMAT, WHOLE)
    # Blosc's own threads are none of Python's.
    assert _n_threads() == n_threads


def _n_threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())
