import base64

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile

from cvlarray.report import pictures


@pytest.fixture
def noise():
    return np.random.default_rng(3).integers(0, 255, (300, 400, 3), dtype=np.uint8)


def decoded(uri):
    """GDAL's reading of a data URI, (y, x, band)."""
    _, _, text = uri.partition(";base64,")
    with (
        rasterio.Env(GDAL_PAM_ENABLED=False),
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        MemoryFile(base64.b64decode(text)) as file,
        file.open() as source,
    ):
        return source.driver, np.moveaxis(source.read(), 0, -1)


def test_png_keeps_every_pixel(noise):
    driver, pixels = decoded(pictures.data_uri(pictures.png_bytes(noise)))
    assert driver == "PNG"
    np.testing.assert_array_equal(pixels[..., :3], noise)


def test_same_pixels_give_the_same_bytes_without_a_foreign_name(noise):
    assert pictures.png_bytes(noise) == pictures.png_bytes(noise.copy())
    assert b"Software" not in pictures.png_bytes(noise)


@pytest.mark.parametrize("shape", [(40, 60), (41, 67), (5, 60)])
def test_shrink_takes_block_means(shape):
    pixels = np.random.default_rng(1).integers(0, 255, (*shape, 3), dtype=np.uint8)
    small = pictures.shrink(pixels, 20)
    step = -(-max(shape) // 20)
    assert max(small.shape) <= 20
    block = pixels[:step, :step].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(small[0, 0], block, atol=0.5)


def test_small_background_stays_lossless_and_large_becomes_jpeg(noise):
    assert decoded(pictures.background_uri(noise))[0] == "PNG"
    large = np.tile(noise, (10, 10, 1))
    driver, pixels = decoded(pictures.background_uri(large))
    assert driver == "JPEG"
    assert max(pixels.shape) <= 1200


def test_heavy_chip_is_made_light(noise):
    heavy = pictures.png_bytes(noise)
    assert len(heavy) > pictures.CHIP_BYTES
    driver, pixels = decoded(pictures.chip_uri(heavy))
    assert driver == "JPEG"
    assert max(pixels.shape) <= pictures.CHIP_PX


def test_light_chip_is_passed_on():
    png = pictures.png_bytes(np.zeros((8, 8, 3), np.uint8))
    assert pictures.chip_uri(png).endswith(base64.b64encode(png).decode())


def test_chip_must_be_a_png():
    with pytest.raises(ValueError, match="must be a PNG file, got bytes that begin b'<svg"):
        pictures.chip_uri(b"<svg onload=alert(1)>")
