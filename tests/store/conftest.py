"""A small store and what fills it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray import names
from cvlarray.store import create_store

CUBE_VARIABLES = (names.band("red", "red"), names.SCL, names.READ_STATUS)
DATES = ("2020-01-03", "2020-01-08", "2020-02-02", "2020-02-07", "2020-03-01")


@pytest.fixture
def geobox() -> GeoBox:
    """27 × 20 pixels in Madre de Dios; neither is a multiple of a shard."""
    return GeoBox((27, 20), Affine(10, 0, 300_000, 0, -10, 8_600_000), "EPSG:32719")


@pytest.fixture
def times() -> np.ndarray[Any, Any]:
    return np.array(DATES, dtype="datetime64[ns]")


@pytest.fixture
def make_cube(geobox: GeoBox, times: np.ndarray[Any, Any]) -> Callable[..., None]:
    """Return `create_store` with a small cube's arguments, any of which may be replaced."""

    def make(path: Path, **changes: Any) -> None:
        arguments = {
            "geobox": geobox,
            "times": times,
            "variables": CUBE_VARIABLES,
            "shard_px": 8,
            "chunk_px": 4,
            "time_shard": 2,
            "fingerprint": {"masking": {"clear_classes": [4, 5]}, "loader": "direct"},
        }
        create_store(path, **arguments | changes)

    return make
