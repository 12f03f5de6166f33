"""The processing part of an alert's latency: the demo's real scenes, from found to delivered."""

from __future__ import annotations

import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import yaml

from benchmarks.measure import ROOT
from benchmarks.registry import Measurement, measures
from cvlarray.cluster import executor
from cvlarray.config import load_config
from cvlarray.demo import write_romania
from cvlarray.pipeline import run_pipeline
from cvlarray.pipeline.deliver import deliver_alerts
from cvlarray.pipeline.latency import read_latencies
from cvlarray.pipeline.progress import LogProgress
from cvlarray.store import Workspace

DEMO = ROOT / "configs" / "demo.yaml"
PAPER_MIN = 33.0


@measures("processing_latency")
def processing_latency() -> Measurement:
    """Everything is new: years of scenes are read, where a daily run reads one date.

    Alerts are held against one layer, packaged with all their evidence but a signature, and written
    to a folder; the median over alerts.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "run.yaml"
        path.write_text(yaml.safe_dump(settings(folder)))
        config = load_config(path)
        write_romania(config.workspace)
        with executor(config.cluster) as workers:
            run_pipeline(config, workers, LogProgress())
        deliver_alerts(config, told=[].append)
        found = read_latencies(Workspace(config.workspace).latency_parquet).values()
    minutes = np.array([each.minutes("found", "delivered") for each in found])
    minutes = minutes[np.isfinite(minutes)]
    value = float(np.median(minutes))
    note = f"{minutes.size} alerts of configs/demo.yaml, all years of scenes read in the same run"
    return Measurement(value, "min", PAPER_MIN, value / PAPER_MIN, note)


def settings(folder: Path) -> dict[str, object]:
    """Return the demo's settings with a park around it, and a partner who wants to know."""
    told = yaml.safe_load(DEMO.read_text())
    region = load_config(DEMO).region.to_geometry()
    gpd.GeoDataFrame({"code": ["park"]}, geometry=[region], crs=4326).to_file(folder / "park.gpkg")
    layer = {
        "name": "park",
        "role": "strict_protection",
        "source": {"path": str(folder / "park.gpkg")},
        "columns": {"code": "code"},
    }
    partner = {"name": "rangers", "tier": "field_organisation"}
    channel = {"kind": "directory", "partner": "rangers", "path": str(folder / "out")}
    return told | {
        "workspace": str(folder / "workspace"),
        "layers": [layer],
        "routing": {"partners": [partner]},
        "delivery": {"channels": [channel], "max_age_days": 3660},
    }
