"""Which rule decides, and the reasons it gives."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cvlarray.alerts.enrich import LicenceStatus, Role, enrich
from cvlarray.alerts.route import PAPER_RULES, Priority, Queue, Routing, Rule, decide, route
from cvlarray.alerts.route.decide import boundary_decides
from tests.alerts.enrich.worlds import box, make_alerts, make_snapshot

ALERT = box(10, 10, 1, 1)
AROUND, HALF, ELSEWHERE = box(5, 5, 10, 10), box(10.5, 5, 10, 10), box(50, 50, 1, 1)


def layer(role, *geometry, uncertainty_m=0, **columns):
    rows = {"geometry": list(geometry), **columns}
    return make_snapshot(
        f"{role} {len(geometry)}", role, rows, boundary_uncertainty_m=uncertainty_m
    )


def routed(*snapshots, routing=None, **columns):
    alerts = enrich(make_alerts(ALERT, **columns), snapshots)
    return route(alerts, routing).alerts.iloc[0]


@pytest.mark.parametrize(
    ("snapshots", "priority", "queue", "rule"),
    [
        ([layer(Role.STRICT_PROTECTION, AROUND)], "high", "inbox", "strict protection"),
        ([layer(Role.COMMUNAL_RESERVE, AROUND)], "high", "inbox", "communal reserve"),
        ([layer(Role.BUFFER_ZONE, AROUND)], "medium", "inbox", "buffer zone"),
        (
            [layer(Role.CONCESSION, AROUND, status=["T"])],
            "monitoring",
            "monitoring",
            "licensed concession",
        ),
        (
            [layer(Role.CONCESSION, AROUND, status=["P"])],
            "medium",
            "inbox",
            "unlicensed or lapsed concession",
        ),
        (
            [layer(Role.CONCESSION, AROUND, status=["X"])],
            "medium",
            "inbox",
            "unlicensed or lapsed concession",
        ),
        ([layer(Role.CONCESSION, AROUND)], "medium", "inbox", "unlicensed or lapsed concession"),
        (
            [layer(Role.CONCESSION, HALF, status=["T"])],
            "medium",
            "inbox",
            "partly outside a licensed concession",
        ),
        ([layer(Role.INDIGENOUS_TERRITORY, AROUND)], "medium", "inbox", "indigenous territory"),
        ([layer(Role.STRICT_PROTECTION, ELSEWHERE)], "low", "inbox", "elsewhere"),
        ([layer(Role.ADMIN_UNIT, AROUND), layer(Role.ROAD, AROUND)], "low", "inbox", "elsewhere"),
        ([], "low", "inbox", "elsewhere"),
        (
            [layer(Role.CONCESSION, AROUND, status=["T"]), layer(Role.STRICT_PROTECTION, HALF)],
            "high",
            "inbox",
            "strict protection",
        ),
        (
            [layer(Role.CONCESSION, AROUND, status=["T"]), layer(Role.BUFFER_ZONE, HALF)],
            "medium",
            "inbox",
            "buffer zone",
        ),
        # The title that lapsed beneath a new one doesn't count, but one beside it does.
        (
            [layer(Role.CONCESSION, AROUND, AROUND, status=["X", "T"])],
            "monitoring",
            "monitoring",
            "licensed concession",
        ),
        (
            [layer(Role.CONCESSION, AROUND, HALF, status=["X", "T"])],
            "medium",
            "inbox",
            "unlicensed or lapsed concession",
        ),
    ],
)
def test_the_rules_of_the_paper(snapshots, priority, queue, rule):
    alert = routed(*snapshots)
    assert (alert["priority"], alert["queue"], alert["rule"]) == (priority, queue, rule)


def test_a_sliver_of_a_park_counts_by_its_area_not_its_share():
    sliver = layer(Role.STRICT_PROTECTION, box(10.995, 10, 9, 9))  # half a per cent, 5,000 m²
    assert routed(sliver)["priority"] == "high"
    assert routed(layer(Role.STRICT_PROTECTION, box(10.9995, 10, 9, 9)))["priority"] == "low"
    assert routed(layer(Role.BUFFER_ZONE, box(10.995, 10, 9, 9)))["priority"] == "low"


def test_a_licence_counts_only_where_no_border_is_in_doubt():
    near = box(9.95, 5, 10, 10)
    certain = routed(layer(Role.CONCESSION, near, status=["T"]))
    doubtful = routed(layer(Role.CONCESSION, near, status=["T"], uncertainty_m=100))
    assert (certain["queue"], certain["needs_review"]) == ("monitoring", False)
    assert (doubtful["queue"], doubtful["priority"], doubtful["needs_review"]) == (
        "inbox",
        "medium",
        True,
    )


@pytest.mark.parametrize(
    ("snapshots", "expected"),
    [
        ([layer(Role.STRICT_PROTECTION, box(9.95, 5, 10, 10), uncertainty_m=100)], True),
        ([layer(Role.STRICT_PROTECTION, AROUND, uncertainty_m=100)], False),
        ([layer(Role.STRICT_PROTECTION, box(11.05, 5, 10, 10), uncertainty_m=100)], True),
        ([layer(Role.ADMIN_UNIT, HALF, uncertainty_m=100)], False),
        # A buffer zone's border doesn't matter inside a park, nor between two parks.
        (
            [
                layer(Role.STRICT_PROTECTION, AROUND),
                layer(Role.BUFFER_ZONE, HALF, uncertainty_m=100),
            ],
            False,
        ),
        (
            [
                layer(Role.COMMUNAL_RESERVE, AROUND),
                layer(Role.STRICT_PROTECTION, HALF, uncertainty_m=100),
            ],
            False,
        ),
    ],
)
def test_review_is_asked_for_where_a_border_would_change_the_outcome(snapshots, expected):
    assert routed(*snapshots)["needs_review"] == expected


def test_reasoning_names_overlap_field_value_and_rule():
    snapshot = make_snapshot(
        "cadastre",
        Role.CONCESSION,
        {
            "geometry": [HALF],
            "code": ["010033716"],
            "name": ["EL SOL"],
            "status": ["D.M. Extinguido"],
        },
        valid="2026-01-01",
    )
    alert = routed(snapshot)
    reasoning = alert["reasoning"]
    assert json.loads(json.dumps(reasoning, allow_nan=False)) == reasoning
    assert reasoning["share"] == pytest.approx(0.5, abs=1e-3)
    expected = {
        "rule": "unlicensed or lapsed concession",
        "priority": "medium",
        "queue": "inbox",
        "layer": "cadastre",
        "role": "concession",
        "code": "010033716",
        "name": "EL SOL",
        "status": "D.M. Extinguido",
        "licence": "lapsed",
        "ambiguous": False,
        "valid": "2026-01-01",
        "sha256": snapshot.sha256,
        "passed": ["strict protection", "communal reserve", "buffer zone", "licensed concession"],
    }
    assert {key: reasoning[key] for key in expected} == expected
    assert reasoning["text"] == (
        "medium by rule 'unlicensed or lapsed concession': 50 % (48.5 ha) in 'EL SOL' '010033716' "
        "of layer 'cadastre', edition of 2026-01-01, status 'D.M. Extinguido' (lapsed)"
    )
    elsewhere = routed()["reasoning"]
    assert elsewhere["text"] == "low by rule 'elsewhere': no rule before it matched"
    assert elsewhere["passed"] == [rule.name for rule in PAPER_RULES[:-1]]


def test_own_rules_by_class_category_code_and_layer():
    rules = (
        Rule(
            name="roads in parks",
            roles=(Role.STRICT_PROTECTION,),
            classes=("road",),
            priority="high",
        ),
        Rule(name="Manu", codes=("PN03",), priority="medium"),
        Rule(
            name="sanctuary",
            categories=("Santuario",),
            layers=("parks",),
            priority="monitoring",
            queue="digest",
        ),
        Rule(name="rest", priority="low"),
    )
    rows = {"geometry": [AROUND], "code": ["PN03"], "category": ["Santuario"]}
    park = make_snapshot("parks", Role.STRICT_PROTECTION, rows)
    other = make_snapshot("others", Role.STRICT_PROTECTION, {**rows, "code": ["PN04"]})
    routing = Routing(rules=rules)
    assert routed(park, routing=routing, **{"class": "road"})["rule"] == "roads in parks"
    assert routed(park, routing=routing)["rule"] == "Manu"
    named = make_snapshot("parks", Role.STRICT_PROTECTION, {**rows, "code": ["PN04"]})
    assert routed(named, routing=routing)["rule"] == "sanctuary"
    assert routed(other, routing=routing)["rule"] == "rest"


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ([], "at least 1 item"),
        (
            [{"name": "a", "priority": "high", "roles": ["road"]}],
            "the last rule must match every alert, got 'a'",
        ),
        (
            [{"name": "a", "priority": "high", "classes": ["road"]}],
            "the last rule must match every",
        ),
        (
            [{"name": "a", "priority": "high"}, {"name": "a", "priority": "low"}],
            r"names of their own, got \['a'\]",
        ),
        ([{"name": "a", "priority": "urgent"}], "priority"),
        ([{"name": "a", "priority": "high", "min_share": 1.5}], "min_share"),
        ([{"name": "a", "priority": "high", "min_shares": 1}], "min_shares"),
    ],
)
def test_rules_that_make_no_sense(rules, reason):
    with pytest.raises(ValidationError, match=reason):
        Routing(rules=rules)


def test_routing_reads_and_writes_plain_mappings():
    plain = Routing().model_dump(mode="json")
    assert Routing.model_validate(json.loads(json.dumps(plain))) == Routing()
    assert Routing.model_json_schema()["additionalProperties"] is False


def test_alerts_must_be_enriched():
    with pytest.raises(ValueError, match=r"columns \['jurisdiction', 'distance_to_road_m'"):
        route(make_alerts(ALERT))


def test_routing_replaces_an_earlier_one_and_keeps_the_index():
    alerts = enrich(
        make_alerts(ALERT, ALERT).set_index(pd.Index([7, 3])), [layer(Role.BUFFER_ZONE, AROUND)]
    )
    once = route(alerts.assign(priority="unassigned")).alerts
    assert once["priority"].tolist() == ["medium", "medium"]
    again = route(once).alerts
    pd.testing.assert_frame_equal(pd.DataFrame(once), pd.DataFrame(again))
    assert again.index.tolist() == [7, 3]


entries = st.lists(
    st.builds(
        lambda role, licence, share, ambiguous: {
            "layer": "x",
            "role": role,
            "licence": licence,
            "share": share,
            "area_m2": 50_000 * share,
            "ambiguous": ambiguous,
        },
        st.sampled_from([*Role]),
        st.sampled_from([*LicenceStatus]),
        st.floats(0, 1),
        st.booleans(),
    ),
    max_size=6,
)


@given(entries)
def test_every_alert_gets_the_first_rule_that_matches(trail):
    decision = decide(trail, "mine_pit", PAPER_RULES)
    position = PAPER_RULES.index(decision.rule)
    assert decision.passed == tuple(rule.name for rule in PAPER_RULES[:position])
    without = decide(trail, "mine_pit", PAPER_RULES[position:])
    assert without.rule == decision.rule
    if decision.rule.queue is Queue.MONITORING:
        strict = {Role.STRICT_PROTECTION, Role.COMMUNAL_RESERVE, Role.BUFFER_ZONE}
        assert not any(e["role"] in strict and e["share"] >= 0.01 for e in trail)
        assert decision.entry["licence"] == LicenceStatus.LICENSED
        assert not decision.entry["ambiguous"]


@given(entries)
def test_a_larger_share_of_a_park_never_lowers_the_priority(trail):
    urgency = [*Priority].index
    park = {"layer": "x", "role": Role.STRICT_PROTECTION, "ambiguous": False}
    before, after = (
        decide([*trail, {**park, "share": share, "area_m2": 1e5 * share}], "mine_pit", PAPER_RULES)
        for share in (0.0, 0.3)
    )
    assert urgency(after.rule.priority) <= urgency(before.rule.priority)
    assert after.rule.priority is Priority.HIGH


@given(entries)
def test_certain_borders_never_ask_for_review(trail):
    certain = [{**entry, "ambiguous": False} for entry in trail]
    assert not boundary_decides(certain, "mine_pit", PAPER_RULES)
