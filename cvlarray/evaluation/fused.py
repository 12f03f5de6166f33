"""Fused confidence against the simulator's truth: does it mean what it says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvlarray.alerts.feedback import Calibration, calibrate
from cvlarray.evaluation.radar import Rains, radar_probability
from cvlarray.fusion import fuse, needs_sar_by_pixel, no_forest_seen
from cvlarray.inference import infer
from cvlarray.masking import SclQuality, is_clear, tile_coverage
from cvlarray.models import Model
from cvlarray.names import NODATA_DN, Source
from cvlarray.radar import radar_belief
from cvlarray.simulate import Calendar, sentinel2_cube

__all__ = ["N_BINS", "Fused", "calibration_counts", "calibration_of", "error_of", "fused_of"]

N_BINS = 10
_TILE_PX = 128
_EVERY = 3
"""One pass of optical in as many is looked at."""
_MOST_PIXELS = 200_000
"""Drawn from each region to calibrate with."""


@dataclass(frozen=True)
class Fused:
    """What is said of the watched pixels of a region's rains, flat."""

    confidence: NDArray[np.float32]
    """(observation,) stated, not calibrated."""
    is_changed: NDArray[np.bool_]
    """(observation,) by then, truly."""
    source: NDArray[np.uint8]
    """(observation,) `cvlarray.names.Source`."""
    n_unobserved: int
    """Observations of which nobody says anything."""


def fused_of(
    rains: Rains, land_cover: Model, radar: Model, season: tuple[dt.date, dt.date]
) -> Fused:
    """Return what a land cover model and a radar model say together in a wet season.

    Optical says that a pixel has changed as far as it sees none of the forest classes.
    """
    landscape = rains.region.landscape
    passes = Calendar(*season).sentinel2()[::_EVERY]
    bands = [band.name for band in land_cover.spec.bands]
    cube = sentinel2_cube(landscape, passes, bands=(*bands, "scl")).compute()
    seen = cube[bands].where(is_clear(cube["scl"]), NODATA_DN)
    optical = no_forest_seen(
        infer(seen, land_cover, window=256, overlap=64), land_cover.spec.output
    )
    belief = radar_belief(radar_probability(rains, radar))
    coverage = tile_coverage(SclQuality()(cube), _TILE_PX)["needs_sar"]
    belief = belief.assign_coords(y=optical["y"], x=optical["x"])
    fused = fuse(optical, belief, needs_sar_by_pixel(coverage, optical, _TILE_PX))
    days = fused["time"].to_numpy().astype("datetime64[D]").astype(np.int64)
    is_changed = (rains.changed >= 0) & (rains.changed <= days[:, None, None])
    stated = fused["confidence"].to_numpy()[:, rains.is_watched]
    source = fused["source"].to_numpy()[:, rains.is_watched]
    said = source != Source.UNOBSERVED
    return Fused(
        stated[said], is_changed[:, rains.is_watched][said], source[said], int((~said).sum())
    )


def calibration_of(regions: Sequence[Fused]) -> Calibration:
    """Return the curve from stated confidence to the share that has truly changed."""
    random = np.random.default_rng(5)
    chosen = [random.permutation(len(one.confidence))[:_MOST_PIXELS] for one in regions]
    stated = np.concatenate([one.confidence[k] for one, k in zip(regions, chosen, strict=True)])
    real = np.concatenate([one.is_changed[k] for one, k in zip(regions, chosen, strict=True)])
    return calibrate(np.round(stated, 3), real)


def calibration_counts(
    confidence: NDArray[np.floating], is_changed: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return observations, stated confidence and changes by bins of confidence, (3, `N_BINS`)."""
    bins = np.minimum((confidence * N_BINS).astype(np.int64), N_BINS - 1)
    return np.stack(
        [
            np.bincount(bins, weights, minlength=N_BINS)
            for weights in (np.ones(len(bins)), confidence, is_changed)
        ]
    )


def error_of(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expected calibration error (ECE) of counts (3, `N_BINS`), shape ()."""
    total = counts[0].sum()
    return np.asarray(np.abs(counts[1] - counts[2]).sum() / total if total else np.nan)
