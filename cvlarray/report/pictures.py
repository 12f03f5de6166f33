"""Arrays and PNG files as data URIs, small enough for a page that carries them all."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

RgbArray = npt.NDArray[np.uint8]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
LOSSLESS_PX = 200_000
"""Up to this size a picture is kept as PNG, pixel for pixel."""
CHIP_BYTES = 32_000
CHIP_PX = 256


def png_bytes(pixels: RgbArray) -> bytes:
    """Encode (y, x, 3) or (y, x, 4) uint8 as PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def jpeg_bytes(rgb: RgbArray, quality: int = 82) -> bytes:
    """Encode (y, x, 3) uint8 as JPEG."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue()


def shrink(pixels: RgbArray, max_px: int) -> RgbArray:
    """Return block means so that neither side exceeds ``max_px``; ragged ends are cut off."""
    step = -(-max(pixels.shape[:2]) // max_px)
    if step <= 1:
        return pixels
    rows, columns = (max(size // step, 1) for size in pixels.shape[:2])
    cut = pixels[: rows * step, : columns * step].astype(np.float32)
    blocks = cut.reshape(rows, cut.shape[0] // rows, columns, cut.shape[1] // columns, -1)
    means: RgbArray = blocks.mean(axis=(1, 3)).round().astype(np.uint8)
    return means


def data_uri(encoded: bytes) -> str:
    """Return PNG or JPEG bytes as a data URI."""
    kind = "png" if encoded.startswith(PNG_SIGNATURE) else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode('ascii')}"


def background_uri(rgb: RgbArray, max_px: int = 1200) -> str:
    """Return a picture (y, x, 3): as it is when small, else shrunk and as JPEG."""
    small = shrink(rgb, max_px)
    lossless = small.shape[0] * small.shape[1] <= LOSSLESS_PX
    return data_uri(png_bytes(small) if lossless else jpeg_bytes(small))


def chip_uri(png: bytes) -> str:
    """Return a chip's PNG, re-encoded when it weighs more than a report's chip may.

    Raises
    ------
    ValueError
        If the bytes are no PNG.
    """
    if not png.startswith(PNG_SIGNATURE):
        raise ValueError(f"a chip must be a PNG file, got bytes that begin {png[:8]!r}")
    if len(png) <= CHIP_BYTES:
        return data_uri(png)
    with Image.open(io.BytesIO(png)) as picture:
        rgb = np.asarray(picture.convert("RGB"))
    return data_uri(jpeg_bytes(shrink(rgb, CHIP_PX)))
