"""What hindsight says of events: whether the ground was really disturbed, and mined."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from shapely.geometry import box

from cvlarray.names import AGENT, MINING, UNKNOWN_AGENT

__all__ = ["N_AGENTS", "SHARES", "count_agents", "mines_among", "shares_of"]

N_AGENTS = 4
"""None, unknown, clearing, mining: the codes of `cvlarray.names.AGENT`."""

SHARES = ("lasting_share", "mined_share", "unclassed_share")
"""Of an event's pixels: those disturbed for long, those mined, and those whose open ground no model
has classed, as the cube lacks its bands."""


def count_agents(changes: xr.Dataset, outlines: gpd.GeoSeries, geobox: GeoBox) -> NDArray[np.int64]:
    """Count what disturbed the pixels of events that a block holds.

    Parameters
    ----------
    changes
        `cvlarray.names.CHANGES_VARIABLES` of the block, in memory.
    outlines
        Of the events, in the block's CRS; where they overlap the later one counts.
    geobox
        The block's grid.

    Returns
    -------
    Pixels (event, agent); of several disturbances of a pixel the one with the highest code.
    """
    counts = np.zeros((len(outlines), N_AGENTS), np.int64)
    here = np.flatnonzero(outlines.intersects(box(*geobox.boundingbox.bbox)))
    if here.size:
        shapes = [(outlines.iloc[number], number + 1) for number in here.tolist()]
        label = rasterize(shapes, out_shape=geobox.shape, transform=geobox.affine, dtype=np.int32)
        agent = changes[AGENT.name].max("episode").to_numpy()
        np.add.at(counts, (label[label > 0] - 1, agent[label > 0]), 1)
    return counts


def shares_of(counts: NDArray[np.int64], index: pd.Index) -> pd.DataFrame:
    """Return `SHARES` of events (rows of ``index``) from their pixels (event, agent)."""
    n_pixels = np.maximum(counts.sum(axis=1), 1)
    columns = {
        "lasting_share": counts[:, 1:].sum(axis=1),
        "mined_share": counts[:, MINING],
        "unclassed_share": counts[:, UNKNOWN_AGENT],
    }
    return pd.DataFrame({name: n / n_pixels for name, n in columns.items()}, index=index)


def mines_among(events: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the events that sites are made of: mined, or of a kind that nothing can tell.

    Parameters
    ----------
    events
        With `SHARES`.
    """
    may_be_mined = events["mined_share"] + events["unclassed_share"]
    mines: gpd.GeoDataFrame = events[may_be_mined >= 0.5]
    return mines
