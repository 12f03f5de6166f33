"""When to try again."""

from __future__ import annotations

import hashlib

__all__ = ["FIRST_DELAY_S", "LONGEST_DELAY_S", "delay_s"]

FIRST_DELAY_S = 30.0
LONGEST_DELAY_S = 6 * 3600.0
JITTER = 0.25
"""Part by which delays differ, so that what failed together isn't tried together."""


def delay_s(key: str, n_attempts: int) -> float:
    """Return how long to wait after the ``n_attempts``-th failure, doubling up to six hours.

    There is no last attempt: what was refused for a mistake in the configuration gets through once
    that is mended.
    """
    doubled = FIRST_DELAY_S * 2.0 ** min(n_attempts - 1, 30)
    digest = hashlib.sha256(f"{key}/{n_attempts}".encode()).digest()
    share = int.from_bytes(digest[:4], "big") / 2**32
    return min(doubled, LONGEST_DELAY_S) * (1 - JITTER * share)
