"""The truth is what the events say and what the pixels show."""

import datetime as dt
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize

from cvlarray.kernels.indices import normalised_difference
from cvlarray.names import NO_DATE
from cvlarray.simulate import (
    LandCover,
    Landscape,
    LandUse,
    Switches,
    changes_between,
    event_table,
    land_cover_of,
)
from cvlarray.simulate.event import Cause
from cvlarray.simulate.history import history_of
from cvlarray.simulate.rivers import rivers_of
from cvlarray.simulate.season import day_number
from cvlarray.simulate.sentinel2 import view_sentinel2
from tests.simulate.places import part_of

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
CLEAN = Switches.none()
FIRST, LAST = dt.date(2021, 6, 30), dt.date(2022, 9, 30)


@pytest.fixture(scope="module")
def events(landscape):
    return event_table(landscape)


def drawn(landscape, events):
    """Return the land cover that polygons alone give, by GDAL and in order; 255 where none is."""
    shapes = list(zip(events.geometry, events.to_class, strict=True))
    return rasterize(
        shapes, out_shape=landscape.geobox.shape, fill=255, dtype=np.uint8,
        transform=landscape.geobox.affine,
    )  # fmt: skip


def test_the_map_is_what_the_polygons_say(landscape):
    """Without conditions on what an event may cover, nothing but the polygons counts."""
    use = LandUse(mining_sites=20, clearings=0, old_fields=0, logging_roads=0, highway=False)
    mines = replace(landscape, land_use=use)
    date = dt.date(2022, 1, 1)
    table = event_table(mines, natural=False)
    table = table[(table.date <= str(date)) & (table.cause == "mining")]
    assert len(table) > 100
    cover = land_cover_of(mines, mines.pixels, date, CLEAN)
    expected = drawn(mines, table)
    # What came before the period isn't listed, and what was felled grows back.
    is_known = (expected != 255) & (expected != LandCover.RECENT_CLEARING)
    assert (cover[is_known] == expected[is_known]).mean() > 0.97


def test_events_are_dated_polygons_of_the_period(landscape, events):
    assert isinstance(events, gpd.GeoDataFrame)
    assert str(events.crs) == "EPSG:32719"
    assert events.date.is_monotonic_increasing
    assert events.date.min() >= np.datetime64(landscape.start)
    assert events.date.max() <= np.datetime64(landscape.end)
    assert events.event_id.is_unique
    assert (events.from_class != events.to_class).mean() > 0.6
    np.testing.assert_allclose(events.area_m2, events.geometry.area)
    assert events.is_valid.mean() > 0.98
    assert set(events.cause) == set(Cause)
    natural = events[events.is_natural & (events.cause != "regrowth")]
    assert (natural.to_class == LandCover.NATURAL_DISTURBANCE).all()
    assert not event_table(landscape, natural=False).is_natural.any()


def test_mines_creep_for_months_and_follow_an_order(events):
    mines = events[events.cause == "mining"]
    spans = mines.groupby("site").date.agg(lambda dates: (dates.max() - dates.min()).days)
    assert (spans > 60).mean() > 0.5
    were_felled = []
    for _, site in mines.groupby("site"):
        pits = site[site.to_class == LandCover.MINE_PIT]
        if pits.empty:
            continue
        reach = shapely.hausdorff_distance(pits.geometry.union_all(), pits.geometry.iloc[0])
        if len(pits) > 10:
            assert reach > 150
        felled = site[site.to_class == LandCover.RECENT_CLEARING]
        # Of the first pits, the trees were felled before the period. Of those by the water, none.
        known = pits[pits.date > pits.date.min() + np.timedelta64(40, "D")]
        were_felled += [
            felled[felled.date < pit.date].intersects(pit.geometry).any()
            for pit in known.itertuples()
        ]
    assert len(were_felled) > 50
    assert np.mean(were_felled) > 0.9


def test_mines_lie_near_rivers_and_nothing_lies_in_them(landscape, events):
    lines = shapely.MultiLineString([line[:, :2] for line in rivers_of(landscape).channels])
    mines = events[events.cause == "mining"]
    left, bottom, right, top = landscape.bounds
    inside = mines[mines.within(shapely.box(left, bottom, right, top))]
    assert np.median(shapely.distance(lines, inside.geometry.centroid)) < 900
    channel = shapely.union_all([
        shapely.LineString(line[:, :2]).buffer(line[:, 2].min() * 0.98)
        for line in rivers_of(landscape).channels
    ])  # fmt: skip
    assert not events.intersects(channel).any()


def test_clearing_is_work_of_the_dry_season(landscape):
    wide = replace(landscape, land_use=LandUse(clearings=120))
    months = event_table(wide).query("cause == 'farming' and to_class == 2").date.dt.month
    assert ((months >= 6) & (months <= 10)).mean() > 0.55


