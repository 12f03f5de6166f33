"""The chain of ground-range products over an ellipsoid and slopes, held against closed forms."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import rioxarray  # noqa: F401 (the .rio accessor)
import xarray as xr
from pyproj import Transformer

from cvlarray.errors import ReadError
from cvlarray.kernels.swath_edges import inside_swath
from cvlarray.radar import gamma0_of_grd, read_orbit_file
from cvlarray.radar.calibrate import beta0
from cvlarray.radar.noise import read_noise
from tests.radar.safe import BETA_LUT, EPOCH, Scene, satellite, seen, write_orbit_file, write_safe

pytest.importorskip("sarsen", reason="pip install 'cvlarray[sar]'")

SCENE = Scene(-67.6, -12.6)
THETA = seen(SCENE.longitude, SCENE.latitude)[2]
SIGMA0 = 0.2
BETA0 = SIGMA0 / np.sin(THETA)
NOISE = 1000.0
SIDE = 120
INNER = slice(30, -30)
"""Cells at the edge of a DEM lack a part of their area."""


def amplitudes(power=BETA0, shape=(SCENE.n_lines, SCENE.n_pixels)) -> np.ndarray:
    """Return the DN of some beta0 under the noise."""
    return np.rint(np.sqrt(power * BETA_LUT**2 + NOISE)) * np.ones(shape)


def dem(slope: float = 0.0) -> xr.DataArray:
    """Return heights that rise to the east, around the scene's middle."""
    to_utm = Transformer.from_crs(4326, 32719, always_xy=True)
    x, y = to_utm.transform(SCENE.longitude, SCENE.latitude)
    steps = 10.0 * (np.arange(SIDE) - SIDE // 2) + 5
    heights = np.broadcast_to(slope * steps, (SIDE, SIDE)).astype(np.float32)
    coords = {"y": round(y, -1) - steps, "x": round(x, -1) + steps}
    return xr.DataArray(heights, coords, ("y", "x")).rio.write_crs("EPSG:32719")


@pytest.fixture(scope="module")
def even(tmp_path_factory):
    """Return a product of ground that reflects the same everywhere."""
    return write_safe(tmp_path_factory.mktemp("even"), SCENE, amplitudes(), noise=NOISE)


def test_flat_ground_has_sigma0_over_the_cosine_of_incidence(even):
    gamma0 = gamma0_of_grd(even, "vv", dem(), cells=10)
    assert isinstance(gamma0.data, da.Array)
    found = gamma0.compute()
    assert found.dims == ("y", "x")
    assert found.dtype == np.float32
    assert (found["y"].diff("y") < 0).all()
    inner = found[INNER, INNER]
    assert float(inner.mean()) == pytest.approx(SIGMA0 / np.cos(THETA), rel=0.01)
    assert float(inner.std() / inner.mean()) < 0.04


@pytest.mark.parametrize("slope", [0.1, -0.1])
def test_slopes_are_flattened_by_their_own_incidence(even, slope):
    """The satellite looks east: ground that rises to the east faces it."""
    inner = gamma0_of_grd(even, "vv", dem(slope), cells=6).compute()[INNER, INNER]
    local = THETA - np.arctan(slope)
    # With the same beta0 everywhere, gamma0 is beta0 × tan of the local incidence angle.
    assert float(inner.mean()) == pytest.approx(BETA0 * np.tan(local), rel=0.015)


def test_the_orbit_file_puts_a_displaced_image_right(tmp_path):
    """Annotation's orbit 300 m ahead of the true one: 270 m on the ground."""
    dn = amplitudes()
    middle = (SCENE.n_lines // 2, SCENE.n_pixels // 2)
    dn[middle[0] - 3 : middle[0] + 4, middle[1] - 3 : middle[1] + 4] *= 10
    safe = write_safe(tmp_path, SCENE, dn, noise=NOISE, orbit_shift_m=300)
    orbit = tmp_path / "S1A_OPER_AUX_POEORB.EOF"
    write_orbit_file(orbit)
    heights = dem()
    to_utm = Transformer.from_crs(4326, 32719, always_xy=True)
    true = np.array(to_utm.transform(SCENE.longitude, SCENE.latitude))

    def brightest(orbit_file):
        gamma0 = gamma0_of_grd(safe, "vv", heights, orbit_file=orbit_file, cells=6).compute()
        inner = gamma0[6:-6, 6:-6]
        bright = inner.where(inner > 10 * inner.median())
        return np.array([float((bright * bright[dim]).sum() / bright.sum()) for dim in ("x", "y")])

    assert np.hypot(*(brightest(orbit) - true)) < 12
    east, north = brightest(None) - true
    assert abs(east) < 30
    assert abs(north) == pytest.approx(300 * 6378 / 7071, rel=0.1)


def test_noise_is_taken_off_and_the_rest_calibrated_as_esa_says(tmp_path):
    random = np.random.default_rng(3)
    shape = (SCENE.n_lines, SCENE.n_pixels)
    dn = random.integers(40, 400, shape)
    ranges, factors = np.array([900.0, 500.0, 700.0]), np.array([1.0, 1.5])
    safe = write_safe(tmp_path, SCENE, dn, noise=ranges, azimuth=factors)
    (path,) = safe.glob("annotation/calibration/noise-*.xml")
    table = xr.DataArray(
        np.full((2, 3), BETA_LUT),
        {"line": [0, shape[0] - 1], "pixel": [0, shape[1] // 2, shape[1] - 1]},
        ("line", "pixel"),
    )
    image = xr.DataArray(
        da.from_array(dn.astype(np.uint16), chunks=(100, 200)),
        dims=("azimuth_time", "ground_range"),
    )
    found = beta0(image, table.to_dataset(name="betaNought"), read_noise(path)).to_numpy()
    pixels = [0, shape[1] // 2, shape[1] - 1]
    by_range = np.interp(np.arange(shape[1]), pixels, ranges)
    by_line = np.interp(np.arange(shape[0]), [0, shape[0] - 1], factors)
    expected = (dn.astype(float) ** 2 - by_range * by_line[:, None]) / BETA_LUT**2
    assert np.isfinite(found[:, 20:-20]).all()
    np.testing.assert_allclose(found[:, 20:-20], expected[:, 20:-20], rtol=1e-4, atol=1e-7)


def test_borders_end_where_the_ground_begins():
    random = np.random.default_rng(4)
    shape, start, stop = (200, 2000), 300, 1800
    noise = np.full(shape, 600, np.float32)
    power = random.gamma(4.4, 600 / 4.4, shape).astype(np.float32) * 0.8  # processing noise
    power[:, start:stop] = 600 + random.gamma(4.4, 5000 / 4.4, (shape[0], stop - start))
    inside = inside_swath(power, noise)
    assert inside[:, start + 4 : stop - 4].all()
    outside = np.concatenate([inside[:, : start - 16], inside[:, stop + 16 :]], axis=1)
    assert outside.mean() < 0.03


def test_zeros_are_no_data_anywhere():
    power, noise = np.full((3, 1200), 9000, np.float32), np.full((3, 1200), 600, np.float32)
    power[1, 600:650], power[2] = 0, 0
    inside = inside_swath(power, noise)
    assert inside[0].all()
    assert not inside[1, 600:650].any()
    assert inside[1].sum() == 1150
    assert not inside[2].any()


def test_state_vectors_around_a_scene(tmp_path):
    path = tmp_path / "orbit.EOF"
    write_orbit_file(path)
    start, stop = EPOCH, EPOCH + np.timedelta64(25, "s")
    position = read_orbit_file(path, start, stop)
    assert position.dims == ("axis", "azimuth_time")
    assert position.sizes == {"axis": 3, "azimuth_time": 15}
    seconds = (position["azimuth_time"].to_numpy() - EPOCH) / np.timedelta64(1, "s")
    np.testing.assert_allclose(position.to_numpy().T, satellite(seconds), atol=1e-5)


def test_an_orbit_of_another_time_and_no_orbit_are_refused(tmp_path):
    path = tmp_path / "orbit.EOF"
    write_orbit_file(path, first=100)
    with pytest.raises(ReadError, match="does not cover"):
        read_orbit_file(path, EPOCH, EPOCH + np.timedelta64(25, "s"))
    path.write_text("<html>not found")
    with pytest.raises(ReadError, match="is no orbit file"):
        read_orbit_file(path, EPOCH, EPOCH)


def test_a_missing_polarisation_is_refused(even):
    with pytest.raises(ReadError, match="can't be read as IW/VH"):
        gamma0_of_grd(even, "vh", dem())
