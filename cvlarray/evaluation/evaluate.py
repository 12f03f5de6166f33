"""Models of every kind over the regions held out, each beside the rule of its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvlarray.evaluation.annotators import kappa_of
from cvlarray.evaluation.bootstrap import Estimate, estimate
from cvlarray.evaluation.change import (
    ChangeCounts,
    best_threshold,
    count_change,
    pairs_of,
)
from cvlarray.evaluation.fused import (
    Fused,
    calibration_counts,
    calibration_of,
    error_of,
    fused_of,
)
from cvlarray.evaluation.land_cover import LandCoverCounts, count_land_cover, views_of
from cvlarray.evaluation.pictures import picture_of
from cvlarray.evaluation.radar import RadarCounts, count_radar, rains_of
from cvlarray.evaluation.real import real_checks
from cvlarray.evaluation.regions import HeldOut, Region
from cvlarray.evaluation.results import (
    ChangeResult,
    Evaluation,
    FusedResult,
    LandCoverResult,
    Picture,
    RadarResult,
)
from cvlarray.evaluation.scores import binary_scores, class_scores, mean_iou
from cvlarray.models import ChangeRule, Model, RadarRule, SpectralRule
from cvlarray.names import Source
from cvlarray.radar.departure import CHANNELS
from cvlarray.simulate.sentinel2 import SENTINEL2_BANDS
from cvlarray.training.chips import read_chips

__all__ = ["Kinds", "evaluate", "sorted_by_kind"]

_PICTURES = 3
_DATES = 2


@dataclass(frozen=True)
class Kinds:
    """Models by what they say, the rule first."""

    land_cover: list[Model]
    change: list[Model]
    radar: list[Model]


def sorted_by_kind(models: Sequence[Model]) -> Kinds:
    """Return models by kind, each kind's rule before them.

    Raises
    ------
    ValueError
        If a model takes bands that the simulator can't draw.
    """
    kinds = Kinds([SpectralRule()], [ChangeRule()], [RadarRule()])
    for model in models:
        names = {band.name for band in model.spec.bands}
        if names <= set(CHANNELS):
            kinds.radar.append(model)
        elif {_base(name) for name in names} <= set(SENTINEL2_BANDS):
            is_change = any(name.endswith(("_before", "_after")) for name in names)
            (kinds.change if is_change else kinds.land_cover).append(model)
        else:
            raise ValueError(
                f"{model.spec.name} takes {', '.join(sorted(names))}; the simulator draws "
                f"{', '.join(SENTINEL2_BANDS)}, pairs of them, and {', '.join(CHANNELS)}"
            )
    return kinds


def evaluate(
    models: Sequence[Model],
    held_out: HeldOut | None = None,
    *,
    real_data: Path | None = None,
    labels: Path | None = None,
    on_region: Callable[[str, int, int], None] = lambda _name, _done, _all: None,
) -> Evaluation:
    """Run models over invented regions that none was trained on, and over real data.

    Parameters
    ----------
    models
        Of land cover, of change between dates, of radar; the rules come by themselves.
    held_out
        Which regions; a few of moderate size if None.
    real_data
        Folder of reference data with ``csmask_chips`` and ``opera_s1``, if there is one.
    labels
        Folder of label chips by two annotators, whose agreement is wanted.
    on_region
        Told the name of each region, how many are done, and how many there are.

    Raises
    ------
    ValueError
        If a model takes what can't be drawn, or the label chips have one annotator.
    StoreError
        If the label chips can't be read.
    """
    kappa = None if labels is None else kappa_of(read_chips(labels))
    held = held_out or HeldOut()
    kinds = sorted_by_kind(models)
    tuning = _Tallies(kinds, held, thresholds=None)
    regions, chosen = list(held.regions()), list(held.tuning_regions())
    total = len(regions) + len(chosen)
    for done, region in enumerate(chosen):
        on_region(region.name, done, total)
        tuning.take(region)
    tallies = _Tallies(kinds, held, thresholds=tuning.best_thresholds())
    for done, region in enumerate(regions, start=len(chosen)):
        on_region(region.name, done, total)
        tallies.take(region)
    return Evaluation(
        held.n_regions,
        held.size_px,
        tallies.land_cover_results(),
        tallies.change_results(),
        tallies.radar_results(),
        _fused_results(kinds, tuning.fused, tallies.fused),
        real_checks(real_data, kinds.land_cover, kinds.radar) if real_data else [],
        tallies.pictures,
        kappa,
    )


class _Tallies:
    """Counts of every model, region by region."""

    def __init__(self, kinds: Kinds, held: HeldOut, thresholds: dict[str, float] | None) -> None:
        self.kinds, self.held = kinds, held
        self.thresholds = thresholds or {}
        self.land_cover: dict[str, list[LandCoverCounts]] = {}
        self.change: dict[str, list[ChangeCounts]] = {}
        self.radar: dict[str, list[RadarCounts]] = {}
        self.fused: list[Fused] = []
        self.pictures: list[Picture] = []

    def take(self, region: Region) -> None:
        """Count what every model says of a region."""
        bands = sorted({band.name for model in self.kinds.land_cover for band in model.spec.bands})
        for view in views_of(region, bands, n_dates=_DATES):
            for model in self.kinds.land_cover:
                counts = count_land_cover(view, model)
                self.land_cover.setdefault(model.spec.name, []).append(counts)
            if len(self.pictures) < _PICTURES:
                self.pictures.append(picture_of(view, self.kinds.land_cover[-1]))
        rains = rains_of(region, self.held.wet_season)
        for model in self.kinds.radar:
            self.radar.setdefault(model.spec.name, []).append(count_radar(rains, model))
        land_cover, radar = self.kinds.land_cover[-1], self.kinds.radar[-1]
        self.fused.append(fused_of(rains, land_cover, radar, self.held.wet_season))
        names = sorted({_base(band.name) for one in self.kinds.change for band in one.spec.bands})
        pairs = pairs_of(region, names, self.held.dry_season_start)
        for model in self.kinds.change if pairs else ():
            threshold = self.thresholds.get(model.spec.name, 0.5)
            counted = count_change(pairs, model, threshold)  # type: ignore[arg-type]
            self.change.setdefault(model.spec.name, []).append(counted)

    def best_thresholds(self) -> dict[str, float]:
        """Return, for each change model, the probability at which its F1 was highest."""
        return {
            name: best_threshold(np.sum([one.histogram for one in counts], axis=0))
            for name, counts in self.change.items()
        }

    def land_cover_results(self) -> list[LandCoverResult]:
        first = self.kinds.land_cover[0]
        rule = _stacked(self.land_cover[first.spec.name], lambda one: one.confusion)
        results = []
        for model in self.kinds.land_cover:
            counts = self.land_cover[model.spec.name]
            stacked = _stacked(counts, lambda one: one.confusion)
            width = stacked.shape[2]
            both = np.concatenate([stacked, rule], axis=2)

            def gain(summed: NDArray[np.float64], width: int = width) -> NDArray[np.float64]:
                return mean_iou(summed[:, :width]) - mean_iou(summed[:, width:])

            megapixels = sum(one.megapixels for one in counts)
            results.append(
                LandCoverResult(
                    model.spec.name,
                    len(model.spec.bands),
                    (*model.spec.classes,),
                    estimate(stacked, class_scores),
                    _by_group(counts, lambda one: one.confusion, mean_iou),
                    estimate(both, gain) if model is not first else None,
                    stacked.sum(axis=0),
                    sum(one.seconds for one in counts) / max(megapixels, 1e-9),
                )
            )
        return results

    def change_results(self) -> list[ChangeResult]:
        results: list[ChangeResult] = []
        rule: NDArray[np.int64] | None = None
        for model in self.kinds.change:
            name = model.spec.name
            counts = self.change.get(name, [])
            if not counts:
                continue
            threshold = self.thresholds.get(name, 0.5)
            stacked = np.stack([one.counts(threshold) for one in counts])
            errors = np.concatenate([one.date_errors for one in counts])
            results.append(
                ChangeResult(
                    name,
                    threshold,
                    estimate(stacked, binary_scores),
                    None if rule is None else _gain_in_f1(stacked, rule),
                    float(np.median(errors)) if errors.size else float("nan"),
                )
            )
            rule = stacked if rule is None else rule
        return results

    def radar_results(self) -> list[RadarResult]:
        results: list[RadarResult] = []
        rule = np.stack([one.counts for one in self.radar[self.kinds.radar[0].spec.name]])
        for model in self.kinds.radar:
            counts = self.radar[model.spec.name]
            stacked = np.stack([one.counts for one in counts])
            late = np.concatenate([one.late_passes for one in counts])
            total = stacked.sum(axis=0)
            results.append(
                RadarResult(
                    model.spec.name,
                    estimate(stacked, binary_scores),
                    None if model is self.kinds.radar[0] else _gain_in_f1(stacked, rule),
                    _by_group(counts, lambda one: one.counts, binary_scores),
                    float(total[3] / total[0]) if total[0] else float("nan"),
                    float(np.median(late)) if late.size else float("nan"),
                )
            )
        return results


def _stacked(counts: Sequence[Any], what: Callable[[Any], NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return what was counted, summed over the dates of each region, (region, ...)."""
    names = sorted({str(one.region) for one in counts})
    return np.stack(
        [np.sum([what(one) for one in counts if one.region == name], axis=0) for name in names]
    )


