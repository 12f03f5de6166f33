"""What the ground of an alert shows, by the land cover seen there since the change."""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from odc.geo.geobox import GeoBox

from cvlarray.alerts.window import alert_window
from cvlarray.models.land_cover import LandCoverClass

__all__ = ["classify_alerts"]

DISTURBED = (
    LandCoverClass.RECENT_CLEARING,
    LandCoverClass.MINE_PIT,
    LandCoverClass.TAILINGS_POND,
)


class Verdict(NamedTuple):
    """What an alert shows."""

    name: str
    probability: float
    """Share of the votes, 0 to 1; NaN if there was none."""


def classify_alerts(
    alerts: gpd.GeoDataFrame, maps: xr.Dataset, *, geobox: GeoBox, otherwise: str
) -> gpd.GeoDataFrame:
    """Return alerts with the class of land cover that their pixels show.

    Every pixel votes on each date from the first on which the change was seen, by the probability
    of its class. The alert's class is the disturbed one with most votes.

    Parameters
    ----------
    alerts
        With ``first_detected`` and polygons in EPSG:4326.
    maps
        ``land_cover`` (uint8, numbered as `cvlarray.models.LAND_COVER`) and ``probability``
        (time, y, x), best lazy: only the alerts' windows are read.
    geobox
        Their grid.
    otherwise
        Class of alerts of which no disturbed pixel was seen since.

    Returns
    -------
    The alerts with ``class``, and ``class_probability``: that class's share of all votes, NaN
    where ``otherwise`` stands in.
    """
    verdicts = [_classify(alert, maps, geobox, otherwise) for _, alert in alerts.iterrows()]
    names = pd.Series([one.name for one in verdicts], alerts.index, "string")
    shares = pd.Series([one.probability for one in verdicts], alerts.index, "float64")
    return alerts.assign(**{"class": names, "class_probability": shares.round(4)})


def _classify(alert: pd.Series, maps: xr.Dataset, geobox: GeoBox, otherwise: str) -> Verdict:
    window = alert_window(alert["geometry"], geobox)
    since = maps["time"].to_numpy() >= np.datetime64(alert["first_detected"])
    part = maps.isel(y=window.y, x=window.x, time=since)
    part = part[["land_cover", "probability"]].compute(scheduler="synchronous")
    classes = part["land_cover"].to_numpy()[:, window.is_inside]
    votes = _votes(classes, part["probability"].to_numpy()[:, window.is_inside])
    best = max(DISTURBED, key=lambda one: votes[one])
    if votes[best] == 0:
        return Verdict(otherwise, float("nan"))
    return Verdict(best.name.lower(), float(votes[best] / votes.sum()))


def _votes(
    classes: npt.NDArray[np.uint8], probability: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Return the sum of the probabilities of each class."""
    is_seen = np.isfinite(probability)
    weights = probability[is_seen].astype(np.float64)
    votes: npt.NDArray[np.float64] = np.bincount(
        classes[is_seen], weights, minlength=len(LandCoverClass)
    ).astype(np.float64)
    return votes
