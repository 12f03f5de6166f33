"""The bands of a pair of dates, each beside what the season lets expect."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["CHANGE_CLASSES", "CHANGE_ROLES", "base_band", "change_bands"]

CHANGE_CLASSES = ("unchanged", "changed")

CHANGE_ROLES = ("before", "expected_before", "after", "expected_after")
"""What is seen and what the season lets expect, on the earlier date and on the later one."""


def change_bands(names: Sequence[str]) -> tuple[str, ...]:
    """Return the bands of a change model: ``red_before``, ..., ``red_expected_after``.

    Parameters
    ----------
    names
        Common names, such as ``red``; the result has four times as many, role by role.
    """
    return tuple(f"{name}_{role}" for role in CHANGE_ROLES for name in names)


def base_band(name: str) -> str:
    """Return the common name of a band, whatever its role."""
    for role in sorted(CHANGE_ROLES, key=len, reverse=True):
        if name.endswith(f"_{role}"):
            return name.removesuffix(f"_{role}")
    return name