def _by_group(
    counts: Sequence[Any],
    what: Callable[[Any], NDArray[np.int64]],
    figures: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> dict[str, Estimate]:
    groups = sorted({str(one.group) for one in counts})
    return {
        group: estimate(_stacked([one for one in counts if one.group == group], what), figures)
        for group in groups
    }


def _gain_in_f1(ours: NDArray[np.int64], rule: NDArray[np.int64]) -> Estimate:
    """Return F1 less the rule's, drawn on the same scenes."""

    def gain(summed: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(binary_scores(summed[0])[2] - binary_scores(summed[1])[2])

    return estimate(np.stack([ours, rule], axis=1), gain)


def _fused_results(
    kinds: Kinds, tuning: Sequence[Fused], found: Sequence[Fused]
) -> list[FusedResult]:
    curve = calibration_of(tuning)
    stated = np.stack([calibration_counts(one.confidence, one.is_changed) for one in found])
    calibrated = np.stack(
        [calibration_counts(curve(one.confidence), one.is_changed) for one in found]
    )
    sources = np.concatenate([one.source for one in found])
    unobserved = sum(one.n_unobserved for one in found)
    total = max(sources.size + unobserved, 1)
    seen_by = {
        source.name.lower(): float((sources == source).sum()) / total
        for source in Source
        if source is not Source.UNOBSERVED
    }
    return [
        FusedResult(
            kinds.land_cover[-1].spec.name,
            kinds.radar[-1].spec.name,
            estimate(stated, error_of),
            estimate(calibrated, error_of),
            calibrated.sum(axis=0),
            {**seen_by, "unobserved": unobserved / total},
        )
    ]


def _base(name: str) -> str:
    """Return the common name of a band, whatever its role in a pair."""
    for role in ("_expected_before", "_expected_after", "_before", "_after"):
        if name.endswith(role):
            return name.removesuffix(role)
    return name
