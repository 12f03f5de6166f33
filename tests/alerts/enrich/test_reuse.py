"""Enriching what changed must give what enriching everything gives, and measure no more."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal

from cvlarray.alerts.enrich import (
    GeoPandasBackend,
    Layer,
    enrich,
    enrich_changed,
    enriched_at,
    take_snapshot,
)

EARLY, LATE = (dt.datetime(2025, 5, day, 12, tzinfo=dt.UTC) for day in (1, 2))


@dataclass
class Counting:
    """A backend that says how many alerts it was asked to measure."""

    asked: list[int] = field(default_factory=list)

    def measure(self, alerts, snapshots):
        self.asked.append(len(alerts))
        return GeoPandasBackend().measure(alerts, snapshots)


@pytest.fixture
def snapshots(tmp_path):
    west, east = shapely.box(-71, -13, -70, -12), shapely.box(-70, -13, -69, -12)
    return park(tmp_path, "first", [("A", west), ("B", east)]), roads(tmp_path)


def park(folder, name, features):
    path = folder / f"{name}.geojson"
    codes, shapes = zip(*features, strict=True)
    gpd.GeoDataFrame({"code": codes}, geometry=list(shapes), crs=4326).to_file(path)
    columns = {"code": "code"}
    return take_snapshot(
        Layer(name="parks", role="strict_protection", source={"path": path}, columns=columns)
    )


def roads(folder):
    path = folder / "roads.geojson"
    gpd.GeoDataFrame(geometry=[shapely.LineString([(-71, -12.5), (-69, -12.4)])], crs=4326).to_file(
        path
    )
    return take_snapshot(Layer(name="roads", role="road", source={"path": path}))


def alerts_at(*lons):
    return gpd.GeoDataFrame(
        {
            "event_id": [f"e{n}" for n in range(len(lons))],
            "version": 1,
            "first_detected": pd.Timestamp("2025-03-01"),
            "interval_start": pd.to_datetime([None] * len(lons)),
        },
        geometry=[shapely.box(lon, -12.5, lon + 0.02, -12.49) for lon in lons],
        crs=4326,
    )


def reused(alerts, snapshots, path, now=EARLY):
    backend = Counting()
    found = enrich_changed(alerts, snapshots, path, backend=backend, now=now)
    assert_geodataframe_equal(found, enrich(alerts, snapshots))
    return sum(backend.asked)


def test_only_what_changed_is_measured(snapshots, tmp_path):
    path = tmp_path / "kept.parquet"
    alerts = alerts_at(-70.9, -70.01, -69.5)
    assert reused(alerts, snapshots, path) == 3
    assert reused(alerts, snapshots, path) == 0
    grown = alerts_at(-70.9, -70.02, -69.5, -69.2)
    assert reused(grown, snapshots, path) == 2
    assert reused(grown.iloc[[2, 0]], snapshots, path) == 0  # another order, fewer
    later = alerts.iloc[[0, 2]].assign(first_detected=pd.Timestamp("2025-03-06"))
    assert reused(later, snapshots, path) == 2


def test_a_new_edition_of_a_layer_counts_for_all(snapshots, tmp_path):
    path = tmp_path / "kept.parquet"
    alerts = alerts_at(-70.9, -70.01)
    reused(alerts, snapshots, path)
    moved = park(tmp_path, "second", [("A", shapely.box(-71, -13, -70.5, -12))])
    assert reused(alerts, (moved, snapshots[1]), path) == 2


def test_no_alerts_are_none_and_a_broken_past_is_no_past(snapshots, tmp_path):
    path = tmp_path / "kept.parquet"
    assert reused(alerts_at(), snapshots, path) == 0
    pd.DataFrame({"event_id": ["e0"], "key": ["?"]}).to_parquet(path)
    assert reused(alerts_at(-70.9), snapshots, path) == 1


def test_each_version_has_its_own_time(snapshots, tmp_path):
    path = tmp_path / "kept.parquet"
    assert enriched_at(path) == {}
    alerts = alerts_at(-70.9, -70.01)
    reused(alerts, snapshots, path, now=EARLY)
    seen_again = alerts.assign(version=[1, 2])
    assert reused(seen_again, snapshots, path, now=LATE) == 0
    assert enriched_at(path) == {("e0", "1"): EARLY, ("e1", "2"): LATE}
