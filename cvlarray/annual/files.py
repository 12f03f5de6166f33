"""Yearly maps as COGs with STAC Items, in a catalogue that other programs open."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import shapely
import xarray as xr
from odc.geo.geobox import GeoBox

from cvlarray.cube.cog import Layer, write_cog
from cvlarray.grid import outline
from cvlarray.names import NOT_WATCHED, YEARLY_CHANGE, YEARLY_CLASS, Variable
from cvlarray.store import replacing, write_atomic

__all__ = ["write_yearly_maps"]

_MAPS = (YEARLY_CLASS, YEARLY_CHANGE)


def write_yearly_maps(
    folder: Path,
    changes: xr.Dataset,
    geobox: GeoBox,
    *,
    name: str,
    properties: Mapping[int, Mapping[str, Any]],
) -> Path:
    """Write each year's maps of land cover and of disturbance.

    Parameters
    ----------
    folder
        Made if missing; maps of the same year are replaced.
    changes
        `cvlarray.names.CHANGES_VARIABLES`; of a lazy one a year is read at a time.
    geobox
        Its grid.
    name
        Of the collection.
    properties
        More properties of each year's Item, such as what it was made by.

    Returns
    -------
    Path of ``collection.json``, which is written last.

    Raises
    ------
    StoreError
        If a file can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    footprint = outline(geobox)
    years = [int(year) for year in changes["year"].to_numpy()]
    collection = pystac.Collection(
        id=name,
        description="What stood where forest stood, and what disturbed it, at each year's end.",
        extent=pystac.Extent(
            pystac.SpatialExtent([list(footprint.bounds)]),
            pystac.TemporalExtent([[_moment(years[0], 1, 1), _moment(years[-1], 12, 31)]]),
        ),
    )
    for year in years:
        item = _item(year, name, footprint, geobox, properties.get(year, {}))
        for variable in _MAPS:
            path = folder / f"{variable.name}_{year}.tif"
            values = changes[variable.name].sel(year=year).to_numpy().astype(np.uint8)
            with replacing(path) as temporary:
                write_cog(temporary, Layer(values, geobox, int(NOT_WATCHED), is_classes=True))
            item.add_asset(variable.name, _asset(variable, path.name))
        write_atomic(folder / f"{item.id}.json", json.dumps(item.to_dict(), indent=1))
        link = pystac.Link("item", f"./{item.id}.json", "application/geo+json")
        collection.add_link(link)
    path = folder / "collection.json"
    write_atomic(path, json.dumps(collection.to_dict(), indent=1))
    return path


def _item(
    year: int, name: str, footprint: Any, geobox: GeoBox, properties: Mapping[str, Any]
) -> pystac.Item:
    item = pystac.Item(
        id=f"{name}-{year}",
        geometry=shapely.geometry.mapping(footprint),
        bbox=list(footprint.bounds),
        datetime=None,
        start_datetime=_moment(year, 1, 1),
        end_datetime=_moment(year, 12, 31),
        properties={
            "proj:code": f"EPSG:{geobox.crs.to_epsg()}" if geobox.crs else None,
            "proj:shape": list(geobox.shape),
            "proj:transform": list(geobox.affine[:6]),
            **properties,
        },
        stac_extensions=[
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
        ],
        collection=name,
    )
    item.add_link(pystac.Link("collection", "./collection.json", "application/json"))
    item.add_link(pystac.Link("parent", "./collection.json", "application/json"))
    return item


def _asset(variable: Variable, href: str) -> pystac.Asset:
    meanings: Sequence[str] = str(variable.attrs["flag_meanings"]).split()
    classes = [
        {"value": int(value), "name": meaning}
        for value, meaning in zip(variable.attrs["flag_values"], meanings, strict=True)
    ]
    return pystac.Asset(
        href=f"./{href}",
        media_type=pystac.MediaType.COG,
        roles=["data"],
        title=str(variable.attrs["long_name"]),
        extra_fields={"classification:classes": classes, "nodata": int(NOT_WATCHED)},
    )


def _moment(year: int, month: int, day: int) -> dt.datetime:
    return dt.datetime(year, month, day, tzinfo=dt.UTC)
