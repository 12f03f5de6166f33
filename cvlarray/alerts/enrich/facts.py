"""Which feature of which layer has to do with which alert: one long table, nothing summed up."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd

from cvlarray.alerts.enrich.backend import Backend, check_alerts, ground_area_m2
from cvlarray.alerts.enrich.clean import FEATURE_DTYPES
from cvlarray.alerts.enrich.layer import LayerError, Relation, Role
from cvlarray.alerts.enrich.snapshot import Snapshot

__all__ = ["FACT_COLUMNS", "SHARE_DECIMALS", "relate"]

FACT_COLUMNS = (
    "alert",
    "event_id",
    "layer",
    "role",
    *FEATURE_DTYPES,
    "share",
    "area_m2",
    "distance_m",
    "near_border",
    "valid",
    "sha256",
)
"""``share`` is the part of the alert's area that lies in the feature, 0 to 1 (0 for an alert that
only lies near its border, NaN where distance is what counts); ``area_m2`` that part in m²."""

SHARE_DECIMALS = 6
"""Shares that differ less are equal, so that rounding doesn't choose between two features."""

ROLE_ORDER = {role.value: rank for rank, role in enumerate(Role)}


def relate(
    alerts: gpd.GeoDataFrame, snapshots: Sequence[Snapshot], *, backend: Backend
) -> pd.DataFrame:
    """Hold alerts against layers and return every relation found.

    Parameters
    ----------
    alerts
        (n,) alerts, EPSG:4326, with ``event_id``.
    snapshots
        Layers, each name once; their order doesn't matter.
    backend
        Who measures.

    Returns
    -------
    `FACT_COLUMNS`, sorted by alert, role, layer, falling share, distance, code and name.

    Raises
    ------
    ValueError
        If alerts can't be measured.
    LayerError
        If two layers have the same name.
    """
    check_alerts(alerts)
    names = [snapshot.layer.name for snapshot in snapshots]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise LayerError(f"layers must have names of their own, got {repeated} more than once")
    measured = backend.measure(alerts.geometry, snapshots)
    facts = measured.join(_described(snapshots), on=["layer", "feature"], rsuffix="_name")
    facts["layer"] = facts.pop("layer_name")
    facts["event_id"] = alerts["event_id"].to_numpy(object)[facts["alert"]]
    areas = ground_area_m2(alerts.geometry.to_numpy())
    share = (facts["area_m2"] / areas[facts["alert"]]).clip(upper=1.0)
    facts["share"] = share.mask(facts["relation"] == Relation.NEAREST)
    facts["area_m2"] = facts["area_m2"].mask(facts["relation"] == Relation.NEAREST)
    return _sorted(facts)[list(FACT_COLUMNS)]


def _described(snapshots: Sequence[Snapshot]) -> pd.DataFrame:
    """Return the attributes of all features, indexed by (position of layer, feature)."""
    parts = []
    for position, snapshot in enumerate(snapshots):
        layer = snapshot.layer
        part = pd.DataFrame(snapshot.features.drop(columns="geometry")).assign(
            layer=layer.name,
            role=layer.role.value,
            relation=layer.relation.value,
            valid=layer.valid.isoformat() if layer.valid else None,
            sha256=snapshot.sha256,
        )
        index = [np.full(len(part), position), np.arange(len(part))]
        parts.append(part.set_axis(pd.MultiIndex.from_arrays(index), axis=0))
    if parts:
        return pd.concat(parts)
    columns = [*FEATURE_DTYPES, "layer", "role", "relation", "valid", "sha256"]
    nobody = pd.MultiIndex.from_arrays([np.empty(0, np.int64)] * 2)
    return pd.DataFrame(columns=columns, index=nobody, dtype=object)


def _sorted(facts: pd.DataFrame) -> pd.DataFrame:
    """Sort by what is in the layers, so that their order leaves no trace."""
    share = facts["share"].fillna(0.0).round(SHARE_DECIMALS)
    keyed = facts.assign(_role=facts["role"].map(ROLE_ORDER), _share=-share)
    keys = ["alert", "_role", "layer", "_share", "distance_m", "code", "name", "feature"]
    return keyed.sort_values(keys, kind="stable", ignore_index=True)
