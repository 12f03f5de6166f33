"""Laws of events: how dates are cut into runs never matters, and nothing ever disappears."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.alerts.events import (
    OBSERVED,
    Acquisition,
    EventRules,
    EventStore,
    State,
    by_acquisition,
    read_events,
)
from cvlarray.kernels.detectors import Alarm, Consecutive
from cvlarray.kernels.evidence import Evidence, collect_evidence
from cvlarray.kernels.sightings import SIGHTING, find_sightings
from tests.alerts.events.drawn import GEOBOX

SIZE = 7
N_DATES = 12
DETECTOR = Consecutive(count=3)
RULES = EventRules(min_pixels=2, max_gap_days=40)
DAYS = (19_000 + 10 * np.arange(N_DATES)).astype(np.int32)
FIRST = dt.date(1970, 1, 1) + dt.timedelta(days=19_000)


def scene(seed: int) -> np.ndarray:
    """Return residuals (time, pixel) of clearings that spread, with noise and clouds."""
    rng = np.random.default_rng(seed)
    residual = rng.normal(0, 1, (N_DATES, SIZE, SIZE)).astype(np.float32)
    for _ in range(3):
        start, row, col = rng.integers(0, N_DATES - 3), *rng.integers(0, SIZE - 2, 2)
        end = N_DATES if rng.random() < 0.6 else start + rng.integers(2, 4)
        residual[start:end, row : row + 2, col : col + rng.integers(1, 4)] += 5
    residual[rng.random(residual.shape) < 0.25] = np.nan
    residual[rng.random(residual.shape) < 0.1] += 4
    return residual.reshape(N_DATES, -1)


def watch(residual: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Return the sightings of all dates."""
    n_pixels = residual.shape[1]
    memory = DETECTOR.begin(n_pixels)
    alarm, evidence = Alarm.none(n_pixels), Evidence.none(n_pixels)
    parts = [np.empty(0, SIGHTING)]
    for day, values in zip(days.tolist(), residual, strict=True):
        before = Alarm(*map(np.copy, alarm)), Evidence(*map(np.copy, evidence))
        DETECTOR.step(values, day, memory, alarm)
        collect_evidence(values, day, DETECTOR.threshold, before[0].first, alarm, evidence)
        parts.append(find_sightings(values, day, 2, before, (alarm, evidence)))
    return np.concatenate(parts)


def acquisitions(residual: np.ndarray, dates: Sequence[int] | None = None) -> list[Acquisition]:
    chosen = np.arange(N_DATES) if dates is None else np.sort(np.array(dates, int))
    found = watch(residual[chosen], DAYS[chosen])
    table = np.empty(found.size, OBSERVED)
    for name in set(OBSERVED.names) - {"row", "col"}:
        table[name] = found[name]
    table["row"], table["col"] = np.divmod(found["pixel"], SIZE)
    return by_acquisition([table], "sentinel-2")


def everything(store: EventStore) -> list[tuple]:
    """Return all rows that are kept for ever, and those the next acquisition goes on from."""
    connection = store._tables.connection
    tables = ("event_version", "acquisition", "event_head", "patch")
    return [row for name in tables for row in connection.execute(f"SELECT * FROM {name}")]


def one_run(dates: list[Acquisition]) -> list[tuple]:
    with EventStore(":memory:", GEOBOX, RULES) as store:
        store.update(dates)
        return everything(store)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(0, N_DATES), max_size=4))
def test_how_dates_are_cut_into_runs_does_not_matter(seed: int, cuts: list[int]) -> None:
    """Also not if runs of before are repeated in between."""
    residual = scene(seed)
    with EventStore(":memory:", GEOBOX, RULES) as store:
        for n_dates in (*cuts, N_DATES):  # in any order: a run may end earlier than one before
            until = FIRST + dt.timedelta(days=10 * n_dates - 1)
            known = [one for one in acquisitions(residual) if one.date <= until]
            store.update(known, until=until)
        runs = everything(store)
    assert runs == one_run(acquisitions(residual))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.data())
def test_late_scenes_end_in_the_same_events_and_nothing_disappears(
    seed: int, data: st.DataObject
) -> None:
    residual = scene(seed)
    order = data.draw(st.permutations(range(N_DATES)))
    steps = sorted(data.draw(st.sets(st.integers(1, N_DATES - 1), max_size=3)))
    written: list[tuple] = []
    names: set[str] = set()
    with EventStore(":memory:", GEOBOX, RULES) as store:
        for n_dates in (*steps, N_DATES):
            store.update(acquisitions(residual, order[:n_dates]))
            connection = store._tables.connection
            rows = connection.execute("SELECT * FROM event_version ORDER BY fid").fetchall()
            assert rows[: len(written)] == written
            written = rows
            heads = {name for (name,) in connection.execute("SELECT event_id FROM event")}
            assert names <= heads
            names = heads
        late = current(store)
    with EventStore(":memory:", GEOBOX, RULES) as store:
        store.update(acquisitions(residual))
        assert late == current(store)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000), st.data())
