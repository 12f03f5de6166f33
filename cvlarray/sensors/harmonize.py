"""Landsat as Sentinel-2 would have measured it: one line a band and platform.

Two published steps, each a line through surface reflectance. TM and ETM+ to OLI: reduced major axis
regression of Roy et al. 2016, Remote Sensing of Environment 185, 57-70,
doi:10.1016/j.rse.2015.12.024, table 2. Of the two regressions there the symmetric one, as both
sides have noise: ordinary least squares shrinks differences, up to 15 % in the blue. It was fitted
to ETM+; TM, whose bands are nearly the same, is taken for it. OLI to MSI: the inverse of the band
pass adjustment of HLS, Claverie et al. 2018, Remote Sensing of Environment 219, 145-161,
doi:10.1016/j.rse.2018.09.002, table 5, of Sentinel-2A; OLI-2 of Landsat 9 is taken for OLI.

Sun and view angles are left as they are: what they leave is a scene's gain, which the normalize
stage takes off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from cvlarray.names import DN_PER_REFLECTANCE
from cvlarray.sensors.profile import Family, Quantity
from cvlarray.sensors.scene import Asset, Scene

__all__ = ["HARMONIZED_TO", "PLATFORMS", "Line", "harmonized", "line_to_sentinel2"]

HARMONIZED_TO: Family = "sentinel-2"
"""Family whose reflectance harmonised scenes have."""


class Line(NamedTuple):
    """``gain`` × reflectance + ``offset``."""

    gain: float = 1.0
    offset: float = 0.0

    @property
    def inverse(self) -> Line:
        """The way back."""
        return Line(1 / self.gain, -self.offset / self.gain)

    def then(self, other: Line) -> Line:
        """Return both, one after the other."""
        return Line(self.gain * other.gain, self.offset * other.gain + other.offset)


_ETM_TO_OLI = {
    "blue": Line(0.9785, -0.0095),
    "green": Line(0.9542, -0.0016),
    "red": Line(0.9825, -0.0022),
    "nir08": Line(1.0073, -0.0021),
    "swir16": Line(1.0171, -0.0030),
    "swir22": Line(0.9949, 0.0029),
}
_MSI_TO_OLI = {
    "coastal": Line(0.9959, -0.0002),
    "blue": Line(0.9778, -0.0040),
    "green": Line(1.0053, -0.0009),
    "red": Line(0.9765, 0.0009),
    "nir08": Line(0.9983, -0.0001),
    "swir16": Line(0.9987, -0.0011),
    "swir22": Line(1.0030, -0.0012),
}

_OLI_TO_MSI = {band: line.inverse for band, line in _MSI_TO_OLI.items()}
_ETM_TO_MSI = {band: line.then(_OLI_TO_MSI[band]) for band, line in _ETM_TO_OLI.items()}
_IDENTITY = dict.fromkeys(
    ("coastal", "blue", "green", "red", "nir", "nir08", "swir16", "swir22"), Line()
)

PLATFORMS: Mapping[str, Mapping[str, Line]] = {
    "landsat-4": _ETM_TO_MSI,
    "landsat-5": _ETM_TO_MSI,
    "landsat-7": _ETM_TO_MSI,
    "landsat-8": _OLI_TO_MSI,
    "landsat-9": _OLI_TO_MSI,
    "sentinel-2a": _IDENTITY,
    "sentinel-2b": _IDENTITY,
    "sentinel-2c": _IDENTITY,
}
"""From each platform's reflectance to Sentinel-2's, by band."""


def line_to_sentinel2(platform: str, band: str) -> Line:
    """Return the line from a platform's reflectance in a band to Sentinel-2's.

    Raises
    ------
    ValueError
        If none is published for the platform or the band.
    """
    lines = PLATFORMS.get(platform)
    if lines is None:
        raise ValueError(
            f"no line leads from {platform or 'an unnamed platform'} to Sentinel-2; known are "
            f"{', '.join(PLATFORMS)}"
        )
    if band not in lines:
        raise ValueError(
            f"no line leads from the band {band} of {platform} to Sentinel-2; known are "
            f"{', '.join(lines)}"
        )
    return lines[band]


def harmonized(scene: Scene) -> Scene:
    """Return a scene whose reflectance reads as Sentinel-2's; one of Sentinel-2 stays as it is.

    Bands for which no line is published are left out, classes stay. The line goes into the assets'
    scale and offset, so pixels are rounded once; offsets are whole DN.

    Raises
    ------
    ValueError
        If no line is published for the platform.
    """
    if scene.family == HARMONIZED_TO:
        return scene
    if scene.platform not in PLATFORMS:
        line_to_sentinel2(scene.platform, "red")
    lines = PLATFORMS[scene.platform]
    assets = {
        name: asset if asset.quantity is Quantity.CLASSES else _through(asset, lines[name])
        for name, asset in scene.assets.items()
        if asset.quantity is Quantity.CLASSES or name in lines
    }
    return replace(scene, assets=assets, harmonized_to=HARMONIZED_TO)


def _through(asset: Asset, line: Line) -> Asset:
    """Return an asset whose canonical DN went through a line."""
    offset = round(asset.offset_dn * line.gain + line.offset * DN_PER_REFLECTANCE)
    return replace(asset, scale=asset.scale * line.gain, offset_dn=offset)
