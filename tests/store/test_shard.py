"""zarr-python's own codec is the second opinion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays, from_dtype
from numcodecs.blosc import BITSHUFFLE, Blosc
from zarr.codecs import BloscCodec
from zarr.storage import MemoryStore

from cvlarray.store.shard import ShardFormat, encode_shard

SHARD, CHUNK = (3, 8, 12), (3, 4, 4)


def _format(dtype: str, fill_value: Any) -> ShardFormat:
    codec = Blosc("lz4", 5, BITSHUFFLE, typesize=np.dtype(dtype).itemsize)
    return ShardFormat(SHARD, CHUNK, np.dtype(dtype), np.dtype(dtype).type(fill_value), codec)


def _array(store: Any, shape: tuple[int, ...], dtype: str, fill_value: Any) -> zarr.Array[Any]:
    return zarr.create_array(
        store,
        shape=shape,
        dtype=dtype,
        shards=SHARD,
        chunks=CHUNK,
        compressors=BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"),
        fill_value=fill_value,
    )


@pytest.mark.parametrize(
    ("dtype", "fill_value"),
    [("int16", -32768), ("uint8", 0), ("int32", -1), ("float32", np.nan), ("float32", 0.0)],
)
@settings(max_examples=40)
@given(data=st.data())
def test_zarr_reads_back_every_bit(
    dtype: str, fill_value: Any, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shape = data.draw(st.tuples(*(st.integers(1, n) for n in SHARD)))
    values = st.just(fill_value) | from_dtype(np.dtype(dtype))
    block = data.draw(arrays(dtype, shape, elements=values, fill=st.just(fill_value)))
    folder = tmp_path_factory.mktemp("shard")
    array = _array(folder, shape, dtype, fill_value)
    if parts := encode_shard(block, _format(dtype, fill_value)):
        (folder / "c" / "0" / "0").mkdir(parents=True)
        (folder / "c" / "0" / "0" / "0").write_bytes(b"".join(parts))
    assert array[...].tobytes() == block.tobytes()


def test_a_shard_of_fill_is_no_file_as_in_zarr() -> None:
    store = MemoryStore()
    array = _array(store, SHARD, "float32", np.nan)
    array[...] = np.nan
    assert array.nchunks_initialized == 0
    assert encode_shard(np.full(SHARD, np.nan, "float32"), _format("float32", np.nan)) == []


def test_negative_zero_is_not_taken_for_a_fill_of_zero() -> None:
    assert encode_shard(np.full(SHARD, -0.0, "float32"), _format("float32", 0.0)) != []


def test_a_shard_is_no_larger_than_zarrs(tmp_path: Path) -> None:
    """Chunks of nothing but fill are left out, and nothing is written twice."""
    block = np.full(SHARD, -32768, "int16")
    block[:, :4, :4] = np.arange(48).reshape(3, 4, 4)
    _array(tmp_path, SHARD, "int16", -32768)[...] = block
    size = (tmp_path / "c" / "0" / "0" / "0").stat().st_size
    assert sum(map(len, encode_shard(block, _format("int16", -32768)))) == size


def test_the_layout_of_the_block_in_memory_does_not_matter() -> None:
    block = np.arange(np.prod(SHARD), dtype="int16").reshape(SHARD)
    expected = encode_shard(block, _format("int16", -32768))
    wide = np.zeros((3, 20, 30), "int16")
    wide[:, 5:13, 7:19] = block
    assert encode_shard(wide[:, 5:13, 7:19], _format("int16", -32768)) == expected
    assert encode_shard(np.asfortranarray(block), _format("int16", -32768)) == expected
