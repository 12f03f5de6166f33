"""The checkpoints that come with the package, all trained on simulated regions."""

from __future__ import annotations

from pathlib import Path

from cvlarray.models.checkpoint import CARD

__all__ = ["shipped_checkpoint", "shipped_names"]

_WEIGHTS = Path(__file__).parent / "weights"


def shipped_names() -> tuple[str, ...]:
    """Return the names of the checkpoints that come with the package."""
    return tuple(sorted(card.parent.name for card in _WEIGHTS.glob(f"*/{CARD}")))


def shipped_checkpoint(name: str) -> Path:
    """Return the folder of a checkpoint that comes with the package.

    Parameters
    ----------
    name
        One of `shipped_names`.

    Raises
    ------
    ValueError
        If none of that name comes with it.
    """
    if name not in shipped_names():
        raise ValueError(f"{name} is none of {', '.join(shipped_names())}")
    return _WEIGHTS / name
