"""What a simulated region is: a seed, a place, a time, and how the land is used."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property

from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.grid import transformer
from cvlarray.simulate.pixels import Pixels, pixels_of

PIXEL_M = 10.0
"""Side of the pixels in which the truth is drawn."""


@dataclass(frozen=True)
class LandUse:
    """How much of what there is. Areas are of land, rates are a year."""

    rivers: float = 1.0
    """Tributaries a 1000 km²; there is always one main river."""
    river_width_m: tuple[float, float] = (220.0, 420.0)
    """Range of the main river's width; its tributaries have a tenth to a third of it."""
    mining_sites: float = 6.0
    """Mining sites a 100 km², at work at some time of the period."""
    old_mining_sites: float = 3.0
    """Mining sites a 100 km² that began up to eight years before it."""
    clearings: float = 10.0
    """Clearings for farming a 100 km² and year."""
    old_fields: float = 40.0
    """Pastures and fallows a 100 km² from before the period."""
    logging_roads: float = 1.5
    """Logging roads a 100 km², half of them from before the period."""
    highway: bool = True
    """Whether a main road crosses, which farming follows."""
    blowdowns: float = 3.0
    """Blow-downs a 100 km² and year: some twenty times as many as there are, so that every small
    region has some."""
    burns: float = 2.0
    """Burn scars in standing forest a 100 km² and year."""


@dataclass(frozen=True)
class Landscape:
    """A region with a known history; equal ones are the same to the last pixel."""

    seed: int
    geobox: GeoBox
    """Where: a north-up grid of 10 m on multiples of 20 m, in a metric CRS. Another grid, even a
    part of this one, is another landscape; to draw a part, hand its grid to the functions that
    draw."""
    start: dt.date = dt.date(2020, 1, 1)
    """First day on which something may change."""
    end: dt.date = dt.date(2023, 12, 31)
    """Last day on which something may change."""
    land_use: LandUse = field(default_factory=LandUse)

    def __post_init__(self) -> None:
        pixels = pixels_of(self.geobox, PIXEL_M, origin=(0.0, 0.0))
        if any(n % 2 for n in (pixels.row0, pixels.col0, *pixels.shape)):
            raise ValueError(
                "a landscape must begin and end on multiples of 20 m, got "
                f"{tuple(self.geobox.boundingbox.bbox)}"
            )
        if self.start >= self.end:
            raise ValueError(f"start must be before end, got {self.start} and {self.end}")

    @property
    def pixels(self) -> Pixels:
        """Its pixels of 10 m."""
        return pixels_of(self.geobox, PIXEL_M, origin=(0.0, 0.0))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top [m]."""
        left, bottom, right, top = self.geobox.boundingbox.bbox
        return float(left), float(bottom), float(right), float(top)

    @property
    def area_km2(self) -> float:
        """Its area."""
        left, bottom, right, top = self.bounds
        return (right - left) * (top - bottom) / 1e6

    @cached_property
    def longitude_latitude(self) -> tuple[float, float]:
        """Its centre in degrees."""
        left, bottom, right, top = self.bounds
        to_degrees = transformer(str(self.geobox.crs), "EPSG:4326")
        longitude, latitude = to_degrees((left + right) / 2, (bottom + top) / 2)
        return float(longitude), float(latitude)

    @classmethod
    def of_size(cls, seed: int, size_px: int, **changes: object) -> Landscape:
        """Return a square landscape in Madre de Dios, Peru (UTM zone 19 south)."""
        geobox = GeoBox(
            (size_px, size_px), Affine(PIXEL_M, 0, 360_000, 0, -PIXEL_M, 8_590_000), "EPSG:32719"
        )
        return cls(seed, geobox, **changes)  # type: ignore[arg-type]  # fields by name
