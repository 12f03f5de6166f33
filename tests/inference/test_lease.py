"""Leases write what `infer` says, whatever their size, whoever takes them, however often."""

from __future__ import annotations

import numpy as np
import pytest

from cvlarray.errors import InferenceError, StoreError
from cvlarray.inference import Cosine, Lease, Windows, create_maps, infer, run_lease, superblocks
from cvlarray.models import SpectralRule
from cvlarray.store import open_raw
from tests.inference.scenes import CHUNK_PX, DATES, GRID, SHARD_PX, one_date, write_cube
from tests.inference.test_infer import Blur

WINDOWS = Windows(window=48, overlap=8, batch_size=3)


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    path = tmp_path_factory.mktemp("cube") / "cube.zarr"
    write_cube(path)
    return path


def new_maps(path, model, **made_by):
    create_maps(
        path,
        model.spec,
        geobox=GRID,
        times=DATES,
        shard_px=SHARD_PX,
        chunk_px=CHUNK_PX,
        made_by=made_by,
    )
    return path


def run_all(cube, store, model, size_px, windows=WINDOWS):
    return [
        run_lease(one_date(cube, date), Lease(y, x, date), store, model, windows)
        for date in range(len(DATES))
        for y, x in superblocks(GRID.shape, shard_px=SHARD_PX, size_px=size_px)
    ]


def files(store):
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("blend", [WINDOWS.blend, Cosine()])
@pytest.mark.parametrize("size_px", [64, 160, 4096])
def test_leases_of_any_size_write_what_infer_says(cube, tmp_path, size_px, blend):
    model = Blur()
    store = new_maps(tmp_path / "maps.zarr", model)
    windows = Windows(48, 8, blend, 3)
    run_all(cube, store, model, size_px, windows)
    stored = open_raw(store).compute(scheduler="synchronous")
    expected = infer(open_raw(cube).compute(), model, window=48, overlap=8, blend=blend)
    for name in ("land_cover", "probability"):
        assert stored[name].to_numpy().tobytes() == expected[name].to_numpy().tobytes()
        assert stored[name].attrs["long_name"] == expected[name].attrs["long_name"]


def test_leases_cover_every_pixel_once_in_whole_shards():
    seen = np.zeros((1000, 700), int)
    for y, x in superblocks(seen.shape, shard_px=64, size_px=300):
        seen[y, x] += 1
        assert y.start % 64 == x.start % 64 == 0
    assert (seen == 1).all()


def test_a_region_of_853_million_pixels_is_64_leases():
    edge = round(853e6**0.5)
    assert len(list(superblocks((edge, edge), shard_px=512))) == 64


def test_a_lease_without_a_pixel_costs_no_window_and_no_file(cube, tmp_path):
    model = Blur()
    store = new_maps(tmp_path / "maps.zarr", model)
    before = files(store)
    lease = Lease(slice(0, 160), slice(128, 224), 1)
    found = run_lease(one_date(cube, 1), lease, store, model, WINDOWS)
    assert (found.n_windows, found.n_bytes_written) == (0, 0)
    assert found.class_counts == {"dark": 0, "bright": 0}
    assert files(store) == before


def test_a_lease_tells_what_it_found(cube, tmp_path):
    model = SpectralRule()
    store = new_maps(tmp_path / "maps.zarr", model)
    found = run_all(cube, store, model, 4096)
    stored = open_raw(store)["land_cover"].compute()
    for date, one in enumerate(found):
        counts = np.bincount(stored[date].to_numpy().ravel(), minlength=5)[:5]
        assert list(one.class_counts.values()) == counts.tolist()
        assert one.n_pixels == 160 * 224
        assert one.pixels_per_s > 0


def test_maps_of_two_models_never_mix(tmp_path):
    store = new_maps(tmp_path / "maps.zarr", Blur(), weights="a" * 64)
    new_maps(store, Blur(), weights="a" * 64)
    with pytest.raises(StoreError, match="made for another run: weights"):
        new_maps(store, Blur(), weights="b" * 64)
    with pytest.raises(StoreError, match=r"made for another run: .*dark"):
        new_maps(store, SpectralRule(), weights="a" * 64)


def test_numbers_that_are_not_finite_write_nothing(cube, tmp_path):
    class Broken(Blur):
        def predict(self, chips, is_valid):
            scores = super().predict(chips, is_valid)
            scores[0, 0, 3, 3] = np.nan
            return scores

    model = Broken()
    store = new_maps(tmp_path / "maps.zarr", model)
    before = files(store)
    with pytest.raises(InferenceError, match="blur gives numbers that are not finite near row"):
        run_all(cube, store, model, 96)
    assert files(store) == before


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (lambda c: c.drop_vars("nir"), ValueError, "needs the bands nir"),
        (
            lambda c: c.assign(nir=c["nir"].astype("f4").assign_attrs(units="dB")),
            ValueError,
            "nir is in dB",
        ),
    ],
)
def test_a_cube_that_does_not_fit_is_refused(cube, tmp_path, harm, error, message):
    store = new_maps(tmp_path / "maps.zarr", SpectralRule())
    lease = Lease(slice(0, 32), slice(0, 32), 0)
    with pytest.raises(error, match=message):
        run_lease(harm(one_date(cube, 0)), lease, store, SpectralRule(), WINDOWS)


def test_a_lease_that_cuts_a_shard_is_refused(cube, tmp_path):
    store = new_maps(tmp_path / "maps.zarr", Blur())
    with pytest.raises(StoreError, match="shards are 32 long in y"):
        run_lease(one_date(cube, 0), Lease(slice(0, 20), slice(0, 32), 0), store, Blur(), WINDOWS)
