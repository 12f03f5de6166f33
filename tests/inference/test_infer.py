"""A model over blocks: the same bytes however the cube is cut."""

from __future__ import annotations

import pickle

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d

from cvlarray.inference import Cosine, Crop, Lattice, infer
from cvlarray.models import Band, ModelSpec, SpectralRule

NODATA = -32768


class Blur:
    """Two classes by the mean of the neighbourhood: every pixel of a halo counts."""

    def __init__(self, halo=3, stride=2):
        self.halo, self.stride = halo, stride

    @property
    def spec(self):
        return ModelSpec(
            "blur", (Band("red"), Band("nir")), ("dark", "bright"), self.stride, self.halo
        )

    def predict(self, chips, is_valid):
        size = 2 * self.halo + 1
        means = chips.mean(axis=1, dtype=np.float64)
        for axis in (1, 2):
            means = correlate1d(means, np.full(size, 1 / size), axis, mode="nearest")
        bright = np.clip(means, 0, 1).astype(np.float32)
        return np.stack([1 - bright, bright], axis=1)


def cube(shape=(150, 170), seed=0, origin=(4_000_030, 500_010), n_dates=None, missing=0.05):
    random = np.random.default_rng(seed)
    dims, full = ("y", "x"), shape
    if n_dates:
        dims, full = ("time", "y", "x"), (n_dates, *shape)
    layers = {
        name: (
            dims,
            np.where(random.random(full) < missing, NODATA, random.integers(0, 9000, full)).astype(
                np.int16
            ),
        )
        for name in ("green", "red", "nir", "swir16", "swir22")
    }
    y = origin[0] - 10 * np.arange(shape[0]) - 5.0
    x = origin[1] + 10 * np.arange(shape[1]) + 5.0
    return xr.Dataset(layers, {"y": y, "x": x})


def same(a, b):
    xr.testing.assert_identical(a.compute(), b.compute())
    for name in a:
        assert a[name].to_numpy().tobytes() == b[name].to_numpy().tobytes()


@pytest.mark.parametrize("blend", [Crop(), Cosine()])
@settings(max_examples=8, deadline=None)
@given(
    rows=st.integers(25, 150),
    cols=st.integers(25, 170),
    window=st.sampled_from([32, 48, 64]),
    overlap=st.sampled_from([8, 12, 16]),
    batch=st.integers(1, 5),
)
def test_chunks_and_batches_never_matter(blend, rows, cols, window, overlap, batch):
    whole = infer(cube(), Blur(), window=window, overlap=overlap, blend=blend)
    lazy = cube().chunk(y=rows, x=cols)
    parts = infer(lazy, Blur(), window=window, overlap=overlap, blend=blend, batch_size=batch)
    same(whole, parts)


@settings(max_examples=15, deadline=None)
@given(top=st.integers(60, 80), left=st.integers(60, 90))
def test_a_pixel_far_from_the_edge_is_the_same_in_any_region(top, left):
    """The lattice is anchored to the plane: a later run over a part gives the same pixels."""
    options = {"window": 32, "overlap": 8}
    whole = infer(cube(), Blur(), **options)
    part = infer(cube().isel(y=slice(top - 50, None), x=slice(left - 50, None)), Blur(), **options)
    inside = {"y": slice(top, 118), "x": slice(left, 138)}
    expected = whole.isel(inside)
    got = part.sel(y=expected["y"], x=expected["x"])
    same(expected, got)


def test_blocks_equal_the_whole_image_where_the_margin_covers_the_halo():
    scene = cube(missing=0)
    bands = np.stack([scene[name].to_numpy() / np.float32(10_000) for name in ("red", "nir")])
    ring = 40
    padded = np.pad(bands.astype(np.float32), ((0, 0), (ring, ring), (ring, ring)), "reflect")
    bright = Blur().predict(padded[None], None)[0, 1, ring:-ring, ring:-ring]
    found = infer(scene.chunk(y=60, x=50), Blur(), window=32, overlap=8).compute()
    np.testing.assert_array_equal(found["land_cover"], bright > 0.5)
    np.testing.assert_array_equal(found["probability"], np.maximum(bright, 1 - bright))


