"""Small scenes on disk, with pixels that no two scenes, bands or places share."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable

import numpy as np
import pystac
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.simulate import Product, write_scene
from tests.s3_server import s3 as s3  # noqa: PLC0414
from tests.s3_server import s3_process as s3_process  # noqa: PLC0414

NORTH, WEST = 8_700_000, 300_000


def grid(height, width, *, top=NORTH, left=WEST, resolution=10, crs="EPSG:32719"):
    """Return a north-up grid by its upper left corner."""
    return GeoBox((height, width), Affine(resolution, 0, left, 0, -resolution, top), crs)


@pytest.fixture(scope="module")
def make_scene(tmp_path_factory) -> Callable[..., pystac.Item]:
    """Return a function that writes a scene of random pixels, some without data."""
    numbers = itertools.count()
    tmp_path = tmp_path_factory.mktemp("scenes")

    def make(geobox, *, day="2023-07-11", hour=14.8, nodata=0.1, item_id=None, **product):
        number = next(numbers)
        random = np.random.default_rng(number)

        def pixels(shape):
            values = random.integers(1, 9000, shape, dtype=np.uint16)
            values[random.random(shape) < nodata] = 0
            return values

        coarse = tuple(size // 2 for size in geobox.shape)
        scl = random.integers(1, 12, coarse, dtype=np.uint8)
        scl[random.random(coarse) < nodata] = 0
        start = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC)
        return write_scene(
            tmp_path,
            item_id=item_id or f"scene-{number}",
            datetime=start + dt.timedelta(hours=hour),
            bands={
                "red": pixels(geobox.shape),
                "nir": pixels(geobox.shape),
                "swir16": pixels(coarse),
            },
            scl=scl,
            geobox=geobox,
            product=Product(**product),
        )

    return make
