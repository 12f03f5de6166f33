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

from cvlarray.alerts.deliver import Outbox
from tests.alerts.deliver.killed import N_ALERTS
from tests.alerts.deliver.messages import TO, make_digest, make_message

ROOT = Path(__file__).parents[3]
N_KILLS = 15


def test_killed_at_any_moment(receiver, tmp_path):
    path = tmp_path / "outbox.db"
    receiver.moods = ["ok", "500", "ok", "drop_after", "ok", "drop", "ok", "ok", "drop_after"]
    chance = random.Random(5)
    command = [sys.executable, "-m", "tests.alerts.deliver.killed", str(path), receiver.url]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as zygote:

        def run(*, kill_after_s):
            zygote.stdin.write("\n")
            zygote.stdin.flush()
            child = int(zygote.stdout.readline())
            if kill_after_s is not None:
                time.sleep(kill_after_s)
                with suppress(ProcessLookupError):  # it had ended already
                    os.kill(child, signal.SIGKILL)
            return int(zygote.stdout.readline())

        codes = [run(kill_after_s=chance.uniform(0, 0.25)) for _ in range(N_KILLS)]
        for _ in range(10):  # left in peace
            assert run(kill_after_s=None) == 0
            with Outbox(path) as outbox:
                if not outbox.pending():
                    break
        zygote.stdin.close()
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
