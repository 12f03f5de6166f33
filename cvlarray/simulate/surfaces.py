"""What things look like: reflectance and backscatter of each kind of surface, and their spread.

Sources, and what is assumed
----------------------------
No library of Sentinel-2 spectra of this region could be included, so the reflectances below are
**assumed**: round numbers that keep the shape and the range of published ones.

- *Vegetation* (forest, secondary growth, regrowth, pasture): PROSPECT-D and 4SAIL (Féret et al.,
  Remote Sensing of Environment 193, 2017, doi:10.1016/j.rse.2017.03.004; Verhoef et al., IEEE TGRS
  45, 2007, doi:10.1109/TGRS.2007.895844) averaged over the bands, nadir view, sun 35° from the
  zenith. Leaf area index 3, chlorophyll 60, water 0.018, dry matter 0.012 give the forest's visible
  bands to 0.002; its infrared is that times 0.78, for the shade between crowns. Secondary growth:
  leaf area index 5, shade 0.65. Pasture: leaf area index 2.2 green and 1.3 dry, as they are.
- *Soil, slash, char*: order and shape as in Roberts et al., Remote Sensing of Environment 44, 1993,
  doi:10.1016/0034-4257(93)90020-X, and Numata et al., Earth Interactions 15, 2011 (burns).
- *Turbid water, ponds*: green and red rise with the suspended load and infrared stays low, as in
  Lobo et al., Remote Sensing of Environment 157, 2015, doi:10.1016/j.rse.2014.04.030; ponds of
  mines run from turquoise to grey and brown as Gerson et al., Science Advances 6, 2020,
  doi:10.1126/sciadv.abd4953, show them.
- *Wind-thrown forest*: more dead wood, so more short-wave infrared (Negrón-Juárez et al., Remote
  Sensing of Environment 115, 2011, doi:10.1016/j.rse.2011.08.004).

Backscatter is terrain-corrected gamma0. *Measured*: forest, the median of ten OPERA RTC-S1 dates
over tropical forest in Papua New Guinea (burst T009-019294-IW2, 2024): VV -7.7, VH -13.3 dB.
*Published*: clearing lowers VV by 2.0 and VH by 2.3 dB over the following months (Silva et al.,
European Journal of Remote Sensing 55, 2022). The rest is assumed.

Every spread (`texture`, `vigour`, `tone`, `difference`, `sar_difference_db`) is assumed.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BANDS = (
    "coastal", "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08",
    "swir16", "swir22",
)  # fmt: skip
"""Order of every spectrum in this package."""

VIGOUR_OF_BANDS = np.array(
    [-0.3, -0.4, -0.2, -1.0, -0.4, 0.6, 0.8, 0.8, 0.8, -0.5, -0.9], np.float32
)
"""What one unit of vigour does to a band, relative: more leaves, less red."""


class Surface(IntEnum):
    """Kinds of surface; several may be one class of land cover."""

    FOREST = 0
    SECONDARY = 1
    REGROWTH = 2
    PASTURE_GREEN = 3
    PASTURE_DRY = 4
    SLASH = 5
    CHAR = 6
    SOIL = 7
    PIT = 8
    TAILINGS = 9
    POND_TURQUOISE = 10
    POND_GREY = 11
    POND_BROWN = 12
    POND_GREEN = 13
    RIVER = 14
    LAKE = 15
    BAR = 16
    ROAD = 17
    BLOWDOWN = 18
    BURN = 19


class Look(NamedTuple):
    """How a surface looks."""

    spectrum: tuple[float, ...]
    """Reflectance in `BANDS`."""
    texture: float
    """Relative spread from pixel to pixel, the same in all bands: crowns, furrows, heaps."""
    vigour: float
    """Spread along `VIGOUR_OF_BANDS` over hundreds of metres."""
    tone: float
    """Relative spread of brightness over hundreds of metres."""
    difference: float
    """Relative spread of brightness from one patch to the next."""
    vv_db: float
    vh_db: float
    sar_difference_db: float
    """Spread of both from one patch to the next."""
    wetness: float
    """How much of a rain's effect on backscatter it shows; 1 is bare soil."""
    canopy: float
    """Share of a closed canopy: what throws a radar shadow."""


