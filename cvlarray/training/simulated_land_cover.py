"""Label chips of land cover from simulated Sentinel-2: what lies there is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import Field

from cvlarray.masking import is_clear
from cvlarray.models.land_cover import LAND_COVER
from cvlarray.models.model import Band
from cvlarray.names import NODATA_DN
from cvlarray.simulate import Calendar, LandCover, Landscape, Pass, sentinel2_cube, truth_cube
from cvlarray.training.chips import NO_LABEL, Chip, ChipKind
from cvlarray.training.landscapes import CRS, Regions
from cvlarray.training.settings import Settings

__all__ = ["SimulatedLandCover"]

CHIP_PX = 256


class SimulatedLandCover(Settings):
    """Land cover seen by Sentinel-2 through whatever its scene classification calls clear."""

    kind: Literal["simulated-land-cover"] = "simulated-land-cover"
    regions: Regions
    bands: tuple[str, ...] = Field(min_length=1, description="Bands of Sentinel-2.")
    classes: tuple[str, ...] = Field(
        default=LAND_COVER, description="Classes of the simulator; all else has no label."
    )
    dates_a_landscape: int = Field(default=2, ge=1, description="Dates that are looked at.")
    least_clear: float = Field(default=0.3, ge=0, le=1, description="Share of a chip seen clear.")

    @property
    def chip_kind(self) -> ChipKind:
        """Reflectance, and the simulator's word for what is there."""
        bands = tuple(map(Band, self.bands))
        return ChipKind(bands, self.classes, ("simulator",), "simulated", size_px=CHIP_PX)

    @property
    def crs(self) -> str:
        """UTM zone 19 south."""
        return CRS

    def chips(self) -> Iterator[Chip]:
        """Yield the chips of one landscape and date after another."""
        codes = codes_of(self.classes)
        for landscape in self.regions.landscapes():
            for at in self._passes(landscape):
                yield from self._chips(landscape, at, codes)

    def _passes(self, landscape: Landscape) -> Sequence[Pass]:
        passes = Calendar(landscape.start, landscape.end).sentinel2()
        rng = np.random.default_rng([landscape.seed, 11])
        chosen = rng.choice(len(passes), self.dates_a_landscape, replace=False)
        return [passes[k] for k in sorted(chosen)]

    def _chips(self, landscape: Landscape, at: Pass, codes: NDArray[np.uint8]) -> Iterator[Chip]:
        cube = sentinel2_cube(landscape, [at], bands=(*self.bands, "scl")).isel(time=0)
        cube = cube.compute(scheduler="synchronous")
        clear = is_clear(cube["scl"]).to_numpy()
        truth = truth_cube(landscape, [at.date]).isel(time=0)["land_cover"]
        label = codes[truth.compute(scheduler="synchronous").to_numpy()]
        image = np.stack([cube[name].to_numpy() for name in self.bands])
        image = np.where(clear, image, NODATA_DN)
        for y, x in squares(label.shape, CHIP_PX):
            if clear[y, x].mean() < self.least_clear:
                continue
            facts = {"scene": f"simulated-{landscape.seed}", "date": at.date.isoformat()}
            yield Chip(image[:, y, x], label[np.newaxis, y, x], footprint(landscape, y, x), facts)


def codes_of(classes: Sequence[str]) -> NDArray[np.uint8]:
    """Return, for each code of the simulator's truth, its place in some classes.

    Raises
    ------
    ValueError
        If the simulator knows no such class.
    """
    known = {one.name.lower(): one.value for one in LandCover}
    unknown = sorted(set(classes) - set(known))
    if unknown:
        raise ValueError(f"the simulator knows {', '.join(known)}; got {', '.join(unknown)}")
    codes = np.full(256, NO_LABEL, np.uint8)
    for place, name in enumerate(classes):
        codes[known[name]] = place
    return codes


def squares(shape: tuple[int, ...], side: int) -> Iterator[tuple[slice, slice]]:
    """Yield the squares that an image is cut into, without rests."""
    for row in range(0, shape[0] - side + 1, side):
        for col in range(0, shape[1] - side + 1, side):
            yield slice(row, row + side), slice(col, col + side)


def footprint(landscape: Landscape, y: slice, x: slice) -> shapely.Polygon:
    """Return the outline of a window of a landscape."""
    part: Any = landscape.geobox[y, x]
    outline: shapely.Polygon = shapely.box(*part.boundingbox.bbox)
    return outline
