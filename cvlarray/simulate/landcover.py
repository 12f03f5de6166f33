"""What may lie on the ground: the classes of the truth."""

from __future__ import annotations

from enum import IntEnum


class LandCover(IntEnum):
    """Classes of a truth map; 0 to 4 are those that models are trained for."""

    INTACT_FOREST = 0
    SECONDARY_GROWTH = 1
    RECENT_CLEARING = 2
    MINE_PIT = 3
    TAILINGS_POND = 4
    WATER = 5
    """River, stream or oxbow lake at the level of the day; ponds of a mine are class 4."""
    ROAD = 6
    PASTURE = 7
    NATURAL_DISTURBANCE = 8
    """Blow-down or burn scar."""
    RIVER_BAR = 9
    """Sand and mud that low water lays bare."""


NO_TRUTH = 255
"""Fill of a truth map."""

COLOURS = {
    LandCover.INTACT_FOREST: "#1a5c2e",
    LandCover.SECONDARY_GROWTH: "#8fc36b",
    LandCover.RECENT_CLEARING: "#e8a33d",
    LandCover.MINE_PIT: "#b5452c",
    LandCover.TAILINGS_POND: "#4fc4c9",
    LandCover.WATER: "#2b5f9e",
    LandCover.ROAD: "#6b4b3a",
    LandCover.PASTURE: "#e3dc84",
    LandCover.NATURAL_DISTURBANCE: "#8a5aa8",
    LandCover.RIVER_BAR: "#d9c7a0",
}
"""For legends."""


class Sky(IntEnum):
    """Classes of the cloud truth."""

    CLEAR = 0
    SHADOW = 1
    CIRRUS = 2
    """Thin cloud that the scene classification knows."""
    THIN_CLOUD = 3
    """Thin cloud that the scene classification calls clear."""
    CLOUD = 4
