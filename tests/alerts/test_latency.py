"""Where the time of an alert went, beside the paper's medians."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from cvlarray.alerts.latency import PAPER_MINUTES, Latency, latency_summary

START = dt.datetime(2025, 4, 10, 14, 50, tzinfo=dt.UTC)


def after(*minutes):
    """Return steps so many minutes after the acquisition; None is unknown."""
    return Latency(
        START, *(None if m is None else START + dt.timedelta(minutes=m) for m in minutes)
    )


def test_the_papers_parts_make_its_sums():
    parts = ("download and preprocessing", "inference", "enrichment", "delivery")
    assert sum(PAPER_MINUTES[part] for part in parts) == PAPER_MINUTES["processing"] == 33
    assert PAPER_MINUTES["acquisition to alert"] == pytest.approx(6.4 * 60)


def test_medians_of_each_span():
    alerts = [after(180, 200, 218, 226, 228, 233), after(60, 100, 140, 150, 160, 200)]
    table = latency_summary([*alerts, after(240, None, 300, 330, None, None)])
    assert table.loc["publication", ["n", "median_min", "paper_min"]].tolist() == [3, 180, 180]
    assert table.loc["processing", ["n", "median_min"]].tolist() == [2, (33 + 100) / 2]
    assert table.loc["acquisition to alert", "median_min"] == (233 + 200) / 2
    assert table.loc["inference", "median_min"] == 10
    assert np.isnan(table.loc["waiting", "paper_min"])


def test_history_is_no_latency():
    year = 365 * 24 * 60
    table = latency_summary([after(180, year, year + 18, year + 26, year + 28, year + 33)])
    assert (table["n"] == 0).all()
    assert table["median_min"].isna().all()
    assert latency_summary([])["n"].sum() == 0


def test_a_span_that_ends_before_it_begins_is_counted_apart():
    behind = after(180, 170, 188, 196, 198, 203)  # our clock is behind the catalogue's
    set_back = after(180, 200, 218, 226, 228, -100)  # set back before the delivery
    table = latency_summary([behind, set_back, after(180, 220, 238, 246, 248, 253)])
    assert table.loc["waiting", ["n", "n_backwards", "median_min"]].tolist() == [2, 1, 30]
    assert table.loc["processing", ["n", "n_backwards", "median_min"]].tolist() == [2, 1, 33]
    assert table.loc["publication", ["n", "n_backwards"]].tolist() == [3, 0]
    assert not (table[["median_min", "p90_min"]] < 0).any(axis=None)


def test_texts_are_iso_8601():
    texts = after(180, None, None, None, None, None).texts()
    assert texts["published"] == "2025-04-10T17:50:00+00:00"
    assert texts["found"] is None
    assert [*texts] == [
        "acquired", "published", "found", "read", "inferred", "enriched", "delivered",
    ]  # fmt: skip
