"""Whose run a prefix of a bucket belongs to: stores there have no lock that dies with a process."""

from __future__ import annotations

import json
import socket
import uuid
from datetime import UTC, datetime
from pathlib import Path

from cvlarray.errors import WorkspaceBusyError
from cvlarray.store.atomic import write_atomic
from cvlarray.store.bucket import put_if_absent

__all__ = ["claim_prefix"]

OBJECT = "run.json"


def claim_prefix(url: str, identity_file: Path) -> None:
    """Take a prefix for a workspace, for as long as the object ``run.json`` in it lives.

    Parameters
    ----------
    url
        Prefix of a bucket.
    identity_file
        In the workspace; it tells this run from all others, and is made if absent.

    Raises
    ------
    WorkspaceBusyError
        If it is another run's: both would write the same shards, each by a ledger of its own.
    StoreError
        If the bucket can't be asked.
    """
    if not identity_file.exists():
        write_atomic(identity_file, uuid.uuid4().hex)
    mine = {
        "run": identity_file.read_text(),
        "workspace": str(identity_file.parent.absolute()),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    held = json.loads(put_if_absent(url, OBJECT, json.dumps(mine).encode()))
    if held["run"] != mine["run"]:
        raise WorkspaceBusyError(
            f"{url} holds the stores of the run in {held['workspace']} on {held['host']} since "
            f"{held['since']}; give this run a prefix of its own, or delete {url}/{OBJECT} if that "
            "one is no more"
        )
