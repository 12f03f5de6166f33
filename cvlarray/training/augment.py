"""A chip as it might also have looked."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cvlarray.models.change import CHANGE_ROLES
from cvlarray.models.model import Band, BoolArray, FloatArray
from cvlarray.training.chips import NO_LABEL
from cvlarray.training.recipe import Augmentation

__all__ = ["augmented"]

Kind = TypeVar("Kind", bound=np.generic)

Sample = tuple[FloatArray, BoolArray, NDArray[np.uint8]]
"""Image (band, y, x), where it is valid (y, x), labels (annotator, y, x)."""


def augmented(
    sample: Sample,
    bands: tuple[Band, ...],
    crop_px: int,
    how: Augmentation,
    rng: np.random.Generator,
) -> Sample:
    """Return a crop of a chip, turned, lit and clouded at random.

    Parameters
    ----------
    sample
        Image, where it is valid, and its labels.
    bands
        Of the image.
    crop_px
        Side of the crop.
    how
        What may differ.
    rng
        Where chance comes from.
    """
    image, is_valid, labels = _cropped(sample, crop_px, how.focus, rng)
    if how.dihedral:
        turns, is_mirrored = int(rng.integers(4)), bool(rng.integers(2))
        image = _turned(image, turns, is_mirrored=is_mirrored)
        is_valid = _turned(is_valid, turns, is_mirrored=is_mirrored)
        labels = _turned(labels, turns, is_mirrored=is_mirrored)
    is_valid = is_valid & ~_clouds(is_valid.shape, how, rng)
    image = np.where(is_valid, _lit(image, bands, how, rng), np.float32(0))
    return image, is_valid, np.ascontiguousarray(labels)


def _cropped(sample: Sample, side: int, focus: float, rng: np.random.Generator) -> Sample:
    """Return a square of all three: anywhere, or around a pixel of a class drawn at random."""
    image, is_valid, labels = sample
    height, width = is_valid.shape
    row, col = (int(rng.integers(size - side + 1)) for size in (height, width))
    if rng.random() < focus:
        seen = np.where(is_valid, labels[0], NO_LABEL)
        present = np.unique(seen[seen != NO_LABEL])
        if present.size:
            places = np.argwhere(seen == rng.choice(present))
            centre = places[rng.integers(len(places))] - rng.integers(0, side, size=2)
            row, col = (
                int(np.clip(c, 0, s - side)) for c, s in zip(centre, seen.shape, strict=True)
            )
    window = slice(row, row + side), slice(col, col + side)
    return image[:, *window], is_valid[window], labels[:, *window]


def _turned(values: NDArray[Kind], turns: int, *, is_mirrored: bool) -> NDArray[Kind]:
    turned = np.rot90(values, turns, axes=(-2, -1))
    return turned[..., ::-1] if is_mirrored else turned


def _lit(
    image: FloatArray, bands: tuple[Band, ...], how: Augmentation, rng: np.random.Generator
) -> FloatArray:
    """Return an image whose dates are each off by a gain and an offset of their own.

    What the season lets expect is off by nothing: errors of single dates don't reach it.
    """
    gain, offset = np.ones(len(bands)), np.zeros(len(bands))
    dates = [_date(band.name) for band in bands]
    for date in sorted(set(dates) - {"expected"}):
        common = rng.normal(0, how.gain)
        for place in (k for k, one in enumerate(dates) if one == date):
            if bands[place].units == "dB":
                offset[place] = rng.normal(0, how.offset_db)
            else:
                gain[place] = 1 + common + rng.normal(0, how.gain / 2)
                offset[place] = rng.normal(0, how.offset)
    lit = image * gain[:, None, None] + offset[:, None, None]
    return lit.astype(np.float32)


def _date(name: str) -> str:
    """Return which date a band is of; ``expected`` for what isn't seen."""
    role = next((role for role in CHANGE_ROLES if name.endswith(f"_{role}")), "")
    return "expected" if f"_expected_{role}" in name else role


def _clouds(shape: tuple[int, ...], how: Augmentation, rng: np.random.Generator) -> BoolArray:
    """Return where clouds are cut out."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    clouds = np.zeros(shape, np.bool_)
    for _ in range(int(rng.integers(how.cutouts + 1))):
        row, col = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        height, width = rng.uniform(1, how.cutout_px, size=2)
        clouds |= ((y - row) / height) ** 2 + ((x - col) / width) ** 2 < 1
    return clouds
