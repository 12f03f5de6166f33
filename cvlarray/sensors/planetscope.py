"""PlanetScope at 3 m: ortho surface reflectance of four or eight bands, with Planet's UDM2.

Planet delivers an item type ``PSScene`` (Planet, "PlanetScope Product Specifications", 2023): one
file with all bands, ``ortho_analytic_4b_sr`` (blue, green, red, near infrared) or
``ortho_analytic_8b_sr`` (coastal, blue, green I, green, yellow, red, red edge, near infrared), DN =
reflectance × 10,000 with 0 for no data; and one with the eight bands of the usable data mask,
``ortho_udm2``. Assets are found by these names, as keys or as ``pl:asset_type``, which is where the
catalogue of an order has them. Scenes are strips of one satellite, on UTM grids of their own.

Each band is read by its number in the file, which is opened once for each band asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cvlarray.sensors.profile import (
    Band,
    Calibration,
    Identity,
    Profile,
    Quantity,
    RawItem,
)

METRES = 3
_FOUR = ("blue", "green", "red", "nir")
_EIGHT = ("coastal", "blue", "green_i", "green", "yellow", "red", "rededge1", "nir")
_UDM2 = ("clear", "snow", "shadow", "haze_light", "haze_heavy", "cloud", "confidence", "unusable")


def _reflectance(key: str, names: Sequence[str]) -> tuple[Band, ...]:
    """Return the bands of a file of surface reflectance."""
    return tuple(
        Band(name, key, METRES, index=number, n_bands=len(names))
        for number, name in enumerate(names, start=1)
    )


def _mask() -> tuple[Band, ...]:
    """Return the bands of the usable data mask: where there is no data, bit 0 of the last says so.

    255 is a value that none of them has otherwise.
    """
    return tuple(
        Band(
            f"udm2_{name}",
            "ortho_udm2",
            METRES,
            Quantity.CLASSES,
            dtype="uint8",
            nodata=255,
            index=number,
            n_bands=len(_UDM2),
            fill_bits=(len(_UDM2), 1),
        )
        for number, name in enumerate(_UDM2, start=1)
    )


def identify(item: RawItem) -> Identity:
    """Read the strip; a scene is processed again under the same id, so nothing supersedes it."""
    properties = item["properties"]
    strip = properties.get("pl:strip_id") or properties.get("strip_id")
    scene = re.sub(r"_3B.*$", "", str(item["id"]))
    return Identity(acquisition=f"{strip}/{scene}" if strip else scene)


def surface_reflectance(_item: RawItem, _identity: Identity) -> Calibration:
    """Leave the DN as they are: reflectance × 10,000."""
    return Calibration()


COLLECTIONS = ("PSScene", "psscene", "planetscope")

FOUR_BANDS = Profile(
    "planetscope/4-band",
    "planetscope",
    COLLECTIONS,
    (*_reflectance("ortho_analytic_4b_sr", _FOUR), *_mask()),
    identify,
    surface_reflectance,
)
EIGHT_BANDS = Profile(
    "planetscope/8-band",
    "planetscope",
    COLLECTIONS,
    (*_reflectance("ortho_analytic_8b_sr", _EIGHT), *_mask()),
    identify,
    surface_reflectance,
)

PROFILES = (EIGHT_BANDS, FOUR_BANDS)
