"""Maps as cloud-optimised GeoTIFFs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

COG_BLOCK_PX = 512


class Layer(NamedTuple):
    """What one file holds."""

    values: NDArray[Any]
    """(y, x) uint8, uint16, int32 or float32."""
    geobox: GeoBox
    nodata: float | None = 0
    is_classes: bool = False
    """Whether values are codes, of which no mean may be taken."""


def write_cog(path: Path, layer: Layer) -> None:
    """Write a cloud-optimised GeoTIFF, the same bytes for the same pixels.

    Parameters
    ----------
    path
        Its folder exists.
    layer
        What it shall hold.
    """
    height, width = layer.values.shape
    predictor = "NO" if layer.is_classes else "YES"
    with rasterio.open(
        path,
        "w",
        driver="COG",
        height=height,
        width=width,
        count=1,
        dtype=layer.values.dtype,
        nodata=layer.nodata,
        crs=str(layer.geobox.crs),
        transform=layer.geobox.affine,
        compress="DEFLATE",
        # Noise is hardly smaller at higher levels, and takes longer.
        level=1,
        predictor=predictor,
        # A tile is padded to its full size and decoded whole, so small scenes get small tiles.
        blocksize=min(COG_BLOCK_PX, max(128, -(-max(height, width) // 16) * 16)),
        overview_resampling="NEAREST" if layer.is_classes else "AVERAGE",
    ) as dataset:
        dataset.write(layer.values, 1)
