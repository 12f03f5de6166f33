"""Scenes on disk: a folder of cloud-optimised GeoTIFFs with the STAC Item that describes them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pystac

from cvlarray.cube.cog import COG_BLOCK_PX, Layer, write_cog
from cvlarray.store import replacing

__all__ = ["COG_BLOCK_PX", "Layer", "write_cog", "write_item"]

_WRITERS = 2
"""Files of a scene that are written at a time: GDAL compresses in one thread."""


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
