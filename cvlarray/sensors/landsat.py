"""Landsat Collection 2 Level-2 surface reflectance at Earth Search and Planetary Computer.

Reflectance = DN × 0.0000275 - 0.2, and 0 is fill (USGS, "Landsat Collection 2 Level-2 Science
Products", 2020), so canonical DN = DN × 0.275 - 2000. Both providers use the same asset keys.
Pixel edges lie at multiples of 30 m plus 15 m: the geotransform says so, nothing is rounded.
"""

from __future__ import annotations

import re

from cvlarray.sensors.profile import (
    Band,
    Calibration,
    Identity,
    Profile,
    Quantity,
    RawItem,
    Signer,
)

_MEASURED = ("coastal", "blue", "green", "red", "nir08", "swir16", "swir22")
_BANDS = (
    *(Band(name, name, 30) for name in _MEASURED),
    Band("qa_pixel", "qa_pixel", 30, Quantity.CLASSES, "uint16", 1),
    Band("qa_radsat", "qa_radsat", 30, Quantity.CLASSES, "uint16", None),
)


def identify(item: RawItem) -> Identity:
    """Read path, row, date and tier; a real-time product (RT) gives way to its tiers T1, T2."""
    properties = item["properties"]
    path, row = properties.get("landsat:wrs_path"), properties.get("landsat:wrs_row")
    tile = f"{int(path):03d}{int(row):03d}" if path and row else ""
    scene = properties.get("landsat:scene_id")
    # LC80330322023281LGN00: sensor, path, row, year and day of year; then station and version
    acquisition = str(scene)[:16] if scene else str(properties["datetime"])[:10]
    collection = properties.get("landsat:collection_number")
    tier = properties.get("landsat:collection_category")
    return Identity(
        grid_tile=tile if re.fullmatch(r"\d{6}", tile) else "",
        acquisition=acquisition,
        processing_baseline=f"{collection}.{tier}" if collection and tier else "",
    )


def surface_reflectance(_item: RawItem, _identity: Identity) -> Calibration:
    """Apply the scale of Collection 2, the same for every Landsat and date."""
    return Calibration(scale=0.275, offset_dn=-2000)


COLLECTION_2 = Profile(
    "landsat-c2-l2",
    "landsat",
    ("landsat-c2-l2",),
    _BANDS,
    identify,
    surface_reflectance,
    Signer.PLANETARY_COMPUTER,
)

PROFILES = (COLLECTION_2,)
