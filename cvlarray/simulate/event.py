"""What happens to the land: a polygon that becomes something on a day."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.simulate.landcover import LandCover
from cvlarray.simulate.surfaces import Surface

Ring = NDArray[np.float64]
"""(n, 2) vertices x, y of a simple polygon [m]; its end isn't its start."""


class Cause(StrEnum):
    """Why a polygon changes."""

    MINING = "mining"
    FARMING = "farming"
    LOGGING = "logging"
    WIND = "wind"
    FIRE = "fire"
    REGROWTH = "regrowth"
    """What comes after: pasture, fallow, closing canopy."""


NATURAL = frozenset({Cause.WIND, Cause.FIRE})


class Event(NamedTuple):
    """One change."""

    day: int
    """Days since 1970-01-01; from then on the polygon looks as it says."""
    cause: Cause
    land_cover: LandCover
    """What it is from then on."""
    surface: Surface
    """What it looks like at first."""
    becomes: Surface
    """What it comes to look like, by itself."""
    fading_days: float
    """After as many days a third of the first look is left."""
    ring: Ring
    site: int
    """Events of one mine, farm or storm share it."""
    is_natural: bool = False
    """Whether nobody did it; regrowth after a storm is natural too."""
    follows: bool = False
    """Whether it happens only where the event listed before it still shows."""
