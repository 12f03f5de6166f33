"""Rows of a table, also as Parquet returns them, as JSON."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from cvlarray.alerts.package import json_properties

TRAIL = [{"layer": "anp", "share": 0.5, "ambiguous": False}, {"layer": "road", "distance_m": 12.5}]


def test_values_and_missing_ones():
    row = {
        "event_id": "e1",
        "confirmed": pd.Timestamp("2025-04-10"),
        "read": pd.Timestamp("2025-04-10T14:50:01", tz="UTC"),
        "before_date": pd.NaT,
        "confidence": np.float64(0.5),
        "share": np.nan,
        "code": pd.NA,
        "n_pixels": np.int64(7),
        "ambiguous": np.bool_(True),
        "day": np.datetime64("2025-01-02"),
        "parents": "[]",
        "rule": "[not JSON",
    }
    told = json_properties(row)
    assert told == {
        "event_id": "e1",
        "confirmed": "2025-04-10",
        "read": "2025-04-10T14:50:01+00:00",
        "before_date": None,
        "confidence": 0.5,
        "share": None,
        "code": None,
        "n_pixels": 7,
        "ambiguous": True,
        "day": "2025-01-02",
        "parents": [],
        "rule": "[not JSON",
    }
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_trails_through_parquet(tmp_path):
    table = pd.DataFrame({"event_id": ["e"], "jurisdiction": [TRAIL]})
    table.to_parquet(tmp_path / "t.parquet")
    (row,) = pd.read_parquet(tmp_path / "t.parquet").to_dict("records")
    assert json_properties(row)["jurisdiction"] == TRAIL
    as_text = {"jurisdiction": json.dumps(TRAIL)}
    assert json_properties(as_text)["jurisdiction"] == TRAIL
