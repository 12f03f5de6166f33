"""Each alert version is taken in once for each destination, and nothing taken in is lost."""

from __future__ import annotations

import datetime as dt
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.alerts.deliver import AlertVersion, Message, Outbox
from cvlarray.alerts.deliver.backoff import FIRST_DELAY_S, LONGEST_DELAY_S, delay_s
from cvlarray.alerts.package import read_package
from cvlarray.alerts.route import PackageFormat
from cvlarray.errors import DeliveryError, WorkspaceBusyError
from tests.alerts.deliver.messages import NOW, TO, make_digest, make_evidence, make_message


def put(outbox, message, to=TO):
    return outbox.put(message, destination=to, partner="ranger")


@pytest.mark.parametrize("form", PackageFormat)
def test_a_message_comes_out_as_it_went_in(outbox, form):
    message = make_evidence() if form is PackageFormat.EVIDENCE else make_message(form=form)
    assert put(outbox, message)
    assert outbox.message(message.key).to_bytes() == message.to_bytes()


def test_a_version_is_taken_in_once_a_destination(outbox):
    assert put(outbox, make_message())
    assert not put(outbox, make_message())
    assert put(outbox, make_message(to="other/mail"), to="other/mail")
    assert put(outbox, make_message(version="2"))
    alert = make_message().alerts[0]
    assert outbox.taken(TO) == {alert, AlertVersion(alert.event_id, "2")}
    # A digest with one alert that went before isn't taken in, nor any part of it.
    assert not put(outbox, make_digest(1, 0))
    assert len(outbox.taken(TO)) == 2
    assert put(outbox, make_digest(1, 2))
    assert len(outbox.pending()) == 4


def test_keys_tell_destination_alert_and_version_apart():
    keys = {
        make_message().key,
        make_message(to="a/b").key,
        make_message(version="2").key,
        make_message(1).key,
        make_digest(0, 1).key,
    }
    assert len(keys) == 5
    assert make_digest(0, 1).key == make_digest(1, 0).key


def test_what_failed_is_put_off_and_what_was_sent_stays_sent(outbox):
    put(outbox, make_message(0))
    put(outbox, make_message(1))
    first, second = outbox.due(now=1000.0)
    outbox.record_failure(first, "status 500", retry_after_s=None, now=1000.0)
    assert [entry.key for entry in outbox.due(now=1001.0)] == [second.key]
    (pending, _) = sorted(outbox.pending(), key=lambda entry: -entry.n_attempts)
    assert pending.last_error == "status 500"
    assert pending.n_attempts == 1
    assert [entry.key for entry in outbox.due(now=1000.0 + FIRST_DELAY_S)][-1] == first.key
    sent_at = NOW + dt.timedelta(minutes=5)
    outbox.record_sent(first.key, "receipt", at=sent_at)
    (sent,) = outbox.sent()
    assert (sent.receipt, sent.sent_at, sent.last_error) == ("receipt", sent_at, None)
    assert outbox.first_sent() == {make_message(0).alerts[0]: sent_at}


def test_a_clock_that_went_back_holds_nothing_up(outbox):
    put(outbox, make_message())
    (entry,) = outbox.due()
    outbox.record_failure(entry, "down", retry_after_s=None, now=4e9)  # in the year 2096
    assert outbox.due(now=1.7e9)
    outbox.record_failure(entry, "down", retry_after_s=None, now=1.7e9)
    assert not outbox.due(now=1.7e9)


def test_try_all_now(outbox):
    put(outbox, make_message())
    outbox.record_failure(outbox.due()[0], "x", retry_after_s=1e9)
    assert not outbox.due()
    assert outbox.due(now=outbox.pending()[0].not_before + 1)  # at most six hours
    outbox.try_all_now()
    assert outbox.due()


@given(key=st.text(max_size=5), n=st.integers(1, 10_000))
def test_delays_grow_and_end_at_six_hours(key, n):
    doubled = min(FIRST_DELAY_S * 2.0 ** min(n - 1, 40), LONGEST_DELAY_S)
    assert 0.75 * doubled <= delay_s(key, n) <= doubled


def test_only_one_process_delivers(outbox):
    busy = pytest.raises(WorkspaceBusyError, match="in use by process")
    with outbox.delivering(), Outbox(outbox.path) as other, busy, other.delivering():
        pass
    with outbox.delivering():
        pass


def test_contents_without_a_row_are_removed(outbox):
    put(outbox, make_message())
    orphan = outbox.folder / "0123.zip"
    orphan.write_bytes(b"x")
    with outbox.delivering():
        assert [path.stem for path in outbox.folder.iterdir()] == [make_message().key]
    assert not orphan.exists()


def test_a_content_that_is_gone_or_changed_is_an_error_of_one_line(outbox):
    message = make_message()
    put(outbox, message)
    path = outbox.folder / f"{message.key}.zip"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DeliveryError, match="expected a package"):
        outbox.message(message.key)
    path.unlink()
    with pytest.raises(DeliveryError):
        outbox.message(message.key)
    with pytest.raises(DeliveryError, match="a message of the outbox"):
        Message.from_files({"message.json": b"[]"})


def test_files_that_are_no_outbox(tmp_path):
    (tmp_path / "text.db").write_text("no database, whatever its name may say" * 20)
    with pytest.raises(DeliveryError, match="cannot use the outbox"):
        Outbox(tmp_path / "text.db")
    with sqlite3.connect(tmp_path / "newer.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DeliveryError, match="outbox version 99"):
        Outbox(tmp_path / "newer.db")


def test_no_secret_in_it(outbox):
    message = make_evidence()
    put(outbox, message)
    for path in (outbox.path, *read_package(outbox.folder / f"{message.key}.zip").values()):
        content = path if isinstance(path, bytes) else path.read_bytes()
        assert b"PRIVATE KEY" not in content
