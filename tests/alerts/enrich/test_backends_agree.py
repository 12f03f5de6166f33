"""PostGIS and GeoPandas find the same, on made-up worlds and on all official layers at hand."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from cvlarray.alerts.enrich import GeoPandasBackend, Layer, PostgisBackend, enrich, take_snapshot
from tests.alerts.enrich.worlds import random_world

EXACT = ["layer", "alert", "feature", "near_border"]


def assert_same(alerts, snapshots, database):
    theirs = PostgisBackend(database).measure(alerts.geometry, snapshots)
    ours = GeoPandasBackend().measure(alerts.geometry, snapshots)
    pd.testing.assert_frame_equal(ours[EXACT], theirs[EXACT])
    np.testing.assert_allclose(theirs["area_m2"], ours["area_m2"], rtol=1e-7, atol=1e-2)
    np.testing.assert_allclose(theirs["distance_m"], ours["distance_m"], rtol=1e-9, atol=1e-4)
    return ours


@pytest.mark.parametrize("seed", range(3))
def test_on_random_worlds(postgis_database, seed):
    alerts, snapshots = random_world(seed)
    measured = assert_same(alerts, snapshots, postgis_database)
    assert set(measured["layer"]) == set(range(len(snapshots)))


def test_enriched_alerts_are_the_same(postgis_database):
    alerts, snapshots = random_world(9)
    ours = enrich(alerts, snapshots)
    theirs = enrich(alerts, snapshots, backend=PostgisBackend(postgis_database))
    assert ours["ambiguous"].any()
    assert ours["agreement_n"].any()
    pd.testing.assert_frame_equal(
        ours.drop(columns=["jurisdiction", "agreement", "geometry"]),
        theirs.drop(columns=["jurisdiction", "agreement", "geometry"]),
        rtol=1e-7,
    )
    for mine, other in zip(ours["jurisdiction"], theirs["jurisdiction"], strict=True):
        for left, right in zip(mine, other, strict=True):
            assert left.keys() == right.keys()
            for key in left.keys() - {"area_m2", "share", "distance_m"}:
                assert left[key] == right[key]


OFFICIAL = [
    ("anp_sernanp/anp_nacional_full.parquet", "strict_protection", {"name": "anp_nombre"}),
    ("anp_sernanp/anp_nacional_mdd.parquet", "strict_protection", {"name": "anp_nombre"}),
    ("anp_sernanp/anp_nacional_mdd_utm19s_latin1.shp", "strict_protection", {"name": "anp_nombre"}),
    ("anp_sernanp/acp_mdd.parquet", "buffer_zone", {"code": "acp_nomb"}),
    ("anp_sernanp/acr_mdd.parquet", "communal_reserve", {"name": "acr_nomb"}),
    ("indigenous_amw/indigenous_mining_impacted_mdd.parquet", "indigenous_territory", {}),
    ("mining_amw/andes_supplemental.geojson", "concession", {"name": "Zona"}),
    ("admin_limits/bolivia_adm1_clip.parquet", "admin_unit", {"department": "ADM1_ES"}),
    ("admin_limits/department_mdd_geoperu.geojson", "admin_unit", {"department": "departamento"}),
    ("admin_limits/departments_window_geoperu.parquet", "admin_unit", {"name": "departamento"}),
    ("admin_limits/districts_mdd_geoperu.parquet", "admin_unit", {"district": "distrito"}),
    ("admin_limits/districts_mdd_inei_codab.parquet", "admin_unit", {"district": "NOMBDIST"}),
    ("admin_limits/departamental_inei2007_simple.geojson", "admin_unit", {"department": "NOMBDEP"}),
    ("admin_limits/provincial_inei2007_simple.geojson", "admin_unit", {"province": "NOMBPROV"}),
    ("admin_limits/distrital_inei2007_simple.geojson", "admin_unit", {"district": "NOMBDIST"}),
    ("roads_osm/roads_mdd.parquet", "road", {"code": "ref", "name": "name"}),
    ("roads_osm/roads_brazil_ioh_clip.parquet", "road", {"name": "name"}),
    ("water/ne10m_rivers_mdd.geojson", "river", {"name": "name"}),
    ("water/ne10m_rivers_scalerank_mdd.geojson", "river", {"name": "name"}),
    ("water/water_polygons_mdd_ioh.parquet", "river", {}),
    ("admin_limits/ne10m_places_mdd.geojson", "road", {"name": "name"}),
]  # fmt: skip


def test_on_all_official_layers(external_data, postgis_database):
    folder = external_data / "layers"
    mining = gpd.read_parquet(folder / "mining_amw/amw_mining_differences_2018_2025Q3_mdd.parquet")
    layers = [
        Layer(
            name=path, source={"path": folder / path}, role=role, columns=columns,
            boundary_uncertainty_m=200,
        )
        for path, role, columns in OFFICIAL
    ]  # fmt: skip
    latest = "mining_amw/amw_diff_2025Q4_mdd.parquet"
    source, role = {"path": folder / latest}, "external_alerts"
    layers.append(Layer(name=latest, source=source, role=role, reader="amazon_mining_watch"))
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    data = {path for path in there if path.endswith((".parquet", ".geojson", ".shp"))}
    held = {layer.name for layer in layers}
    alerts = "mining_amw/amw_mining_differences_2018_2025Q3_mdd.parquet"
    assert data - held == {alerts}
    snapshots = [take_snapshot(layer) for layer in layers]
    assert len(assert_same(mining[::8], snapshots, postgis_database)) > 3_000
