import logging
import os

import numpy as np

from cvlarray.kernels import accelerate, harmonics
from cvlarray.kernels.accelerate import CACHE_LINE_BYTES, aligned_zeros, jit, source_stamp


def test_arrays_start_on_a_cache_line():
    for shape in [(1,), (3, 5), (7, 256)]:
        array = aligned_zeros(shape, np.float32)
        assert array.ctypes.data % CACHE_LINE_BYTES == 0
        assert array.shape == shape
        assert array.flags.c_contiguous
        assert not array.any()


def test_cached_code_is_stale_when_an_imported_kernel_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(accelerate, "_KERNELS", tmp_path)
    lower, upper = tmp_path / "lower.py", tmp_path / "upper.py"
    lower.write_text("LIMIT = 1\n")
    upper.write_text("from cvlarray.kernels.lower import LIMIT\n")
    before = source_stamp(upper)
    assert [name for name, *_ in before] == ["lower.py", "upper.py"]
    os.utime(lower, (0, 0))
    source_stamp.cache_clear()
    assert source_stamp(upper) != before


def test_stamp_reaches_numba():
    # Numba has no public way to set it: this fails if a release moves what is set in its place.
    stamp = harmonics._robust_series._cache._cache_file._source_stamp
    assert {"harmonics.py", "pixel_block.py", "selection.py"} <= {name for name, *_ in stamp}


def test_without_a_writable_folder_kernels_still_compile(monkeypatch, caplog):
    def no_locator(self):
        raise RuntimeError("no locator available")

    monkeypatch.setattr("numba.core.dispatcher.Dispatcher.enable_caching", no_locator)
    with caplog.at_level(logging.WARNING):
        double = jit(lambda x: 2 * x)
    assert double(21) == 42
    assert "set NUMBA_CACHE_DIR" in caplog.text
