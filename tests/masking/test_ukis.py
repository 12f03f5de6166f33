"""ukis-csmask as a provider: as good on its own chips as it says, and masks as ours are."""

import numpy as np
import pytest
import xarray as xr

from cvlarray.masking import UkisQuality
from cvlarray.names import NODATA_DN, QUALITY, QualityFlag
from tests.masking.agreement import kappa
from tests.masking.test_fmask import CLOUD, FOREST

pytest.importorskip("ukis_csmask.mask", reason="pip install 'cvlarray[ukis]'")


def scene(shape=(2, 200, 220)):
    """Return forest, with something bright on one date and rows missing on the other."""
    bands = {}
    for name, dn in FOREST.items():
        band = np.full(shape, dn, np.int16)
        band[0, 60:140, 80:160] = CLOUD[name]
        band[1, :20] = NODATA_DN
        bands[name] = (("time", "y", "x"), band)
    return xr.Dataset(bands)


def test_forest_and_nothing_in_images_smaller_than_its_window(raise_if_dask_computes):
    cube = scene()
    quality = UkisQuality()(cube)
    assert quality.attrs == QUALITY.attrs
    assert ((quality[1, 40:] & QualityFlag.CLOUD) == 0).all()
    assert (quality[1, :20] == QualityFlag.FILL).all()
    assert not (quality[0] == QualityFlag.FILL).any()
    with raise_if_dask_computes():
        lazy = UkisQuality()(cube.chunk(time=1, y=100))
    xr.testing.assert_equal(lazy.compute(), quality)


def test_other_bands_are_refused():
    with pytest.raises(ValueError, match="with or without swir16 and swir22, got red, nir"):
        UkisQuality(("red", "nir"))
    assert UkisQuality(("blue", "green", "red", "nir08")).bands[3] == "nir08"


@pytest.mark.parametrize(
    ("chip", "published"), [("sentinel2", 0.78), ("landsat7", 0.78), ("landsat5", 0.74)]
)
def test_its_own_chips(external_data, chip, published):
    with np.load(external_data / "csmask_chips" / f"{chip}.npz") as data:
        image, label = data["img"], data["msk"][..., 0]
    names = UkisQuality().bands
    dn = np.rint(image * 1e4).astype(np.int16)
    cube = xr.Dataset(
        {name: (("time", "y", "x"), dn[None, ..., i]) for i, name in enumerate(names)}
    )
    flags = UkisQuality(level="l1c")(cube).to_numpy()[0]
    found = np.select([flags & QualityFlag.CLOUD != 0, flags & QualityFlag.SHADOW != 0], [1, 2], 0)
    true = np.select([label == 4, label == 0], [1, 2], 0)
    assert kappa(true, found) >= published
