"""The five classes of disturbance, numbered as in the paper (section 4.4)."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["LAND_COVER", "LandCoverClass"]


class LandCoverClass(IntEnum):
    """What a pixel shows."""

    INTACT_FOREST = 0
    SECONDARY_GROWTH = 1
    RECENT_CLEARING = 2
    MINE_PIT = 3
    TAILINGS_POND = 4


LAND_COVER = tuple(one.name.lower() for one in LandCoverClass)
"""Their names, in order."""
