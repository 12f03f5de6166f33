"""Speed, memory and agreement of the seasonal kernels; the data is that of `season_sides`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
import zarr
from numpy.typing import NDArray

from benchmarks import season_sides as sides
from benchmarks.measure import (
    ONE_THREAD,
    ROOT,
    Comparison,
    Worker,
    compare,
    cpu_seconds,
    extra_memory_bytes,
    wall_seconds,
)
from benchmarks.peers import peers_python
from benchmarks.registry import Measurement, measures
from cvlarray.kernels.harmonics import HarmonicFit, fit_robust
from cvlarray.kernels.season import TimeAxis

AXIS = TimeAxis.over(sides.FIRST_DAY, sides.LAST_DAY)
QUIET = {**ONE_THREAD, "PYTHONWARNINGS": "ignore"}
SUMS_A_DATE = 21
"""Multiply-adds a pass needs for a date: 15 moments of the Gram matrix, 6 of the right side."""


def against_peer(ours: str, peer: str, *, pairs: int = 5) -> Comparison:
    """Compare two sides, the peer's in its own environment, both on one core."""
    with (
        Worker(f"benchmarks.season_sides:{ours}") as our_side,
        Worker(f"benchmarks.season_sides:{peer}", python=peers_python(), env=QUIET) as peer_side,
    ):
        return compare(our_side.cpu_per_unit, peer_side.cpu_per_unit, pairs=pairs)


def times_faster(comparison: Comparison, per: str) -> Measurement:
    """Return a comparison as the figure of a target."""
    ratio = comparison.ratio
    return Measurement(ratio, "×", comparison.peer, ratio, comparison.note(per))


@measures("ols_vs_nrt")
def ols_vs_nrt() -> Measurement:
    """Against nrt's compiled OLS."""
    return times_faster(against_peer("our_ols", "nrt_ols"), "a pixel")


@measures("robust_vs_rirls")
def robust_vs_rirls() -> Measurement:
    """Against nrt's reweighted least squares with as many passes."""
    return times_faster(against_peer("our_robust", "nrt_rirls"), "a pixel")


@measures("robust_vs_cold")
def robust_vs_cold() -> Measurement:
    """Against COLD, which also looks for breaks."""
    return times_faster(against_peer("our_robust", "cold"), "a pixel")


@measures("update_vs_ewma")
def update_vs_ewma() -> Measurement:
    """Against nrt's EWMA, which compares and smooths but leaves its model as it is."""
    return times_faster(against_peer("our_update", "nrt_ewma"), "a pixel and date")


@measures("extra_memory")
def extra_memory() -> Measurement:
    """Peak of a fit less what it returns; its input is resident before."""
    fit_robust(sides.series(256), sides.days(), AXIS)  # compiles
    series = sides.series(512 * 512)
    kept: list[HarmonicFit] = []
    peak = extra_memory_bytes(lambda: kept.append(fit_robust(series, sides.days(), AXIS)))
    outputs = sum(array.nbytes for array in kept[0])
    return Measurement(
        (peak - outputs) / 1e6, "MB", note=f"outputs of {outputs / 1e6:.1f} MB aside"
    )


@measures("two_threads")
def two_threads() -> Measurement:
    """Two halves in two threads over the whole in one; other work on the machine spoils it."""
    series = sides.series(262_144)
    halves = [np.ascontiguousarray(half) for half in np.split(series, 2, axis=1)]
    fit = partial(_fit_robust)
    with ThreadPoolExecutor(2) as pool:
        both = partial(lambda: list(pool.map(fit, halves)))
        comparison = compare(
            partial(wall_seconds, both), partial(wall_seconds, partial(fit, series))
        )
    return times_faster(comparison, "(wall) a fit")


def _fit_robust(series: NDArray[np.int16]) -> HarmonicFit:
    return fit_robust(series, sides.days(), AXIS)


@measures("fit_over_decode")
def fit_over_decode() -> Measurement:
    """A tile in the store's own layout: reading it over fitting it, one thread each."""
    with tempfile.TemporaryDirectory() as folder:
        array = zarr.create_array(
            folder,
            shape=(sides.N_DATES, 512, 512),
            dtype="int16",
            chunks=(24, 128, 128),
            shards=(24, 512, 512),
            compressors=zarr.codecs.BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"),
            fill_value=sides.MISSING,
        )
        array[:] = sides.series(512 * 512).reshape(array.shape)
        series = np.asarray(array[:])
        comparison = compare(
            partial(cpu_seconds, lambda: array[:]),
            partial(cpu_seconds, partial(_fit_robust, series)),
        )
    kernel, decode = comparison.peer, comparison.ours
    note = f"kernel {kernel:.3g}, decode {decode:.3g} CPU-s for 512² × {sides.N_DATES}"
    return Measurement(comparison.ratio, "×", decode, comparison.ratio, note)


@cache
def _compile_seconds() -> tuple[float, float]:
    """Return CPU seconds of all kernels' first calls with an empty and with a filled cache."""
    with tempfile.TemporaryDirectory() as folder:
        cold, warm = (_first_calls(Path(folder)) for _ in range(2))
    return cold, warm


def _first_calls(cache_folder: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.first_calls"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "NUMBA_CACHE_DIR": str(cache_folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout))


@measures("compile_cold")
def compile_cold() -> Measurement:
    """Nothing compiled before; imports are left out."""
    return Measurement(_compile_seconds()[0], "CPU-s")


@measures("compile_warm")
def compile_warm() -> Measurement:
    """Machine code comes from the cache on disk; imports are left out."""
    return Measurement(_compile_seconds()[1], "CPU-s")


@cache
def _machine() -> tuple[float, float]:
    """Return multiply-adds and bytes a second of one core at best."""
    with (
        Worker("benchmarks.season_sides:matrix_product") as product,
        Worker("benchmarks.season_sides:copy") as copy,
    ):
        return 1 / product.cpu_per_unit(), 1 / copy.cpu_per_unit()


@cache
def _pixels_per_second(side: str) -> float:
    with Worker(f"benchmarks.season_sides:{side}") as worker:
        return 1 / min(worker.cpu_per_unit() for _ in range(3))


def _share(done_per_second: float, best_per_second: float, what: str) -> Measurement:
    share = 100 * done_per_second / best_per_second
    note = f"{done_per_second / 1e9:.3g} of {best_per_second / 1e9:.3g} {what}"
    return Measurement(share, "%", best_per_second, share / 100, note)


def _valid_dates() -> float:
    return sides.N_DATES * (1 - sides.MISSING_SHARE)


@measures("ols_fma_share")
def ols_fma_share() -> Measurement:
    """Only sums over valid dates count as work done."""
    done = _pixels_per_second("our_ols") * _valid_dates() * SUMS_A_DATE
    return _share(done, _machine()[0], "G multiply-adds/s (float32 matrix product), one core")


@measures("robust_fma_share")
def robust_fma_share() -> Measurement:
    """Four passes of sums and of residuals; weights and medians aren't counted as work."""
    done = _pixels_per_second("our_robust") * _valid_dates() * 4 * (SUMS_A_DATE + 6)
    return _share(done, _machine()[0], "G multiply-adds/s (float32 matrix product), one core")


@measures("ols_bandwidth_share")
def ols_bandwidth_share() -> Measurement:
    """Bytes of input and outputs, each once."""
    done = _pixels_per_second("our_ols") * (sides.N_DATES * 2 + 6 * 4 + 4 + 2)
    return _share(done, _machine()[1], "GB/s (copy, read + write), one core")
