"""What the pixels of events turned out to be."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.annual import SHARES, count_agents, mines_among, shares_of
from cvlarray.names import CLEARING, MINING, NO_AGENT, UNKNOWN_AGENT

GEOBOX = GeoBox((8, 12), Affine(10, 0, 400_000, 0, -10, 8_600_000), "EPSG:32719")


def square(col, row, side=4):
    """Return a square of pixels, in metres."""
    x, y = 400_000 + 10 * col, 8_600_000 - 10 * row
    return shapely.box(x, y - 10 * side, x + 10 * side, y)


@pytest.fixture
def changes():
    """Return a mine of which a quarter was dug later, a field, smoke, and ground without bands."""
    agent = np.full((2, 8, 12), NO_AGENT, np.uint8)
    agent[0, 0:4, 0:3] = MINING
    agent[0, 0:4, 3], agent[1, 0:4, 3] = CLEARING, MINING
    agent[0, 0:4, 4:8] = CLEARING
    agent[0, 4:8, 0:4] = UNKNOWN_AGENT
    return xr.Dataset({"agent": (("episode", "y", "x"), agent)})


def test_events_are_told_by_their_pixels_whatever_the_blocks(changes):
    events = gpd.GeoDataFrame(
        {"event_id": ["mine", "field", "smoke", "unclassed"]},
        geometry=[square(0, 0), square(4, 0), square(8, 0), square(0, 4)],
        crs=GEOBOX.crs,
        index=[7, 3, 5, 1],
    )
    counts = sum(
        count_agents(
            changes.isel(x=slice(start, start + 6)), events.geometry, GEOBOX[:, start : start + 6]
        )
        for start in (0, 6)
    )
    assert counts.sum(axis=1).tolist() == [16] * 4
    found = events.join(shares_of(counts, events.index))
    expected = {"mine": (1, 1, 0), "field": (1, 0, 0), "smoke": (0, 0, 0), "unclassed": (1, 0, 1)}
    for name, shares in expected.items():
        row = found[found["event_id"] == name].iloc[0]
        assert tuple(row[list(SHARES)]) == shares, name
    # Sites are made of mines, and of what no model could look at.
    assert mines_among(found)["event_id"].tolist() == ["mine", "unclassed"]


def test_no_events(changes):
    events = gpd.GeoSeries([], crs=GEOBOX.crs)
    counts = count_agents(changes, events, GEOBOX)
    assert shares_of(counts, pd.RangeIndex(0)).empty
