"""Where windows lie: on one lattice of the whole plane, whatever block is asked for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Lattice", "Window"]


@dataclass(frozen=True)
class Window:
    """A square that a model sees at once, by the rows and columns of the whole plane."""

    y: slice
    x: slice


@dataclass(frozen=True)
class Lattice:
    """Windows of one size whose middles tile the plane.

    Pixels are counted from the origin of the CRS, so that a pixel is seen in the same window
    whatever region, tile or chunk it is asked in.

    Raises
    ------
    ValueError
        If the overlap isn't smaller than the window, or they don't fit the stride.
    """

    window: int = 512
    """Edge of a window [pixels]."""
    overlap: int = 64
    """What neighbouring windows share [pixels]."""
    stride: int = 1
    """Windows begin at multiples of it [pixels]."""

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.window:
            raise ValueError(
                "overlap must be from 0 to less than the window, "
                f"got {self.overlap} of {self.window}"
            )
        if self.window % self.stride or self.overlap % (2 * self.stride):
            raise ValueError(
                f"a model of stride {self.stride} needs a window that is a multiple of it and an "
                f"overlap that is a multiple of {2 * self.stride}, got {self.window} and "
                f"{self.overlap}"
            )

    @property
    def step(self) -> int:
        """From one window to the next [pixels]."""
        return self.window - self.overlap

    @property
    def margin(self) -> int:
        """What a window has on each side beyond its own cell [pixels]."""
        return self.overlap // 2

    def indices(self, along: slice, reach: int = 0) -> range:
        """Return the numbers of the cells that, widened by ``reach``, meet a stretch."""
        first = (along.start - reach) // self.step
        last = (along.stop - 1 + reach) // self.step
        return range(first, last + 1)

    def cell(self, index: int, reach: int = 0) -> slice:
        """Return the rows, or columns, of a cell, widened by ``reach``."""
        return slice(index * self.step - reach, (index + 1) * self.step + reach)

    def span(self, index: int) -> slice:
        """Return the rows, or columns, of the window around a cell."""
        start = index * self.step - self.margin
        return slice(start, start + self.window)
