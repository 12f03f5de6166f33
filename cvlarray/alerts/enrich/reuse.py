"""Enriching again only what changed: an alert's place or dates, or the edition of a layer."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from cvlarray.alerts.enrich.backend import Backend
from cvlarray.alerts.enrich.enrichment import ENRICHED_DTYPES, enrich
from cvlarray.alerts.enrich.snapshot import Snapshot
from cvlarray.store import replacing

__all__ = ["enrich_changed", "enriched_at"]

WHEN = ("first_detected", "interval_start", "interval_end")
"""Beside the outline, what of an alert the layers are held against."""
LISTS = [name for name, dtype in ENRICHED_DTYPES.items() if dtype == "object"]
KEPT = {"event_id": "string", "version": "string", "key": "string", "enriched_at": "string"}


def enrich_changed(
    alerts: gpd.GeoDataFrame,
    snapshots: Sequence[Snapshot],
    path: Path,
    *,
    backend: Backend,
    now: dt.datetime,
) -> gpd.GeoDataFrame:
    """Say where each alert lies, as `cvlarray.alerts.enrich.enrich`, measuring what is new only.

    Parameters
    ----------
    alerts, snapshots, backend
        As for `enrich`.
    path
        Parquet with what was measured before; replaced. Absent or of another cvlarray: everything
        is measured.
    now
        With a time zone; when versions of alerts that weren't there before were enriched.

    Returns
    -------
    The same as `enrich`.
    """
    keys = _keys(alerts, snapshots, backend)
    known = _read(path)
    names = alerts["event_id"].astype("string").to_numpy(object)
    before = known.reindex(names)
    is_same = before["key"].to_numpy(object) == keys
    found = enrich(alerts[~is_same], snapshots, backend=backend)[list(ENRICHED_DTYPES)]
    reused = before.loc[is_same, list(ENRICHED_DTYPES)].set_axis(alerts.index[is_same], axis=0)
    plain = _plain_dtypes()
    columns = pd.concat([reused.astype(plain), pd.DataFrame(found)]).reindex(alerts.index)
    versions = _versions(alerts)
    is_known = is_same & (before["version"].to_numpy(object) == versions)
    at = np.where(is_known, before["enriched_at"].to_numpy(object), now.isoformat())
    kept = pd.DataFrame({"event_id": names, "version": versions, "key": keys, "enriched_at": at})
    _write(path, kept.set_axis(alerts.index, axis=0).join(columns))
    rest = alerts.drop(columns=[name for name in ENRICHED_DTYPES if name in alerts])
    return gpd.GeoDataFrame(rest.join(columns), geometry=alerts.geometry.name, crs=alerts.crs)


def enriched_at(path: Path) -> dict[tuple[str, str], dt.datetime]:
    """Return when each version of an alert was enriched, by name and version; none if absent."""
    known = _read(path)
    at = zip(known.index, known["version"], known["enriched_at"], strict=True)
    return {(name, version): dt.datetime.fromisoformat(text) for name, version, text in at}


def _keys(
    alerts: gpd.GeoDataFrame, snapshots: Sequence[Snapshot], backend: Backend
) -> npt.NDArray[np.object_]:
    """Return for each alert a hash of all that its enrichment depends on."""
    layers = "\n".join([type(backend).__name__, *(snapshot.key for snapshot in snapshots)])
    whole = hashlib.sha256(layers.encode())
    days = [alerts[name].astype("string").fillna("") for name in WHEN if name in alerts]
    texts = ["/".join(each) for each in zip(*days, strict=True)] if days else [""] * len(alerts)
    keys = []
    for wkb, text in zip(shapely.to_wkb(alerts.geometry.to_numpy()), texts, strict=True):
        own = whole.copy()
        own.update(wkb)
        own.update(text.encode())
        keys.append(own.hexdigest())
    return np.array(keys, object)


def _versions(alerts: gpd.GeoDataFrame) -> npt.NDArray[np.object_]:
    values = alerts["version"].astype("string") if "version" in alerts else ["1"] * len(alerts)
    return np.array(values, object)


def _plain_dtypes() -> dict[str, str]:
    return {name: dtype for name, dtype in ENRICHED_DTYPES.items() if dtype != "object"}


def _read(path: Path) -> pd.DataFrame:
    """Return what was kept, by event."""
    wanted = [*KEPT, *ENRICHED_DTYPES]
    table = pd.read_parquet(path) if path.exists() else pd.DataFrame()
    if list(table) != wanted:
        table = pd.DataFrame({name: [] for name in wanted}, dtype=object)
    for name in LISTS:
        table[name] = pd.Series([json.loads(text) for text in table[name]], dtype=object)
    # As objects: an alert that isn't there is NaN then, which equals nothing.
    return table.astype(dict.fromkeys(KEPT, object)).set_index("event_id")


def _write(path: Path, table: pd.DataFrame) -> None:
    texts: dict[str, Any] = {
        name: pd.Series([json.dumps(value) for value in table[name]], table.index, "string")
        for name in LISTS
    }
    with replacing(path) as temporary:
        table.assign(**texts).astype(KEPT).to_parquet(temporary, index=False)
