"""STAC Items of radar and Landsat scenes, in the shape of Planetary Computer's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry import mapping

from cvlarray.simulate.acquisitions import Pass
from cvlarray.simulate.item import outline_of

RADAR_COLLECTION, LANDSAT_COLLECTION = "sentinel-1-rtc", "landsat-c2-l2"
RADAR_NODATA = -32768.0

WRS_TILE = "002068"
"""Path and row of Landsat over Puerto Maldonado."""

_LANDSAT_NAMES: Mapping[str, tuple[str, str, float]] = MappingProxyType({
    "coastal": ("SR_B1", "OLI_B1", 0.44), "blue": ("SR_B2", "OLI_B2", 0.48),
    "green": ("SR_B3", "OLI_B3", 0.56), "red": ("SR_B4", "OLI_B4", 0.65),
    "nir08": ("SR_B5", "OLI_B5", 0.87), "swir16": ("SR_B6", "OLI_B6", 1.61),
    "swir22": ("SR_B7", "OLI_B7", 2.2),
})  # fmt: skip
_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"


def radar_file(polarisation: str) -> str:
    """Return the file name of ``vv`` or ``vh``."""
    return f"iw-{polarisation}.rtc.tiff"


def landsat_file(band: str) -> str:
    """Return the file name of a band or of ``qa_pixel``."""
    return f"{_LANDSAT_NAMES[band][0] if band in _LANDSAT_NAMES else band.upper()}.TIF"


def radar_json(at: Pass, longitude: float, geobox: GeoBox) -> dict[str, Any]:
    """Return the Item of a Sentinel-1 RTC scene.

    Parameters
    ----------
    at
        Pass of Sentinel-1.
    longitude
        Of the scene, for the time of day.
    geobox
        Its grid.

    Returns
    -------
    STAC Item 1.0.0 as JSON, hrefs relative to it.
    """
    moment = at.moment(longitude)
    later = moment + dt.timedelta(seconds=25)
    number = moment.toordinal()
    satellite = at.platform[-2:].upper()
    item_id = (
        f"S{satellite}_IW_GRDH_1SDV_{moment:%Y%m%dT%H%M%S}_{later:%Y%m%dT%H%M%S}"
        f"_{number % 1_000_000:06d}_{number % 0xFFFFFF:06X}_rtc"
    )
    raster = {"nodata": RADAR_NODATA, "data_type": "float32", "spatial_resolution": 10.0}
    assets = {
        name: {
            "href": f"./{radar_file(name)}",
            "type": _TYPE,
            "roles": ["data"],
            "title": name.upper(),
            "raster:bands": [raster],
        }
        for name in ("vh", "vv")
    }
    properties = {
        "datetime": _text(moment),
        "platform": at.platform.upper(),
        "constellation": "Sentinel-1",
        "sar:frequency_band": "C",
        "sar:instrument_mode": "IW",
        "sar:looks_equivalent_number": 4.4,
        "sar:polarizations": ["VV", "VH"],
        "sar:product_type": "GRD",
        "sat:orbit_state": at.orbit_state,
        "sat:relative_orbit": at.relative_orbit,
    }
    extensions = ("sar/v1.0.0", "sat/v1.0.0", "projection/v1.1.0", "raster/v1.1.0")
    return _item(item_id, RADAR_COLLECTION, properties, assets, geobox, extensions)


def landsat_json(
    at: Pass, longitude: float, geobox: GeoBox, qa_pixel: NDArray[np.uint16]
) -> dict[str, Any]:
    """Return the Item of a Landsat scene.

    Parameters
    ----------
    at
        Pass of Landsat.
    longitude
        Of the scene, for the time of day.
    geobox
        Its grid.
    qa_pixel
        (y, x) flags, for the cloud cover.

    Returns
    -------
    STAC Item 1.0.0 as JSON, hrefs relative to it.
    """
    moment = at.moment(longitude)
    number = at.platform[-1]
    raster = {
        "scale": 2.75e-05, "nodata": 0, "offset": -0.2, "data_type": "uint16",
        "spatial_resolution": 30,
    }  # fmt: skip
    assets: dict[str, Any] = {
        name: {
            "href": f"./{landsat_file(name)}",
            "type": _TYPE,
            "roles": ["data", "reflectance"],
            "eo:bands": [{"name": oli, "common_name": name, "center_wavelength": wavelength}],
            "raster:bands": [raster],
        }
        for name, (_, oli, wavelength) in _LANDSAT_NAMES.items()
    }
    flags = {"nodata": 1, "data_type": "uint16", "spatial_resolution": 30, "unit": "bit index"}
    assets["qa_pixel"] = {
        "href": f"./{landsat_file('qa_pixel')}",
        "type": _TYPE,
        "roles": ["cloud", "cloud-shadow", "water-mask"],
        "raster:bands": [flags],
    }
    is_cloud = (qa_pixel & 0b1010) != 0
    properties = {
        "datetime": _text(moment),
        "platform": at.platform,
        "instruments": ["oli", "tirs"],
        "gsd": 30,
        "eo:cloud_cover": round(100 * float(is_cloud.mean()), 2),
        "landsat:scene_id": f"LC{number}{WRS_TILE}{moment:%Y%j}LGN00",
        "landsat:wrs_path": WRS_TILE[:3],
        "landsat:wrs_row": WRS_TILE[3:],
        "landsat:wrs_type": "2",
        "landsat:correction": "L2SP",
        "landsat:collection_number": "02",
        "landsat:collection_category": "T1",
    }
    item_id = f"LC0{number}_L2SP_{WRS_TILE}_{moment:%Y%m%d}_02_T1"
    extensions = ("eo/v1.0.0", "projection/v1.1.0", "raster/v1.1.0")
    return _item(item_id, LANDSAT_COLLECTION, properties, assets, geobox, extensions)


def _item(
    item_id: str,
    collection: str,
    properties: Mapping[str, Any],
    assets: Mapping[str, Any],
    geobox: GeoBox,
    extensions: tuple[str, ...],
) -> dict[str, Any]:
    """Return an Item whose assets all have one grid."""
    footprint = outline_of(geobox)
    grid = {
        "proj:epsg": int(str(geobox.crs).removeprefix("EPSG:")),
        "proj:shape": list(geobox.shape),
        "proj:transform": list(geobox.affine)[:9],
        "proj:bbox": list(geobox.boundingbox.bbox),
    }
    links = [
        {"rel": "root", "href": "../../catalog.json", "type": "application/json"},
        {"rel": "parent", "href": "../collection.json", "type": "application/json"},
        {"rel": "collection", "href": "../collection.json", "type": "application/json"},
    ]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            f"https://stac-extensions.github.io/{name}/schema.json" for name in extensions
        ],
        "id": item_id,
        "collection": collection,
        "geometry": mapping(footprint),
        "bbox": list(footprint.bounds),
        "properties": {**properties, **grid},
        "links": links,
        "assets": assets,
    }


def _text(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
