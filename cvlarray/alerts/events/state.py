"""What an event is, and what a version of it changes."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Change", "State"]


class State(StrEnum):
    """What an event is."""

    PENDING = "pending"
    """Flagged more than once, not yet often enough."""
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"
    """Later observations, or observations read anew, were as expected."""
    MERGED = "merged"
    """It goes on in the last of its ``children``."""


class Change(StrEnum):
    """What a version changes."""

    NEW = "new"
    SPLIT_OFF = "split_off"
    """It came off an event, one of its ``parents``."""
    CONFIRMED = "confirmed"
    MERGED_IN = "merged_in"
    """It took in an event, now one of its ``parents``."""
    GROWN = "grown"
    SHRUNK = "shrunk"
    SEEN = "seen"
    """Seen once more: another confidence, the same pixels."""
    MERGED = "merged"
    WITHDRAWN = "withdrawn"
    REPROCESSED = "reprocessed"
    """Observations of before were read anew, and the event isn't in them."""
