"""The rule against typical surfaces."""

from __future__ import annotations

import numpy as np
import pytest

from cvlarray.models import LAND_COVER, Band, ModelSpec, SpectralRule

# Green, red, NIR, SWIR 1.6 and 2.2 µm, assumed: round numbers of the shape that published spectra
# have of a closed canopy, young regrowth, dry slash on soil, wet mine sediment, a turbid pond.
KNOWN = {
    "intact_forest": (0.035, 0.022, 0.29, 0.115, 0.045),
    "secondary_growth": (0.050, 0.034, 0.36, 0.180, 0.085),
    "recent_clearing": (0.085, 0.110, 0.23, 0.290, 0.210),
    "mine_pit": (0.130, 0.180, 0.23, 0.230, 0.220),
    "tailings_pond": (0.120, 0.110, 0.10, 0.045, 0.060),
}


@pytest.mark.parametrize("name", KNOWN)
def test_typical_surfaces_are_what_they_are(name):
    chip = np.array(KNOWN[name], np.float32)[None, :, None, None]
    probabilities = SpectralRule().predict(chip, np.ones((1, 1, 1), bool))[0, :, 0, 0]
    assert LAND_COVER[probabilities.argmax()] == name
    assert probabilities.sum() == pytest.approx(1)


def test_black_pixels_give_finite_numbers():
    chip = np.zeros((1, 5, 2, 2), np.float32)
    assert np.isfinite(SpectralRule().predict(chip, np.zeros((1, 2, 2), bool))).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bands": ()}, "1 or more different bands"),
        ({"bands": (Band("red"), Band("red"))}, "different bands"),
        ({"classes": ("one",)}, "2 or more different classes"),
        ({"stride": 0}, "stride >= 1"),
        ({"classes": tuple(map(str, range(255)))}, "holds 254"),
    ],
)
def test_senseless_specs_are_refused(change, message):
    values = {"name": "m", "bands": (Band("red"),), "classes": ("a", "b")} | change
    with pytest.raises(ValueError, match=message):
        ModelSpec(**values)
