import numpy as np
import pytest
from scipy import ndimage

from cvlarray.kernels.shadows import (
    Displacement,
    common_displacement,
    darkness,
    matched_shadows,
)


def cloud_field(seed, shape=(300, 320), share=0.2):
    """Return a mask of clouds of many sizes."""
    random = np.random.default_rng(seed)
    field = sum(
        size * ndimage.gaussian_filter(random.normal(size=shape), size) for size in (4, 8, 16)
    )
    return field > np.quantile(field, 1 - share)


def moved(mask, down, right):
    return ndimage.shift(mask.astype(float), (down, right), order=0) > 0.5


def test_darkness_is_the_share_of_the_rims_light():
    band = np.full((20, 30), 3000, np.int16)
    band[5:10, 5:10] = 1500
    band[:4, 12:16] = 2400  # leaves the image
    band[15, 20] = -32768
    expected = np.zeros((20, 30))
    expected[5:10, 5:10] = 0.5
    expected[:4, 12:16] = 0.2
    np.testing.assert_allclose(darkness(band, 3000), expected, atol=1e-6)
    expected[:4, 12:16] = 0
    np.testing.assert_allclose(darkness(band, np.nan), expected, atol=1e-6)


@pytest.mark.parametrize(("down", "right"), [(14, -22), (-30, 5), (0, 40)])
def test_common_displacement_is_found(down, right):
    is_cloud = cloud_field(seed=abs(right))
    noise = np.random.default_rng(0).uniform(0, 0.1, is_cloud.shape)
    dark = np.where(moved(is_cloud, down, right), 0.4, noise).astype(np.float32)
    found = common_displacement(is_cloud, dark, 100)
    distance = np.hypot(down, right)
    assert (found.down, found.right) == pytest.approx((down / distance, right / distance))
    assert found.nearest_px < distance < found.farthest_px


def test_common_displacement_of_a_large_image():
    is_cloud = cloud_field(seed=2, shape=(1500, 2100))
    dark = np.where(moved(is_cloud, 40, 30), 0.4, 0).astype(np.float32)
    found = common_displacement(is_cloud, dark, 300)
    assert (found.down, found.right) == pytest.approx((0.8, 0.6), abs=0.03)


def test_nothing_stands_out():
    is_cloud = cloud_field(seed=1)
    noise = np.random.default_rng(0).uniform(0, 0.1, is_cloud.shape).astype(np.float32)
    assert common_displacement(is_cloud, noise, 100) is None
    assert common_displacement(np.zeros((50, 50), bool), noise[:50, :50], 100) is None
    assert common_displacement(np.ones((50, 50), bool), noise[:50, :50], 100) is None


def test_each_cloud_has_its_own_height():
    is_cloud, is_dark = (np.zeros((200, 200), bool) for _ in range(2))
    is_cloud[40:60, 40:60] = True
    is_dark[40:60, 70:90] = True
    is_cloud[120:150, 20:60] = True
    is_dark[120:150, 100:140] = True
    is_dark[5:15, 110:190] = True  # a lake
    shadow = matched_shadows(is_cloud, 0.3 * is_dark, Displacement(0.0, 1.0, 10.0, 100.0))
    corners = np.argwhere(shadow ^ is_dark)
    assert len(corners[corners[:, 0] > 20]) <= 8  # the majority rounds the corners
    assert not shadow[:20].any()


def test_every_dark_spot_if_no_direction_is_known():
    is_cloud, dark = np.zeros((50, 50), bool), np.zeros((50, 50), np.float32)
    dark[10:20, 10:20] = 0.3
    dark[30, 30] = 0.3  # a speck
    assert not matched_shadows(is_cloud, dark, None).any()
    is_cloud[40:45, 40:45] = True
    assert matched_shadows(is_cloud, dark, None).sum() == pytest.approx(100, abs=4)


def test_shadow_of_a_cloud_outside_the_image():
    is_cloud, dark = np.zeros((100, 200), bool), np.zeros((100, 200), np.float32)
    is_cloud[20:40, 80:110] = True
    dark[20:40, 120:150] = 0.3
    dark[60:80, 5:35] = 0.3  # 40 pixels from a cloud left of the image
    dark[60:80, 60:90] = 0.3  # a lake
    shadow = matched_shadows(is_cloud, dark, Displacement(0.0, 1.0, 10.0, 100.0))
    assert shadow[20:40, 120:150].mean() > 0.95
    assert shadow[60:80, 5:35].mean() > 0.95
    assert not shadow[60:80, 60:90].any()


def test_no_shadow_under_a_cloud():
    is_cloud = cloud_field(seed=4)
    dark = np.full(is_cloud.shape, 0.3, np.float32)
    for displacement in (None, Displacement(0.6, 0.8, 1.0, 50.0)):
        shadow = matched_shadows(is_cloud, dark, displacement)
        assert shadow.any()
        assert not (shadow & is_cloud).any()
