"""Overlaps and distances against geodesics, brute force and laws."""

from __future__ import annotations

import random

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from cvlarray.alerts.enrich import GeoPandasBackend, LayerError, Role, relate
from tests.alerts.enrich.worlds import (
    SOUTH,
    box,
    make_alerts,
    make_snapshot,
    ragged,
    random_world,
    track,
)  # fmt: skip

GEOD = Geod(ellps="WGS84")
seeds = st.integers(0, 10_000)
few = settings(max_examples=10)


def facts_of(alerts, *snapshots):
    return relate(alerts, snapshots, backend=GeoPandasBackend())


def geodesic_area(shape):
    dense = shapely.segmentize(shapely.orient_polygons(shape), 0.001)  # not the geodesic between
    return abs(GEOD.geometry_area_perimeter(dense)[0])


@given(seeds)
@few
def test_overlap_is_the_geodesic_area_of_the_intersection(seed):
    rng = np.random.default_rng(seed)
    parks = [ragged(rng, *rng.uniform(0, 20, 2), 15) for _ in range(3)]
    alerts = make_alerts(*(ragged(rng, *rng.uniform(0, 20, 2), 2) for _ in range(8)))
    facts = facts_of(
        alerts, make_snapshot("p", Role.STRICT_PROTECTION, {"geometry": parks, "name": [*"abc"]})
    )
    found = {(row.alert, row.name): row for row in facts.itertuples(index=False)}
    for number, alert in enumerate(alerts.geometry):
        for name, park in zip("abc", parks, strict=True):
            expected = geodesic_area(alert.intersection(park))
            row = found.get((number, name))
            if row is None:
                assert expected < 2
            else:
                assert row.area_m2 == pytest.approx(expected, rel=1e-6, abs=0.01)
                share = expected / geodesic_area(alert)
                assert row.share == pytest.approx(share, rel=1e-6, abs=1e-6)


def brute_distance(alert, line):
    """Return the least geodesic distance between points every few metres of two outlines."""
    a = shapely.get_coordinates(shapely.segmentize(alert.exterior, 20 / 111_000))
    b = shapely.get_coordinates(shapely.segmentize(line, 20 / 111_000))
    near = np.argsort(np.hypot(*(b - a.mean(axis=0)).T))[:400]
    a, b = np.repeat(a, len(near), axis=0), np.tile(b[near], (len(a), 1))
    return GEOD.inv(*a.T, *b.T)[2].min()


@pytest.mark.parametrize("latitude", [-12.5, 0.0, 40.0])
@pytest.mark.parametrize("away_km", [0.3, 3, 30])
def test_distance_is_the_geodesic_one(latitude, away_km):
    rng = np.random.default_rng(int(away_km * 10))
    alert = box(away_km, 0, 0.2, 0.1)
    road = shapely.LineString(
        np.stack([np.linspace(-70.02, -70, 30), np.linspace(-12.4, -12.6, 30)], axis=1)
        + rng.normal(0, 1e-3, (30, 2))
    )
    north = latitude - SOUTH
    alert, road = (shapely.affinity.translate(shape, 0, north) for shape in (alert, road))
    facts = facts_of(make_alerts(alert), make_snapshot("r", Role.ROAD, {"geometry": [road]}))
    expected = brute_distance(alert, road)
    bound = away_km * 1000 * np.tan(np.radians(abs(latitude))) / 12.7e6  # of the choice of a point
    assert facts["distance_m"].item() == pytest.approx(expected, rel=bound + 2e-3, abs=0.5)
    assert facts["distance_m"].item() <= expected + 1e-3 * (1 + bound * expected)
    assert np.isnan(facts["share"].item())


@given(seeds)
@few
def test_nearest_is_nearest(seed):
    rng = np.random.default_rng(seed)
    roads = [track(rng, 60) for _ in range(6)]
    alerts = make_alerts(*(ragged(rng, *rng.uniform(0, 60, 2), 1) for _ in range(5)))
    rows = {"geometry": roads, "name": [*"abcdef"]}
    together = facts_of(alerts, make_snapshot("r", Role.ROAD, rows))
    apart = [
        facts_of(alerts, make_snapshot("r", Role.ROAD, {"geometry": [road]})) for road in roads
    ]
    least = np.min([facts["distance_m"] for facts in apart], axis=0)
    np.testing.assert_allclose(together["distance_m"], least, rtol=5e-4)


def test_touching_is_no_distance_and_inside_a_river_neither():
    river = box(0, 0, 10, 10).difference(box(4, 4, 2, 2))
    alerts = make_alerts(
        box(1, 1, 1, 1), box(9, 9, 3, 3), box(4.8, 4.8, 0.4, 0.4), box(12, 1, 1, 1)
    )
    facts = facts_of(alerts, make_snapshot("w", Role.RIVER, {"geometry": [river]}))
    assert facts["distance_m"].iloc[:2].tolist() == [0, 0]
    assert facts["distance_m"].iloc[2] == pytest.approx(780, rel=0.02)  # 0.8 km of 0.98 along x
    assert facts["distance_m"].iloc[3] == pytest.approx(2 * 977, rel=0.01)


def test_of_features_as_near_the_first_counts():
    line = shapely.LineString([(-70, -12.5), (-70, -12.4)])
    rows = {"geometry": [line, line], "name": ["first", "second"]}
    facts = facts_of(make_alerts(box(1, 1, 1, 1)), make_snapshot("r", Role.ROAD, rows))
    assert facts["name"].tolist() == ["first"]


