"""Vectorising: its speed and memory against GDAL's polygonize, its geometry, and how it grows.

The masks have five classes everywhere: noise smoothed until its patches are as large as those of a
classification's (smooth) or a raw detection's (rough). A seamless square is repeated to any size.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pyarrow as pa
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmarks.measure import compare, cpu_seconds, extra_memory_bytes
from benchmarks.registry import Measurement, measures
from cvlarray.vectorize import patch_wkb, regular_chunks, trace_patches

SIZE_PX = 10_980
"""Of a Sentinel-2 tile at 10 m."""
SQUARE_PX = 1_098
N_CLASSES = 5
SMOOTH_PX, ROUGH_PX = 16.0, 4.0
"""Standard deviation of the smoothing [pixels]: 3 and 80 patches in 10,000 pixels."""
TRANSFORM = Affine(10, 0, 300_000, 0, -10, 8_600_000)
BLOCK_PX = 256
CORES = 2

Mask = NDArray[np.uint8]


def make_mask(sigma_px: float, size_px: int) -> Mask:
    """Return classes 1 to 5 of about equal area, shape (y, x)."""
    noise = np.random.default_rng(0).standard_normal((SQUARE_PX, SQUARE_PX), np.float32)
    smoothed = gaussian_filter(noise, sigma_px, mode="wrap")
    bounds = np.quantile(smoothed, np.arange(1, N_CLASSES) / N_CLASSES)
    square = (np.digitize(smoothed, bounds) + 1).astype(np.uint8)
    repeats = -(-size_px // SQUARE_PX)
    return np.ascontiguousarray(np.tile(square, (repeats, repeats))[:size_px, :size_px])


def our_wkb(mask: Mask) -> list[tuple[NDArray[np.int32], pa.LargeBinaryArray]]:
    """Return the values and WKB polygons as they are found, block by block on all cores."""
    found = trace_patches(
        lambda y, x: mask[y, x],
        regular_chunks(mask.shape, BLOCK_PX),
        max_workers=CORES,
    )
    return [(patches.values, patch_wkb(patches, TRANSFORM)) for patches in found]


def peer_wkb(mask: Mask) -> list[tuple[int, bytes]]:
    """Return the values and WKB polygons of GDAL's polygonize on the whole array."""
    shapes = rasterio.features.shapes(mask, connectivity=4, transform=TRANSFORM)
    return [(int(value), shapely.to_wkb(shapely.geometry.shape(shape))) for shape, value in shapes]


@dataclass(frozen=True)
class Cost:
    """What one call took."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    """Over what was resident before, the result with it."""


def cost_of(work: Callable[[], object]) -> Cost:
    """Run once."""
    wall, cpu = time.perf_counter(), time.process_time()
    peak = extra_memory_bytes(work)
    return Cost(time.perf_counter() - wall, time.process_time() - cpu, peak)


@cache
def costs(sigma_px: float) -> tuple[Cost, Cost]:
    """Return our cost and the peer's, once each: they run for many seconds."""
    our_wkb(make_mask(sigma_px, BLOCK_PX + 1))  # compiles
    mask = make_mask(sigma_px, SIZE_PX)
    return cost_of(partial(our_wkb, mask)), cost_of(partial(peer_wkb, mask))


def speed(sigma_px: float) -> Measurement:
    """Return how many times faster ours is, in wall time; ours uses two threads."""
    ours, peer = costs(sigma_px)
    ratio = peer.wall_s / ours.wall_s
    note = (
        f"wall: ours {ours.wall_s:.3g}, peer {peer.wall_s:.3g} s; CPU: {ours.cpu_s:.3g}, "
        f"{peer.cpu_s:.3g} s ({peer.cpu_s / ours.cpu_s:.2g} ×); {SIZE_PX}² px, one pair"
    )
    return Measurement(ratio, "×", peer.wall_s, ratio, note)


@measures("vectorise_smooth")
def vectorise_smooth() -> Measurement:
    """Patches of some thousand pixels."""
    return speed(SMOOTH_PX)


@measures("vectorise_rough")
def vectorise_rough() -> Measurement:
    """Patches of some hundred pixels."""
    return speed(ROUGH_PX)


