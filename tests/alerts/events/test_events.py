"""Events drawn by hand: what becomes of them, and what stays known."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest

from cvlarray.alerts.events import (
    EVENT_DTYPES,
    EventRules,
    EventStore,
    State,
    read_events,
    read_versions,
)
from cvlarray.errors import StoreError
from tests.alerts.events.drawn import GEOBOX, START, acquisition

RULES = EventRules(min_pixels=2)


def stored(path: Path, *acquisitions, rules: EventRules = RULES) -> gpd.GeoDataFrame:
    """Take acquisitions in and return all versions."""
    with EventStore(path, GEOBOX, rules) as store:
        store.update(acquisitions)
    return read_versions(path)


def told(versions: gpd.GeoDataFrame) -> list[tuple[int, str, str, int]]:
    """Return day, state, change and pixels of each version."""
    days = (versions["acquisition"] - pd.Timestamp(START)).dt.days
    columns = (days, versions["state"], versions["change"], versions["n_pixels"])
    return list(zip(*columns, strict=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.gpkg"


def test_a_candidate_is_pending_then_confirmed_then_grows(path: Path) -> None:
    versions = stored(
        path,
        acquisition(0, "pp", confidence=0.6),
        acquisition(5, "CC", first=-5, confidence=0.9),
        acquisition(10, "\npp", first=5),
        acquisition(15, "\nCC", first=5),
        acquisition(20, "CC", first=-5, confidence=0.99),
    )
    assert told(versions) == [
        (0, "pending", "new", 2),
        (5, "confirmed", "confirmed", 2),
        (15, "confirmed", "grown", 4),
        (20, "confirmed", "seen", 4),
    ]
    assert versions["version"].tolist() == [1, 2, 3, 4]
    assert versions["event_id"].nunique() == 1
    assert versions["confidence"].tolist() == [0.6, 0.9, 0.9, 0.945]
    confirmed = read_events(path)
    assert confirmed["confirmed"].tolist() == [pd.Timestamp("2024-05-06")]
    assert confirmed["first_detected"].tolist() == [pd.Timestamp("2024-04-26")]
    assert confirmed["interval_start"].tolist() == [pd.Timestamp("2024-04-16")]
    assert confirmed["interval_end"].tolist() == [pd.Timestamp("2024-05-06")]
    assert confirmed["area_m2"].tolist() == pytest.approx([400], rel=1e-3)


def test_unconfirmed_ones_are_there_when_asked_for(path: Path) -> None:
    stored(path, acquisition(0, "pp"), acquisition(5, ".....CC"))
    assert read_events(path)["n_pixels"].tolist() == [2]
    both = read_events(path, states=(State.PENDING, State.CONFIRMED))
    assert sorted(both["state"]) == ["confirmed", "pending"]


def test_it_can_be_asked_what_was_known_on_a_date(path: Path) -> None:
    stored(
        path,
        acquisition(0, "pp", confidence=0.6),
        acquisition(5, "CC", first=-5, confidence=0.9),
        acquisition(9, "CC", first=-5, confidence=0.99),
    )
    everything = tuple(State)

    def known(day: int) -> list[tuple[str, float]]:
        events = read_events(path, as_of=START + dt.timedelta(days=day), states=everything)
        return list(zip(events["state"], events["confidence"], strict=True))

    assert known(-1) == []
    assert known(0) == known(4) == [("pending", 0.6)]
    assert known(5) == known(8) == [("confirmed", 0.9)]
    assert known(9) == known(1000) == [("confirmed", 0.99)]


def test_what_is_as_expected_after_all_is_withdrawn_and_stays_in_the_store(path: Path) -> None:
    versions = stored(path, acquisition(0, "ppp"), acquisition(5, "x"), acquisition(10, ".xx"))
    assert told(versions) == [
        (0, "pending", "new", 3),
        (5, "pending", "shrunk", 2),
        (10, "withdrawn", "withdrawn", 2),
    ]
    assert read_events(path, states=(State.PENDING, State.CONFIRMED)).empty
    assert len(read_events(path, states=(State.WITHDRAWN,))) == 1


def test_events_that_grow_together_are_the_older_one(path: Path) -> None:
    versions = stored(
        path, acquisition(0, "CC"), acquisition(5, "....CC"), acquisition(10, "..CC", first=5)
    )
    older, younger = versions["event_id"][:2]
    assert told(versions[versions["event_id"] == older]) == [
        (0, "confirmed", "new", 2),
        (10, "confirmed", "merged_in", 6),
    ]
    assert told(versions[versions["event_id"] == younger]) == [
        (5, "confirmed", "new", 2),
        (10, "merged", "merged", 2),
    ]
    now = read_events(path, states=tuple(State)).set_index("event_id")
    assert now.loc[older, "parents"] == [younger]
    assert now.loc[younger, "children"] == [older]


def test_a_confirmed_event_is_not_taken_in_by_an_older_pending_one(path: Path) -> None:
    versions = stored(
        path, acquisition(0, "pp"), acquisition(5, "....CC"), acquisition(10, "..pp", first=5)
    )
    confirmed = versions["event_id"][versions["state"] == "confirmed"].iloc[0]
    assert read_events(path)["event_id"].tolist() == [confirmed]
    assert read_events(path)["n_pixels"].tolist() == [2]  # the pending ones aren't part of it yet


def test_an_event_that_comes_apart_keeps_its_name_where_it_began(path: Path) -> None:
    versions = stored(
        path,
        acquisition(0, "pp"),
        acquisition(5, "..ppppp"),
        acquisition(10, "CC.CCCC", first=0),
        acquisition(15, "..x", first=0),
    )
    whole = versions["event_id"].iloc[0]
    piece = versions[versions["event_id"] != whole]
    assert told(piece) == [(15, "confirmed", "split_off", 4)]
    assert piece["parents"].tolist() == [[whole]]
    last = versions[versions["event_id"] == whole].iloc[-1]
    assert (last["change"], last["n_pixels"]) == ("shrunk", 2)
    assert last["children"] == piece["event_id"].tolist()


def test_campaigns_far_apart_in_date_stay_apart(path: Path) -> None:
    stored(path, acquisition(0, "CC"), acquisition(200, "..CC"))
    events = read_events(path)
    assert events["n_pixels"].tolist() == [2, 2]
    assert events["parents"].tolist() == [[], []]


def test_patches_below_the_mapping_unit_are_no_events_until_they_grow(path: Path) -> None:
    versions = stored(path, acquisition(0, "p.p"), acquisition(5, ".p"))
    assert told(versions) == [(5, "pending", "new", 3)]
    assert versions["first_detected"].tolist() == [pd.Timestamp("2024-04-26")]


def test_what_radar_alone_has_seen_is_dated_wider_and_needs_review(path: Path) -> None:
    versions = stored(
        path,
        acquisition(0, "CC", sensor="sentinel-1"),
        acquisition(5, "CC", first=-5),
        acquisition(6, "\n\n.....CC"),
    )
    radar, both, optical = (versions.iloc[k] for k in range(3))
    assert (radar["sensor"], bool(radar["needs_review"])) == ("sentinel-1", True)
    assert radar["interval_start"] == pd.Timestamp("2024-04-16") - pd.Timedelta(days=12)
    assert radar["interval_end"] == pd.Timestamp("2024-04-26") + pd.Timedelta(days=12)
    assert (both["sensor"], bool(both["needs_review"])) == ("sentinel-2,sentinel-1", False)
    assert both["interval_end"] == pd.Timestamp("2024-04-26")
    assert both["n_pixels"] == 2
    assert (optical["sensor"], bool(optical["needs_review"])) == ("sentinel-2", False)


def test_a_scene_that_comes_late_changes_what_is_known_and_not_what_was_written(
    path: Path,
) -> None:
    dates = [acquisition(0, "pp"), acquisition(10, "CC", first=-5)]
    before = stored(path, *dates)
    late = acquisition(5, "pppp", first=-5, confidence=0.8)
    after = stored(path, dates[0], late, dates[1])
    pd.testing.assert_frame_equal(before, after[: len(before)])
    assert after["event_id"].nunique() == 1
    chain = after[after["revision"] == 1]
    assert told(chain) == [
        (0, "pending", "new", 2),
        (5, "pending", "grown", 4),
        (10, "confirmed", "confirmed", 2),
    ]
    assert chain["version"].tolist() == [3, 4, 5]


def test_an_event_that_gets_another_first_date_keeps_its_name(path: Path) -> None:
    before = stored(path, acquisition(0, "pp", first=-5), acquisition(10, "CC", first=-5))
    after = stored(path, acquisition(0, "pp", first=-9), acquisition(10, "CC", first=-9))
    assert set(after["event_id"]) == set(before["event_id"])
    assert read_events(path)["first_detected"].tolist() == [pd.Timestamp("2024-04-22")]


def test_an_event_that_is_no_more_is_withdrawn(path: Path) -> None:
    stored(path, acquisition(0, "CC"), acquisition(5, "....CC"))
    versions = stored(path, acquisition(0, "CC"))
    assert read_events(path)["n_pixels"].tolist() == [2]
    assert told(versions[-1:]) == [(5, "withdrawn", "reprocessed", 2)]
    again = stored(path, acquisition(0, "CC"))
    pd.testing.assert_frame_equal(versions, again)


def test_what_was_before_the_period_and_after_it_stays(path: Path) -> None:
    first, middle = acquisition(0, "CC"), acquisition(200, "....CC")
    with EventStore(path, GEOBOX, RULES) as store:
        store.update([first, middle])
        store.update([acquisition(400, "........CC")], since=START + dt.timedelta(days=300))
        store.update([first], until=START + dt.timedelta(days=100))
    assert len(read_events(path)) == 3
    assert set(read_versions(path)["revision"]) == {0}


def test_other_rules_make_all_events_anew(path: Path) -> None:
    stored(path, acquisition(0, "C.CC"))
    versions = stored(path, acquisition(0, "C.CC"), rules=EventRules(min_pixels=1))
    assert len(read_events(path)) == 2
    assert told(versions[-1:]) == [(0, "confirmed", "new", 1)]


def test_other_programs_read_it(path: Path) -> None:
    stored(path, acquisition(0, "CC"), acquisition(5, "....pp"))
    now = gpd.read_file(path, layer="event")
    versions = gpd.read_file(path, layer="event_version")
    assert sorted(now["state"]) == ["confirmed", "pending"]
    assert versions.crs == "EPSG:4326"
    assert versions.geometry.geom_equals(read_versions(path).geometry).all()
    with sqlite3.connect(path) as connection:
        n_events = connection.execute("SELECT count(*) FROM event").fetchone()
    connection.close()
    assert n_events == (2,)


@pytest.mark.parametrize("table", ["event_version", "acquisition"])
def test_nothing_that_was_written_can_be_changed(path: Path, table: str) -> None:
    stored(path, acquisition(0, "CC"))
    connection = sqlite3.connect(path)
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET revision = 9"):
        with pytest.raises(sqlite3.IntegrityError, match="are never"):
            connection.execute(statement)
    connection.close()


def test_no_events_are_a_table_without_rows(path: Path) -> None:
    versions = stored(path)
    assert versions.empty
    plain = {name: str(dtype) for name, dtype in versions.drop(columns="geometry").dtypes.items()}
    assert plain == EVENT_DTYPES


def test_another_grid_is_refused(path: Path) -> None:
    stored(path, acquisition(0, "CC"))
    with pytest.raises(StoreError, match="another grid"), EventStore(path, GEOBOX[:20, :20]):
        pass


def test_a_file_that_is_something_else_is_refused(path: Path) -> None:
    path.write_text("not a database, but long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="cannot use the events"), EventStore(path, GEOBOX):
        pass
    path.unlink()
    with pytest.raises(StoreError, match="cannot use the events"):
        read_events(path)
    gpd.GeoDataFrame({"a": [1]}, geometry=gpd.points_from_xy([0], [0]), crs=4326).to_file(path)
    with pytest.raises(StoreError, match="no store of events"):
        read_events(path)
