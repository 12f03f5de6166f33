"""Sentinel-2 L2A at Earth Search, Planetary Computer and CDSE, and the BOA offset rule.

From processing baseline 04.00 ESA adds 1000 to every DN, so that slightly negative reflectance
fits an unsigned file: reflectance = (DN - 1000) / 10,000, and 0 stays "no data" (ESA, "Copernicus
Sentinel-2 Major Products Upgrade", 2021). What a catalogue says about it can't be trusted:

- Earth Search ``sentinel-2-l2a`` subtracts the 1000 when it makes its COGs, yet its
  ``raster:bands`` go on saying offset -0.1. Its ``earthsearch:boa_offset_applied`` is right when
  true. When false it is right for products of the first five weeks of baseline 04.00, made before
  the provider began to subtract (27 February 2022), and wrong for the later ones reported
  (October 2022, 2025).
- Earth Search ``sentinel-2-c1-l2a``, Planetary Computer and CDSE serve ESA's DN unchanged.
  Planetary Computer has no ``raster:bands``.

So the rule reads the baseline, the provider, a true flag and the product's date, and nothing
else. It is checked against the pixels: see `check_boa_offset`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from cvlarray.sensors.profile import (
    Band,
    Calibration,
    Identity,
    Profile,
    Quantity,
    RawItem,
    Signer,
    refuse,
    timestamp,
)

BOA_OFFSET_DN = -1000
OFFSET_BASELINE = "04.00"
"""First processing baseline whose DN carry the offset."""
PROVIDER_SUBTRACTS_SINCE = datetime(2022, 2, 27, tzinfo=UTC)
"""Products made later have their offset removed by Earth Search's ``sentinel-2-l2a``."""

_BANDS = (
    # canonical name, ESA name, native resolution [m]
    ("coastal", "B01", 60),
    ("blue", "B02", 10),
    ("green", "B03", 10),
    ("red", "B04", 10),
    ("rededge1", "B05", 20),
    ("rededge2", "B06", 20),
    ("rededge3", "B07", 20),
    ("nir", "B08", 10),
    ("nir08", "B8A", 20),
    ("nir09", "B09", 60),
    ("swir16", "B11", 20),
    ("swir22", "B12", 20),
)


def _bands(key: str) -> tuple[Band, ...]:
    """Return the bands of a provider that forms asset keys by ``key``."""
    measured = (
        Band(name, key.format(name=name, esa=esa, m=metres), metres) for name, esa, metres in _BANDS
    )
    scl_key = key.format(name="scl", esa="SCL", m=20)
    return *measured, Band("scl", scl_key, 20, Quantity.CLASSES, "uint8")


def identify(item: RawItem) -> Identity:
    """Read tile, data take and processing baseline, under any of the providers' names."""
    properties = item["properties"]
    product = str(properties.get("s2:product_uri") or item["id"])
    take = properties.get("s2:datatake_id") or properties.get("eopf:datatake_id")
    generated = properties.get("s2:generation_time") or properties.get("processing:datetime")
    return Identity(
        grid_tile=_mgrs_tile(item),
        acquisition=re.sub(r"_N\d\d\.\d\d$", "", take or "") or str(properties["datetime"])[:19],
        processing_baseline=_baseline(item, product),
        generated=timestamp(generated),
    )


def _baseline(item: RawItem, product: str) -> str:
    """Return the processing baseline as "05.11"."""
    properties = item["properties"]
    stated = properties.get("s2:processing_baseline") or properties.get("processing:version")
    if stated and re.fullmatch(r"\d\d\.\d\d", str(stated)):
        return str(stated)
    in_name = re.search(r"_N(\d\d)(\d\d)_", product)
    if in_name:
        return f"{in_name[1]}.{in_name[2]}"
    raise refuse(
        item,
        "has no processing baseline, so its BOA offset is unknown; "
        f"expected s2:processing_baseline as '05.11', got {stated!r}",
    )


