"""What an evaluation finds, model by model."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cvlarray.evaluation.bootstrap import Estimate

__all__ = [
    "ChangeResult", "Evaluation", "FusedResult", "LandCoverResult", "Picture", "RadarResult",
    "RealCheck",
]  # fmt: skip


@dataclass(frozen=True)
class LandCoverResult:
    """One model's Table 1."""

    model: str
    n_bands: int
    classes: tuple[str, ...]
    table: Estimate
    """(class + 1, 4): IoU, precision, recall, F1; the means in the last row."""
    by_group: dict[str, Estimate]
    """Mean IoU, shape (), of regions held out alike."""
    over_rule: Estimate | None
    """Mean IoU less the rule's on the same scenes, shape (); None for the rule."""
    confusion: NDArray[np.int64]
    """(the five classes, the model's classes) pixels."""
    seconds_a_megapixel: float
    """CPU time of inference."""


@dataclass(frozen=True)
class ChangeResult:
    """One model's changes between dates."""

    model: str
    threshold: float
    """Probability from which a pixel counts as changed, chosen on other regions."""
    scores: Estimate
    """(3,) precision, recall, F1."""
    over_rule: Estimate | None
    """F1 less the rule's, shape (); None for the rule."""
    median_date_error: float
    """Clear observations; NaN where nothing is found."""


@dataclass(frozen=True)
class RadarResult:
    """One model's changes in the rains, by radar alone."""

    model: str
    scores: Estimate
    """(3,) precision, recall, F1."""
    over_rule: Estimate | None
    by_group: dict[str, Estimate]
    """(3,) of regions held out alike."""
    inside_interval: float
    """Share of what is rightly found whose true day lies in the interval."""
    median_passes_late: float


@dataclass(frozen=True)
class FusedResult:
    """Optical and radar together in the rains."""

    land_cover: str
    radar: str
    stated_error: Estimate
    """ECE of confidence as stated, shape ()."""
    calibrated_error: Estimate
    """ECE after calibration on other regions, shape ()."""
    reliability: NDArray[np.float64]
    """(3, bin): observations, stated confidence and changes, summed; calibrated."""
    seen_by: dict[str, float]
    """Share of all watched pixels and dates by who says something."""


@dataclass(frozen=True)
class RealCheck:
    """A figure on real data, of which no truth of the classes is known."""

    data: str
    model: str
    what: str
    value: float
    """A share, 0 to 1."""


@dataclass(frozen=True)
class Picture:
    """One view beside its truth and what a model says, as arrays for `pictures`."""

    title: str
    colour: NDArray[np.uint8]
    """(y, x, 3)"""
    truth: NDArray[np.uint8]
    said: NDArray[np.uint8]


@dataclass(frozen=True)
class Evaluation:
    """Everything that one evaluation found. All but ``real`` is on simulated scenes."""

    n_regions: int
    size_px: int
    land_cover: list[LandCoverResult] = field(default_factory=list)
    change: list[ChangeResult] = field(default_factory=list)
    radar: list[RadarResult] = field(default_factory=list)
    fused: list[FusedResult] = field(default_factory=list)
    real: list[RealCheck] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    kappa: float | None = None
    """Of two annotators of a set of label chips, if one was given."""
