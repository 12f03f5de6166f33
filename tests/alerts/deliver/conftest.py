"""Messages, an outbox, and a partner's server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cvlarray.alerts.deliver import Outbox
from tests.alerts.deliver.receiver import Receiver, running_receiver
from tests.s3_server import s3 as s3  # noqa: PLC0414
from tests.s3_server import s3_process as s3_process  # noqa: PLC0414


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db") as opened:
        yield opened


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running
