"""Augmentation: turned alike, lit by date, clouded; drawn from the generator alone."""

from __future__ import annotations

import numpy as np

from cvlarray.models.change import change_bands
from cvlarray.models.model import Band
from cvlarray.training.augment import augmented
from cvlarray.training.recipe import Augmentation

PLAIN = Augmentation(dihedral=False, gain=0.0, offset=0.0, offset_db=0.0, cutouts=0, focus=0.0)


def sample(n_bands=2, size=64):
    places = np.arange(size * size, dtype=np.float32).reshape(size, size)
    image = np.stack([places + band for band in range(n_bands)])
    return image, np.ones((size, size), np.bool_), (places % 251).astype(np.uint8)[None]


BANDS = (Band("red"), Band("nir"))


def run(how, seed, bands=BANDS, crop=32):
    return augmented(sample(len(bands)), bands, crop, how, np.random.default_rng(seed))


def test_image_and_labels_are_turned_alike_and_in_eight_ways():
    corners = set()
    for seed in range(60):
        image, _, labels = run(PLAIN.model_copy(update={"dihedral": True}), seed)
        np.testing.assert_array_equal(image[0] % 251, labels[0])
        right, down = image[0, 0, 1] - image[0, 0, 0], image[0, 1, 0] - image[0, 0, 0]
        corners.add((np.sign(right), np.sign(down), abs(right) > abs(down)))
    assert len(corners) == 8


def test_what_the_season_lets_expect_is_lit_by_no_date():
    bands = tuple(map(Band, change_bands(("red", "nir"))))
    plain, _, _ = run(PLAIN, 3, bands)
    lit, _, _ = run(PLAIN.model_copy(update={"gain": 0.1, "offset": 5.0}), 3, bands)
    is_same = [bool(np.allclose(a, b)) for a, b in zip(plain, lit, strict=True)]
    # before, expected before, after, expected after; two bands each
    assert is_same == [False, False, True, True, False, False, True, True]


def test_decibels_are_shifted_not_scaled():
    bands = (Band("vv", "dB"), Band("vh", "dB"))
    plain, _, _ = run(PLAIN, 4, bands)
    lit, _, _ = run(PLAIN.model_copy(update={"gain": 0.2, "offset_db": 1.0}), 4, bands)
    for before, after in zip(plain, lit, strict=True):
        assert np.ptp(after - before) < 1e-2
        assert abs(float((after - before).mean())) > 1e-3


def test_clouds_hide_what_is_under_them():
    how, hidden = PLAIN.model_copy(update={"cutouts": 3}), []
    for seed in range(10):
        image, is_valid, _ = run(how, seed)
        assert (image[:, ~is_valid] == 0).all()
        hidden.append((~is_valid).sum())
    assert min(hidden) == 0
    assert max(hidden) > 50


def test_crops_look_for_rare_classes():
    image, is_valid, labels = sample(1, 128)
    labels[:] = 0
    labels[0, 100, 20] = 1
    found = 0
    for seed in range(100):
        how = PLAIN.model_copy(update={"focus": 1.0})
        _, _, cropped = augmented(
            (image, is_valid, labels), (Band("red"),), 32, how, np.random.default_rng(seed)
        )
        found += int((cropped == 1).any())
    # One crop in two looks for it; by chance one in ten would hold it.
    assert 35 <= found <= 75


def test_one_generator_one_result():
    first, second, third = (run(Augmentation(), seed) for seed in (7, 7, 8))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0], third[0])
