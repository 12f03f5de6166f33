"""Figures that others published, on official and their own layers."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest

from cvlarray.alerts.enrich import (
    Backend,
    GeoPandasBackend,
    Layer,
    PostgisBackend,
    Role,
    relate,
    take_snapshot,
)

PUBLISHED_HA = 13_549.7
MINED = "Mined area (ha)"


@pytest.fixture(params=["geopandas", "postgis"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "geopandas":
        return GeoPandasBackend()
    return PostgisBackend(request.getfixturevalue("postgis_database"))


def test_mined_area_of_twelve_communities(external_data, backend):
    folder = external_data / "layers"
    mining = gpd.read_parquet(folder / "mining_amw/amw_mining_differences_2018_2025Q3_mdd.parquet")
    mining["event_id"] = [f"amw{number}" for number in range(len(mining))]
    territories = take_snapshot(
        Layer(
            name="indigenous",
            source={"path": folder / "indigenous_amw/indigenous_mining_impacted_mdd.parquet"},
            role=Role.INDIGENOUS_TERRITORY,
            columns={"code": "id", "name": "name_field"},
            keep={"country": ("Peru",)},
        )
    )
    facts = relate(mining, [territories], backend=backend)
    hectares = (facts["share"] * mining[MINED].to_numpy()[facts["alert"]]).groupby(facts["code"])
    table = pd.read_csv(folder / "mining_amw/published_overlays_peru/indigenous_2018-2025Q3.csv")
    published = table.groupby("id")["intersected_area_ha"].sum()
    ours = hectares.sum()
    assert len(ours) == 12
    pd.testing.assert_series_equal(
        ours, published.reindex(ours.index), rtol=1e-3, check_names=False
    )
    assert ours.sum() == pytest.approx(PUBLISHED_HA, rel=1e-4)


def test_district_of_mining_polygons_is_stable_between_editions(external_data, backend):
    folder = external_data / "layers"
    mining = gpd.read_parquet(folder / "mining_amw/amw_mining_differences_2018_2025Q3_mdd.parquet")
    mining["event_id"] = [f"amw{number}" for number in range(len(mining))]
    found = {}
    for edition, column in (
        ("districts_mdd_geoperu", "distrito"),
        ("districts_mdd_inei_codab", "NOMBDIST"),
    ):
        layer = Layer(
            name=edition,
            source={"path": folder / f"admin_limits/{edition}.parquet"},
            role=Role.ADMIN_UNIT,
            columns={"district": column},
            boundary_uncertainty_m=100,
        )
        facts = relate(mining, [take_snapshot(layer)], backend=backend)
        largest = facts[facts["share"] > 0].drop_duplicates("alert").set_index("alert")["district"]
        near = facts.groupby("alert")["near_border"].any()
        found[edition] = largest, near
    (first, near), (second, _) = found.values()
    differ = first.reindex(range(len(mining))).fillna("") != second.reindex(
        range(len(mining))
    ).fillna("")
    assert differ.mean() < 0.005
    assert near[near.index.isin(differ[differ].index)].all()  # where editions differ, we said so
