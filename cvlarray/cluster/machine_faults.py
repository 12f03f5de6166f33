"""What a unit met on a worker that is the machine's fault, so that another machine may do it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import distributed

FAULTS = {
    errno.ENOSPC,  # disk full
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
    errno.ESTALE,  # a network file system that went away
    errno.ENOENT,  # the same, for what was to be written there
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
}
"""What the system says that has nothing to do with the unit."""


@dataclass(frozen=True)
class MachineFault:
    """Comes back in place of a result."""

    worker: str
    """Address of the worker."""
    error: Exception
    """What the unit raised there."""


@dataclass(frozen=True)
class Watched:
    """Work that tells the machine's faults from its own."""

    work: Callable[[], Any]

    def __call__(self) -> Any:
        """Do the work; hand back a fault of the machine instead of raising it."""
        try:
            return self.work()
        except Exception as error:
            if not is_machine_fault(error):
                raise
            return MachineFault(distributed.get_worker().address, error)


def is_machine_fault(error: BaseException) -> bool:
    """Return whether the system refused something to the worker that another may well get."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in FAULTS:
            return True
        cause = cause.__cause__
    return False
