"""Scenes on a grid: a lazy cube (time, y, x), or one block of it at a time."""

from cvlarray.cube.block import Block, Loader, UnreadAsset, read_bands, read_block
from cvlarray.cube.days import Day, group_by_day, times
from cvlarray.cube.lazy import block_dataset, load_cube
from cvlarray.cube.variables import cube_variables

__all__ = [
    "Block",
    "Day",
    "Loader",
    "UnreadAsset",
    "block_dataset",
    "cube_variables",
    "group_by_day",
    "load_cube",
    "read_bands",
    "read_block",
    "times",
]
