"""From a STAC Item to a Scene: find the profile, read its assets, or say why not."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import pystac
from pystac.utils import is_absolute_href, make_absolute_href

from cvlarray.sensors import landsat, planetscope, sentinel1, sentinel2
from cvlarray.sensors.footprint import central_longitude, read_footprint
from cvlarray.sensors.profile import (
    Band,
    Calibration,
    Profile,
    Quantity,
    RawItem,
    refuse,
    timestamp,
)
from cvlarray.sensors.scene import Asset, Scene, solar_day

PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for module in (sentinel2, landsat, planetscope, sentinel1)
    for profile in module.PROFILES
}
"""Every profile by name; a new sensor is a new row."""

NOT_SUPPORTED = {
    "sentinel-2-l1c": "is top-of-atmosphere reflectance (L1C); search an L2A collection instead",
}
"""Collections that look close enough to be asked for, and why they are refused."""


_ABSOLUTE = ("https://", "http://", "s3://", "/")


def read_item(item: pystac.Item | Mapping[str, Any]) -> Scene:
    """Read a STAC Item into a Scene.

    Parameters
    ----------
    item
        STAC Item, or its JSON as a mapping. Relative hrefs are resolved against its self link.

    Returns
    -------
    Scene with the assets of the profile's bands that the Item has; scale, offset and nodata by the
    profile's rule, not by the Item's word where that is known to be wrong.

    Raises
    ------
    ItemError
        If the collection has no profile, or the Item lacks what a scene needs; it names the Item
        and the reason.
    """
    raw = _raw(item)
    moment = timestamp(raw["properties"].get("datetime"))
    if moment is None:
        raise refuse(raw, "has no datetime")
    if not raw.get("geometry"):
        raise refuse(raw, "has no geometry")
    try:
        footprint = read_footprint(raw["geometry"])
    except ValueError as error:
        raise refuse(raw, str(error)) from error
    present = _present(raw)
    profile = _profile_of(raw, present)
    identity = profile.identify(raw)
    calibration = profile.calibrate(raw, identity)
    found = [band for band in profile.bands if band.key in present]
    azimuth, elevation = _sun(raw)
    return Scene(
        id=raw["id"],
        collection=raw["collection"],
        sensor=profile.name,
        family=profile.family,
        datetime=moment,
        solar_day=solar_day(moment, central_longitude(footprint)),
        platform=str(raw["properties"].get("platform") or "").lower(),
        grid_tile=identity.grid_tile,
        acquisition=identity.acquisition,
        processing_baseline=identity.processing_baseline,
        series=identity.series,
        cloud_cover=_number(raw["properties"].get("eo:cloud_cover")),
        sun_azimuth=azimuth,
        sun_elevation=elevation,
        crs=_crs(raw, found) if profile.is_georeferenced else None,
        footprint=footprint,
        assets={band.name: _asset(raw, band, profile, calibration) for band in found},
    )


def _raw(item: pystac.Item | Mapping[str, Any]) -> RawItem:
    """Return the Item's JSON; checks only what every later step takes for granted."""
    if isinstance(item, pystac.Item):
        return item.to_dict(include_self_link=True, transform_hrefs=False)
    if not isinstance(item.get("id"), str) or not item["id"]:
        raise refuse(item, "has no id")
    for part in ("properties", "assets"):
        if not isinstance(item.get(part), Mapping):
            raise refuse(item, f"has no {part}")
    return item


def _profile_of(item: RawItem, present: Collection[str]) -> Profile:
    """Return the profile of the Item's collection whose asset keys it has.

    Earth Search, Planetary Computer and CDSE call their collection alike and their assets
    differently (``red``, ``B04``, ``B04_10m``).
    """
    collection = item.get("collection")
    if not collection:
        raise refuse(item, "belongs to no collection, so its sensor is unknown")
    if collection in NOT_SUPPORTED:
        raise refuse(item, NOT_SUPPORTED[collection])
    profiles = [profile for profile in PROFILES.values() if collection in profile.collections]
    if not profiles:
        known = sorted({name for profile in PROFILES.values() for name in profile.collections})
        raise refuse(item, f"has no sensor profile; known collections: {', '.join(known)}")
    best = profiles[0]
    if len(profiles) > 1:
        best = max(profiles, key=lambda profile: len(_measured(present, profile)))
    if not _measured(present, best):
        wanted = " or ".join(", ".join(band.key for band in _needed(p)) for p in profiles)
        got = ", ".join(sorted(item["assets"])) or "none"
        raise refuse(item, f"has none of the assets it needs: expected {wanted}; got {got}")
    return best


def _needed(profile: Profile) -> list[Band]:
    """Return the bands of which an Item must have at least one."""
    return [band for band in profile.bands if band.quantity is not Quantity.CLASSES]


def _measured(present: Collection[str], profile: Profile) -> list[Band]:
    """Return the measured bands that an Item has."""
    return [band for band in _needed(profile) if band.key in present]


def _present(item: RawItem) -> frozenset[str]:
    """Return the keys of the assets with an href, and Planet's names for what others hold."""
    assets = item["assets"]
    files = {
        key: asset
        for key, asset in assets.items()
        if isinstance(asset, Mapping) and asset.get("href")
    }
    named = {asset.get("pl:asset_type") for asset in files.values()}
    return frozenset([*files, *(name for name in named if name and name not in assets)])