@pytest.mark.parametrize("kind", [LandCover.RECENT_CLEARING, LandCover.MINE_PIT])
def test_pixels_show_what_has_changed(landscape, at, kind):
    """Where the truth changes from forest, NDVI falls; where it doesn't, it stays."""
    before, after = (
        view_sentinel2(landscape, replace(at, date=date), landscape.pixels, switches=CLEAN)
        for date in (FIRST, LAST)
    )
    everywhere = np.ones(landscape.pixels.shape, bool)
    fall = [
        normalised_difference(
            view.bands["nir"].astype(np.int16), view.bands["red"].astype(np.int16), everywhere
        ).astype(int)
        for view in (before, after)
    ]
    fall = (fall[0] - fall[1]) / 1e4
    changes = changes_between(landscape, landscape.pixels, FIRST, LAST, CLEAN)
    was_forest = changes.from_class == LandCover.INTACT_FOREST
    fell = was_forest & (changes.to_class == kind)
    stayed = was_forest & (changes.to_class == LandCover.INTACT_FOREST)
    assert fell.sum() > 300
    assert (fall[fell] > 0.1).mean() > 0.97
    assert (np.abs(fall[stayed]) < 0.05).mean() > 0.99


def test_changes_have_the_day_of_the_first_disturbance(landscape):
    """Day by day, by comparing maps."""
    pixels = part_of(landscape, 0, 0, (600, 600))
    first, last = dt.date(2022, 6, 1), dt.date(2022, 8, 30)
    quiet = replace(Switches(), seasonal_water=False)
    changes = changes_between(landscape, pixels, first, last)
    before = land_cover_of(landscape, pixels, first, quiet)
    np.testing.assert_array_equal(changes.from_class, before)
    changed_on = np.full(pixels.shape, NO_DATE, np.int32)
    history = history_of(landscape)
    regrown = list(Cause).index(Cause.REGROWTH)
    for n in range(1, (last - first).days + 1):
        now = land_cover_of(landscape, pixels, first + dt.timedelta(n), quiet)
        day = day_number(first) + n
        is_regrowth_only = (history.cause[history.day == day] == regrown).all()
        if not is_regrowth_only:
            changed_on[(now != before) & (changed_on == NO_DATE)] = day
        before = now
    np.testing.assert_array_equal(changes.to_class, before)
    both = (changed_on != NO_DATE) & (changes.first_changed != NO_DATE)
    assert both.sum() > 1000
    # A pond in a pond, or regrowth elsewhere on the same day, are what the maps can't tell.
    assert (changed_on[both] == changes.first_changed[both]).mean() > 0.97
    assert ((changed_on == NO_DATE) == (changes.first_changed == NO_DATE)).mean() > 0.995


@settings(max_examples=20)
@given(
    row=st.integers(0, 500), col=st.integers(0, 500),
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    day=st.integers(0, 1400),
)  # fmt: skip
def test_truth_is_the_same_in_any_window(landscape, row, col, shape, day):
    date = landscape.start + dt.timedelta(day)
    part = part_of(landscape, row, col, shape)
    whole = land_cover_of(landscape, part_of(landscape, 0, 0, (600, 600)), date)
    here = (slice(row, row + shape[0]), slice(col, col + shape[1]))
    inside = whole[here]
    found = land_cover_of(landscape, part, date)
    np.testing.assert_array_equal(found[: inside.shape[0], : inside.shape[1]], inside)


def test_nothing_happens_where_nobody_does_anything():
    use = LandUse(
        rivers=0, mining_sites=0, old_mining_sites=0, clearings=0, old_fields=0, logging_roads=0,
        highway=False, blowdowns=0, burns=0,
    )  # fmt: skip
    empty = Landscape.of_size(1, 200, land_use=use)
    assert len(event_table(empty)) == 0
    changes = changes_between(empty, empty.pixels, empty.start, empty.end)
    assert (changes.first_changed == NO_DATE).all()
    assert set(np.unique(changes.to_class)) <= {0, LandCover.WATER, LandCover.RIVER_BAR}


def test_refuses_days_in_the_wrong_order(landscape):
    with pytest.raises(ValueError, match="first must be before last"):
        changes_between(landscape, landscape.pixels, LAST, FIRST)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": dt.date(2024, 1, 1)}, "start must be before end"),
        ({"geobox": 1}, "multiples of 20 m"),
    ],
)
def test_refuses_a_landscape(landscape, changes, message):
    if "geobox" in changes:
        changes = {"geobox": landscape.geobox[1:100, 0:100]}
    with pytest.raises(ValueError, match=message):
        replace(landscape, **changes)
