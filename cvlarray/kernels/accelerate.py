"""JIT settings of every kernel, in one place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])

FASTMATH = frozenset({"contract"})
"""A multiply and an add may become one FMA. Nothing may be reordered and NaN stays NaN, so that
a pixel gives the same bits whatever block, chunk or thread it is computed in."""

CACHE_LINE_BYTES = 64


def jit(function: F) -> F:
    """Compile a kernel: no Python objects, no GIL, machine code cached on disk.

    ``nogil`` lets Dask's threads run kernels side by side; the kernels start no threads of their
    own, so workers are never oversubscribed. ``error_model="numpy"`` drops the checks for division
    by zero, which would keep loops from being vectorised.
    """
    compile_function = numba.njit(
        nogil=True, cache=True, fastmath=set(FASTMATH), error_model="numpy", boundscheck=False
    )
    return cast("F", compile_function(function))


def aligned_empty(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Return an uninitialised array that starts on a cache line (64 bytes).

    Vector loads that straddle two lines cost the fits half of their speed; NumPy promises 16 bytes.
    """
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = np.empty(n_bytes + CACHE_LINE_BYTES, np.uint8)
    start = -buffer.ctypes.data % CACHE_LINE_BYTES
    return buffer[start : start + n_bytes].view(dtype).reshape(shape)