LOOKS = MappingProxyType({
    Surface.FOREST: Look(
        (.018, .020, .038, .020, .070, .225, .285, .295, .305, .140, .058),
        .105, .055, .045, .0, -7.7, -13.3, .0, .25, 1.0),
    Surface.SECONDARY: Look(
        (.020, .024, .050, .026, .086, .290, .360, .375, .390, .180, .076),
        .070, .055, .030, .04, -7.6, -13.6, .25, .30, .7),
    Surface.REGROWTH: Look(
        (.025, .032, .064, .044, .112, .260, .325, .340, .355, .230, .118),
        .070, .080, .050, .06, -9.0, -15.0, .4, .6, .1),
    Surface.PASTURE_GREEN: Look(
        (.030, .034, .066, .045, .113, .275, .330, .350, .360, .258, .138),
        .050, .090, .050, .06, -9.6, -16.2, .5, .8, .0),
    Surface.PASTURE_DRY: Look(
        (.050, .062, .098, .108, .175, .245, .280, .305, .325, .350, .235),
        .050, .060, .060, .06, -10.4, -17.4, .5, .9, .0),
    Surface.SLASH: Look(
        (.036, .046, .068, .086, .122, .155, .175, .192, .212, .300, .205),
        .140, .060, .080, .10, -8.6, -14.7, .6, .7, .0),
    Surface.CHAR: Look(
        (.026, .031, .041, .047, .058, .074, .086, .096, .110, .140, .125),
        .140, .040, .090, .10, -9.6, -16.2, .5, .9, .0),
    Surface.SOIL: Look(
        (.042, .056, .086, .135, .172, .195, .218, .240, .262, .355, .285),
        .080, .030, .120, .12, -10.6, -17.8, .6, 1.0, .0),
    Surface.PIT: Look(
        (.056, .076, .112, .138, .153, .160, .167, .171, .178, .195, .150),
        .180, .020, .140, .14, -9.8, -17.4, .9, .8, .0),
    Surface.TAILINGS: Look(
        (.110, .138, .186, .232, .256, .272, .286, .298, .312, .385, .330),
        .080, .010, .100, .12, -12.4, -20.6, .9, 1.0, .0),
    Surface.POND_TURQUOISE: Look(
        (.086, .106, .136, .092, .072, .034, .032, .028, .020, .008, .006),
        .040, .0, .080, .16, -16.5, -24.0, 1.0, .1, .0),
    Surface.POND_GREY: Look(
        (.096, .114, .144, .150, .138, .094, .090, .080, .054, .012, .008),
        .040, .0, .070, .14, -16.5, -24.0, 1.0, .1, .0),
    Surface.POND_BROWN: Look(
        (.060, .084, .132, .178, .184, .150, .148, .130, .084, .015, .010),
        .040, .0, .070, .14, -16.0, -23.5, 1.0, .1, .0),
    Surface.POND_GREEN: Look(
        (.030, .040, .066, .046, .046, .032, .031, .026, .021, .010, .007),
        .040, .0, .080, .14, -15.5, -23.0, 1.0, .1, .0),
    Surface.RIVER: Look(
        (.058, .074, .104, .128, .122, .088, .087, .077, .053, .012, .008),
        .025, .0, .050, .0, -17.5, -25.0, .0, .1, .0),
    Surface.LAKE: Look(
        (.026, .032, .052, .036, .036, .022, .021, .018, .015, .008, .006),
        .050, .0, .100, .25, -17.0, -25.0, .5, .1, .0),
    Surface.BAR: Look(
        (.078, .098, .136, .168, .184, .196, .206, .215, .226, .272, .222),
        .080, .020, .120, .0, -13.0, -20.8, .0, 1.0, .0),
    Surface.ROAD: Look(
        (.050, .066, .100, .150, .184, .204, .222, .238, .256, .340, .280),
        .070, .020, .080, .08, -10.8, -17.6, .4, .8, .0),
    Surface.BLOWDOWN: Look(
        (.026, .031, .051, .047, .086, .168, .205, .216, .234, .220, .122),
        .150, .060, .050, .05, -7.9, -14.2, .3, .4, .4),
    Surface.BURN: Look(
        (.023, .027, .041, .038, .062, .130, .160, .172, .190, .176, .105),
        .140, .070, .050, .05, -8.2, -14.3, .3, .4, .6),
})  # fmt: skip
"""One look a surface."""


def table(field: str) -> NDArray[np.float32]:
    """Return one field of every look, (surface,), or (surface, band) for ``spectrum``."""
    return np.array([getattr(LOOKS[surface], field) for surface in Surface], np.float32)


def spread(look: Look) -> NDArray[np.float32]:
    """Return the standard deviation of a surface's reflectance (band,) that its look promises."""
    all_bands = look.texture**2 + look.tone**2 + look.difference**2
    deviation = np.sqrt(all_bands + (look.vigour * VIGOUR_OF_BANDS) ** 2)
    return np.asarray(np.array(look.spectrum) * deviation, np.float32)