def write_ours(mask: Mask) -> None:
    """Write the WKB to a file as it is found."""
    with tempfile.TemporaryFile() as file:
        for patches in trace_patches(
            lambda y, x: mask[y, x], regular_chunks(mask.shape, BLOCK_PX), max_workers=CORES
        ):
            file.write(patch_wkb(patches, TRANSFORM).buffers()[2])


def write_peers(mask: Mask) -> None:
    """Write the WKB of GDAL's polygonize to a file as it is found."""
    with tempfile.TemporaryFile() as file:
        shapes = rasterio.features.shapes(mask, connectivity=4, transform=TRANSFORM)
        for shape, _ in shapes:
            file.write(shapely.to_wkb(shapely.geometry.shape(shape)))


@measures("vectorise_memory")
def vectorise_memory() -> Measurement:
    """The worse of both masks; the mask is resident before, and neither side keeps what it found.

    What is found has the same size on both sides, and a mosaic's polygons are written and not kept;
    the note says what the shares are when either side keeps all of its WKB.
    """
    shares = {}
    for name, sigma_px in (("smooth", SMOOTH_PX), ("rough", ROUGH_PX)):
        write_ours(make_mask(sigma_px, BLOCK_PX + 1))  # compiles
        mask = make_mask(sigma_px, SIZE_PX)
        ours, peer = (
            extra_memory_bytes(partial(write, mask)) for write in (write_ours, write_peers)
        )
        kept = [cost.peak_bytes for cost in costs(sigma_px)]
        shares[ours / peer] = (
            f"{name}: ours {ours / 1e6:.0f}, peer {peer / 1e6:.0f} MB; "
            f"all kept {kept[0] / 1e6:.0f}, {kept[1] / 1e6:.0f} MB ({kept[0] / kept[1]:.2g} ×)"
        )
    ratio = max(shares)
    return Measurement(ratio, "×", ratio=ratio, note="; ".join(shares.values()))


@measures("vectorise_difference")
def vectorise_difference() -> Measurement:
    """On the whole smooth mask, and on a corner of the rough one, 64 blocks and a bit."""
    n_differing = n_polygons = 0
    for sigma_px, size_px in ((SMOOTH_PX, SIZE_PX), (ROUGH_PX, 8 * BLOCK_PX + 100)):
        mask = make_mask(sigma_px, size_px)
        ours = normalised(
            (value, wkb)
            for values, geometries in our_wkb(mask)
            for value, wkb in zip(values.tolist(), geometries.to_pylist(), strict=True)
        )
        peer = normalised(peer_wkb(mask))
        n_differing += ((ours - peer) + (peer - ours)).total()
        n_polygons += peer.total()
    return Measurement(n_differing, "polygons", note=f"of {n_polygons:,} in two masks")


def normalised(polygons: Iterable[tuple[int, bytes]]) -> Counter[tuple[int, bytes]]:
    """Return how often each value and polygon occurs, whatever its first vertex is."""
    values, wkb = zip(*polygons, strict=True)
    geometries = shapely.to_wkb(shapely.normalize(shapely.from_wkb(np.array(wkb, object))))
    return Counter(zip(values, geometries.tolist(), strict=True))


@measures("vectorise_scaling")
def vectorise_scaling() -> Measurement:
    """The smooth mask of a whole Sentinel-2 tile, and a quarter of it."""
    whole = make_mask(SMOOTH_PX, SIZE_PX)
    quarter = np.ascontiguousarray(whole[: SIZE_PX // 2, : SIZE_PX // 2])
    our_wkb(quarter[: BLOCK_PX + 1, : BLOCK_PX + 1])  # compiles

    def cpu_per_pixel(mask: Mask) -> float:
        return cpu_seconds(partial(our_wkb, mask)) / mask.size

    comparison = compare(partial(cpu_per_pixel, quarter), partial(cpu_per_pixel, whole), pairs=3)
    note = f"1×: {comparison.ours * 1e9:.3g}, 4×: {comparison.peer * 1e9:.3g} CPU-ns a pixel"
    return Measurement(comparison.ratio, "×", comparison.ours, comparison.ratio, note)
