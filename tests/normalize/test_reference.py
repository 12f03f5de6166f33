import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.names import NODATA_DN
from cvlarray.normalize import invariant_forest, median_reference


def random_cube(seed, n_dates=9, shape=(4, 5)):
    random = np.random.default_rng(seed)
    dims, size = ("time", "y", "x"), (n_dates, *shape)
    values = random.integers(-200, 4000, size).astype(np.int16)
    values[random.random(size) < 0.2] = NODATA_DN
    clear = xr.DataArray(random.random(size) < 0.7, dims=dims)
    return xr.Dataset({"red": (dims, values), "nir": (dims, values + np.int16(7))}), clear


@given(st.integers(0, 999), st.integers(1, 12))
def test_median_and_spread_as_pandas_has_them(seed, n_dates):
    cube, clear = random_cube(seed, n_dates)
    reference = median_reference(cube, clear, ("red",), min_dates=3)
    known = cube["red"].where(clear & (cube["red"] != NODATA_DN))
    table = pd.DataFrame(known.to_numpy().reshape(n_dates, -1))
    median = table.median().where(table.count() >= 3)
    spread = 1.4826 * (table - median).abs().median()
    for found, expected in (
        (reference.expected, median),
        (reference.spread, spread),
        (reference.error, 1.2533 * spread / np.sqrt(table.count())),
    ):
        np.testing.assert_allclose(found["red"].to_numpy().ravel(), expected, rtol=1e-5)


def test_error_is_that_of_a_median():
    random = np.random.default_rng(0)
    values = np.rint(random.normal(1000, 100, (25, 60, 60))).astype(np.int16)
    cube = xr.Dataset({"red": (("time", "y", "x"), values)})
    clear = xr.ones_like(cube["red"], bool)
    reference = median_reference(cube, clear, ("red",))
    scatter = reference.expected["red"].std().item()
    assert reference.error["red"].mean().item() == pytest.approx(scatter, rel=0.08)


def test_lazy(raise_if_dask_computes):
    cube, clear = random_cube(1)
    with raise_if_dask_computes():
        lazy = median_reference(cube.chunk(y=2), clear.chunk(y=2), ("red", "nir"))
        forest = invariant_forest(lazy)
    eager = median_reference(cube, clear, ("red", "nir"))
    for one, other in zip(lazy, eager, strict=True):
        xr.testing.assert_identical(one.compute(scheduler="synchronous"), other)
    xr.testing.assert_identical(forest.compute(), invariant_forest(eager))


def test_time_in_several_chunks():
    cube, clear = random_cube(1)
    with pytest.raises(ValueError, match="time must be one chunk for a median over dates, got 3"):
        median_reference(cube.chunk(time=3), clear, ("red",))


def test_forest_that_stays():
    """Forest, a field that is green half of the year, water, dry forest, never seen."""
    n_dates = 20
    red = np.tile(np.array([300, 300, 400, 300, 300], np.int16), (n_dates, 1, 1))
    nir = np.tile(np.array([3000, 3000, 200, 3000, 3000], np.int16), (n_dates, 1, 1))
    swir = np.tile(np.array([600, 600, 100, 1500, 600], np.int16), (n_dates, 1, 1))
    nir[::3, :, 1] = 1500
    nir[1::3, :, 1] = 2200
    dims = ("time", "y", "x")
    cube = xr.Dataset({"red": (dims, red), "nir": (dims, nir), "swir22": (dims, swir)})
    clear = xr.ones_like(cube["red"], bool)
    clear[..., 4] = False
    forest = invariant_forest(median_reference(cube, clear, ("red", "nir", "swir22")))
    assert forest.values.tolist() == [[True, False, False, False, False]]
    without_swir = invariant_forest(median_reference(cube, clear, ("red", "nir")))
    assert without_swir.values.tolist() == [[True, False, False, True, False]]