def _asset_fields(item: RawItem, band: Band) -> Mapping[str, Any]:
    """Return the band's asset, by its key or by Planet's name for what it holds; empty if none."""
    assets: Mapping[str, Any] = item["assets"]
    named = assets.get(band.key)
    # A dict is a Mapping that needs no asking, which counts over ten thousand Items.
    if type(named) is dict or isinstance(named, Mapping):
        return named
    if band.n_bands == 1:  # only Planet's files have several
        return {}
    for asset in assets.values():
        if isinstance(asset, Mapping) and asset.get("pl:asset_type") == band.key:
            return asset
    return {}


def _asset(item: RawItem, band: Band, profile: Profile, calibration: Calibration) -> Asset:
    """Read one band's asset."""
    asset = _asset_fields(item, band)
    raster = _raster_fields(asset, band.index)
    rule = Calibration() if band.quantity is Quantity.CLASSES else calibration
    grid = _grid_fields(item, band) if profile.is_georeferenced else {}
    transform = _transform(grid.get("proj:transform"))
    stated = _number(raster.get("spatial_resolution"))
    nodata = _number(raster.get("nodata"))
    return Asset(
        band=band.name,
        href=_absolute_href(item, asset["href"]),
        quantity=band.quantity,
        dtype=str(raster.get("data_type") or band.dtype),
        nodata=band.nodata if nodata is None else nodata,
        scale=rule.scale,
        offset_dn=rule.offset_dn,
        resolution_m=abs(transform[0]) if transform else stated or band.resolution_m,
        shape=_shape(grid.get("proj:shape")),
        transform=transform,
        size_bytes=_size(asset.get("file:size")),
        index=band.index,
        n_bands=band.n_bands,
        fill_bits=band.fill_bits,
        signer=profile.signer,
    )


def _size(value: object) -> int | None:
    """Return a file's size, where it is stated and can be one."""
    return value if isinstance(value, int) and value > 0 else None


def _sun(item: RawItem) -> tuple[float | None, float | None]:
    """Return the sun's azimuth and elevation [degrees], under any of the providers' names."""
    properties = item["properties"]
    azimuth = _number(properties.get("view:sun_azimuth"))
    elevation = _number(properties.get("view:sun_elevation"))
    if azimuth is None:
        azimuth = _number(properties.get("s2:mean_solar_azimuth"))
    zenith = _number(properties.get("s2:mean_solar_zenith"))
    if elevation is None and zenith is not None:
        elevation = 90 - zenith
    return azimuth, elevation


def _raster_fields(asset: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    """Return nodata, data_type and spatial_resolution from where either STAC version puts them."""
    fields = {"nodata": asset.get("nodata"), "data_type": asset.get("data_type")}
    bands = asset.get("raster:bands") or asset.get("bands")
    if not isinstance(bands, list | tuple) or len(bands) < index:
        return fields
    band = bands[index - 1]
    known = band if isinstance(band, Mapping) else {}
    return fields | {key: value for key, value in known.items() if value is not None}


def _absolute_href(item: RawItem, href: str) -> str:
    """Resolve an href against the Item's own address."""
    # A look at the start spares parsing the URL, which counts over ten thousand Items.
    if href.startswith(_ABSOLUTE) or is_absolute_href(href):
        return href
    own = next((link for link in item.get("links") or [] if link.get("rel") == "self"), None)
    if own is None or not is_absolute_href(own["href"]):
        raise refuse(item, f"has a relative asset href ({href}) and no self link to resolve it by")
    return make_absolute_href(href, own["href"])


def _crs(item: RawItem, bands: list[Band]) -> str | None:
    """Return the CRS as ``EPSG:32632`` from proj:code or its older name proj:epsg."""
    for fields in (_asset_fields(item, bands[0]), item["properties"]):
        code, number = fields.get("proj:code"), _number(fields.get("proj:epsg"))
        if isinstance(code, str) and code:
            return code.upper()
        if number is not None:
            return f"EPSG:{int(number)}"
    return None


def _grid_fields(item: RawItem, band: Band) -> Mapping[str, Any]:
    """Return the fields that hold the band's grid.

    The asset's own, else the Item's; but where the Item's are of another pixel size they are those
    of some other band, whatever STAC says about inheritance.
    """
    asset, properties = _asset_fields(item, band), item["properties"]
    if asset.get("proj:transform") is not None or asset.get("proj:shape") is not None:
        return asset
    shared = _transform(properties.get("proj:transform"))
    is_of_band = shared is not None and math.isclose(abs(shared[0]), band.resolution_m)
    return properties if is_of_band else {}


def _shape(values: object) -> tuple[int, int] | None:
    """Return (rows, columns); None if absent or senseless, then the file decides."""
    sizes = [_number(value) for value in values] if isinstance(values, list | tuple) else []
    known = [int(size) for size in sizes if size is not None and size >= 1]
    return (known[0], known[1]) if len(known) == len(sizes) == 2 else None


def _transform(values: object) -> tuple[float, float, float, float, float, float] | None:
    """Return the six affine coefficients; None if absent or senseless, then the file decides."""
    numbers = [_number(value) for value in values] if isinstance(values, list | tuple) else []
    known = [number for number in numbers[:6] if number is not None]
    if len(known) < 6 or known[0] == 0 or known[4] == 0:
        return None
    a, b, c, d, e, f = known
    return a, b, c, d, e, f


def _number(value: object) -> float | None:
    """Return a finite number, or None; stac-geoparquet turns integers into floats."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
