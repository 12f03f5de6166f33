"""Alerts with their jurisdiction: the columns to sort by, and the trail to check them with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import pandas as pd

from cvlarray.alerts.enrich.agreement import AGREEMENT_DTYPES, agreements
from cvlarray.alerts.enrich.backend import Backend
from cvlarray.alerts.enrich.facts import SHARE_DECIMALS, relate
from cvlarray.alerts.enrich.geopandas_backend import GeoPandasBackend
from cvlarray.alerts.enrich.layer import Role
from cvlarray.alerts.enrich.snapshot import Snapshot

__all__ = ["ENRICHED_DTYPES", "enrich"]

AREA_ROLES = (
    Role.STRICT_PROTECTION,
    Role.COMMUNAL_RESERVE,
    Role.BUFFER_ZONE,
    Role.CONCESSION,
    Role.INDIGENOUS_TERRITORY,
)
ADMIN_LEVELS = ("district", "province", "department")
"""From the finest: a district says in which province and department it lies."""

ENRICHED_DTYPES: dict[str, str] = {
    **{
        f"{role.value}_{what}": dtype
        for role in AREA_ROLES
        for what, dtype in (("code", "string"), ("name", "string"), ("share", "float64"))
    },
    "concession_status": "string",
    "concession_licence": "string",
    "department": "string",
    "province": "string",
    "district": "string",
    "admin_code": "string",
    "distance_to_road_m": "float64",
    "distance_to_river_m": "float64",
    "ambiguous": "bool",
    **AGREEMENT_DTYPES,
    "jurisdiction": "object",
}
"""Columns that `enrich` adds."""

TRAIL_TEXTS = (
    "code",
    "name",
    "category",
    "status",
    "licence",
    "department",
    "province",
    "district",
)


def enrich(
    alerts: gpd.GeoDataFrame,
    snapshots: Sequence[Snapshot],
    *,
    backend: Backend | None = None,
) -> gpd.GeoDataFrame:
    """Say where each alert lies.

    Parameters
    ----------
    alerts
        Alerts, EPSG:4326, with ``event_id`` and ``first_detected`` (and, where external alerts are
        matched, ``interval_start`` and ``interval_end`` if known); columns of an earlier
        enrichment are replaced.
    snapshots
        Layers from `cvlarray.alerts.enrich.take_snapshot`, in any order.
    backend
        Who measures; GeoPandas in memory by default.

    Returns
    -------
    The alerts with `ENRICHED_DTYPES`. For each area role the code and name of the feature with the
    largest share of the alert (of equal ones the first by layer and code), and that share, 0 to 1;
    for concessions also the status as the source words it and its meaning, a `LicenceStatus`. The
    administrative unit is that with the largest share. Distances are metres on the ellipsoid from
    the alert's outline, 0 where they touch, NaN without a layer of that role. ``ambiguous``
    tells that the border of a feature lies within the layer's own uncertainty of the alert, so that
    the map can't say on which side it is. ``jurisdiction`` is a list of JSON mappings, one for each
    feature that overlaps the alert, may overlap it, or is the nearest: layer, role, code, name,
    status, share, area_m2, distance_m, ambiguous, valid and sha256 of the layer, without what isn't
    known. External alerts are reported as agreement (see `agreements`), never as truth.

    Raises
    ------
    ValueError
        If alerts aren't valid polygons in EPSG:4326 with unique ``event_id``.
    LayerError
        If two layers have the same name.
    """
    facts = relate(alerts, snapshots, backend=backend or GeoPandasBackend())
    is_external = facts["role"] == Role.EXTERNAL_ALERTS
    places = facts[~is_external]
    windows = {snapshot.layer.name: snapshot.layer.match.days for snapshot in snapshots}
    n_alerts = len(alerts)
    columns = pd.concat(
        [
            *[_largest(places, role, n_alerts) for role in AREA_ROLES],
            _admin_unit(places, n_alerts),
            _distances(places, n_alerts),
            agreements(alerts, facts[is_external], windows),
        ],
        axis=1,
    )
    columns["ambiguous"] = places.groupby("alert")["near_border"].any().reindex(range(n_alerts))
    columns["ambiguous"] = columns["ambiguous"].eq(other=True)
    columns["jurisdiction"] = _trails(places, n_alerts)
    plain = {name: dtype for name, dtype in ENRICHED_DTYPES.items() if dtype != "object"}
    columns = columns.astype(plain)[list(ENRICHED_DTYPES)].set_axis(alerts.index, axis=0)
    kept = alerts.drop(columns=[name for name in ENRICHED_DTYPES if name in alerts])
    return gpd.GeoDataFrame(kept.join(columns), geometry=alerts.geometry.name, crs=alerts.crs)


def _first(facts: pd.DataFrame, n_alerts: int) -> pd.DataFrame:
    """Return the fact with the largest share of each alert, by alert; missing where none."""
    ranked = facts.assign(_rank=-facts["share"].round(SHARE_DECIMALS)).sort_values(
        ["alert", "_rank"], kind="stable"
    )
    return ranked.drop_duplicates("alert").set_index("alert").reindex(range(n_alerts))


def _largest(places: pd.DataFrame, role: Role, n_alerts: int) -> pd.DataFrame:
    overlaps = places[(places["role"] == role) & (places["share"] > 0)]
    first = _first(overlaps, n_alerts)
    columns = {f"{role.value}_{what}": first[what] for what in ("code", "name")}
    columns[f"{role.value}_share"] = first["share"].astype("float64").fillna(0.0)
    if role is Role.CONCESSION:
        columns |= {f"{role.value}_{what}": first[what] for what in ("status", "licence")}
    return pd.DataFrame(columns)


def _admin_unit(places: pd.DataFrame, n_alerts: int) -> pd.DataFrame:
    """Return the unit with the largest share, the finest level first, the coarser ones with it.

    What its row doesn't say, the unit with the largest share in another layer does.
    """
    overlaps = places[(places["role"] == Role.ADMIN_UNIT) & (places["share"] > 0)]
    overlaps = overlaps.drop_duplicates(["alert", "layer"])  # sorted by falling share
    unit = pd.DataFrame(index=range(n_alerts), columns=[*ADMIN_LEVELS, "admin_code"], dtype=object)
    for level in ADMIN_LEVELS:
        first = _first(overlaps[overlaps[level].notna()], n_alerts)
        found = first[[*ADMIN_LEVELS, "code"]].rename(columns={"code": "admin_code"})
        unit = unit.where(unit.notna(), found.astype(object))
    return unit


def _distances(places: pd.DataFrame, n_alerts: int) -> pd.DataFrame:
    nearest = places.groupby(["role", "alert"])["distance_m"].min()
    return pd.DataFrame(
        {
            f"distance_to_{role.value}_m": nearest.get(role.value, pd.Series(dtype="float64"))
            .reindex(range(n_alerts))
            .astype("float64")
            for role in (Role.ROAD, Role.RIVER)
        }
    )


def _trails(places: pd.DataFrame, n_alerts: int) -> pd.Series:
    """Return for each alert its facts as JSON mappings without missing values."""
    entries = pd.DataFrame(
        {
            "layer": places["layer"],
            "role": places["role"],
            **{name: places[name] for name in TRAIL_TEXTS},
            "legal_area_ha": places["legal_area_ha"],
            "share": places["share"].round(SHARE_DECIMALS),
            "area_m2": places["area_m2"].round(1),
            "distance_m": places["distance_m"].round(1),
            "ambiguous": places["near_border"],
            "valid": places["valid"],
            "sha256": places["sha256"],
        }
    )
    trails: list[list[dict[str, Any]]] = [[] for _ in range(n_alerts)]
    columns = [_known(entries[name]) for name in entries]
    for alert, *values in zip(places["alert"].tolist(), *columns, strict=True):
        pairs = zip(entries, values, strict=True)
        trails[alert].append({name: value for name, value in pairs if value is not None})
    return pd.Series(trails, index=range(n_alerts), dtype=object)


def _known(column: pd.Series) -> list[Any]:
    """Return Python values, None where missing."""
    values = column.to_numpy(object, copy=True)
    values[column.isna().to_numpy()] = None
    return list(values)
