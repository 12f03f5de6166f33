"""An Item as a catalogue sends it, and what its errors say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RawItem = Mapping[str, Any]
"""A STAC Item as its JSON says it."""


def one_line(error: BaseException, limit: int = 200) -> str:
    """Return an error's message on one line, cut to a length that can be read."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else f"{text[:limit]}…"
