"""JIT settings of every kernel, in one place."""

from __future__ import annotations

import functools
import logging
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])

FASTMATH = frozenset({"contract"})
"""A multiply and an add may become one FMA. Nothing may be reordered and NaN stays NaN, so that
a pixel gives the same bits whatever block, chunk or thread it is computed in."""

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "fastmath": set(FASTMATH),
    "error_model": "numpy",
    "boundscheck": False,
}

CACHE_LINE_BYTES = 64

_logger = logging.getLogger(__name__)

_KERNELS = Path(__file__).parent
_IMPORT = re.compile(r"^from cvlarray\.kernels\.(\w+) import", re.MULTILINE)


def jit(function: F) -> F:
    """Compile a kernel: no Python objects, no GIL, machine code cached on disk.

    ``nogil`` lets Dask's threads run kernels side by side; the kernels start no threads of their
    own, so workers are never oversubscribed. ``error_model="numpy"`` drops the checks for division
    by zero, which would keep loops from being vectorised.
    """
    dispatcher: Any = numba.njit(**_OPTIONS)(function)
    try:
        dispatcher.enable_caching()
    except RuntimeError as error:  # no folder can be written
        _logger.warning("kernels are compiled anew in each process; set NUMBA_CACHE_DIR: %s", error)
        return cast("F", dispatcher)
    # Numba takes cached code as current if the function's own file is unchanged, but the code also
    # holds what it calls from other files. There is no public way to tell it so (numba 0.61-0.68).
    dispatcher._cache._cache_file._source_stamp = source_stamp(Path(function.__code__.co_filename))
    return cast("F", dispatcher)


def jit_step(function: F) -> F:
    """Compile a step for the kernels that call it; called from Python it runs as it is written.

    So no way in from Python is compiled, which for steps that take many arrays costs seconds.
    """
    step: F = register_jitable(**_OPTIONS)(function)
    return step


def jit_inline(function: F) -> F:
    """Compile a step that is called inside loops, and put its body into its callers.

    A call with arrays costs about 250 ns, since each is counted as in use and released again.
    """
    return cast("F", numba.njit(inline="always")(function))


def variable(value: int) -> int:
    """Return a number for a kernel to start from, as a constant of its module.

    A number written out is a type of its own, and what it is given to is compiled anew for it.
    """
    return cast("int", np.int64(value))


@functools.cache
def source_stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return name, time and size of a kernel's file and of the kernel files it imports from."""
    seen: dict[Path, None] = {}
    waiting = [path]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen[current] = None
            names = _IMPORT.findall(current.read_text(encoding="utf-8"))
            waiting += [_KERNELS / f"{name}.py" for name in names]
    return tuple((one.name, one.stat().st_mtime_ns, one.stat().st_size) for one in sorted(seen))


def aligned_zeros(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Return an array of zeros that starts on a cache line (64 bytes).

    Vector loads that straddle two lines cost the fits half of their speed; NumPy promises 16 bytes.
    """
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = np.zeros(n_bytes + CACHE_LINE_BYTES, np.uint8)
    start = -buffer.ctypes.data % CACHE_LINE_BYTES
    return buffer[start : start + n_bytes].view(dtype).reshape(shape)


def contiguous_rows(values: NDArray[Any]) -> NDArray[Any]:
    """Return a part of a larger array (y, x) as rows that reach from one's start to the next's.

    Of an array that isn't contiguous Numba doesn't know that a row is, and vectorises nothing. What
    lies beyond the part's own columns is another's, and may lie beyond the memory: it isn't to be
    touched. A part whose rows aren't contiguous is returned as it is.
    """
    n_rows, n_cols = values.shape
    pitch, rest = divmod(values.strides[0], values.itemsize)
    if values.flags.c_contiguous or values.strides[1] != values.itemsize or rest or pitch < n_cols:
        return values
    return np.lib.stride_tricks.as_strided(values, (n_rows, pitch))
