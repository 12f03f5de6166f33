"""A delivery that is killed again and again: nothing is lost, and each alert arrives as one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from cvlarray.alerts.deliver import Outbox
from tests.alerts.deliver.killed import BUSY, N_ALERTS
from tests.alerts.deliver.messages import TO, make_digest, make_message

ROOT = Path(__file__).parents[3]
N_KILLS = 15
AT_ONCE = 3


class Deliveries:
    """Starts deliveries as processes of their own."""

    def __init__(self, zygote: subprocess.Popen[str]) -> None:
        self._zygote = zygote

    def run(self, path, url, n_processes=1, kill_after_s=None):
        """Return the exit codes of deliveries that start at the same time."""
        print(n_processes, path, url, file=self._zygote.stdin, flush=True)
        children = [int(self._zygote.stdout.readline()) for _ in range(n_processes)]
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            for child in children:
                with suppress(ProcessLookupError):  # it had ended already
                    os.kill(child, signal.SIGKILL)
        return [int(self._zygote.stdout.readline()) for _ in children]


@pytest.fixture(scope="module")
def deliveries():
    command = [sys.executable, "-m", "tests.alerts.deliver.killed"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as zygote:
        yield Deliveries(zygote)
        zygote.stdin.close()


def test_several_deliveries_at_once_send_nothing_twice(deliveries, receiver, tmp_path):
    codes = []
    for number in range(2):
        codes += deliveries.run(tmp_path / f"{number}.db", receiver.url, n_processes=AT_ONCE)
        with Outbox(tmp_path / f"{number}.db") as outbox:
            assert outbox.pending() == []
    assert set(codes) == {0, BUSY}
    # The same alerts in two outboxes; an outbox sends each once, however many deliveries there are.
    assert set(receiver.seen.values()) == {2}


def test_killed_at_any_moment(deliveries, receiver, tmp_path):
    path = tmp_path / "outbox.db"
    receiver.moods = ["ok", "500", "ok", "drop_after", "ok", "drop", "ok", "ok", "drop_after"]
    chance = random.Random(5)
    codes = []
    for _ in range(N_KILLS):
        codes += deliveries.run(path, receiver.url, kill_after_s=chance.uniform(0, 0.25))
    for _ in range(10):  # left in peace
        assert deliveries.run(path, receiver.url) == [0]
        with Outbox(path) as outbox:
            if not outbox.pending():
                break
    assert -signal.SIGKILL in codes

    expected = [make_message(number) for number in range(N_ALERTS)] + [make_digest(20, 21, 22)]
    with Outbox(path) as outbox:
        assert outbox.pending() == []
        assert {entry.key for entry in outbox.sent()} == {message.key for message in expected}
        assert outbox.taken(TO) == {alert for message in expected for alert in message.alerts}
    # The receiver goes by the key (it asserts that a key always brings the same bytes): each once.
    assert set(receiver.bodies) == {message.key for message in expected}
    versions = [
        (feature["id"], feature["properties"]["version"])
        for message in receiver.messages
        for feature in message["data"]["features"]["features"]
    ]
    assert len(versions) == len(set(versions)) == N_ALERTS + 3
