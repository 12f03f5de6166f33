"""A row of the alerts table as JSON values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["json_properties"]

NESTED = frozenset({"jurisdiction", "reasoning", "agreement", "parents", "children"})
"""Columns that a table may hold as JSON text."""


def json_properties(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row as JSON has it: dates as ISO 8601, missing values null.

    What Parquet makes of lists of mappings (arrays, with null for keys that are absent) becomes
    lists of mappings again.
    """
    return {str(name): _plain(_parsed(str(name), value)) for name, value in row.items()}


def _parsed(name: str, value: Any) -> Any:
    is_text = name in NESTED and isinstance(value, str) and value[:1] in {"[", "{"}
    return json.loads(value) if is_text else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        pairs = ((str(key), _plain(item)) for key, item in value.items())
        return {key: item for key, item in pairs if item is not None}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64):
        value = value.item()
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.datetime64 | pd.Timestamp):
        moment = pd.Timestamp(value)
        is_day = moment == moment.normalize() and moment.tzinfo is None
        return moment.date().isoformat() if is_day else moment.isoformat()
    return value if isinstance(value, bool | int | str) else str(value)
