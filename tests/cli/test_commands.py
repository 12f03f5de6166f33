"""The commands as a user types them, in processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from cvlarray.config import json_schema

CONFIGS = Path(__file__).parents[2] / "configs"


def error_line(result: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of an error."""
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (line,) = result.stderr.strip().splitlines()
    return line


def test_help_names_every_command(cvlarray):
    listed = cvlarray("--help").stdout
    for name in (
        "run", "plan", "status", "search", "ingest", "normalize", "prior", "baseline",
        "monitor", "segment", "radar", "fuse", "alerts",
        "report", "demo", "schema", "review", "invite", "labels", "coverage", "deliver", "package",
        "verify", "stats", "sample", "reanalyse", "calibrate",
    ):  # fmt: skip
        assert name in listed


def test_schema_is_what_the_models_say(cvlarray):
    assert json.loads(cvlarray("schema").stdout) == json_schema()


def test_a_mistake_in_the_yaml_is_one_line_with_file_key_expected_and_got(cvlarray, tmp_path):
    path = tmp_path / "run.yaml"
    settings = yaml.safe_load((CONFIGS / "demo.yaml").read_text())
    settings["grid"]["resolution_m"] = "ten"
    path.write_text(yaml.safe_dump(settings))
    line = error_line(cvlarray("plan", path))
    for part in (str(path), "grid.resolution_m", "expected", "ten"):
        assert part in line


def test_a_missing_file_is_one_line(cvlarray, tmp_path):
    assert "nowhere.yaml" in error_line(cvlarray("run", tmp_path / "nowhere.yaml"))


def test_a_dead_scheduler_is_one_line(cvlarray, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text((CONFIGS / "demo.yaml").read_text())
    settings = yaml.safe_load(path.read_text())
    settings["cluster"] = {
        "kind": "scheduler", "address": "tcp://127.0.0.1:9", "connect_timeout_s": 1,
    }  # fmt: skip
    path.write_text(yaml.safe_dump(settings))
    line = error_line(cvlarray("run", path, "--workspace", tmp_path / "w"))
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in line


def test_an_unknown_cluster_is_one_line(cvlarray, tmp_path):
    line = error_line(cvlarray("run", CONFIGS / "demo.yaml", "--cluster", "moon"))
    assert "cluster" in line
    assert "moon" in line


def test_status_before_any_run_is_all_zeros(cvlarray, tmp_path):
    result = cvlarray("status", CONFIGS / "demo.yaml", "--workspace", tmp_path, "--json")
    stages = json.loads(result.stdout)
    assert [stage["stage"] for stage in stages] == [
        "search", "ingest", "normalize", "prior", "baseline", "monitor", "segment", "radar",
        "fuse", "alerts", "report", "changes", "annual",
    ]  # fmt: skip
    assert all(stage["n_done"] == 0 for stage in stages)


def test_the_demo_leaves_what_other_programs_rely_on(demo_workspace):
    for name in (
        "alerts/alerts.geojson", "alerts/alerts.parquet", "report/index.html", "run.yaml",
        "items.parquet", "cube.zarr", "baseline.zarr", "detections.zarr", "ledger.db",
    ):  # fmt: skip
        assert (demo_workspace / name).exists(), name


def test_a_run_from_the_filled_in_config_has_nothing_left_to_do(cvlarray, demo_workspace):
    result = cvlarray("run", demo_workspace / "run.yaml")
    assert result.returncode == 0, result.stderr
    assert "6 from an earlier run" in result.stderr


def test_status_counts_the_demos_units(cvlarray, demo_workspace):
    stages = json.loads(cvlarray("status", demo_workspace / "run.yaml", "--json").stdout)
    done = {stage["stage"]: stage["n_done"] for stage in stages}
    off = dict.fromkeys(("normalize", "prior", "segment", "radar", "fuse", "changes", "annual"), 0)
    assert done == dict.fromkeys(done, 1) | {"ingest": 6} | off


def test_a_dry_run_prints_the_plan_and_writes_nothing(cvlarray, demo_workspace, tmp_path):
    settings = yaml.safe_load((demo_workspace / "run.yaml").read_text())
    settings["workspace"] = str(tmp_path / "dry")
    path = tmp_path / "dry.yaml"
    path.write_text(yaml.safe_dump(settings))
    result = cvlarray("run", path, "--dry-run")
    assert "140" in result.stderr
    assert not (tmp_path / "dry").exists()


def test_ctrl_c_says_how_to_go_on(cvlarray, demo_workspace, tmp_path):
    settings = yaml.safe_load((demo_workspace / "run.yaml").read_text())
    settings["workspace"] = str(tmp_path / "stopped")
    path = tmp_path / "stopped.yaml"
    path.write_text(yaml.safe_dump(settings))
    process = subprocess.Popen(
        # A shell starts background jobs with Ctrl-C ignored, and their children inherit that.
        ["env", "--default-signal=INT", sys.executable, "-m", "cvlarray.cli", "run", str(path)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "stopped" / "cube.zarr").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    assert cvlarray("run", path).returncode == 0
