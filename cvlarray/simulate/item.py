"""The STAC Item of a written scene, in the shape of Earth Search's ``sentinel-2-l2a``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry import box, mapping

from cvlarray.grid import project


class BandInfo(NamedTuple):
    """What an Item says of a band."""

    esa: str
    """ESA's name, which is the file's."""
    wavelength_um: float | None
    """Centre, None for the classification."""


BANDS: Mapping[str, BandInfo] = {
    "coastal": BandInfo("B01", 0.443),
    "blue": BandInfo("B02", 0.490),
    "green": BandInfo("B03", 0.560),
    "red": BandInfo("B04", 0.665),
    "rededge1": BandInfo("B05", 0.704),
    "rededge2": BandInfo("B06", 0.740),
    "rededge3": BandInfo("B07", 0.783),
    "nir": BandInfo("B08", 0.842),
    "nir08": BandInfo("B8A", 0.865),
    "nir09": BandInfo("B09", 0.945),
    "swir16": BandInfo("B11", 1.610),
    "swir22": BandInfo("B12", 2.190),
    "scl": BandInfo("SCL", None),
}

CLOUD_CLASSES = (8, 9, 10)
"""SCL classes that ESA counts as cloud: medium and high probability, thin cirrus."""

_CLASS_PERCENTAGES = {
    "s2:saturated_defective_pixel_percentage": 1,
    "s2:dark_features_percentage": 2,
    "s2:cloud_shadow_percentage": 3,
    "s2:vegetation_percentage": 4,
    "s2:not_vegetated_percentage": 5,
    "s2:water_percentage": 6,
    "s2:unclassified_percentage": 7,
    "s2:medium_proba_clouds_percentage": 8,
    "s2:high_proba_clouds_percentage": 9,
    "s2:thin_cirrus_percentage": 10,
    "s2:snow_ice_percentage": 11,
}

_EXTENSIONS = (
    "eo/v1.1.0",
    "grid/v1.1.0",
    "mgrs/v1.0.0",
    "projection/v2.0.0",
    "raster/v1.1.0",
    "sentinel-2/v1.0.0",
)


@dataclass(frozen=True)
class Product:
    """What an Item says of how its scene came about."""

    collection: str = "sentinel-2-l2a"
    """``sentinel-2-l2a``: DN without ESA's BOA offset, as Earth Search serves them.
    ``sentinel-2-c1-l2a``: DN as ESA delivers them, 1000 higher from baseline 04.00."""
    platform: str = "sentinel-2a"
    grid_tile: str = "19LDF"
    """MGRS tile, two digits and three letters."""
    processing_baseline: str = "05.11"

    @property
    def offset_is_in_dn(self) -> bool:
        """Whether the DN carry ESA's offset of 1000."""
        return self.collection == "sentinel-2-c1-l2a" and self.processing_baseline >= "04.00"


def item_json(
    item_id: str,
    acquired: datetime,
    grids: Mapping[str, GeoBox],
    scl: NDArray[np.uint8],
    geobox: GeoBox,
    product: Product,
) -> dict[str, Any]:
    """Return the Item of a scene.

    Parameters
    ----------
    item_id
        Its id.
    acquired
        Acquisition, with time zone.
    grids
        Band name -> grid of its file.
    scl
        Scene classification (y, x), for the percentages.
    geobox
        Grid of the scene.
    product
        Platform, tile and processing.

    Returns
    -------
    STAC Item 1.0.0 as JSON, hrefs relative to it.

    Raises
    ------
    ValueError
        If ``acquired`` has no time zone.
    """
    if acquired.tzinfo is None:
        raise ValueError(f"datetime must have a time zone, got {acquired.isoformat()}")
    footprint = outline_of(geobox)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            f"https://stac-extensions.github.io/{name}/schema.json" for name in _EXTENSIONS
        ],
        "id": item_id,
        "collection": product.collection,
        "geometry": mapping(footprint),
        "bbox": list(footprint.bounds),
        "properties": _properties(acquired.astimezone(UTC), scl, geobox, product),
        "links": [
            {"rel": "root", "href": "../../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../collection.json", "type": "application/json"},
            {"rel": "collection", "href": "../collection.json", "type": "application/json"},
        ],
        "assets": {name: _asset(name, grid, product) for name, grid in grids.items()},
    }


def _properties(
    acquired: datetime, scl: NDArray[np.uint8], geobox: GeoBox, product: Product
) -> dict[str, Any]:
    """Return the properties of an Item."""
    tile, baseline = product.grid_tile, product.processing_baseline
    satellite = f"S{product.platform[-2:].upper()}"
    properties = {
        "datetime": _text(acquired),
        "platform": product.platform,
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "gsd": float(geobox.affine.a),
        "proj:code": str(geobox.crs),
        "grid:code": f"MGRS-{tile}",
        "mgrs:utm_zone": int(tile[:2]),
        "mgrs:latitude_band": tile[2],
        "mgrs:grid_square": tile[3:],
        "s2:product_type": "S2MSI2A",
        "s2:processing_baseline": baseline,
        "s2:datatake_id": f"G{satellite}_{acquired:%Y%m%dT%H%M%S}_000000_N{baseline}",
        "s2:generation_time": _text(acquired + timedelta(hours=6)),
        **_percentages(scl),
    }
    if product.collection == "sentinel-2-l2a":
        properties["earthsearch:boa_offset_applied"] = baseline >= "04.00"
    return properties


def _percentages(scl: NDArray[np.uint8]) -> dict[str, float]:
    """Return the shares of the SCL classes among the pixels with data, and of those without."""
    counts = np.bincount(scl.ravel(), minlength=12)
    n_data = max(1, int(counts[1:].sum()))
    shares = {name: 100 * float(counts[k]) / n_data for name, k in _CLASS_PERCENTAGES.items()}
    cloud = 100 * float(counts[list(CLOUD_CLASSES)].sum()) / n_data
    nodata = 100 * float(counts[0]) / scl.size
    named = {"eo:cloud_cover": cloud, "s2:nodata_pixel_percentage": nodata, **shares}
    return {name: round(value, 6) for name, value in named.items()}


def _asset(name: str, grid: GeoBox, product: Product) -> dict[str, Any]:
    """Return the asset of a band."""
    band = BANDS[name]
    metres = float(grid.affine.a)
    raster: dict[str, Any] = {"nodata": 0, "spatial_resolution": metres}
    asset: dict[str, Any] = {
        "href": f"./{band.esa}.tif",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "title": f"{name} - {metres:g}m",
        "gsd": metres,
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.affine[:6]),
    }
    if band.wavelength_um is None:
        return asset | {"raster:bands": [raster | {"data_type": "uint8"}], "roles": ["data"]}
    eo = {"name": band.esa, "common_name": name, "center_wavelength": band.wavelength_um}
    offset = -0.1 if product.offset_is_in_dn else 0
    raster |= {"data_type": "uint16", "scale": 0.0001, "offset": offset}
    return asset | {"eo:bands": [eo], "raster:bands": [raster], "roles": ["data", "reflectance"]}


def outline_of(geobox: GeoBox) -> Any:
    """Return the outline of a grid in longitude and latitude, a few points an edge."""
    outline = box(*geobox.boundingbox.bbox)
    step = max(geobox.shape) * abs(float(geobox.affine.a)) / 4
    return project(shapely.segmentize(outline, step), str(geobox.crs), "EPSG:4326")


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
