"""Fill an outbox and deliver it; `test_kill` runs it and kills it.

As a program it reads lines from stdin: how many processes, the outbox and the receiver. It forks
them, prints the id of each, and after its end its exit code. They need not import anything.
"""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

from cvlarray.alerts.deliver import Outbox, send_due
from cvlarray.alerts.deliver.webhook import WebhookChannel
from cvlarray.errors import WorkspaceBusyError
from tests.alerts.deliver.messages import TO, make_digest, make_message
from tests.alerts.deliver.receiver import SECRET

N_ALERTS = 12
BUSY = 7
"""Exit code of a delivery that found another one under way."""


def work(path: Path, url: str) -> None:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    with Outbox(path) as outbox, outbox.delivering():
        for number in range(N_ALERTS):
            outbox.put(make_message(number), destination=TO, partner="ranger")
        outbox.put(make_digest(20, 21, 22), destination=TO, partner="ranger")
        outbox.try_all_now()
        send_due(outbox, {TO: WebhookChannel(url, key, 5.0)})


def main() -> None:
    for line in sys.stdin:
        n_processes, path, url = line.split()
        children = [fork(Path(path), url) for _ in range(int(n_processes))]
        for child in children:
            say(child)
        for child in children:
            _, status = os.waitpid(child, 0)
            say(os.waitstatus_to_exitcode(status))


def fork(path: Path, url: str) -> int:
    child = os.fork()
    if child == 0:
        code = 2
        try:
            work(path, url)
            code = 0
        except WorkspaceBusyError:
            code = BUSY
        finally:
            os._exit(code)
    return child


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
