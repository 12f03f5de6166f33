import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cvlarray.features import FEATURES, RADAR_FEATURES, bands_of, feature_cube

NODATA = -32_768


@pytest.fixture
def cube():
    rng = np.random.default_rng(0)
    bands = ["blue", "green", "red", "nir", "swir16", "swir22"]
    coords = {"time": pd.date_range("2020-01-01", periods=5), "y": [3.0, 2.0, 1.0], "x": [0.0, 1.0]}
    data = {
        name: (("time", "y", "x"), rng.integers(1, 6_000, (5, 3, 2), np.int16)) for name in bands
    }
    return xr.Dataset(data, coords)


@pytest.fixture
def clear(cube):
    return xr.ones_like(cube["red"], dtype=bool)


def test_every_feature_is_its_formula(cube, clear):
    features = feature_cube(cube, clear, list(FEATURES))
    assert features.dims == ("feature", "time", "y", "x")
    assert features.dtype == np.int16
    for name, feature in FEATURES.items():
        first, *rest = (cube[band].astype(float) for band in feature.bands)
        expected = 1e4 * (first - rest[0]) / (first + rest[0]) if rest else first
        np.testing.assert_allclose(features.sel(feature=name), expected, atol=0.51)


@pytest.mark.parametrize("name", list(FEATURES))
def test_direction_is_that_of_a_clearing(name):
    # Reflectance of closed forest and of fresh bare ground (USGS spectral library, rounded).
    forest = {"blue": 250, "green": 500, "red": 300, "nir": 3500, "swir16": 1500, "swir22": 600}
    ground = {"blue": 700, "green": 1000, "red": 1400, "nir": 2200, "swir16": 3000, "swir22": 2400}
    both = {band: ("x", np.array([forest[band], ground[band]], np.int16)) for band in forest}
    cube = xr.Dataset(both).expand_dims(time=1, y=1)
    values = feature_cube(cube, xr.ones_like(cube["red"], dtype=bool), [name])
    change = int(values[..., 1].item()) - int(values[..., 0].item())
    assert np.sign(change) == FEATURES[name].direction


def test_masked_and_missing_are_nodata(cube, clear):
    clear[0] = False
    cube["nir"][1] = NODATA
    features = feature_cube(cube, clear, ["ndvi", "red"])
    assert (features.isel(time=0) == NODATA).all()
    assert (features.sel(feature="ndvi").isel(time=1) == NODATA).all()
    assert (features.sel(feature="red").isel(time=1) != NODATA).all()


def test_narrow_near_infrared_stands_in(cube, clear):
    narrow = cube.rename(nir="nir08")
    xr.testing.assert_identical(
        feature_cube(narrow, clear, ["ndvi"]), feature_cube(cube, clear, ["ndvi"])
    )
    assert bands_of(["ndvi", "nbr"], list(narrow.data_vars)) == ("nir08", "red", "swir22")


def test_stays_lazy(cube, clear, raise_if_dask_computes):
    with raise_if_dask_computes():
        lazy = feature_cube(cube.chunk(time=2, x=1), clear.chunk(time=2, x=1), ["nbr", "green"])
    assert lazy.chunks is not None
    xr.testing.assert_identical(lazy.compute(), feature_cube(cube, clear, ["nbr", "green"]))


def test_same_graph_every_time(cube, clear):
    lazy = cube.chunk(time=2)
    one, other = (feature_cube(lazy, clear.chunk(time=2), ["ndvi"]) for _ in range(2))
    assert one.data.name == other.data.name


def test_unknown_feature(cube, clear):
    with pytest.raises(ValueError, match="no feature is called evi; known are ndvi"):
        feature_cube(cube, clear, ["evi"])


def test_no_feature(cube, clear):
    with pytest.raises(ValueError, match="at least one of ndvi"):
        feature_cube(cube, clear, [])


def test_missing_band(cube, clear):
    with pytest.raises(ValueError, match="needs the band swir22, but there are blue, green"):
        feature_cube(cube.drop_vars("swir22"), clear, ["nbr"])


def test_scaled_cube(cube, clear):
    with pytest.raises(TypeError, match=r"nir must be int16 .* open the cube mask_and_scale=False"):
        feature_cube(cube / 1e4, clear, ["ndvi"])


def test_backscatter_falls_with_the_forest():
    # Gamma0 of closed forest, and 2 dB less: what a clearing leaves (Silva et al. 2022).
    power = np.array([[[0.0468, 0.0468 / 10**0.2]]], np.float32)
    cube = xr.Dataset({"vh": (("time", "y", "x"), power)}).chunk()
    clear = cube["vh"].notnull()
    features = feature_cube(cube, clear, ["vh"], definitions=RADAR_FEATURES)
    assert features.dtype == np.int16
    assert features.values.ravel().tolist() == [468, 295]
    assert RADAR_FEATURES["vh"].direction == -1
