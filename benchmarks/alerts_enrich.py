"""Alerts against the real layers: ours beside hand-written GeoPandas, and the published areas."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from benchmarks.measure import compare, cpu_seconds
from benchmarks.registry import Measurement, UnavailableError, measures
from cvlarray.alerts.enrich import (
    GeoPandasBackend,
    Layer,
    Role,
    Snapshot,
    enrich,
    relate,
    take_snapshot,
)

N_ALERTS = 100_000
METRES = "EPSG:32719"
"""What somebody who writes it by hand measures in."""
MINING = "mining_amw/amw_mining_differences_2018_2025Q3_mdd.parquet"
MINED = "Mined area (ha)"
TERRITORIES = "indigenous_amw/indigenous_mining_impacted_mdd.parquet"
LAYERS: tuple[tuple[str, Role, str, dict[str, str]], ...] = (
    (
        "parks",
        Role.STRICT_PROTECTION,
        "anp_sernanp/anp_nacional_full.parquet",
        {"name": "anp_nombre"},
    ),
    ("private reserves", Role.BUFFER_ZONE, "anp_sernanp/acp_mdd.parquet", {"name": "acp_nomb"}),
    ("territories", Role.INDIGENOUS_TERRITORY, TERRITORIES, {"code": "id", "name": "name_field"}),
    (
        "districts",
        Role.ADMIN_UNIT,
        "admin_limits/districts_mdd_geoperu.parquet",
        {"district": "distrito"},
    ),
    ("roads", Role.ROAD, "roads_osm/roads_mdd.parquet", {"name": "name"}),
    ("rivers", Role.RIVER, "water/ne10m_rivers_mdd.geojson", {"name": "name"}),
)


def layers_folder() -> Path:
    """Return where the official layers lie."""
    folder = os.environ.get("CVLARRAY_TEST_DATA")
    if not folder:
        raise UnavailableError("set CVLARRAY_TEST_DATA to the folder of the official layers")
    return Path(folder) / "layers"


@cache
def snapshots() -> tuple[Snapshot, ...]:
    """Return the layers as they are declared in a run."""
    return tuple(
        take_snapshot(
            Layer(name=name, role=role, source={"path": layers_folder() / path}, columns=columns)
        )
        for name, role, path, columns in LAYERS
    )


@cache
def alerts(n_alerts: int = N_ALERTS) -> gpd.GeoDataFrame:
    """Return outlines of real mines, put down anywhere in the department."""
    mines = gpd.read_parquet(layers_folder() / MINING).to_crs(4326).geometry
    outlines = shapely.get_parts(shapely.make_valid(mines.to_numpy()))
    outlines = outlines[shapely.get_type_id(outlines) == shapely.GeometryType.POLYGON]
    rng = np.random.default_rng(0)
    chosen = outlines[rng.integers(0, outlines.size, n_alerts)]
    west, south, east, north = mines.total_bounds
    target = rng.uniform((west, south), (east, north), (n_alerts, 2))
    shift = target - shapely.bounds(chosen)[:, :2]
    n_points = shapely.get_num_coordinates(chosen)
    moved = shapely.set_coordinates(
        chosen.copy(), shapely.get_coordinates(chosen) + np.repeat(shift, n_points, axis=0)
    )
    names = [f"a{number}" for number in range(n_alerts)]
    columns = {"event_id": names, "first_detected": pd.Timestamp("2025-05-10")}
    return gpd.GeoDataFrame(columns, geometry=moved, crs=4326)


def by_hand(table: gpd.GeoDataFrame) -> dict[str, pd.DataFrame]:
    """Return areas of overlap and distances, as one writes it in a notebook."""
    metres = table[["event_id", "geometry"]].to_crs(METRES)
    found = {}
    for snapshot in snapshots():
        features = snapshot.features[["name", "geometry"]].to_crs(METRES)
        if snapshot.layer.role in {Role.ROAD, Role.RIVER}:
            near = gpd.sjoin_nearest(metres, features, distance_col="distance_m")
            found[snapshot.layer.name] = near[["event_id", "distance_m"]]
        else:
            cut = gpd.overlay(metres, features, how="intersection", keep_geom_type=True)
            found[snapshot.layer.name] = cut.assign(area_m2=cut.area)
    return found


def in_turn(ours: Callable[[], object], n_alerts: int, pairs: int) -> Measurement:
    """Return how much longer ours takes than what is written by hand."""
    table = alerts(n_alerts)
    comparison = compare(
        partial(cpu_seconds, ours), partial(cpu_seconds, partial(by_hand, table)), pairs=pairs
    )
    ratio = 1 / comparison.ratio
    return Measurement(ratio, "×", comparison.peer, ratio, comparison.note("in all"))


@measures("enrich_geopandas")
def enrich_geopandas(n_alerts: int = N_ALERTS, pairs: int = 1) -> Measurement:
    """What the backend measures: overlaps with areas on the ellipsoid, and distances on it."""
    table, layers = alerts(n_alerts), snapshots()
    found = in_turn(lambda: GeoPandasBackend().measure(table.geometry, layers), n_alerts, pairs)
    start = time.process_time()
    enrich(table, layers)
    whole = time.process_time() - start
    note = f"{found.note}; with the trail of each alert ours {whole:.3g} CPU-s; {n_alerts:,} alerts"
    return Measurement(found.value, "×", found.baseline, found.ratio, note)


@measures("golden_mining_area")
def golden_mining_area() -> Measurement:
    """Area-weighted by territory, community by community."""
    mining = gpd.read_parquet(layers_folder() / MINING)
    mining["event_id"] = [f"amw{number}" for number in range(len(mining))]
    layer = Layer(
        name="territories",
        source={"path": layers_folder() / TERRITORIES},
        role=Role.INDIGENOUS_TERRITORY,
        columns={"code": "id", "name": "name_field"},
        keep={"country": ("Peru",)},
    )
    facts = relate(mining, [take_snapshot(layer)], backend=GeoPandasBackend())
    shares = facts["share"] * mining[MINED].to_numpy()[facts["alert"]]
    ours = shares.groupby(facts["code"]).sum()
    table = pd.read_csv(
        layers_folder() / "mining_amw/published_overlays_peru/indigenous_2018-2025Q3.csv"
    )
    published = table.groupby("id")["intersected_area_ha"].sum().reindex(ours.index)
    errors = 100 * (ours - published).abs() / published
    note = f"{len(ours)} communities, {ours.sum():,.1f} ha in all"
    return Measurement(float(errors.max()), "%", float(published.sum()), note=note)
