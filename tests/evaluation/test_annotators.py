"""How far annotators of a set of chips agree."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from sklearn import metrics

from cvlarray.evaluation.annotators import kappa_of
from cvlarray.training import NO_LABEL, ChipKind, write_chips
from tests.training.sets import KIND, Squares


@dataclass(frozen=True)
class Disputed(Squares):
    """The second annotator sees something else in one pixel of twelve, and skips some rows."""

    def chips(self):
        random = np.random.default_rng(8)
        for chip in super().chips():
            other = random.random(chip.label.shape[1:]) < 1 / 12
            chip.label[1] = np.where(
                (chip.label[1] != NO_LABEL) & other, 1 - chip.label[1], chip.label[1]
            )
            yield chip


def test_kappa_is_that_of_scikit_learn_over_what_both_labelled(tmp_path):
    chips = write_chips(tmp_path / "chips", Disputed(n_chips=6))
    labels = chips.labels(range(6))
    both = (labels != NO_LABEL).all(axis=1)
    expected = metrics.cohen_kappa_score(labels[:, 0][both], labels[:, 1][both])
    assert 0.5 < expected < 0.9
    assert kappa_of(chips) == pytest.approx(expected)


ALONE = replace(KIND, annotators=("one",))


@dataclass(frozen=True)
class Alone(Squares):
    chip_kind: ChipKind = ALONE

    def chips(self):
        for chip in super().chips():
            yield replace(chip, label=chip.label[:1])


def test_one_annotator_agrees_with_nobody(tmp_path):
    with pytest.raises(ValueError, match="has one annotator, one; agreement takes two"):
        kappa_of(write_chips(tmp_path / "chips", Alone(n_chips=2)))