def test_once_told_names_stay_when_all_is_made_anew(seed: int, data: st.DataObject) -> None:
    """Late scenes give events other names; from then on they must not change by themselves."""
    residual = scene(seed)
    late = data.draw(st.sets(st.integers(0, N_DATES - 2), min_size=1, max_size=3))
    early = [number for number in range(N_DATES - 1) if number not in late]
    with EventStore(":memory:", GEOBOX, RULES) as store:
        for known in (early, range(N_DATES - 1), range(N_DATES)):
            given_now = {one.key: one for one in acquisitions(residual, known)}
            store.update(given_now.values())
        before = told(store)
        digests = store._tables.digests()
        store._make_anew(given_now, {key: digests[key] for key in given_now})
        assert told(store) == before


def told(store: EventStore) -> list[tuple]:
    """Return all versions, and the name of each patch by its pixels."""
    versions = store._tables.connection.execute("SELECT * FROM event_version ORDER BY fid")
    patches = [(one.pixels.tobytes(), one.event_id) for one in store._tables.patches()]
    return [*versions, *sorted(patches, key=str)]


def current(store: EventStore) -> list[tuple]:
    """Return the versions that count now but for their names; what never was is left out."""
    query = """
        SELECT v.* FROM event_version v JOIN event_head h USING (event_id, revision)
        JOIN event e USING (event_id) WHERE e.change <> 'reprocessed'
    """
    cursor = store._tables.connection.execute(query)
    names = [column[0] for column in cursor.description]
    left_out = {"fid", "event_id", "version", "revision", "parents", "children"}
    return sorted(
        tuple(str(value) for name, value in zip(names, row, strict=True) if name not in left_out)
        for row in cursor
    )


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_lineage_and_pixels_add_up(seed: int) -> None:
    residual = scene(seed)
    dates = acquisitions(residual)
    with EventStore(":memory:", GEOBOX, RULES) as store:
        store.update(dates)
        rows = store._tables.connection.execute(
            "SELECT event_id, state, parents, children FROM event"
        ).fetchall()
        patches = store._tables.patches()
    heads = {name: (state, eval(up), eval(down)) for name, state, up, down in rows}
    for name, (state, parents, children) in heads.items():
        assert (state == "merged") <= bool(children)
        for parent in parents:
            assert parent in heads
        for child in children:
            assert name in heads[child][1]
    alive = {name for name, (state, *_) in heads.items() if state in {"pending", "confirmed"}}
    assert alive == {patch.event_id for patch in patches} - {None}
    last = {}
    for one in dates:
        for pixel in one.pixels:
            last[int(pixel["row"]), int(pixel["col"])] = int(pixel["status"])
    watched = {place for place, status in last.items() if status}
    held = [(int(p["row"]), int(p["col"])) for patch in patches for p in patch.pixels]
    assert sorted(held) == sorted(watched)  # each once


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, N_DATES - 1))
def test_as_of_a_date_is_what_a_run_up_to_it_knew(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n_dates: int
) -> None:
    folder = tmp_path_factory.mktemp("events")
    day = FIRST + dt.timedelta(days=10 * n_dates)
    dates = acquisitions(scene(seed))
    for name, known in (("whole", dates), ("part", [one for one in dates if one.date <= day])):
        with EventStore(folder / name, GEOBOX, RULES) as store:
            store.update(known)
    states = tuple(State)
    as_of = read_events(folder / "whole", as_of=day, states=states)
    assert as_of.equals(read_events(folder / "part", states=states))


UPDATE = """
import sys
from pathlib import Path
from cvlarray.alerts.events import EventStore
from tests.alerts.events.drawn import GEOBOX
from tests.alerts.events.test_laws import RULES, acquisitions, scene
with EventStore(Path(sys.argv[1]), GEOBOX, RULES) as store:
    print("ready", flush=True)
    store.update(acquisitions(scene(3)))
"""


def test_killed_at_any_moment_the_next_run_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    expected = one_run(acquisitions(scene(3)))
    path = tmp_path / "events.gpkg"
    n_killed = 0
    for delay_s in (0.03, 0.2):
        command = [sys.executable, "-c", UPDATE, str(path)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            deadline = time.monotonic() + delay_s
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            if process.poll() is None:
                n_killed += 1
                process.send_signal(signal.SIGKILL)
    assert n_killed > 0
    with EventStore(path, GEOBOX, RULES) as store:
        store.update(acquisitions(scene(3)))
        assert everything(store) == expected


def test_stopped_within_an_acquisition_nothing_of_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.gpkg"
    dates = acquisitions(scene(3))
    with monkeypatch.context() as patched, EventStore(path, GEOBOX, RULES) as store:
        keep = store._tables.keep
        calls = iter(range(100))

        def stop(patches: object) -> None:
            if next(calls) == 3:
                raise KeyboardInterrupt
            keep(patches)  # type: ignore[arg-type]

        patched.setattr(store._tables, "keep", stop)
        with pytest.raises(KeyboardInterrupt):
            store.update(dates)
        n_logged = store._tables.connection.execute("SELECT count(*) FROM acquisition").fetchone()
        assert n_logged == (3,)
        patched.undo()
        store.update(dates)
        assert everything(store) == one_run(dates)