@given(seeds)
@few
def test_shares_of_disjoint_features_are_at_most_one(seed):
    rng = np.random.default_rng(seed)
    cells = [box(x, y, 5, 5) for x in (0, 5, 10) for y in (0, 5, 10)]
    alerts = make_alerts(*(ragged(rng, *rng.uniform(0, 15, 2), 4) for _ in range(10)))
    facts = facts_of(alerts, make_snapshot("c", Role.ADMIN_UNIT, {"geometry": cells}))
    total = facts.groupby("alert")["share"].sum()
    assert (facts["share"] <= 1).all()
    assert (total <= 1 + 1e-6).all()
    inside = [shapely.box(*box(0, 0, 15, 15).bounds).covers(shape) for shape in alerts.geometry]
    np.testing.assert_allclose(total.reindex(np.flatnonzero(inside)), 1, rtol=1e-6)


@given(seeds, st.floats(0.1, 0.9))
@few
def test_splitting_an_alert_splits_its_areas(seed, where):
    rng = np.random.default_rng(seed)
    parks = [ragged(rng, *rng.uniform(0, 8, 2), 6) for _ in range(3)]
    snapshot = make_snapshot("p", Role.CONCESSION, {"geometry": parks, "name": [*"abc"]})
    whole = ragged(rng, 5, 5, 3)
    west, south, east, north = whole.bounds
    middle = west + where * (east - west)
    halves = [
        whole.intersection(shapely.box(west, south, middle, north)),
        whole.intersection(shapely.box(middle, south, east, north)),
    ]
    one = facts_of(make_alerts(whole), snapshot).groupby("name")["area_m2"].sum()
    two = facts_of(make_alerts(*halves), snapshot).groupby("name")["area_m2"].sum()
    np.testing.assert_allclose(two.reindex(one.index).fillna(0), one, rtol=1e-6, atol=1)


@pytest.mark.parametrize("seed", range(2))
def test_the_order_of_layers_leaves_no_trace(seed):
    alerts, snapshots = random_world(seed, n_alerts=30)
    backend = GeoPandasBackend()
    facts = relate(alerts, snapshots, backend=backend)
    for order in range(4):
        shuffled = random.Random(order).sample(snapshots, len(snapshots))
        assert relate(alerts, shuffled, backend=backend).equals(facts)


@pytest.mark.parametrize(
    ("away_m", "near"), [(-160, False), (-140, True), (140, True), (160, False)]
)
@pytest.mark.parametrize("latitude", [-12.5, 50.0])
def test_a_border_is_near_within_its_uncertainty(away_m, near, latitude):
    park = shapely.box(-70, latitude, -69, latitude + 1)
    east, _, _ = GEOD.fwd(-70, latitude + 0.5, 90 if away_m > 0 else 270, abs(away_m))
    small = 2e-5
    alert = shapely.box(east, latitude + 0.5, east + small, latitude + 0.5 + small)
    snapshot = make_snapshot(
        "p", Role.STRICT_PROTECTION, {"geometry": [park]}, boundary_uncertainty_m=150
    )
    facts = facts_of(make_alerts(alert), snapshot)
    assert facts["near_border"].any() == near
    assert (facts["share"] > 0).any() == (away_m > 0)


def test_long_borders_are_straight_in_degrees():
    park = shapely.Polygon([(-70, -13), (-69, -12), (-70, -12)])
    on_the_border = shapely.box(-69.5001, -12.5001, -69.4999, -12.4999)
    snapshot = make_snapshot(
        "p", Role.STRICT_PROTECTION, {"geometry": [park]}, boundary_uncertainty_m=1
    )
    facts = facts_of(make_alerts(on_the_border), snapshot)
    assert facts["near_border"].tolist() == [True]
    assert facts["share"].item() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: a.drop(columns="event_id"), "column event_id"),
        (lambda a: a.to_crs(32719), r"must be in EPSG:4326, got EPSG:32719"),
        (lambda a: a.set_crs(None, allow_override=True), "must be in EPSG:4326, got None"),
        (lambda a: a.assign(event_id="same"), "must be unique, got 'same' twice"),
        (lambda a: a.set_geometry(a.centroid), "valid polygons, 2 are not, first 'e0'"),
        (lambda a: a.set_geometry([None, a.geometry[1]], crs=4326), "1 are not, first 'e0'"),
        (lambda a: a.set_geometry([a.geometry[0], shapely.Polygon()], crs=4326), "first 'e1'"),
    ],
)
@pytest.mark.filterwarnings("ignore:Geometry is in a geographic CRS")
def test_alerts_that_cannot_be_measured(change, reason):
    alerts = make_alerts(box(0, 0, 1, 1), box(2, 0, 1, 1))
    with pytest.raises(ValueError, match=reason):
        facts_of(change(alerts))


def test_layers_need_names_of_their_own():
    snapshot = make_snapshot("same", Role.ROAD, {"geometry": [track(np.random.default_rng(0), 5)]})
    with pytest.raises(LayerError, match=r"got \['same'\] more than once"):
        facts_of(make_alerts(box(0, 0, 1, 1)), snapshot, snapshot)


def test_no_alerts_and_no_layers():
    _, snapshots = random_world(0, n_alerts=1)
    none = make_alerts(box(0, 0, 1, 1)).iloc[:0]
    assert len(facts_of(none, *snapshots)) == 0
    assert len(facts_of(make_alerts(box(0, 0, 1, 1)))) == 0
    far = make_alerts(shapely.box(100, 50, 100.1, 50.1))
    assert set(facts_of(far, *snapshots)["role"]) == {"road", "river"}


def test_indexes_are_kept_between_calls():
    alerts, snapshots = random_world(1, n_alerts=3)
    backend = GeoPandasBackend()
    first = backend.measure(alerts.geometry, snapshots)
    kept = dict(backend._indexed)
    assert backend.measure(alerts.geometry, snapshots).equals(first)
    assert all(backend._indexed[key] is index for key, index in kept.items())
