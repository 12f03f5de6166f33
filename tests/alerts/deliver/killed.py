"""Fill an outbox and deliver it; `test_kill` runs it and kills it.

As a program it reads a line from stdin, forks a process that does the work, prints its id, and
after its end its exit code. Forked processes need not import anything.
"""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

from cvlarray.alerts.deliver import Outbox, send_due
from cvlarray.alerts.deliver.webhook import WebhookChannel
from tests.alerts.deliver.messages import TO, make_digest, make_message
from tests.alerts.deliver.receiver import SECRET

N_ALERTS = 12


def work(path: Path, url: str) -> None:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    with Outbox(path) as outbox, outbox.delivering():
        for number in range(N_ALERTS):
            outbox.put(make_message(number), destination=TO, partner="ranger")
        outbox.put(make_digest(20, 21, 22), destination=TO, partner="ranger")
        outbox.try_all_now()
        send_due(outbox, {TO: WebhookChannel(url, key, 5.0)})


def main() -> None:
    path, url = Path(sys.argv[1]), sys.argv[2]
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                work(path, url)
            finally:
                os._exit(sys.exception() is not None)
        say(child)
        _, status = os.waitpid(child, 0)
        say(os.waitstatus_to_exitcode(status))


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