def _mgrs_tile(item: RawItem) -> str:
    """Return the MGRS tile as "32TMT"; Earth Search drops a leading zero, others don't."""
    properties = item["properties"]
    code = str(properties.get("grid:code") or "")
    tile = (
        code.removeprefix("MGRS-") if code.startswith("MGRS-") else properties.get("s2:mgrs_tile")
    )
    return str(tile or "").upper().zfill(5) if tile else ""


def offset_as_delivered(_item: RawItem, identity: Identity) -> Calibration:
    """Apply ESA's own rule: the DN are as ESA delivered them."""
    carries = identity.processing_baseline >= OFFSET_BASELINE
    return Calibration(offset_dn=BOA_OFFSET_DN if carries else 0)


def offset_at_earth_search(item: RawItem, identity: Identity) -> Calibration:
    """Apply the rule of ``sentinel-2-l2a`` at Earth Search, which subtracts the offset itself."""
    properties = item["properties"]
    if properties.get("earthsearch:boa_offset_applied") is True:
        return Calibration()
    made = identity.generated or timestamp(properties["datetime"])
    if made is not None and made >= PROVIDER_SUBTRACTS_SINCE:
        return Calibration()
    return offset_as_delivered(item, identity)


class OffsetVerdict(Enum):
    """Whether the pixels bear out the offset that the rule gave."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    UNDECIDED = "undecided"


def check_boa_offset(
    dark_dn: NDArray[np.uint16] | NDArray[np.int16], offset_dn: int, *, min_pixels: int = 500
) -> OffsetVerdict:
    """Hold the rule's offset against the DN of dark pixels.

    Water, shadow and closed forest reflect less than 0.05 in red. With ESA's 1000 still in the
    file the darkest of them lie near 1000, without it far below. The first percentile decides;
    between 700 and 850 it is left open (over-corrected shadow, or haze). Thick haze over the whole
    window looks like the offset: of 113 real dates over one square kilometre, two were mistaken.
    So give it a window as large as can be had, and warn rather than act.

    Parameters
    ----------
    dark_dn
        File DN (no offset applied) of the red band at pixels known to be dark: SCL 2 (dark),
        4 (vegetation) or 6 (water). Any shape. 0 is no data and is skipped.
    offset_dn
        What the rule says has to be added: -1000 or 0.
    min_pixels
        With fewer dark pixels the verdict is ``UNDECIDED``.

    Returns
    -------
    ``CONTRADICTS`` if the DN show the other of the two offsets.
    """
    valid = np.asarray(dark_dn)[np.asarray(dark_dn) != 0]
    if valid.size < min_pixels:
        return OffsetVerdict.UNDECIDED
    darkest = float(np.quantile(valid, 0.01))
    if 700 <= darkest <= 850:
        return OffsetVerdict.UNDECIDED
    is_in_file = darkest > 850
    return OffsetVerdict.AGREES if is_in_file == (offset_dn != 0) else OffsetVerdict.CONTRADICTS


EARTH_SEARCH = Profile(
    "sentinel-2-l2a/earth-search",
    "sentinel-2",
    ("sentinel-2-l2a",),
    _bands("{name}"),
    identify,
    offset_at_earth_search,
)
EARTH_SEARCH_C1 = Profile(
    "sentinel-2-c1-l2a/earth-search",
    "sentinel-2",
    ("sentinel-2-c1-l2a",),
    _bands("{name}"),
    identify,
    offset_as_delivered,
)
PLANETARY_COMPUTER = Profile(
    "sentinel-2-l2a/planetary-computer",
    "sentinel-2",
    ("sentinel-2-l2a",),
    _bands("{esa}"),
    identify,
    offset_as_delivered,
    Signer.PLANETARY_COMPUTER,
)
CDSE = Profile(
    "sentinel-2-l2a/cdse",
    "sentinel-2",
    ("sentinel-2-l2a",),
    _bands("{esa}_{m}m"),
    identify,
    offset_as_delivered,
    Signer.CDSE,
)

PROFILES = (EARTH_SEARCH, EARTH_SEARCH_C1, PLANETARY_COMPUTER, CDSE)
