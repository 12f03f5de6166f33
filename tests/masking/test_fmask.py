"""Clouds thrown on a plain, with shadows where the sun says; and labelled chips of real scenes."""

import numpy as np
import pytest
import xarray as xr

from cvlarray.masking import FmaskQuality, SclQuality, is_clear_of
from cvlarray.names import NODATA_DN, QUALITY, QualityFlag
from tests import romania
from tests.masking.agreement import kappa

FOREST = {"blue": 900, "green": 750, "red": 500, "nir": 3000, "swir16": 1500, "swir22": 700}
CLOUD = {"blue": 5000, "green": 5000, "red": 5200, "nir": 6000, "swir16": 4500, "swir22": 3500}
RIVER = {"blue": 1000, "green": 800, "red": 600, "nir": 300, "swir16": 150, "swir22": 100}
SIDE = 200
CLOUD_ROWS, CLOUD_COLUMNS = slice(90, 120), slice(100, 140)


def scene(shadow=(0, 0), river=None, seed=0):
    """Return forest with one cloud, its shadow displaced by rows and columns, and a river."""
    random = np.random.default_rng(seed)
    texture = random.normal(1, 0.04, (SIDE, SIDE))
    rows, columns = np.mgrid[:SIDE, :SIDE]

    def inside(down, right):
        return (
            (rows >= CLOUD_ROWS.start + down)
            & (rows < CLOUD_ROWS.stop + down)
            & (columns >= CLOUD_COLUMNS.start + right)
            & (columns < CLOUD_COLUMNS.stop + right)
        )

    is_cloud, is_shadow = inside(0, 0), inside(*shadow)
    cube = {}
    for name, dn in FOREST.items():
        band = dn * texture
        band = np.where(is_shadow, band * (0.5 if name in {"nir", "swir16"} else 0.8), band)
        if river is not None:
            band[:, river] = RIVER[name]
        band = np.where(is_cloud, CLOUD[name] * texture, band)
        cube[name] = (("time", "y", "x"), np.rint(band).astype(np.int16)[None])
    coords = {"time": [np.datetime64("2024-07-01", "ns")]}
    grid = {"y": 8e6 - 10.0 * np.arange(SIDE), "x": 3e5 + 10.0 * np.arange(SIDE)}
    return xr.Dataset(cube, coords=coords | grid), is_cloud, is_shadow & ~is_cloud


def has(quality, flag):
    return (quality.to_numpy()[0] & flag) != 0


def overlap(found, true):
    return (found & true).sum() / (found | true).sum()


def test_cloud_and_its_shadow_without_a_sun():
    cube, is_cloud, is_shadow = scene(shadow=(25, -30))
    quality = FmaskQuality(rim_px=0)(cube)
    assert overlap(has(quality, QualityFlag.CLOUD), is_cloud) > 0.97
    assert overlap(has(quality, QualityFlag.SHADOW), is_shadow) > 0.9
    assert is_clear_of(quality).mean() > 0.9
    assert quality.attrs == QUALITY.attrs
    assert quality.dtype == np.uint8


def test_the_sun_tells_a_shadow_from_a_river():
    # Sun in the north-east at 45°: a cloud at 300 m throws its shadow 300 m to the south-west.
    cube, _, is_shadow = scene(shadow=(21, -21), river=slice(40, 48))
    with_sun = cube.assign_coords(sun_azimuth=("time", [45.0]), sun_elevation=("time", [45.0]))
    quality = FmaskQuality()(with_sun)
    assert overlap(has(quality, QualityFlag.SHADOW), is_shadow) > 0.85
    assert has(quality, QualityFlag.WATER)[:, 40:48].mean() > 0.99
    assert not has(quality, QualityFlag.SHADOW)[:, 36:52].any()


@pytest.mark.parametrize(("azimuth", "elevation"), [(225.0, 45.0), (45.0, 80.0)])
def test_no_shadow_where_the_sun_throws_none(azimuth, elevation):
    cube, *_ = scene(shadow=(60, -60))
    sun = {"sun_azimuth": ("time", [azimuth]), "sun_elevation": ("time", [elevation])}
    # At 80° even a cloud at 3 km throws its shadow no farther than 53 pixels: this one is at 85.
    quality = FmaskQuality()(cube.assign_coords(sun))
    at_shadow = has(quality, QualityFlag.SHADOW)[150:180, 40:80]
    assert at_shadow.any() == (elevation == 80.0)


def test_unknown_sun_is_as_none():
    cube, *_ = scene(shadow=(25, -30))
    angles = {"sun_azimuth": ("time", [np.nan]), "sun_elevation": ("time", [40.0])}
    xr.testing.assert_equal(
        FmaskQuality()(cube.assign_coords(angles)).drop_vars(angles), FmaskQuality()(cube)
    )


@pytest.mark.parametrize(
    "bands",
    [
        ("blue", "green", "red", "nir"),
        ("green", "red", "nir", "swir16"),
        ("blue", "red", "nir"),
        ("blue", "green", "red"),
        ("blue", "red", "swir16", "swir22"),
        ("blue",),
    ],
)
def test_any_bands(bands):
    cube, is_cloud, is_shadow = scene(shadow=(25, -30))
    quality = FmaskQuality(bands, rim_px=0)(cube)
    assert overlap(has(quality, QualityFlag.CLOUD), is_cloud) > 0.95
    finds_shadow = {"nir", "swir16"} & set(bands)
    assert (overlap(has(quality, QualityFlag.SHADOW), is_shadow) > 0.9) == bool(finds_shadow)


