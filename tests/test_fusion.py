"""Fusion: by hand, and its laws for whatever optical and radar say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cvlarray.alerts.feedback import calibrate
from cvlarray.fusion import FusionRule, fuse, needs_sar_by_pixel
from cvlarray.masking import tile_coverage
from cvlarray.names import QualityFlag, Source

SHAPE = (4, 5, 6)
DATES = np.datetime64("2022-01-01", "ns") + np.arange(4) * np.timedelta64(5, "D")
PROBABILITIES = hnp.arrays(
    np.float32, SHAPE, elements=st.one_of(st.floats(0, 1, width=32), st.just(np.nan))
)
MASKS = hnp.arrays(bool, SHAPE)


def layer(values, dates=DATES) -> xr.DataArray:
    return xr.DataArray(values, dims=("time", "y", "x"), coords={"time": dates})


def one(optical, radar, needs_sar=True, **how) -> dict[str, float]:
    """Return what is said of a single pixel and date."""
    values = (np.full((1, 1, 1), value, np.float32) for value in (optical, radar))
    date = DATES[:1]
    layers = [layer(value, date) for value in values]
    found = fuse(*layers, layer(np.full((1, 1, 1), needs_sar), date), **how)
    return {str(name): variable.item() for name, variable in found.items()}


def odds(probability: float) -> float:
    return probability / (1 - probability)


def test_agreement_multiplies_the_odds():
    said = one(0.8, 0.9)
    assert odds(said["confidence"]) == pytest.approx(4 * math.sqrt(9), rel=1e-4)
    assert said["source"] == Source.BOTH
    assert not said["needs_review"]


def test_optical_stands_where_radar_says_something_else():
    assert one(0.8, 0.1) == {
        "confidence": pytest.approx(0.8, rel=1e-5), "source": Source.OPTICAL, "needs_review": False,
    }  # fmt: skip


def test_radar_alone_has_a_lower_prior_and_needs_review():
    said = one(np.nan, 0.9)
    assert odds(said["confidence"]) == pytest.approx(9 * 0.3 / 0.7, rel=1e-4)
    assert said["source"] == Source.RADAR
    assert said["needs_review"]
    assert not one(np.nan, 0.6)["needs_review"]


def test_radar_is_not_asked_under_a_few_clouds():
    said = one(np.nan, 0.99, needs_sar=False)
    assert math.isnan(said["confidence"])
    assert said["source"] == Source.UNOBSERVED


@given(PROBABILITIES, PROBABILITIES, MASKS)
@settings(max_examples=25)
def test_laws(optical, radar, needs_sar):
    sees, hears = layer(optical), layer(radar)
    found = fuse(sees, hears, layer(needs_sar)).transpose("time", "y", "x")
    confidence = found["confidence"].to_numpy()
    nobody = np.isnan(optical) & np.isnan(radar)
    assert np.isnan(confidence[nobody]).all()
    assert (found["source"].to_numpy()[nobody] == Source.UNOBSERVED).all()
    with np.errstate(invalid="ignore"):
        both_say_change = (optical > 0.5) & (radar > 0.5)
        both_say_none = (optical < 0.5) & (radar < 0.5)
    assert (confidence[both_say_change] >= optical[both_say_change] - 1e-5).all()
    assert (confidence[both_say_none] <= optical[both_say_none] + 1e-5).all()
    alone = found["source"].to_numpy() == Source.RADAR
    assert (confidence[alone] <= radar[alone] + 1e-5).all()
    chunks = {"time": 3, "y": 2, "x": 4}
    lazy = fuse(sees.chunk(chunks), hears.chunk(time=2), layer(needs_sar).chunk(y=3))
    xr.testing.assert_identical(lazy.compute(), found)


def test_a_date_of_radar_speaks_for_one_revisit():
    radar = layer(np.full((1, 1, 1), 0.9, np.float32), DATES[:1])
    dates = DATES[0] + np.array([0, 5, 12, 13, 20]) * np.timedelta64(1, "D")
    nothing = layer(np.full((5, 1, 1), np.nan, np.float32), dates)
    found = fuse(nothing, radar, layer(np.ones((5, 1, 1), bool), dates))
    assert (found["source"] == Source.RADAR).to_numpy().ravel().tolist() == [1, 1, 1, 0, 0]


def test_nothing_is_computed_before_it_is_asked(raise_if_dask_computes):
    lazy = layer(np.full(SHAPE, 0.7, np.float32)).chunk(y=2)
    with raise_if_dask_computes():
        fuse(lazy, lazy, layer(np.ones(SHAPE, bool)).chunk(y=3))


def test_calibrated_confidence_is_what_the_curve_says():
    curve = calibrate([0.2, 0.4, 0.6, 0.8] * 5, [0, 0, 0, 1] * 5)
    said = one(0.8, np.nan, calibration=curve)
    assert said["confidence"] == pytest.approx(float(curve(0.8)), rel=1e-4)
    assert math.isnan(one(np.nan, np.nan, calibration=curve)["confidence"])


def test_tiles_of_which_most_is_masked_are_spread_over_their_pixels():
    quality = np.zeros((2, 5, 6), np.uint8)
    quality[1, :, :4] = QualityFlag.CLOUD
    flags = layer(quality, DATES[:2])
    coverage = tile_coverage(flags, 4)["needs_sar"]
    found = needs_sar_by_pixel(coverage, flags, 4)
    assert found.dims == ("time", "y", "x")
    np.testing.assert_array_equal(found, quality == QualityFlag.CLOUD)
    with pytest.raises(ValueError, match="3 × 3 tiles of 2 pixels were expected, got 4"):
        needs_sar_by_pixel(coverage, flags, 2)


def test_what_is_refused():
    good = layer(np.zeros(SHAPE, np.float32))
    mask = layer(np.ones(SHAPE, bool))
    with pytest.raises(ValueError, match="radar must be on optical's pixels, its x is another"):
        fuse(good, good[:, :, 1:], mask)
    with pytest.raises(ValueError, match="on optical's dates"):
        fuse(good, good, mask[1:])
    with pytest.raises(ValueError, match=r"got 0\.7 and 0\.5"):
        FusionRule(radar_prior=0.7)
