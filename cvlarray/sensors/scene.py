"""A scene: one acquisition of one tile, as much of its STAC Item as reading pixels needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from cvlarray.sensors.profile import Family, Quantity, Resampling, Signer

SAME_GROUND = 0.99
"""Share of a footprint that newer processings must cover to replace it."""


@dataclass(frozen=True)
class Asset:
    """One band's file. Canonical DN = file DN × ``scale`` + ``offset_dn``."""

    band: str
    href: str
    """Absolute path or URL, unsigned."""
    quantity: Quantity
    dtype: str
    """NumPy name of the file's dtype, as the catalogue has it; the file decides."""
    nodata: float | None
    """File DN that means "no data"."""
    scale: float
    offset_dn: int
    resolution_m: float
    """Pixel size [m]."""
    shape: tuple[int, int] | None = None
    """(rows, columns) where the catalogue gives them."""
    transform: tuple[float, float, float, float, float, float] | None = None
    """Affine coefficients (a, b, c, d, e, f) of the upper left pixel corner, where given [m]."""
    size_bytes: int | None = None
    """Of the file, where the catalogue gives it."""
    index: int = 1
    """Number of the band in the file, from 1."""
    n_bands: int = 1
    """Bands that the file must have."""
    fill_bits: tuple[int, int] | None = None
    """Band of the file, and bits of it, that mean "no data" in all of its bands."""
    signer: Signer | None = None
    """Who gives access to the file, if it isn't open."""

    @property
    def resampling(self) -> Resampling:
        """How to interpolate when the pixels have to be warped."""
        return self.quantity.resampling


@dataclass(frozen=True)
class Scene:
    """One acquisition of one tile. Equal Items give equal scenes and equal Dask tokens."""

    id: str
    collection: str
    sensor: str
    """Name of the profile it was read with, such as ``sentinel-2-l2a/earth-search``."""
    family: Family
    datetime: datetime
    """Acquisition (UTC, whole milliseconds)."""
    solar_day: date
    platform: str
    """In lower case: ``sentinel-2a``, ``landsat-9``, ``sentinel-1a``."""
    grid_tile: str
    """MGRS tile or WRS-2 path and row; empty if the scene has none."""
    acquisition: str
    """The same for every processing of one data take."""
    processing_baseline: str
    """Compares as text; empty if the product has none."""
    series: str
    """Orbit state and relative orbit of SAR; empty for optical sensors."""
    cloud_cover: float | None
    """Percent, as the catalogue has it."""
    sun_azimuth: float | None
    """Degrees clockwise from north, at the scene's centre; None where the catalogue doesn't say."""
    sun_elevation: float | None
    """Degrees above the horizon."""
    crs: str | None
    """``EPSG:…`` of the assets, None where the catalogue doesn't say."""
    footprint: BaseGeometry
    """EPSG:4326."""
    assets: Mapping[str, Asset] = field(hash=False)
    """Band name -> file."""
    harmonized_to: Family | None = None
    """Family whose reflectance the assets read as, if it isn't the scene's own."""

    @property
    def grouping_key(self) -> tuple[date, str]:
        """Scenes with the same key are mosaicked into one time slice."""
        return self.solar_day, self.series

    @property
    def duplicate_key(self) -> tuple[str, str, str]:
        """Scenes with the same key are processings (or pieces) of one acquisition."""
        return self.platform, self.grid_tile, self.acquisition

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        """Return what identifies the scene; the same in every process."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        values["footprint"] = shapely.to_wkb(self.footprint, byte_order=1)
        values["assets"] = tuple(_plain(asset) for _, asset in sorted(self.assets.items()))
        return "cvlarray.Scene", *values.values()


def solar_day(moment: datetime, longitude: float) -> date:
    """Return the date at the ground by mean solar time.

    Parameters
    ----------
    moment
        Acquisition time, with time zone.
    longitude
        Degrees east, in [-180, 180].

    Returns
    -------
    Date of ``moment`` + longitude / 15 hours: one satellite pass never falls on two days, as it
    can by UTC.
    """
    return (moment + timedelta(hours=longitude / 15)).date()


def newest_baseline(scenes: Iterable[Scene]) -> list[Scene]:
    """Keep the newest processing of each acquisition.

    A scene is dropped if scenes of the same platform, tile and data take, but a greater
    processing baseline, cover its ground. Two halves of one tile (two data strips) stay both.
    What stays of one acquisition stands together, newest baseline first, where its first scene
    stood; in a mosaic where the first wins, the newest does.

    Parameters
    ----------
    scenes
        In any order.

    Returns
    -------
    The scenes kept.
    """
    groups: dict[tuple[str, str, str], list[Scene]] = {}
    for scene in scenes:
        identified = scene.acquisition and scene.grid_tile
        key = scene.duplicate_key if identified else ("", scene.collection, scene.id)
        groups.setdefault(key, []).append(scene)
    return [scene for group in groups.values() for scene in _not_superseded(group)]


def _not_superseded(group: list[Scene]) -> list[Scene]:
    """Return the processings of one acquisition that newer ones do not replace."""
    by_age = sorted(group, key=lambda scene: scene.processing_baseline, reverse=True)
    kept: list[Scene] = []
    for scene in by_age:
        newer = [k.footprint for k in kept if k.processing_baseline > scene.processing_baseline]
        covered = shapely.union_all(newer).intersection(scene.footprint).area
        if not newer or covered < SAME_GROUND * scene.footprint.area:
            kept.append(scene)
    return kept


def _plain(asset: Asset) -> tuple[Any, ...]:
    """Return an asset as builtins."""
    values = (getattr(asset, entry.name) for entry in fields(asset))
    return tuple(value.name if isinstance(value, Enum) else value for value in values)
