from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cvlarray.errors import StoreError
from cvlarray.store import Ledger, LedgerRow, UnitStatus

ROW = LedgerRow(
    stage="ingest",
    unit="r000c001/2020-01-03",
    input_hash="ab" * 32,
    status=UnitStatus.PARTIAL,
    written_at=datetime(2020, 5, 1, 12, 30, tzinfo=UTC),
    wall_s=1.5,
    cpu_s=1.25,
    bytes_read=2**40,
    bytes_written=10,
    detail={"unread": ["s3://bucket/B04.tif"], "ß": None},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "ledger.db"


def test_a_row_comes_back_as_it_was_after_the_file_was_closed(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record(ROW)
    with Ledger(path) as ledger:
        assert ledger.rows() == [ROW]


def test_a_unit_has_one_row_its_last(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record(ROW)
        ledger.record(LedgerRow("ingest", ROW.unit, "new"))
        (row,) = ledger.rows("ingest")
    assert (row.input_hash, row.status, row.detail) == ("new", UnitStatus.DONE, {})
    assert row.written_at.tzinfo is not None


def test_partial_units_are_not_done_and_stages_are_apart(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record(ROW)
        ledger.record(LedgerRow("ingest", "b", "2"))
        ledger.record(LedgerRow("baseline", "b", "3"))
        assert ledger.done("ingest") == {"b": "2"}
        assert ledger.done("monitor") == {}
        assert [row.unit for row in ledger.rows("ingest")] == ["b", ROW.unit]
        assert [row.stage for row in ledger.rows()] == ["baseline", "ingest", "ingest"]


def test_hashes_are_of_partial_units_too(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record(ROW)
        ledger.record(LedgerRow("ingest", "b", "2"))
        ledger.record(LedgerRow("baseline", "b", "3"))
        assert list(ledger.hashes("ingest").items()) == [("b", "2"), (ROW.unit, ROW.input_hash)]
        assert ledger.row("ingest", ROW.unit) == ROW
        assert ledger.row("ingest", "c") is None


def test_entries_of_details_are_counted(path: Path) -> None:
    with Ledger(path) as ledger:
        for unit, offsets in (("a", {"d1": "yes"}), ("b", {"d1": "yes", "d2": "no"}), ("c", {})):
            ledger.record(LedgerRow("ingest", unit, "1", detail={"offset": offsets}))
        ledger.record(LedgerRow("baseline", "a", "1", detail={"offset": {"d1": "yes"}}))
        ledger.record(LedgerRow("ingest", "d", "1"))
        assert ledger.tally("ingest", "offset") == {("d1", "yes"): 2, ("d2", "no"): 1}


def test_forgotten_units_are_gone(path: Path) -> None:
    with Ledger(path) as ledger:
        for unit in "abc":
            ledger.record(LedgerRow("ingest", unit, "1"))
        ledger.record(LedgerRow("baseline", "a", "1"))
        ledger.forget("ingest", ["a", "c", "never there"])
        assert ledger.done("ingest") == {"b": "1"}
        assert ledger.done("baseline") == {"a": "1"}


def test_an_interrupted_forget_forgets_nothing(path: Path) -> None:
    def units() -> object:
        yield "a"
        raise KeyboardInterrupt

    with Ledger(path) as ledger:
        ledger.record(LedgerRow("ingest", "a", "1"))
        with pytest.raises(KeyboardInterrupt):
            ledger.forget("ingest", units())
        assert ledger.done("ingest") == {"a": "1"}


def test_summary_adds_up_each_stage(path: Path) -> None:
    later = datetime(2021, 1, 1, tzinfo=UTC)
    with Ledger(path) as ledger:
        ledger.record(ROW)
        ledger.record(LedgerRow("ingest", "b", "2", UnitStatus.DONE, later, 2.0, 1.0, 5, 7))
        ledger.record(LedgerRow("baseline", "b", "3"))
        summary = ledger.summary()
    assert list(summary) == ["baseline", "ingest"]
    ingest = summary["ingest"]
    assert (ingest.done, ingest.partial, ingest.last_written_at) == (1, 1, later)
    assert (ingest.wall_s, ingest.cpu_s) == (3.5, 2.25)
    assert (ingest.bytes_read, ingest.bytes_written) == (2**40 + 5, 17)


def test_a_hundred_thousand_units_are_listed_within_a_second_of_work(path: Path) -> None:
    with Ledger(path):
        pass
    values = [
        ("ingest", f"r{i // 300:03}c{i % 300:03}/{i:07}", f"{i:064x}", "done", "2020", 1, 1, 1, 1)
        for i in range(100_000)
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO unit VALUES (?,?,?,?,?,?,?,?,?,'{}')", values)
    with Ledger(path) as ledger:
        start = time.process_time()
        done = ledger.done("ingest")
        elapsed = time.process_time() - start
    assert done == {unit: input_hash for _, unit, input_hash, *_ in values}
    assert elapsed < 1


def test_it_is_read_while_another_process_is_in_the_middle_of_a_write(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record(ROW)
    program = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "connection.execute('DELETE FROM unit')\n"
        "print('writing', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        with Ledger(path) as ledger:
            assert ledger.rows() == [ROW]
        writer.kill()
        writer.communicate()


def test_commits_survive_a_power_cut_as_far_as_sqlite_can(path: Path) -> None:
    with Ledger(path) as ledger:
        connection = ledger._connection
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_a_newer_ledger_is_refused(path: Path) -> None:
    with Ledger(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 3")
    with pytest.raises(StoreError, match="has ledger version 3, this cvlarray reads up to 2"):
        Ledger(path)


def test_a_ledger_of_the_first_version_keeps_its_rows_and_gets_its_index(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record(ROW)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP INDEX unit_hashes; PRAGMA user_version = 1")
    with Ledger(path) as ledger:
        assert ledger.rows() == [ROW]
        plan = ledger._connection.execute(
            "EXPLAIN QUERY PLAN SELECT unit, input_hash FROM unit WHERE stage = 'ingest'"
        ).fetchall()
    assert "COVERING INDEX unit_hashes" in plan[0][-1]


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("unit,hash\n" * 200)
    with pytest.raises(StoreError, match="file is not a database"):
        Ledger(path)


def test_what_is_no_status_does_not_come_back(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record(ROW)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE unit SET status = 'perhaps'")
    with Ledger(path) as ledger, pytest.raises(ValueError, match="perhaps"):
        ledger.rows()
