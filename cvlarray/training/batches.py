"""What a step sees: drawn from the seed and the step's number alone, so that it can be redrawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvlarray.models.change import base_band
from cvlarray.models.checkpoint import Normalisation
from cvlarray.models.model import Band, BoolArray, FloatArray
from cvlarray.training.augment import augmented
from cvlarray.training.chips import NO_LABEL, ChipSet
from cvlarray.training.recipe import Recipe

__all__ = ["Batch", "batch_of", "class_weights", "members_of", "normalisation_of"]

_CHIPS_OF_STATISTICS = 200


@dataclass(frozen=True)
class Batch:
    """Chips that go through a network together."""

    images: FloatArray
    """(chip, band, y, x) in the bands' units, 0 where not seen."""
    is_valid: BoolArray
    """(chip, y, x)"""
    labels: NDArray[np.uint8]
    """(chip, annotator, y, x), `NO_LABEL` where there is none or nothing was seen."""


def members_of(step: int, members: NDArray[np.int64], recipe: Recipe) -> NDArray[np.int64]:
    """Return the chips of a step: each once, in an order of its own, before any comes again."""
    places = np.arange(step * recipe.batch_size, (step + 1) * recipe.batch_size)
    rounds, within = np.divmod(places, len(members))
    orders = {
        number: np.random.default_rng([recipe.seed, 1, int(number)]).permutation(len(members))
        for number in np.unique(rounds)
    }
    chosen = [orders[number][place] for number, place in zip(rounds, within, strict=True)]
    return members[chosen]


def batch_of(step: int, chips: ChipSet, members: NDArray[np.int64], recipe: Recipe) -> Batch:
    """Return the crops of a step, augmented.

    Parameters
    ----------
    step
        Counted from 0.
    chips
        The set.
    members
        Numbers of the chips that are trained on.
    recipe
        Seed, batch and crop size, augmentation.
    """
    chosen = members_of(step, members, recipe)
    images, is_valid = chips.images(chosen)
    labels = chips.labels(chosen)
    rng = np.random.default_rng([recipe.seed, 2, step])
    parts = [
        augmented(one, chips.kind.bands, recipe.crop_px, recipe.augmentation, rng)
        for one in zip(images, is_valid, labels, strict=True)
    ]
    images, is_valid, labels = (np.stack(one) for one in zip(*parts, strict=True))
    return Batch(images, is_valid, np.where(is_valid[:, None], labels, NO_LABEL).astype(np.uint8))


def normalisation_of(chips: ChipSet, members: NDArray[np.int64]) -> Normalisation:
    """Return mean and spread of each band; the same for a band whatever its role in a pair."""
    some = members[:: max(1, len(members) // _CHIPS_OF_STATISTICS)]
    n = 0
    total, squares = np.zeros(len(chips.kind.bands)), np.zeros(len(chips.kind.bands))
    for chip in some:
        image, is_valid = chips.images([chip])
        seen = image[0][:, is_valid[0]].astype(np.float64)
        n += seen.shape[1]
        total, squares = total + seen.sum(axis=1), squares + (seen**2).sum(axis=1)
    mean = total / max(n, 1)
    return _by_base(chips.kind.bands, mean, squares / max(n, 1) - mean**2)


def _by_base(
    bands: tuple[Band, ...], mean: NDArray[np.float64], variance: NDArray[np.float64]
) -> Normalisation:
    """Return what bands of one base have in common."""
    names = np.array([base_band(band.name) for band in bands])
    means = {name: float(mean[names == name].mean()) for name in names}
    spreads = {name: float(np.sqrt(variance[names == name].mean())) for name in names}
    return Normalisation(
        mean=tuple(round(means[name], 6) for name in names),
        std=tuple(round(max(spreads[name], 1e-5), 6) for name in names),
    )


def class_weights(chips: ChipSet, members: NDArray[np.int64], power: float) -> FloatArray:
    """Return a weight a class, 1 in the mean over the training pixels' classes.

    Raises
    ------
    ValueError
        If no chip to train on has a label.
    """
    counts = np.zeros(256, np.int64)
    for chip in members:
        counts += np.bincount(chips.labels([chip]).ravel(), minlength=256)
    counts = counts[: len(chips.kind.classes)]
    if not counts.any():
        raise ValueError("no chip to train on has a label")
    share = np.maximum(counts, 1) / counts.sum()
    weights = share**-power
    return np.asarray(weights / weights.mean(), np.float32)
