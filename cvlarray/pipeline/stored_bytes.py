"""How many bytes the stores of a run will take, from a small sample of its pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numcodecs.blosc import BITSHUFFLE, Blosc
from odc.geo.geobox import GeoBox

from cvlarray.cube import Day
from cvlarray.kernels.season import coefficient_names, moment_names
from cvlarray.names import BASELINE_VARIABLES
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.ingest import Ingest

N_DAYS = 8
"""Days that are sampled, spread over the run; each costs a read a band."""

CODEC = Blosc(cname="lz4", clevel=5, shuffle=BITSHUFFLE)
"""As in `cvlarray.store.create_store`."""

STORED_SHARE = {"coefficients": 0.93, "sigma": 0.9, "n_valid": 0.3, "moments": 0.9}
"""What compression leaves of the baseline; floats hardly shrink."""

DETECTION_BYTES_PER_PIXEL = 3.0
"""Most pixels never change: counts of clear observations are nearly all there is to store."""

STATE_BYTES_PER_PIXEL = 12.0
"""Beside the seasons: dates and numbers that are much the same from pixel to pixel."""


CHANGES_BYTES_PER_PIXEL_AND_YEAR = 2.0
"""Class, disturbance and clear observations of a year; most pixels never change."""


def changes_bytes(context: RunContext) -> float:
    """Return what the changes of a reanalysis will take on disk."""
    n_pixels = sum(math.prod(tile.geobox.shape) for tile in context.tiles)
    period = context.config.periods.monitoring
    n_years = period.end.year - period.start.year + 1
    return n_pixels * n_years * CHANGES_BYTES_PER_PIXEL_AND_YEAR


def stored_bytes(context: RunContext) -> float:
    """Return what cube, baseline, state and detections will take on disk.

    The cube's share is measured: one chunk of pixels in the middle of the region, on some days,
    is read and compressed as the store does it. Days that can't be read count as empty.
    """
    n_pixels = sum(math.prod(tile.geobox.shape) for tile in context.tiles)
    return (
        n_pixels * len(context.days) * _cube_bytes_per_pixel(context)
        + n_pixels * 2 * _baseline_bytes_per_pixel(context)
        + n_pixels * (STATE_BYTES_PER_PIXEL + DETECTION_BYTES_PER_PIXEL)
    )


def _cube_bytes_per_pixel(context: RunContext) -> float:
    """Return the compressed bytes of all variables for one pixel of one day."""
    edge_px = context.config.store.chunk_px
    place = _middle(context.geobox, edge_px)
    ingest = Ingest.of(context)
    days = _spread(context.days)
    n_bytes = {}
    for part in ingest.read(place, days):
        ((name, values),) = part.pixels.data_vars.items()
        # A chunk at the grid's edge is filled up to its full size, which costs a little too.
        fill = values.attrs.get("_FillValue", 0)
        chunk = np.full((len(days), edge_px, edge_px), fill, values.dtype)
        chunk[:, : place.shape[0], : place.shape[1]] = values
        n_bytes[name] = len(CODEC.encode(chunk))
    kept = sum(n_bytes[name] for name in ingest.kept)
    return kept / (len(days) * math.prod(place.shape))


def _middle(geobox: GeoBox, edge_px: int) -> GeoBox:
    """Return a square of the grid's middle, or as much as there is."""
    edges = [min(edge_px, size) for size in geobox.shape]
    starts = [(size - edge) // 2 for size, edge in zip(geobox.shape, edges, strict=True)]
    y, x = (slice(start, start + edge) for start, edge in zip(starts, edges, strict=True))
    return geobox[y, x]


def _spread(days: Sequence[Day]) -> list[Day]:
    """Return some days, evenly spread."""
    positions = np.linspace(0, len(days) - 1, min(N_DAYS, len(days))).round().astype(int)
    return [days[position] for position in positions]


def _baseline_bytes_per_pixel(context: RunContext) -> float:
    config = context.config.baseline
    lengths = {
        "feature": len(config.features),
        "coefficient": len(coefficient_names(config.harmonic_order)),
        "moment": len(moment_names(config.harmonic_order)),
    }
    return sum(
        STORED_SHARE[variable.name]
        * np.dtype(variable.dtype).itemsize
        * math.prod(lengths.get(dim, 1) for dim in variable.dims)
        for variable in BASELINE_VARIABLES
    )
