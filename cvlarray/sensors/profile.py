"""What a sensor profile is: the bands of one collection at one provider, and its rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal

from cvlarray.errors import ItemError

RawItem = Mapping[str, Any]
"""A STAC Item as its JSON says it, with absolute asset hrefs."""

Resampling = Literal["nearest", "bilinear"]
Family = Literal["sentinel-2", "landsat", "planetscope", "sentinel-1"]


class Signer(Enum):
    """Who gives access to files that aren't open to all; `cube.access` says how.

    A file that lies elsewhere, such as a copy on disk, is opened as it is.
    """

    PLANETARY_COMPUTER = "tokens of Planetary Computer for Azure blobs"
    CDSE = "S3 keys of the Copernicus Data Space"


class Quantity(Enum):
    """What a band's values measure; it decides how they are scaled and resampled."""

    REFLECTANCE = "surface reflectance"
    CLASSES = "classes or bit flags"
    POWER = "gamma0 backscatter, linear power"
    AMPLITUDE = "uncalibrated amplitude on the ground-range grid"

    @property
    def resampling(self) -> Resampling:
        """How to interpolate when, and only when, pixels have to be warped to another grid."""
        return "nearest" if self is Quantity.CLASSES else "bilinear"


@dataclass(frozen=True)
class Band:
    """One band of a collection."""

    name: str
    """Canonical name, Earth Search's common name."""
    key: str
    """Asset key of this band in this collection."""
    resolution_m: float
    """Native pixel size [m]."""
    quantity: Quantity = Quantity.REFLECTANCE
    dtype: str = "uint16"
    """Of the file, where the Item doesn't say."""
    nodata: float | None = 0
    """Of the file, where the Item doesn't say."""
    index: int = 1
    """Number of the band in its file, from 1."""
    n_bands: int = 1
    """Bands in the file."""
    fill_bits: tuple[int, int] | None = None
    """Band of the same file, and bits of it, that mean "no data" in all of its bands."""


@dataclass(frozen=True)
class Calibration:
    """Canonical DN = file DN × ``scale`` + ``offset_dn``; reflectance = canonical DN / 10,000."""

    scale: float = 1.0
    offset_dn: int = 0


@dataclass(frozen=True)
class Identity:
    """What makes an acquisition the one it is, whoever processed it and how often."""

    grid_tile: str = ""
    """MGRS tile ("32TMT") or WRS-2 path and row ("033032"); empty if the scene has none."""
    acquisition: str = ""
    """The same for every processing of one data take; empty if the Item doesn't say."""
    processing_baseline: str = ""
    """Compares as text: the greater is the newer."""
    generated: datetime | None = None
    """When the product was made (UTC)."""
    series: str = ""
    """Scenes of one day and another series never share a time slice (SAR orbits)."""


@dataclass(frozen=True)
class Profile:
    """A collection as one provider serves it."""

    name: str
    family: Family
    collections: tuple[str, ...]
    """Collection ids under which the Items are found."""
    bands: tuple[Band, ...]
    identify: Callable[[RawItem], Identity]
    calibrate: Callable[[RawItem, Identity], Calibration]
    """The scale/offset rule of the measured bands; classes are never scaled."""
    signer: Signer | None = None
    """Who gives access to the files; None where they are open."""
    is_georeferenced: bool = True
    """Whether the pixels lie on a map grid (Sentinel-1 GRD: only after terrain correction)."""


def refuse(item: RawItem, reason: str) -> ItemError:
    """Return the error that names the Item and why it can't be used."""
    collection = item.get("collection")
    of = f" of collection {collection}" if collection else ""
    return ItemError(f"item {item.get('id', 'without id')}{of} {reason}")


def timestamp(text: object) -> datetime | None:
    """Read a STAC date-time as UTC, in whole milliseconds; None if there is none.

    Milliseconds are what stac-geoparquet keeps, so a Scene is the same from any source.
    """
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
