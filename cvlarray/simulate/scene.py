"""Write Sentinel-2 L2A scenes as Earth Search serves them: COGs, STAC Items, a static catalog."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pystac
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from cvlarray.simulate.cog import Layer, write_item
from cvlarray.simulate.item import BANDS, Product, item_json
from cvlarray.store import write_atomic

_DESCRIPTIONS = {
    "sentinel-1-rtc": "Sentinel-1 radiometrically terrain corrected backscatter",
    "landsat-c2-l2": "Landsat Collection 2 Level-2 surface reflectance",
}
_DESCRIPTION = "Sentinel-2 Level-2A surface reflectance as cloud-optimised GeoTIFFs"


def write_scene(
    folder: Path,
    *,
    item_id: str,
    datetime: dt.datetime,
    bands: Mapping[str, NDArray[np.uint16]],
    scl: NDArray[np.uint8],
    geobox: GeoBox,
    product: Product | None = None,
) -> pystac.Item:
    """Write one scene: a COG a band and the Item, in ``folder/<collection>/<item_id>/``.

    The scene appears whole or not at all; one of the same id is replaced.

    Parameters
    ----------
    folder
        Of the catalog; made if missing.
    item_id
        Such as ``S2A_19LDF_20230711_0_L2A``.
    datetime
        Acquisition, with time zone.
    bands
        Band name -> DN as the file shall hold them (y, x), uint16, 0 is no data. A band of a
        coarser native resolution has as many fewer pixels.
    scl
        Scene classification (y, x), uint8, 0 is no data; may be coarser likewise.
    geobox
        North-up grid of the finest bands.
    product
        What the Item says of platform, tile and processing.

    Returns
    -------
    The Item, with its self link; hrefs are relative to it.

    Raises
    ------
    ValueError
        If a band isn't known, or its shape doesn't divide the grid's.
    TypeError
        If a band isn't uint16, or the classification isn't uint8.
    StoreError
        If the scene can't be written.
    """
    product = product or Product()
    grids = {name: _native_grid(name, values, geobox) for name, values in bands.items()}
    grids["scl"] = _native_grid("scl", scl, geobox)
    _check(bands, scl)
    raw = item_json(item_id, datetime, grids, scl, geobox, product)
    values: dict[str, NDArray[Any]] = {**bands, "scl": scl}
    layers = {
        f"{BANDS[name].esa}.tif": Layer(values[name], grids[name], is_classes=name == "scl")
        for name in values
    }
    return write_item(folder, raw, layers)


def write_catalog(folder: Path, items: Sequence[pystac.Item]) -> Path:
    """Write the static catalog of scenes: a collection file each, then ``catalog.json``.

    Parameters
    ----------
    folder
        The one given to `write_scene`.
    items
        Scenes to list, as `write_scene` returned them.

    Returns
    -------
    Path of ``catalog.json``, which is written last.

    Raises
    ------
    ValueError
        If there are no items.
    StoreError
        If a file can't be written.
    """
    if not items:
        raise ValueError("a catalog needs at least one item, got none")
    collections: dict[str, list[pystac.Item]] = {}
    for item in items:
        collections.setdefault(str(item.collection_id), []).append(item)
    for name, members in collections.items():
        write_atomic(folder / name / "collection.json", _dump(_collection(name, members)))
    links = [_link("root", "./catalog.json")]
    links += [_link("child", f"./{name}/collection.json") for name in collections]
    catalog = {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": folder.name,
        "description": "Scenes on disk",
        "links": links,
    }
    path = folder / "catalog.json"
    write_atomic(path, _dump(catalog))
    return path


def _check(bands: Mapping[str, NDArray[np.uint16]], scl: NDArray[np.uint8]) -> None:
    """Refuse arrays of other dtypes: a silent cast would change pixels."""
    for name, values in bands.items():
        if values.dtype != np.uint16:
            raise TypeError(f"band {name} must be uint16, got {values.dtype}")
    if scl.dtype != np.uint8:
        raise TypeError(f"scl must be uint8, got {scl.dtype}")


def _native_grid(name: str, values: NDArray[Any], geobox: GeoBox) -> GeoBox:
    """Return the grid of a band that may be coarser than the scene's."""
    if name not in BANDS:
        raise ValueError(f"bands are {', '.join(BANDS)}; got {name}")
    factor = geobox.shape[0] // max(1, values.shape[0])
    if factor < 1 or tuple(size * factor for size in values.shape) != tuple(geobox.shape):
        raise ValueError(
            f"{name} must be (y, x) of {tuple(geobox.shape)} or a whole part of it, "
            f"got {values.shape}"
        )
    return geobox if factor == 1 else geobox.zoom_out(factor)


def _collection(name: str, items: Sequence[pystac.Item]) -> dict[str, Any]:
    """Return the STAC Collection of some items."""
    boxes = np.array([item.bbox for item in items])
    dates = sorted(str(item.properties["datetime"]) for item in items)
    bbox = [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": name,
        "description": _DESCRIPTIONS.get(name, _DESCRIPTION),
        "license": "other",
        "extent": {
            "spatial": {"bbox": [bbox]},
            "temporal": {"interval": [[dates[0], dates[-1]]]},
        },
        "links": [
            _link("root", "../catalog.json"),
            _link("parent", "../catalog.json"),
            *(_link("item", f"./{item.id}/{item.id}.json") for item in items),
        ],
    }


def _link(rel: str, href: str) -> dict[str, str]:
    return {"rel": rel, "href": href, "type": "application/json"}


def _dump(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1)