def test_missing_pixels_are_fill_alone():
    cube, *_ = scene()
    cube["swir22"][0, 50:60, :] = NODATA_DN
    cube["red"][0, :, 110:120] = NODATA_DN
    quality = FmaskQuality()(cube)
    is_fill = has(quality, QualityFlag.FILL)
    expected = np.zeros((SIDE, SIDE), bool)
    expected[50:60], expected[:, 110:120] = True, True
    np.testing.assert_array_equal(is_fill, expected)
    assert set(quality.to_numpy()[0][is_fill]) == {QualityFlag.FILL}


def test_a_date_without_any_observation():
    cube, *_ = scene()
    quality = FmaskQuality()(xr.full_like(cube, NODATA_DN))
    assert (quality == QualityFlag.FILL).all()


def test_a_closed_deck_is_cloud_all_over():
    cube, *_ = scene()
    deck = xr.Dataset({name: xr.full_like(cube[name], dn) for name, dn in CLOUD.items()})
    deck["blue"] += np.arange(SIDE, dtype=np.int16)  # no ceiling
    assert has(FmaskQuality()(deck), QualityFlag.CLOUD).all()


def test_clear_forest_is_clear():
    cube, *_ = scene(shadow=(25, -30))
    assert is_clear_of(FmaskQuality()(cube.isel(y=slice(0, 80)))).mean() > 0.999


def test_dates_are_judged_alone_and_lazily(raise_if_dask_computes):
    one, *_ = scene(shadow=(25, -30))
    other, *_ = scene(shadow=(-25, 40), seed=1)
    other = other.assign_coords(time=[np.datetime64("2024-07-06", "ns")])
    both = xr.concat([one, other], "time")
    with raise_if_dask_computes():
        lazy = FmaskQuality()(both.chunk(time=1))
    together = lazy.compute(scheduler="synchronous")
    xr.testing.assert_identical(together, FmaskQuality()(both))
    np.testing.assert_array_equal(together[1], FmaskQuality()(other)[0])


def test_narrow_nir_stands_in():
    cube, *_ = scene(shadow=(25, -30))
    narrow = FmaskQuality(("blue", "green", "red", "nir08", "swir16", "swir22"))
    xr.testing.assert_equal(narrow(cube.rename(nir="nir08")), FmaskQuality()(cube))


def test_what_is_refused():
    cube, *_ = scene()
    with pytest.raises(
        ValueError, match="y must be one chunk to find clouds and their shadows, got 2"
    ):
        FmaskQuality()(cube.chunk(y=100))
    with pytest.raises(ValueError, match="needs the band swir22, the cube has"):
        FmaskQuality()(cube.drop_vars("swir22"))
    with pytest.raises(ValueError, match="bands must have blue, green or red, got nir"):
        FmaskQuality(("nir",))
    with pytest.raises(ValueError, match="bands must be different ones of"):
        FmaskQuality(("red", "nir", "nir08"))
    with pytest.raises(ValueError, match="north-up grid"):
        FmaskQuality()(cube.isel(y=slice(None, None, -1)))


@pytest.mark.parametrize(
    ("chip", "whole", "cloud", "shadow", "clear"),
    [
        ("sentinel2", 0.86, 0.86, 0.86, 0.86),
        ("landsat7", 0.76, 0.76, 0.77, 0.75),
        ("landsat5", 0.76, 0.85, 0.69, 0.72),
    ],
)
def test_labelled_chips(external_data, chip, whole, cloud, shadow, clear):
    """As good as measured; ukis-csmask has 0.78, 0.79 and 0.74 over the three classes."""
    with np.load(external_data / "csmask_chips" / f"{chip}.npz") as data:
        image, label = data["img"], data["msk"][..., 0]
    names = ["blue", "green", "red", "nir", "swir16", "swir22"]
    dn = np.rint(image * 1e4).astype(np.int16)
    cube = xr.Dataset(
        {name: (("time", "y", "x"), dn[None, ..., i]) for i, name in enumerate(names)},
        coords={"y": -30.0 * np.arange(512), "x": 30.0 * np.arange(512)},
    )
    quality = FmaskQuality()(cube)
    found = np.where(has(quality, QualityFlag.CLOUD), 1, 2 * has(quality, QualityFlag.SHADOW))
    true = np.select([label == 4, label == 0], [1, 2], 0)
    assert kappa(true, found) >= whole - 0.005
    assert kappa(true == 1, found == 1) >= cloud - 0.005
    assert kappa(true == 2, found == 2) >= shadow - 0.005
    assert kappa(true == 0, found == 0) >= clear - 0.005


@pytest.mark.parametrize(
    ("resolution_m", "bands", "least"),
    [(10, ("blue", "green", "red", "nir"), 0.78), (20, ("green", "red", "nir08", "swir16"), 0.84)],
)
def test_clouds_of_real_surface_reflectance_as_sen2cor_sees_them(resolution_m, bands, least):
    """140 dates of one square kilometre, each compared with its own clear land only."""
    cube = romania.load(resolution_m)
    ours, theirs = FmaskQuality(bands)(cube), SclQuality()(cube)
    is_known = ((ours != QualityFlag.FILL) & (theirs != QualityFlag.FILL)).to_numpy()
    found, expected = (
        (one.to_numpy()[is_known] & QualityFlag.CLOUD) != 0 for one in (ours, theirs)
    )
    assert kappa(expected, found) > least
