"""Scores held against scikit-learn and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics
from statsmodels.stats.inter_rater import cohens_kappa as reference_kappa

from cvlarray.evaluation.scores import (
    binary_scores,
    class_scores,
    cohens_kappa,
    confusion_of,
    mean_iou,
)

N_CLASSES = 5


@pytest.fixture(scope="module")
def maps():
    """Return a truth and what was said of it, right in seven of ten pixels."""
    random = np.random.default_rng(3)
    truth = random.integers(N_CLASSES, size=5000).astype(np.uint8)
    is_right = random.random(truth.size) < 0.7
    said = np.where(is_right, truth, random.integers(N_CLASSES, size=truth.size))
    return truth, said.astype(np.uint8)


def confusion(truth, said, n_said=N_CLASSES):
    return confusion_of(truth, said, n_classes=N_CLASSES, n_said=n_said)


def test_scores_of_classes_are_those_of_scikit_learn(maps):
    truth, said = maps
    found = class_scores(confusion(truth, said).astype(float))
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, said)
    iou = metrics.jaccard_score(truth, said, average=None)
    np.testing.assert_allclose(found[:-1], np.stack([iou, precision, recall, f1], axis=1))
    np.testing.assert_allclose(found[-1], found[:-1].mean(axis=0))
    assert mean_iou(confusion(truth, said).astype(float)) == pytest.approx(iou.mean())


def test_what_is_said_beyond_the_classes_is_wrong(maps):
    truth, said = maps
    road = np.where(truth == 2, 6, said).astype(np.uint8)
    found = class_scores(confusion(truth, road, n_said=7).astype(float))
    reference = metrics.jaccard_score(
        truth, road, labels=range(N_CLASSES), average=None, zero_division=0
    )
    np.testing.assert_allclose(found[:-1, 0], reference)


def test_unlabelled_and_unseen_pixels_are_left_out(maps):
    truth, said = maps
    hidden = np.where(np.arange(truth.size) % 3 == 0, 255, said).astype(np.uint8)
    unlabelled = np.where(np.arange(truth.size) % 5 == 0, 255, truth).astype(np.uint8)
    kept = (hidden != 255) & (unlabelled != 255)
    reference = metrics.confusion_matrix(truth[kept], said[kept])
    np.testing.assert_array_equal(confusion(unlabelled, hidden), reference)


def test_a_class_that_is_nowhere_has_no_scores_and_counts_for_no_mean():
    found = class_scores(np.diag([4.0, 0, 2]))
    assert np.isnan(found[1]).all()
    assert (found[-1] == 1).all()


def test_scores_of_changes_are_those_of_scikit_learn(maps):
    truth, said = (one > 2 for one in maps)
    counts = [(truth & said).sum(), (~truth & said).sum(), (truth & ~said).sum()]
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth, said, average="binary"
    )
    found = binary_scores(np.array(counts, float))
    np.testing.assert_allclose(found, [precision, recall, f1])


def test_kappa_is_that_of_scikit_learn_and_statsmodels(maps):
    counts = confusion(*maps).astype(float)
    assert cohens_kappa(counts) == pytest.approx(metrics.cohen_kappa_score(*maps))
    assert cohens_kappa(counts) == pytest.approx(reference_kappa(counts).kappa)
    assert np.isnan(cohens_kappa(np.zeros((2, 2))))
    assert np.isnan(cohens_kappa(np.diag([5.0, 0])))
