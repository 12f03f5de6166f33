"""Windows of landscapes, and a day without much cloud."""

import datetime as dt

from cvlarray.simulate import Landscape
from cvlarray.simulate.pixels import Pixels

CLEAR_DAY = dt.date(2022, 8, 3)


def part_of(landscape: Landscape, row: int, col: int, shape: tuple[int, int]) -> Pixels:
    """Return a window by its place in the landscape."""
    whole = landscape.pixels
    return Pixels(whole.row0 + row, whole.col0 + col, shape, whole.size_m, whole.origin)
