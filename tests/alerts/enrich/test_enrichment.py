"""The columns of an enriched alert, its trail, and what a new edition changes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import shapely

from cvlarray.alerts import read_alerts, write_alerts
from cvlarray.alerts.enrich import (
    ENRICHED_DTYPES,
    Role,
    enrich,
    jurisdiction_changes,
)
from tests.alerts.enrich.worlds import box, make_alerts, make_snapshot, random_world


@pytest.fixture(scope="module")
def enriched():
    alerts, snapshots = random_world(3, n_alerts=40)
    return alerts, snapshots, enrich(alerts, snapshots)


def test_columns_and_types(enriched):
    alerts, _, result = enriched
    assert [*result] == [*alerts, *ENRICHED_DTYPES]
    assert {name: str(result[name].dtype) for name in ENRICHED_DTYPES} == ENRICHED_DTYPES
    assert result.crs == alerts.crs
    assert result.geometry.equals(alerts.geometry)


def test_trail_is_json_and_survives_files(enriched, tmp_path):
    _, snapshots, result = enriched
    for column in ("jurisdiction", "agreement"):
        assert (
            json.loads(json.dumps(result[column].tolist(), allow_nan=False))
            == result[column].tolist()
        )
    assert any(result["agreement"])
    write_alerts(result, tmp_path / "alerts.geojson", tmp_path / "alerts.parquet")
    read = read_alerts(tmp_path / "alerts.parquet")
    for column in ("jurisdiction", "agreement"):
        assert read[column].tolist() == result[column].tolist()
    hashes = {snapshot.layer.name: snapshot.sha256 for snapshot in snapshots}
    for trail in result["jurisdiction"]:
        assert all(entry["sha256"] == hashes[entry["layer"]] for entry in trail)
        assert {entry["role"] for entry in trail} >= {"road", "river", "admin_unit"}


def test_flat_columns_are_the_trail_in_short(enriched):
    _, _, result = enriched
    for row in result.to_dict("records"):
        for role in ("strict_protection", "concession", "indigenous_territory"):
            inside = [e for e in row["jurisdiction"] if e["role"] == role and e["share"] > 0]
            share = max((entry["share"] for entry in inside), default=0)
            assert row[f"{role}_share"] == pytest.approx(share, abs=1e-6)
            codes = {entry["code"] for entry in inside if entry["share"] == share}
            assert pd.isna(row[f"{role}_code"]) if not inside else row[f"{role}_code"] == min(codes)
        roads = [entry["distance_m"] for entry in row["jurisdiction"] if entry["role"] == "road"]
        assert row["distance_to_road_m"] == pytest.approx(min(roads), abs=0.06)
        assert row["ambiguous"] == any(entry["ambiguous"] for entry in row["jurisdiction"])


def test_the_index_and_an_earlier_enrichment_do_not_matter(enriched):
    alerts, snapshots, result = enriched
    shuffled = alerts.sample(frac=1, random_state=0).set_axis(range(100, 140), axis=0)
    again = enrich(enrich(shuffled, snapshots[:3]), snapshots)
    assert again.index.tolist() == list(range(100, 140))
    expected = result.set_index("event_id").loc[again["event_id"]].reset_index()
    pd.testing.assert_frame_equal(
        pd.DataFrame(again.reset_index(drop=True))[[*expected]], pd.DataFrame(expected)
    )


def test_no_layers_and_no_alerts(enriched):
    alerts, snapshots, result = enriched
    bare = enrich(alerts, [])
    assert (bare["strict_protection_share"] == 0).all()
    assert bare[["concession_code", "district", "distance_to_road_m"]].isna().all(axis=None)
    assert bare["jurisdiction"].tolist() == [[]] * len(alerts)
    none = enrich(alerts.iloc[:0], snapshots)
    assert [*none] == [*result]
    assert len(none) == 0
    assert none.dtypes.equals(result.dtypes)


def test_admin_unit_by_the_largest_share_and_coarser_levels_from_their_own_layer():
    districts = make_snapshot(
        "districts", Role.ADMIN_UNIT,
        {
            "geometry": [box(0, 0, 10, 10), box(10, 0, 10, 10)],
            "district": ["LEFT", "RIGHT"], "code": ["1", "2"], "province": ["P", None],
        },
    )  # fmt: skip
    departments = make_snapshot(
        "departments", Role.ADMIN_UNIT,
        {"geometry": [box(0, 0, 40, 40)], "department": ["D"], "code": ["17"]},
    )  # fmt: skip
    alerts = make_alerts(box(8, 1, 5, 1), box(6, 1, 5, 1), box(30, 30, 1, 1), box(60, 0, 1, 1))
    result = enrich(alerts, [departments, districts])
    assert result["district"].fillna("-").tolist() == ["RIGHT", "LEFT", "-", "-"]
    assert result["province"].fillna("-").tolist() == ["-", "P", "-", "-"]
    assert result["department"].fillna("-").tolist() == ["D", "D", "D", "-"]
    assert result["admin_code"].fillna("-").tolist() == ["2", "1", "17", "-"]


def test_equal_shares_are_decided_by_code():
    rows = {
        "geometry": [box(0, 0, 9, 9), box(0, 0, 10, 10)],
        "code": ["B", "A"],
        "status": ["T", "X"],
    }
    result = enrich(make_alerts(box(1, 1, 1, 1)), [make_snapshot("c", Role.CONCESSION, rows)])
    first = result.iloc[0]
    assert first[["concession_code", "concession_status", "concession_licence"]].tolist() == [
        "A",
        "X",
        "lapsed",
    ]
    assert [entry["code"] for entry in first["jurisdiction"]] == ["A", "B"]


def test_near_a_border_is_ambiguous_even_without_overlap():
    park = make_snapshot(
        "p", Role.STRICT_PROTECTION, {"geometry": [box(0, 0, 5, 5)]}, boundary_uncertainty_m=100
    )
    alerts = make_alerts(box(1, 1, 1, 1), box(4, 1, 0.95, 1), box(5.05, 1, 1, 1), box(6, 1, 1, 1))
    result = enrich(alerts, [park])
    assert result["ambiguous"].tolist() == [False, True, True, False]
    np.testing.assert_allclose(result["strict_protection_share"], [1, 1, 0, 0])
    assert [len(trail) for trail in result["jurisdiction"]] == [1, 1, 1, 0]


def test_an_attribute_is_carried_as_it_is():
    evil = "<script>alert('x')</script>\"; DROP TABLE layer; --"
    rows = {"geometry": [box(0, 0, 5, 5)], "name": [evil], "status": [evil]}
    trail = enrich(make_alerts(box(1, 1, 1, 1)), [make_snapshot(evil, Role.CONCESSION, rows)])
    entry = trail["jurisdiction"].iloc[0][0]
    assert (entry["layer"], entry["name"], entry["status"], entry["licence"]) == (
        evil,
        evil,
        evil,
        "unknown",
    )


def test_a_new_edition_lists_what_changed():
    def edition(status, x, **more):
        rows = {
            "geometry": [box(x, 0, 10, 10)],
            "code": ["010033716"],
            "name": ["EL SOL"],
            "status": [status],
        }
        return make_snapshot("cadastre", Role.CONCESSION, {**rows, **more}, valid="2026-01-01")

    alerts = make_alerts(box(1, 1, 2, 2), box(30, 0, 1, 1))
    before = enrich(alerts, [edition("T", 0)])
    assert len(jurisdiction_changes(before, enrich(alerts, [edition("T", 0)]))) == 0

    extinguished = jurisdiction_changes(before, enrich(alerts, [edition("X", 0)]))
    assert extinguished["text"].tolist() == [
        "concession 010033716 'EL SOL': status 'T' → 'X', edition of 2026-01-01"
    ]
    moved = jurisdiction_changes(before, enrich(alerts, [edition("T", 2)]))
    assert moved[["event_id", "change"]].to_numpy().tolist() == [["e0", "boundary"]]
    assert moved["after"].item() == pytest.approx(0.5, abs=1e-3)
    left = jurisdiction_changes(before, enrich(alerts, [edition("T", 50)]))
    assert left[["event_id", "change", "code"]].to_numpy().tolist() == [["e0", "left", "010033716"]]
    entered = jurisdiction_changes(before, enrich(alerts, [edition("T", 0), other()]))
    assert entered[["event_id", "layer", "change"]].to_numpy().tolist() == [
        ["e1", "other", "entered"]
    ]


def other():
    return make_snapshot("other", Role.BUFFER_ZONE, {"geometry": [box(29, 0, 5, 5)]})


def test_alerts_that_only_one_enrichment_has_are_left_out():
    alerts = make_alerts(box(30, 0, 1, 1), box(31, 0, 1, 1))
    before, after = enrich(alerts.iloc[:1], []), enrich(alerts, [other()])
    assert jurisdiction_changes(before, after)["event_id"].tolist() == ["e0"]
    assert jurisdiction_changes(after, before)["change"].tolist() == ["left"]
    assert shapely.get_dimensions(alerts.geometry).all()