def test_missing_pixels_have_no_class_and_reach_nobody():
    clean = cube(missing=0)
    holed = clean.copy(deep=True)
    holed["red"][40:60, 40:60] = NODATA
    garbage = holed.copy(deep=True)
    garbage["nir"][40:60, 40:60] = 12345
    first, second = (infer(one, Blur(), window=32, overlap=8) for one in (holed, garbage))
    same(first, second)
    assert (first["land_cover"][40:60, 40:60] == 255).all()
    assert np.isnan(first["probability"][40:60, 40:60]).all()
    assert (first["land_cover"] == 255).sum() == 400


def test_numbers_that_are_not_finite_are_missing():
    scene = cube(missing=0).astype("float32") / 10_000
    scene["nir"][3, 4] = np.inf
    scene["red"][5, 6] = np.nan
    found = infer(scene, Blur(), window=32, overlap=8)
    assert np.argwhere(found["land_cover"].to_numpy() == 255).tolist() == [[3, 4], [5, 6]]


def test_windows_without_a_pixel_are_not_computed():
    calls = []

    class Counting(Blur):
        def predict(self, chips, is_valid):
            calls.append(is_valid.any(axis=(1, 2)).sum())
            return super().predict(chips, is_valid)

    empty = cube()
    for name in empty:
        empty[name][:, 30:] = NODATA
    infer(empty, Counting(), window=32, overlap=0, batch_size=1)
    n_rows = len(Lattice(32, 0).indices(slice(-400003, -400003 + 150)))
    n_cols = len(Lattice(32, 0).indices(slice(50001, 50001 + 30)))
    assert len(calls) == n_rows * n_cols
    assert min(calls) == 1


def test_each_date_by_itself():
    dates = cube(n_dates=3)
    together = infer(dates.chunk(time=2, y=64, x=64), SpectralRule(), window=64, overlap=0)
    for number in range(3):
        alone = infer(dates.isel(time=number), SpectralRule(), window=64, overlap=0)
        np.testing.assert_array_equal(together["land_cover"][number], alone["land_cover"])


def test_it_is_lazy_and_its_tasks_say_what_they_do(raise_if_dask_computes):
    with raise_if_dask_computes():
        lazy = infer(cube().chunk(y=75, x=85), SpectralRule(), window=64, overlap=0)
    names = {str(key).split("-")[0].lstrip("('") for key in lazy["land_cover"].__dask_graph__()}
    assert "infer_block" in names
    assert lazy["land_cover"].chunks == ((75, 75), (85, 85))
    with dask.config.set(scheduler="threads"):
        lazy.compute()
    assert lazy["land_cover"].attrs["flag_meanings"].split()[3] == "mine_pit"


def test_the_rule_travels_light():
    assert len(pickle.dumps(SpectralRule())) < 200


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda c: c.drop_vars("nir"), ValueError, "needs the bands nir; the cube has green"),
        (lambda c: c.assign(nir=c["nir"].astype("float64")), TypeError, "int16 or float32"),
        (lambda c: c.isel(y=[0]), ValueError, "two or more pixels along y"),
        (
            lambda c: c.assign(nir=c["nir"].astype("float32").assign_attrs(units="dB")),
            ValueError,
            "nir is in dB, the model takes it in 1",
        ),
    ],
)
def test_a_cube_that_does_not_fit_is_refused_at_the_door(change, error, message):
    with pytest.raises(error, match=message):
        infer(change(cube()), SpectralRule())


@pytest.mark.parametrize(
    ("window", "overlap", "message"),
    [(64, 64, "less than the window"), (63, 8, "multiple of it"), (64, 6, "multiple of 4")],
)
def test_windows_that_do_not_fit_are_refused(window, overlap, message):
    with pytest.raises(ValueError, match=message):
        infer(cube(), Blur(stride=2), window=window, overlap=overlap)
