"""Scenes with an error put in on purpose: simulated, and of the real Romanian forest."""

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.baseline import fit_baseline, is_forest, predict
from cvlarray.features import feature_cube
from cvlarray.masking import is_clear
from cvlarray.names import CORRECTION_VARIABLES, NODATA_DN
from cvlarray.normalize import (
    apply_corrections,
    correction_table,
    fit_corrections,
)
from tests import romania

SIDE, N_DATES = 160, 3
BANDS = {"red": (350, 60, 15), "nir": (3000, 300, 60)}
"""Mean of the forest, its spread, and a date's noise [DN]."""
GAINS, OFFSETS = st.floats(0.94, 1.06), st.floats(-100, 100)


class Scene:
    """A forest with fields, what a satellite saw of it, and what is known beforehand."""

    def __init__(self, seed=0, n_dates=N_DATES, side=SIDE):
        random = np.random.default_rng(seed)
        shape = (n_dates, side, side)
        self.is_reference = xr.DataArray(np.ones((side, side), bool), dims=("y", "x"))
        self.is_reference[:, -side // 5 :] = False
        truth, expected, error = {}, {}, {}
        for name, (mean, spread, noise) in BANDS.items():
            ground = random.normal(mean, spread, (side, side))
            ground[:, -side // 5 :] = random.uniform(500, 4000, (side, side // 5))
            known = ground + random.normal(0, noise / 3, ground.shape)
            seen = ground + random.normal(0, noise, shape)
            cleared = random.random(shape) < 0.1
            seen[cleared] += random.uniform(300, 2000, np.count_nonzero(cleared))
            truth[name] = (("time", "y", "x"), seen)
            expected[name] = (("y", "x"), known.astype(np.float32))
            error[name] = (("y", "x"), np.full(known.shape, noise / 3, np.float32))
        times = pd.date_range("2024-06-01", periods=n_dates, freq="5D")
        self.truth = xr.Dataset(truth, coords={"time": times})
        self.expected, self.expected_error = xr.Dataset(expected), xr.Dataset(error)
        self.is_clear = xr.DataArray(
            random.random(shape) < 0.7, dims=("time", "y", "x"), coords={"time": times}
        )

    def cube(self, errors=()):
        """Return the cube in DN, with (date, band, gain, offset) errors put in."""
        cube = self.truth.copy(deep=True)
        for date, name, gain, offset in errors:
            cube[name][date] = gain * cube[name][date] + offset
        return cube.round().astype(np.int16)

    def fit(self, cube):
        return fit_corrections(
            cube,
            self.is_clear,
            self.expected,
            self.is_reference,
            expected_error=self.expected_error,
        )


SCENE = Scene()


@settings(max_examples=15)
@given(GAINS, OFFSETS, GAINS, OFFSETS)
def test_an_error_is_taken_off_to_under_one_percent(red_gain, red_offset, nir_gain, nir_offset):
    errors = [(1, "red", red_gain, red_offset), (1, "nir", nir_gain, nir_offset)]
    right = SCENE.cube()
    wrong = SCENE.cube(errors)
    corrected = apply_corrections(wrong, SCENE.fit(wrong))
    for name, (mean, *_) in BANDS.items():
        # Differences beside that of rounding, of forest and fields, where forest is no brighter.
        bright = SCENE.truth[name].to_numpy()[1] > mean / 2
        true = right[name].to_numpy()[1][bright].astype(float)
        left = np.abs(corrected[name].to_numpy()[1][bright] - true) - 1
        assert np.median(left / true) < 0.01
        assert np.percentile(left / true, 95) < 0.01
    xr.testing.assert_identical(corrected.isel(time=[0, 2]), wrong.isel(time=[0, 2]))


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_a_right_scene_keeps_every_bit(seed):
    scene = Scene(seed, n_dates=1, side=120)
    cube = scene.cube()
    corrections = scene.fit(cube)
    assert not corrections["is_corrected"].any()
    xr.testing.assert_identical(apply_corrections(cube, corrections), cube)


def test_what_was_done_is_recorded():
    cube = SCENE.cube([(1, "red", 1.05, 40)])
    corrections = SCENE.fit(cube)
    assert list(corrections.data_vars) == [variable.name for variable in CORRECTION_VARIABLES]
    for variable in CORRECTION_VARIABLES:
        assert corrections[variable.name].dtype == np.dtype(variable.dtype)
        assert corrections[variable.name].dims == variable.dims
    table = correction_table(corrections)
    assert table.index.names == ["time", "band"]
    assert len(table) == 2 * N_DATES
    done = table[table["is_corrected"]]
    assert [(str(day.date()), band) for day, band in done.index] == [("2024-06-06", "red")]
    row = done.iloc[0]
    assert row["gain"] == pytest.approx(1.05, abs=0.005)
    assert row["offset_dn"] == pytest.approx(40, abs=2)
    assert row["deviation"] == pytest.approx(0.05 + 40 / 250, abs=0.02)
    assert row["n_reference"] == pytest.approx(0.7 * 0.8 * SIDE**2, rel=0.05)
    assert (table.loc[~table["is_corrected"], "gain"] == 1).all()


def test_a_scene_under_clouds_cant_be_judged():
    cube = SCENE.cube([(1, "red", 1.06, 100)])
    is_clear = SCENE.is_clear.copy()
    is_clear[1, :, : SIDE - 2] = False
    corrections = fit_corrections(cube, is_clear, SCENE.expected, SCENE.is_reference)
    assert not corrections["is_corrected"].sel(band="red")[1]
    assert np.isnan(corrections["deviation"].sel(band="red")[1])
    assert (corrections["n_reference"][:, 1] == 0).all()


def test_missing_stays_missing_and_limits_hold():
    cube = SCENE.cube([(1, "nir", 0.94, -100)])
    cube["nir"][1, :5], cube["nir"][1, 5:9] = NODATA_DN, 32_767
    corrected = apply_corrections(cube, SCENE.fit(cube))["nir"]
    assert (corrected[1, :5] == NODATA_DN).all()
    assert (corrected[1, 5:9] == 32_767).all()


def test_other_variables_stay():
    cube = SCENE.cube([(1, "red", 1.06, 100)]).assign(scl=SCENE.is_clear.astype(np.uint8))
    cube["red"].attrs = {"long_name": "red"}
    corrected = apply_corrections(cube, SCENE.fit(cube))
    assert list(corrected.data_vars) == ["red", "nir", "scl"]
    xr.testing.assert_identical(corrected["scl"], cube["scl"])
    assert corrected["red"].attrs == {"long_name": "red"}
    assert corrected["red"].dims == ("time", "y", "x")


@settings(max_examples=5)
@given(st.integers(20, 160), st.integers(20, 160), st.integers(1, 3))
def test_same_for_any_chunks(chunk_y, chunk_x, chunk_time):
    cube = SCENE.cube([(0, "red", 1.03, -50), (2, "nir", 0.97, 20)])
    chunks = {"y": chunk_y, "x": chunk_x}
    lazy = fit_corrections(
        cube.chunk(time=chunk_time, **chunks),
        SCENE.is_clear.chunk(time=chunk_time, **chunks),
        SCENE.expected.chunk(chunks),
        SCENE.is_reference.chunk(chunks),
        expected_error=SCENE.expected_error.chunk(chunks),
    )
    eager = SCENE.fit(cube)
    xr.testing.assert_identical(lazy.compute(scheduler="synchronous"), eager)
    corrected = apply_corrections(cube.chunk(chunks), lazy)
    xr.testing.assert_identical(
        corrected.compute(scheduler="synchronous"), apply_corrections(cube, eager)
    )


def test_stays_lazy(raise_if_dask_computes):
    cube = SCENE.cube().chunk(y=50)
    with raise_if_dask_computes():
        corrected = apply_corrections(cube, SCENE.fit(cube))
    assert all(dask.is_dask_collection(one) for one in corrected.data_vars.values())


def test_what_is_refused():
    cube = SCENE.cube()
    with pytest.raises(ValueError, match="expected must have bands of the cube, got blue"):
        fit_corrections(
            cube, SCENE.is_clear, SCENE.expected.rename(red="blue")[["blue"]], SCENE.is_reference
        )
    with pytest.raises(TypeError, match="red must be int16 DN, got float64"):
        SCENE.fit(SCENE.truth)
    with pytest.raises(ValueError, match="corrections must be of the cube's dates, got 3 for 2"):
        apply_corrections(cube.isel(time=[0, 1]), SCENE.fit(cube))
    with pytest.raises(ValueError, match="a table needs numbers, got lazy corrections"):
        correction_table(SCENE.fit(cube.chunk()))


@pytest.fixture(scope="module")
def real_forest():
    """Return cube, clear mask, seasonal expectation and forest of the Romanian square."""
    cube = romania.load(10)
    clear = is_clear(cube["scl"])
    names = ["ndvi", "blue", "green", "red", "nir"]
    baseline = fit_baseline(feature_cube(cube, clear, names), history=romania.HISTORY)
    forest = is_forest(baseline) & ~romania.truth(cube).dropped
    later = cube.sel(time=romania.MONITORING)
    expected = predict(baseline, later["time"].to_numpy()).to_dataset("feature")[names[1:]]
    return later, clear.sel(time=romania.MONITORING), expected, forest


def test_real_scenes_come_nearer_to_their_season_on_pixels_not_used(real_forest):
    cube, clear, expected, forest = real_forest
    west = forest & (forest["x"] < forest["x"].median())
    corrections = fit_corrections(cube, clear, expected, west)
    corrected = apply_corrections(cube, corrections)
    east = forest & ~west
    usable = clear & east & (cube["red"] != NODATA_DN)
    is_judged = (usable.sum(["y", "x"]) > 500).to_numpy()
    is_judged &= np.isfinite(corrections["deviation"].sel(band="red")).to_numpy()
    assert is_judged.sum() > 25

    def off(scenes, name):
        share = (scenes[name] / expected[name] - 1).where(usable)
        return np.abs(share.median(["y", "x"]).to_numpy()[is_judged])

    for name in expected.data_vars:
        before, after = off(cube, name), off(corrected, name)
        assert np.median(after) < 0.4 * np.median(before), name
        assert np.percentile(after, 90) < np.percentile(before, 90), name


@pytest.mark.parametrize(("gain", "offset"), [(1.06, 100), (0.94, -100), (1.06, -100), (1.0, 60)])
def test_an_error_put_into_real_scenes_is_taken_off(real_forest, gain, offset):
    cube, clear, expected, forest = real_forest
    n_seen = (clear & forest).sum(["y", "x"]).to_numpy()
    dates = np.argsort(n_seen)[-12:]
    wrong = cube.isel(time=dates).sortby("time")
    own = fit_corrections(wrong, *_at(wrong, clear, expected), forest)
    right = apply_corrections(wrong, own)
    for name in expected.data_vars:
        wrong[name] = (gain * wrong[name] + offset).round().astype(np.int16)
    corrections = fit_corrections(wrong, *_at(wrong, clear, expected), forest)
    corrected = apply_corrections(wrong, corrections)
    for name in expected.data_vars:
        # Where chance may explain a deviation, the date's own or what is left of it together with
        # the error, the scene stays as it is.
        is_known = (own["is_corrected"] & corrections["is_corrected"]).sel(band=name)
        assert is_known.sum() >= 5
        true = right[name].where(clear & forest & is_known)
        left = (np.abs(corrected[name] - true) - 1) / true
        assert left.median(["y", "x"]).max() < 0.01, name


def _at(cube, clear, expected):
    return clear.sel(time=cube["time"]), expected.sel(time=cube["time"])
