"""Where the pixels of a window are: on a lattice that has no beginning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox


@dataclass(frozen=True)
class Pixels:
    """A window of an endless pixel grid.

    Pixel (0, 0) touches the origin of the CRS, give or take half a pixel; every window of a grid
    gives the same pixel the same row, column and coordinates, to the last bit.
    """

    row0: int
    """Row of the window's first pixels, counted southward; mostly negative."""
    col0: int
    """Column of the window's first pixels, counted eastward."""
    shape: tuple[int, int]
    """(y, x) of the window."""
    size_m: float
    """Side of a pixel."""
    origin: tuple[float, float] = (0.0, 0.0)
    """North-west corner of pixel (0, 0): x, y [m]."""
    shift: tuple[float, float] = (0.0, 0.0)
    """How far east and north of their nominal place the pixels look [m]: misregistration."""

    @property
    def x_axis(self) -> tuple[float, float, int]:
        """Centre of column 0, step, first column: the form that kernels take."""
        return self.origin[0] + self.shift[0] + self.size_m / 2, self.size_m, self.col0

    @property
    def y_axis(self) -> tuple[float, float, int]:
        """Centre of row 0, step, first row."""
        return self.origin[1] + self.shift[1] - self.size_m / 2, -self.size_m, self.row0

    @property
    def x(self) -> NDArray[np.float64]:
        """(x,) coordinates of the pixel centres [m]."""
        centre, step, first = self.x_axis
        return np.asarray(centre + (first + np.arange(self.shape[1])) * step, np.float64)

    @property
    def y(self) -> NDArray[np.float64]:
        """(y,) coordinates of the pixel centres [m]."""
        centre, step, first = self.y_axis
        return np.asarray(centre + (first + np.arange(self.shape[0])) * step, np.float64)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top of the centres [m]."""
        x, y = self.x, self.y
        return float(x[0]), float(y[-1]), float(x[-1]), float(y[0])

    def coarser(self, factor: int) -> Pixels:
        """Return the window in pixels ``factor`` times as large.

        Raises
        ------
        ValueError
            If the window doesn't begin and end on such a pixel.
        """
        if any(n % factor for n in (self.row0, self.col0, *self.shape)):
            raise ValueError(
                f"a window in pixels {factor} times as large must start and end on them, got row "
                f"{self.row0}, column {self.col0}, shape {self.shape}"
            )
        shape = self.shape[0] // factor, self.shape[1] // factor
        return Pixels(
            self.row0 // factor, self.col0 // factor, shape, self.size_m * factor,
            self.origin, self.shift,
        )  # fmt: skip

    def finer(self, factor: int) -> Pixels:
        """Return the window in pixels of which ``factor`` make one side of a pixel."""
        shape = self.shape[0] * factor, self.shape[1] * factor
        return Pixels(
            self.row0 * factor, self.col0 * factor, shape, self.size_m / factor,
            self.origin, self.shift,
        )  # fmt: skip

    def padded(self, margin: int, multiple: int = 1) -> Pixels:
        """Return a window wider by a margin at each side, then up to multiples."""
        row0 = (self.row0 - margin) // multiple * multiple
        col0 = (self.col0 - margin) // multiple * multiple
        end_row = -(-(self.row0 + self.shape[0] + margin) // multiple) * multiple
        end_col = -(-(self.col0 + self.shape[1] + margin) // multiple) * multiple
        shape = end_row - row0, end_col - col0
        return Pixels(row0, col0, shape, self.size_m, self.origin, self.shift)

    def shifted(self, east_m: float, north_m: float) -> Pixels:
        """Return the window looking elsewhere."""
        shift = self.shift[0] + east_m, self.shift[1] + north_m
        return Pixels(self.row0, self.col0, self.shape, self.size_m, self.origin, shift)

    def within(self, wider: Pixels) -> tuple[slice, slice]:
        """Return the rows and columns that this window takes up in a wider one."""
        row, col = self.row0 - wider.row0, self.col0 - wider.col0
        return slice(row, row + self.shape[0]), slice(col, col + self.shape[1])


def pixels_of(
    geobox: GeoBox, size_m: float, *, origin: tuple[float, float] | None = None
) -> Pixels:
    """Return the window that a grid is.

    Parameters
    ----------
    geobox
        North-up, in metres.
    size_m
        Side of a pixel that is needed.
    origin
        Corner of pixel (0, 0); the CRS' own origin, or what is nearest to it on the grid.

    Raises
    ------
    ValueError
        If the grid isn't north-up, has pixels of another size, or doesn't lie on the lattice.
    """
    affine = geobox.affine
    if affine.b or affine.d or affine.a != size_m or affine.e != -size_m:
        raise ValueError(
            f"pixels must be {size_m:g} m, north-up, got {affine.a:g} × {affine.e:g} m"
        )
    offset = affine.c % size_m, affine.f % size_m
    origin = offset if origin is None else origin
    col0, row0 = (affine.c - origin[0]) / size_m, (origin[1] - affine.f) / size_m
    if col0 != round(col0) or row0 != round(row0):
        raise ValueError(
            f"the grid's corner must lie at {origin} plus multiples of {size_m:g} m, "
            f"got {affine.c:g}, {affine.f:g}"
        )
    shape = int(geobox.shape[0]), int(geobox.shape[1])
    return Pixels(round(row0), round(col0), shape, size_m, origin)
