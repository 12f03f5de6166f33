"""An evaluation as figures alone, with a name that would break a page that doesn't escape it."""

from __future__ import annotations

import numpy as np
import pytest

from cvlarray.evaluation.bootstrap import estimate
from cvlarray.evaluation.evaluate import _gain_in_f1
from cvlarray.evaluation.results import (
    ChangeResult,
    Evaluation,
    FusedResult,
    LandCoverResult,
    Picture,
    RadarResult,
    RealCheck,
)
from cvlarray.evaluation.scores import binary_scores, class_scores, mean_iou
from cvlarray.models import LAND_COVER

EVIL = "<script>document.title='ran'</script>"


@pytest.fixture(scope="session")
def found() -> Evaluation:
    random = np.random.default_rng(0)
    confusion = random.integers(1, 50, (6, 5, 5)) + 300 * np.eye(5, dtype=int)
    counts = random.integers(20, 90, (6, 4))
    reliability = np.array([[100.0, 0, 50], [5, 0, 40], [7, 0, 41]])
    return Evaluation(
        n_regions=6,
        size_px=384,
        land_cover=[
            LandCoverResult(
                model=name,
                n_bands=5,
                classes=LAND_COVER,
                table=estimate(confusion, class_scores),
                by_group={"new seeds": estimate(confusion[:3], mean_iou)},
                over_rule=over,
                confusion=confusion.sum(axis=0),
                seconds_a_megapixel=1.5,
            )
            for name, over in (("spectral_rule", None), (EVIL, estimate(confusion, mean_iou)))
        ],
        change=[ChangeResult("change_rule", 0.5, estimate(counts, binary_scores), None, np.nan)],
        radar=[
            RadarResult(
                "radar_unet",
                estimate(counts, binary_scores),
                _gain_in_f1(counts, counts[::-1]),
                {"new ranges": estimate(counts, binary_scores)},
                0.8,
                1.0,
            )
        ],
        fused=[
            FusedResult(
                "spectral_rule",
                "radar_unet",
                estimate(counts, lambda summed: np.asarray(summed[0] / 1e4)),
                estimate(counts, lambda summed: np.asarray(summed[0] / 1e5)),
                reliability,
                {"optical": 0.5, "radar": 0.25, "both": 0.125, "unobserved": 0.125},
            )
        ],
        real=[RealCheck("a burst", "radar_unet", "confirmed as changed", 0.004)],
        pictures=[
            Picture(
                "region",
                random.integers(255, size=(32, 32, 3)).astype(np.uint8),
                random.integers(5, size=(32, 32)).astype(np.uint8),
                random.integers(5, size=(32, 32)).astype(np.uint8),
            )
        ],
        kappa=0.79,
    )
