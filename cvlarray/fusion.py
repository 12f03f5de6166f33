"""Optical and radar as one word on each pixel and date.

Optical stands where the ground was seen. Where a tile is masked for the most part, radar stands in
for what clouds hide, with a lower prior, and a person must look at it. Where both speak and agree,
what they say is surer than either.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.inference.maps import PROBABILITY
from cvlarray.models import LandCoverClass
from cvlarray.names import FUSED_CONFIDENCE, NEEDS_REVIEW, SOURCE, Source

__all__ = ["FusionRule", "fuse", "needs_sar_by_pixel", "no_forest_seen"]

_FOREST = (LandCoverClass.INTACT_FOREST, LandCoverClass.SECONDARY_GROWTH)

Floats = NDArray[np.float32]
Curve = Callable[[Floats], NDArray[np.floating[Any]]]
"""From stated to calibrated confidence, never falling."""

_SUREST = 1e-6
"""No probability is nearer to 0 or 1 when odds are made of it."""


@dataclass(frozen=True)
class FusionRule:
    """How much radar counts.

    Raises
    ------
    ValueError
        If the prior isn't between 0 and a half, or the weight between 0 and 1.
    """

    radar_prior: float = 0.3
    """Probability of a change where radar alone is in two minds; optical's is a half."""
    agreement: float = 0.5
    """What of radar's log odds is added to optical's where both say the same; less than 1, as rain
    and clouds come together."""

    def __post_init__(self) -> None:
        if not 0 < self.radar_prior <= 0.5 or not 0 <= self.agreement <= 1:
            raise ValueError(
                "radar_prior must lie above 0 and up to 0.5, agreement from 0 to 1, got "
                f"{self.radar_prior} and {self.agreement}"
            )


def fuse(
    optical: xr.DataArray,
    radar: xr.DataArray,
    needs_sar: xr.DataArray,
    *,
    rule: FusionRule = FusionRule(),
    max_age_days: int = 12,
    calibration: Curve | None = None,
) -> xr.Dataset:
    """Return what optical and radar say together, on each date of optical.

    Parameters
    ----------
    optical
        float32 (time, y, x), 0 to 1: probability that the pixel has changed; NaN where not seen.
    radar
        The same by radar, on its own dates and the same pixels. On a date of optical the latest one
        counts that isn't older than ``max_age_days``.
    needs_sar
        Boolean (time, y, x) on optical's dates: the tile is masked too much; `needs_sar_by_pixel`.
    rule
        How much radar counts.
    max_age_days
        How long a date of radar says something; one revisit.
    calibration
        Made of verdicts or known truth, such as by `cvlarray.alerts.feedback.calibrate`; none if
        None.

    Returns
    -------
    `names.FUSED_CONFIDENCE`, `names.SOURCE` and `names.NEEDS_REVIEW` (time, y, x): the last is True
    where radar alone says that it has changed. Lazy if the inputs are; the same for any chunks.

    Raises
    ------
    ValueError
        If the arrays aren't on the same pixels, or ``needs_sar`` isn't on optical's dates.
    """
    _check(optical, radar, needs_sar)
    tolerance: Any = np.timedelta64(max_age_days, "D")  # xarray's annotation lacks it
    known = radar.reindex(time=optical["time"], method="ffill", tolerance=tolerance)
    asked = needs_sar.transpose("time", "y", "x")
    if optical.chunks is not None:
        known, asked = (
            one.chunk(dict(zip(optical.dims, optical.chunks, strict=True)))
            for one in (known, asked)
        )
    log_odds, source = xr.apply_ufunc(
        partial(_decide, rule=rule),
        optical,
        known.transpose(*optical.dims),
        asked.transpose(*optical.dims),
        output_core_dims=((), ()),
        dask="parallelized",
        output_dtypes=[np.float32, np.uint8],
    )
    confidence = xr.apply_ufunc(
        partial(_stated, calibration=calibration),
        log_odds,
        dask="parallelized",
        output_dtypes=[np.float32],
    )
    needs_review = (source == Source.RADAR) & (log_odds > 0)
    mapping = {key: value for key, value in optical.attrs.items() if key == "grid_mapping"}
    fused = ((FUSED_CONFIDENCE, confidence), (SOURCE, source), (NEEDS_REVIEW, needs_review))
    return xr.Dataset(
        {
            variable.name: layer.assign_attrs({**variable.attrs, **mapping})
            for variable, layer in fused
        }
    )


