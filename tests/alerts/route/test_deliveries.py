"""Who receives what, in which order, and that nothing is lost."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cvlarray.alerts.enrich import Role, enrich
from cvlarray.alerts.route import DELIVERY_DTYPES, Partner, Routing, Tier, route
from tests.alerts.enrich.worlds import box, make_alerts, make_snapshot

HECTARE = 10_000


@pytest.fixture(scope="module")
def alerts() -> gpd.GeoDataFrame:
    """Five alerts: in a park, in a buffer zone, twice elsewhere, and in a licensed concession."""
    places = [box(x, 0, 1, 1) for x in (1, 11, 21, 31, 41)]
    table = make_alerts(*places, area_m2=[HECTARE * n for n in (1, 2, 3, 4, 5)])
    table["confidence"] = [0.5, 0.9, 0.9, 0.6, 0.9]
    table["class"] = ["mine_pit", "mine_pit", "road", "recent_clearing", "mine_pit"]
    return enrich(
        table,
        [
            make_snapshot(
                "p", Role.STRICT_PROTECTION, {"geometry": [box(0, -5, 5, 10)], "code": ["PN08"]}
            ),
            make_snapshot(
                "z", Role.BUFFER_ZONE, {"geometry": [box(10, -5, 5, 10)], "code": ["PN08"]}
            ),
            make_snapshot(
                "c", Role.CONCESSION, {"geometry": [box(40, -5, 5, 10)], "status": ["T"]}
            ),
            make_snapshot(
                "r", Role.ROAD, {"geometry": [shapely.LineString([(-69.8, -13), (-69.8, -12)])]}
            ),
        ],
    )


def deliver(alerts, *partners):
    routed = route(alerts, Routing(partners=partners))
    return routed.deliveries, routed


def partner(name="ranger", tier=Tier.FIELD_ORGANISATION, **more):
    return Partner(name=name, tier=tier, **more)


def inbox(deliveries, queue="inbox"):
    return deliveries.loc[deliveries["queue"] == queue, "event_id"].tolist()


def test_columns_types_and_no_partner(alerts):
    for partners in ((), (partner(),)):
        deliveries, _ = deliver(alerts, *partners)
        assert {name: str(deliveries[name].dtype) for name in DELIVERY_DTYPES} == DELIVERY_DTYPES
        assert [*deliveries] == [*DELIVERY_DTYPES]
    assert deliver(alerts)[1].unclaimed == alerts["event_id"].tolist()


def test_licensed_ground_never_reaches_an_inbox(alerts):
    deliveries, _ = deliver(alerts, partner(), partner("fiscalia", Tier.GOVERNMENT, capacity=1))
    kept = deliveries[deliveries["event_id"] == "e4"]
    assert kept["queue"].tolist() == ["monitoring", "monitoring"]
    assert kept["rank"].isna().all()
    assert kept["reason"].str.startswith("monitoring by rule 'licensed concession'").all()


def test_ranked_by_priority_and_then_expected_hectares(alerts):
    deliveries, _ = deliver(alerts, partner())
    assert inbox(deliveries) == ["e0", "e1", "e2", "e3"]  # 0.5; 1.8; 2.7 and 2.4 ha
    assert deliveries["rank"].tolist()[:4] == [1, 2, 3, 4]
    np.testing.assert_allclose(deliveries["expected_ha"][:4], [0.5, 1.8, 2.7, 2.4])
    assert (deliveries["access"] == 1).all()


def test_access_counts_where_somebody_must_get_there(alerts):
    deliveries, _ = deliver(alerts, partner(access_km=1))
    assert inbox(deliveries) == ["e0", "e1", "e2", "e3"]
    near = deliveries.set_index("event_id")["access"]
    assert near["e2"] == pytest.approx(1 / (1 + alerts["distance_to_road_m"].iloc[2] / 1000))
    moved = alerts.assign(distance_to_river_m=[np.nan, np.nan, 50_000, 0, np.nan])
    moved["distance_to_road_m"] = np.nan
    deliveries, _ = deliver(moved, partner(access_km=1))
    assert inbox(deliveries) == ["e0", "e1", "e3", "e2"]
    assert deliveries.set_index("event_id")["access"][["e0", "e3"]].tolist() == [1, 1]


def test_beyond_the_capacity_comes_the_digest(alerts):
    deliveries, routed = deliver(alerts, partner(capacity=2))
    assert inbox(deliveries) == ["e0", "e1"]
    assert inbox(deliveries, "digest") == ["e2", "e3"]
    reason = deliveries.set_index("event_id")["reason"]
    assert reason["e1"].endswith("; rank 2 of 4, 1.8 ha expected")
    assert reason["e2"].endswith("; rank 3 of 4, beyond the capacity of 2, 2.7 ha expected")
    assert routed.unclaimed == []
    none, _ = deliver(alerts, partner(capacity=0))
    assert inbox(none) == []
    assert len(inbox(none, "digest")) == 4


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"area": box(20, -5, 15, 10)}, ["e2", "e3"]),
        ({"area": shapely.to_wkt(box(20, -5, 5, 10))}, ["e2"]),
        ({"area": shapely.geometry.mapping(box(20, -5, 5, 10))}, ["e2"]),
        ({"codes": ("PN08",)}, ["e0", "e1"]),
        ({"codes": ("PN03",)}, []),
        ({"codes": ("PN08",), "area": box(20, -5, 5, 10)}, ["e0", "e1", "e2"]),
        ({"classes": ("road", "recent_clearing")}, ["e2", "e3"]),
        ({"priorities": ("high",)}, ["e0"]),
        ({"min_confidence": 0.6}, ["e1", "e2", "e3"]),
    ],
)
def test_a_partner_receives_its_own_only(alerts, more, expected):
    deliveries, _ = deliver(alerts, partner(**more))
    assert inbox(deliveries) == expected


def test_forms_by_tier(alerts):
    partners = [partner(tier.value, tier) for tier in Tier]
    deliveries, _ = deliver(alerts, *partners, partner("own", Tier.GOVERNMENT, package="kml"))
    forms = deliveries.drop_duplicates("partner").set_index("partner")["package"].to_dict()
    assert forms == {
        "field_organisation": "geojson",
        "government": "evidence",
        "academic": "geoparquet",
        "own": "kml",
    }


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"area": "POLYGON((0 0, 1 1"}, "WKT or a GeoJSON geometry"),
        ({"area": {"type": "Polygon"}}, "WKT or a GeoJSON geometry"),
        ({"area": "POINT(0 0)"}, "a valid polygon"),
        ({"area": "POLYGON((0 0, 1 1, 1 0, 0 1, 0 0))"}, "a valid polygon"),
        ({"area": 3}, "WKT or a GeoJSON geometry"),
        ({"capacity": -1}, "capacity"),
        ({"access_km": 0}, "access_km"),
        ({"tier": "friend"}, "tier"),
        ({"inbox": 1}, "inbox"),
    ],
)
def test_partners_that_make_no_sense(more, reason):
    with pytest.raises(ValidationError, match=reason):
        Partner(**{"name": "a", "tier": "academic"} | more)


def test_partners_need_names_of_their_own():
    with pytest.raises(
        ValidationError, match=r"partners must have names of their own, got \['a'\]"
    ):
        Routing(partners=[partner("a"), partner("a")])


def test_partners_as_plain_mappings():
    plain = Routing(partners=[partner("a", area=box(0, 0, 1, 1), capacity=3)]).model_dump(
        mode="json"
    )
    again = Routing.model_validate(plain)
    assert again.partners[0].area.equals(box(0, 0, 1, 1))
    assert Partner.model_json_schema()["properties"]["area"]


partners = st.builds(
    Partner,
    name=st.uuids().map(str),
    tier=st.sampled_from(Tier),
    capacity=st.none() | st.integers(0, 6),
    classes=st.sets(st.sampled_from(["mine_pit", "road"])).map(tuple),
    min_confidence=st.sampled_from([0, 0.6, 0.95]),
    codes=st.sampled_from([(), ("PN08",)]),
)


@given(st.lists(partners, max_size=4, unique_by=lambda item: item.name), st.integers(0, 99))
@settings(max_examples=30)
def test_laws_of_deliveries(alerts, some, seed):
    deliveries, routed = deliver(alerts, *some)
    assert not deliveries.duplicated(["event_id", "partner"]).any()
    for item in some:
        own = deliveries[deliveries["partner"] == item.name]
        sent = own[own["queue"] == "inbox"]
        assert item.capacity is None or len(sent) <= item.capacity
        ranks = own["rank"].dropna().tolist()
        assert ranks == list(range(1, len(ranks) + 1))
    assert set(routed.unclaimed).isdisjoint(deliveries["event_id"])
    shuffled = alerts.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(deliver(shuffled, *some)[0], deliveries)
