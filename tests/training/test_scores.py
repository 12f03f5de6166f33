"""Scores by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cvlarray.training.scores import class_scores, confusion_of, mean_iou


def test_scores_are_those_done_by_hand():
    labels = np.array([0, 0, 0, 1, 1, 255], np.uint8)
    confusion = confusion_of(labels, np.array([0, 0, 1, 1, 0, 2]), 3)
    np.testing.assert_array_equal(confusion, [[2, 1, 0], [1, 1, 0], [0, 0, 0]])
    scores = class_scores(confusion)
    assert scores["iou"][:2] == pytest.approx([2 / 4, 1 / 3])
    assert scores["precision"][:2] == pytest.approx([2 / 3, 1 / 2])
    assert scores["recall"][:2] == pytest.approx([2 / 3, 1 / 2])
    assert scores["f1"][:2] == pytest.approx([2 / 3, 1 / 2])
    assert np.isnan(scores["iou"][2])
    assert mean_iou(confusion) == pytest.approx((2 / 4 + 1 / 3) / 2)