def no_forest_seen(maps: xr.Dataset, output: str = "land_cover") -> xr.DataArray:
    """Return the probability that what was forest has changed, by the land cover seen there.

    Parameters
    ----------
    maps
        From `cvlarray.inference.infer` with a model of `cvlarray.models.LAND_COVER`.
    output
        Name of the class map.

    Returns
    -------
    float32, dims as in ``maps``: that of the class where it is none of forest, 1 less it where it
    is; NaN where not seen. Lazy if ``maps`` are.
    """
    stated: xr.DataArray = maps[PROBABILITY]
    return stated.where(~maps[output].isin(_FOREST), 1 - stated)


def needs_sar_by_pixel(coverage: xr.DataArray, like: xr.DataArray, tile_px: int) -> xr.DataArray:
    """Return, for each pixel and date, whether its tile needs radar.

    Parameters
    ----------
    coverage
        ``needs_sar`` (time, tile) of `cvlarray.masking.tile_coverage`.
    like
        Any array with the pixels (y, x) that were covered.
    tile_px
        Side of the tiles, as it was given there.

    Raises
    ------
    ValueError
        If there are other tiles than those of the pixels.
    """
    rows, cols = (math.ceil(like.sizes[dim] / tile_px) for dim in ("y", "x"))
    names = [f"r{row:03d}c{col:03d}" for row in range(rows) for col in range(cols)]
    if list(coverage["tile"].to_numpy()) != names:
        raise ValueError(
            f"{rows} × {cols} tiles of {tile_px} pixels were expected, got {coverage.sizes['tile']}"
        )
    row = xr.DataArray(np.arange(like.sizes["y"]) // tile_px, dims="y")
    col = xr.DataArray(np.arange(like.sizes["x"]) // tile_px, dims="x")
    pixels = coverage.drop_vars("tile").isel(tile=row * cols + col).transpose("time", "y", "x")
    return pixels.assign_coords(y=like["y"], x=like["x"]) if "y" in like.coords else pixels


def _check(optical: xr.DataArray, radar: xr.DataArray, needs_sar: xr.DataArray) -> None:
    for name, other in (("radar", radar), ("needs_sar", needs_sar)):
        for dim in ("y", "x"):
            if other.sizes.get(dim) != optical.sizes[dim] or (
                dim in optical.coords
                and dim in other.coords
                and not optical[dim].equals(other[dim])
            ):
                raise ValueError(f"{name} must be on optical's pixels, its {dim} is another")
    if not np.array_equal(needs_sar["time"].to_numpy(), optical["time"].to_numpy()):
        raise ValueError("needs_sar must be on optical's dates")


def _decide(
    optical: Floats, radar: Floats, asks_radar: NDArray[np.bool_], *, rule: FusionRule
) -> tuple[Floats, NDArray[np.uint8]]:
    """Return the log odds of a change, NaN where nobody says anything, and who says it."""
    seen, heard = np.isfinite(optical), np.isfinite(radar)
    by_optical, by_radar = _log_odds(optical), _log_odds(radar)
    agree = seen & heard & (by_optical * by_radar > 0)
    alone = ~seen & heard & asks_radar
    prior = np.float32(math.log(rule.radar_prior / (1 - rule.radar_prior)))
    odds = np.where(agree, by_optical + np.float32(rule.agreement) * by_radar, by_optical)
    odds = np.where(alone, by_radar + prior, odds)
    source = np.full(optical.shape, Source.UNOBSERVED, np.uint8)
    source[seen], source[alone], source[agree] = Source.OPTICAL, Source.RADAR, Source.BOTH
    odds = np.where(source == Source.UNOBSERVED, np.float32("nan"), odds)
    return odds.astype(np.float32), source


def _log_odds(probability: Floats) -> Floats:
    """Return log odds, NaN where ``probability`` is."""
    bounded = np.clip(probability.astype(np.float64), _SUREST, 1 - _SUREST)
    odds: Floats = np.log(bounded / (1 - bounded)).astype(np.float32)
    return odds


def _stated(log_odds: Floats, *, calibration: Curve | None) -> Floats:
    """Return the probability of log odds, calibrated."""
    stated = (1 / (1 + np.exp(-log_odds))).astype(np.float32)
    return stated if calibration is None else np.asarray(calibration(stated), np.float32)
