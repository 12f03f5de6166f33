"""Scenes on disk: a folder of cloud-optimised GeoTIFFs with the STAC Item that describes them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pystac
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from cvlarray.store import replacing

COG_BLOCK_PX = 512
_WRITERS = 2
"""Files of a scene that are written at a time: GDAL compresses in one thread."""


class Layer(NamedTuple):
    """One file of a scene."""

    values: NDArray[Any]
    """(y, x) uint8, uint16, int32 or float32."""
    geobox: GeoBox
    nodata: float | None = 0
    is_classes: bool = False
    """Whether values are codes, of which no mean may be taken."""


def write_item(folder: Path, raw: Mapping[str, Any], layers: Mapping[str, Layer]) -> pystac.Item:
    """Write a scene to ``folder/<collection>/<item id>/``, whole or not at all.

    Parameters
    ----------
    folder
        Of the catalog; made if missing.
    raw
        The Item as JSON, hrefs relative to it. One of the same id is replaced.
    layers
        File name -> what it holds.

    Returns
    -------
    The Item, with its self link.

    Raises
    ------
    StoreError
        If the scene can't be written.
    """
    target = folder / str(raw["collection"]) / str(raw["id"])
    with replacing(target) as temporary:
        temporary.mkdir()
        with ThreadPoolExecutor(_WRITERS) as pool:
            for _ in pool.map(lambda name: write_cog(temporary / name, layers[name]), layers):
                pass
        (temporary / f"{raw['id']}.json").write_text(json.dumps(raw, indent=1))
        if target.exists():
            shutil.rmtree(target)
    # The links into the catalog lead nowhere until that is written.
    item = pystac.Item.from_dict({**raw, "links": []}, migrate=False)
    item.set_self_href(str(target.absolute() / f"{raw['id']}.json"))
    return item


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
