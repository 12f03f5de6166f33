"""The kernels against the papers' formulas, written once more in float64 NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.kernels.clouds import (
    NO_DATA,
    POTENTIAL_CLOUD,
    SNOW,
    WATER,
    Bands,
    cloud_flags,
    saturated,
    scene_statistics,
    spectral_tests,
)
from cvlarray.names import QualityFlag

NAMES = ("blue", "green", "red", "nir", "swir16", "swir22")
FOREST = (900, 750, 500, 3000, 1500, 700)
THICK = (5000, 5000, 5200, 6000, 4500, 3500)


def random_bands(seed, names=NAMES, shape=(40, 50)):
    """Return spectra of all kinds: mixtures of forest, soil, water, snow and cloud."""
    random = np.random.default_rng(seed)
    soil, water = (1300, 1500, 2200, 3000, 3500, 2800), (1000, 800, 600, 300, 150, 100)
    snow, haze = (7000, 7200, 7000, 6500, 900, 700), (1500, 1400, 1200, 3500, 2000, 1100)
    kinds = np.array([FOREST, soil, water, THICK, snow, haze])
    share = random.dirichlet([0.3] * len(kinds), shape)
    dn = share @ kinds * random.normal(1, 0.1, (*shape, len(NAMES)))
    return Bands(**{name: np.rint(dn[..., NAMES.index(name)]).astype(np.int16) for name in names})


def reference(bands):
    """Return the tests and the two continuous measures, and how far each test is from flipping."""
    b = {name: getattr(bands, name) / 1e4 for name in NAMES if getattr(bands, name) is not None}
    visible = [b[name] for name in ("blue", "green", "red") if name in b]
    mean = np.mean(visible, axis=0)
    whiteness = sum(abs(one - mean) for one in visible) / mean
    hot = visible[0] - 0.5 * visible[-1] - 0.08
    zero = np.zeros_like(mean)
    ndvi = (b["nir"] - b["red"]) / (b["nir"] + b["red"]) if {"nir", "red"} <= set(b) else zero
    ndsi = (
        (b["green"] - b["swir16"]) / (b["green"] + b["swir16"])
        if {"green", "swir16"} <= set(b)
        else zero
    )
    margins = [0.7 - whiteness, 0.8 - ndvi, 0.8 - ndsi, hot]
    if "swir22" in b:
        margins.append(b["swir22"] - 0.03)
    if {"nir", "swir16"} <= set(b):
        margins.append(b["nir"] - 0.75 * b["swir16"])
    cloud = np.min(margins, axis=0)
    water = snow = np.full_like(mean, -1)
    if {"nir", "red"} <= set(b):
        water = np.maximum(
            np.minimum(0.01 - ndvi, 0.11 - b["nir"]), np.minimum(0.1 - ndvi, 0.05 - b["nir"])
        )
    if {"green", "swir16"} <= set(b):
        snow = np.minimum(ndsi - 0.15, b["green"] - 0.1)
        snow = np.minimum(snow, b["nir"] - 0.11) if "nir" in b else snow
    variability = 1 - np.max([abs(ndvi), abs(ndsi), whiteness], axis=0)
    return {POTENTIAL_CLOUD: cloud, WATER: water, SNOW: snow}, hot, variability


@settings(max_examples=30)
@given(
    st.integers(0, 10_000),
    st.sets(st.sampled_from(NAMES)).filter(lambda names: names & {"blue", "green", "red"}),
)
def test_spectral_tests_as_published(seed, names):
    bands = random_bands(seed, names)
    spectra = spectral_tests(bands)
    margins, hot, variability = reference(bands)
    for bit, margin in margins.items():
        is_sure = abs(margin) > 1e-5
        np.testing.assert_array_equal((spectra.tests & bit != 0)[is_sure], (margin > 0)[is_sure])
    np.testing.assert_allclose(spectra.hot, hot, atol=1e-6)
    np.testing.assert_allclose(spectra.variability, variability, atol=1e-5)


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_clouds_stand_out_from_the_clear_land(seed):
    bands = random_bands(seed)
    spectra = spectral_tests(bands)
    statistics = scene_statistics(bands, spectra)
    margins, hot, variability = reference(bands)
    is_water = spectra.tests & WATER != 0
    is_land = (spectra.tests & (POTENTIAL_CLOUD | WATER)) == 0
    low, high = np.percentile(hot[is_land], [17.5, 82.5]) + np.array([-0.04, 0.04])
    probability = np.maximum((hot - low) / (high - low), 0) * variability
    threshold = np.percentile(probability[is_land], 82.5)
    assert statistics.land_probability == pytest.approx(threshold, abs=1e-4)
    above = np.where(is_water, np.minimum(bands.swir16, 1100) / 1100 - 0.3, probability - threshold)
    margin = np.minimum(margins[POTENTIAL_CLOUD], above - 0.2)
    flags = cloud_flags(bands, spectra, statistics)
    is_sure = abs(margin) > 2e-4
    found = flags & QualityFlag.CLOUD != 0
    np.testing.assert_array_equal(found[is_sure], (margin > 0)[is_sure])
    assert statistics.nir == pytest.approx(np.median(bands.nir[is_land]))


def constant(dn, shape=(30, 30), **more):
    values = dict(zip(NAMES, dn, strict=True))
    bands = {name: np.full(shape, value, np.int16) for name, value in values.items()}
    return Bands(**bands, **more)


def flags_of(bands):
    spectra = spectral_tests(bands)
    return cloud_flags(bands, spectra, scene_statistics(bands, spectra))


def test_thin_cirrus_is_told_by_its_band():
    cirrus = np.zeros((30, 30), np.int16)
    cirrus[:5], cirrus[5:10] = 150, 600
    flags = flags_of(constant(FOREST, cirrus=cirrus))
    assert (flags[:5] == QualityFlag.CIRRUS).all()
    assert (flags[5:10] == QualityFlag.CLOUD).all()
    assert (flags[10:] == 0).all()


def test_cold_is_cloud_and_warm_is_not():
    random = np.random.default_rng(0)
    thermal = random.normal(25, 1, (30, 30)).astype(np.float32)
    hazy = constant((2000, 1800, 1700, 3000, 1900, 1200), thermal=thermal)
    half = constant(FOREST, thermal=thermal)
    mixed = Bands(
        *(np.vstack([one[:15], other[15:]]) for one, other in zip(hazy[:6], half[:6], strict=True))
    )
    warm = mixed._replace(thermal=np.where(np.arange(30)[:, None] < 15, 29, thermal))
    assert not (flags_of(warm) & QualityFlag.CLOUD).any()
    cold = mixed._replace(thermal=np.where(np.arange(30)[:, None] < 15, 5, thermal))
    assert (flags_of(cold)[:15] == QualityFlag.CLOUD).all()
    assert (flags_of(cold)[15:] == 0).all()


def test_very_cold_needs_no_colour():
    thermal = np.full((30, 30), 25, np.float32)
    thermal[:3] = -40
    flags = flags_of(constant(FOREST, thermal=thermal))
    assert (flags[:3] == QualityFlag.CLOUD).all()
    assert (flags[3:] == 0).all()


def test_snow_is_cold_if_that_is_known():
    snow = constant((7000, 7200, 7000, 6500, 700, 500))
    for thermal, expected in [(None, True), (-2.0, True), (10.0, False)]:
        known = thermal and np.full((30, 30), thermal, np.float32)
        is_snow = spectral_tests(snow._replace(thermal=known)).tests & SNOW != 0
        assert is_snow.all() == expected


def test_cloud_over_water_by_brightness():
    bands = constant((1000, 800, 600, 300, 150, 100))
    hazy = Bands(*(band.copy() for band in bands[:6]))
    for band, dn in zip(hazy[:6], (2200, 2000, 1950, 1050, 900, 700), strict=True):
        band[:10] = dn
    flags = flags_of(hazy)
    assert (flags[:10] == QualityFlag.CLOUD).all()
    assert (flags[10:] == QualityFlag.WATER).all()


def test_missing_anywhere_is_fill_alone():
    bands = random_bands(1)
    bands.swir22[3, 4] = -32768
    bands.blue[5, 6] = -32768
    thermal = np.full(bands.shape, 20, np.float32)
    thermal[7, 8] = np.nan
    bands = bands._replace(thermal=thermal)
    tests = spectral_tests(bands).tests
    assert np.argwhere(tests & NO_DATA).tolist() == [[3, 4], [5, 6], [7, 8]]
    flags = flags_of(bands)
    assert (flags[tests & NO_DATA != 0] == QualityFlag.FILL).all()


def test_saturated_cloud_stays_white():
    """Blue that ends at 0.39 makes a white cloud look red; it is taken for white nevertheless."""
    bands = constant(FOREST)
    random = np.random.default_rng(2)
    for name, band in zip(NAMES, bands[:6], strict=True):
        band[:10] = random.integers(6900, 7100, (10, 30))
        band[10:] += random.integers(-20, 20, (20, 30)).astype(np.int16)
        if name == "blue":
            np.minimum(band, 3930, out=band)
    at_ceiling = saturated(bands)
    assert at_ceiling[:10].all()
    assert not at_ceiling[10:].any()
    assert not (flags_of(bands) & QualityFlag.CLOUD).any()
    known = flags_of(bands._replace(is_saturated=at_ceiling))
    assert (known[:10] == QualityFlag.CLOUD).all()
    assert (known[10:] == 0).all()


def test_no_ceiling_in_a_scene_with_one_brightest_pixel():
    assert not saturated(random_bands(5)).any()
    assert not saturated(constant([-32768] * 6)).any()


def test_hardly_any_clear_land():
    bands = constant(THICK)
    spectra = spectral_tests(bands)
    assert scene_statistics(bands, spectra) is None
    assert (cloud_flags(bands, spectra, None) == QualityFlag.CLOUD).all()


def test_statistics_of_a_large_scene_come_from_a_part():
    bands = Bands(*(np.tile(band, (40, 40)) for band in random_bands(3)[:6]))
    spectra = spectral_tests(bands)
    whole, small = scene_statistics(bands, spectra), random_bands(3)
    assert whole == pytest.approx(
        scene_statistics(small, spectral_tests(small)), rel=0.1, nan_ok=True
    )


def test_rows_are_independent():
    bands = random_bands(8, shape=(150, 20))
    some = Bands(*(band[70:90] for band in bands[:6]))
    whole, part = spectral_tests(bands), spectral_tests(some)
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_array_equal(one[70:90], other)


def test_what_is_refused():
    with pytest.raises(ValueError, match="at least one of the bands blue, green and red"):
        spectral_tests(Bands(nir=np.zeros((2, 2), np.int16)))
    with pytest.raises(ValueError, match="bands must have one shape"):
        spectral_tests(Bands(red=np.zeros((2, 2), np.int16), nir=np.zeros((1, 2), np.int16)))
