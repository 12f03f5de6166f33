"""Runs over the small forest on other people's clusters, and whether their bytes are the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cvlarray.store import Ledger, Workspace
from tests.pipeline.forest import run_settings

STORES = ("cube.zarr", "baseline.zarr", "detections.zarr")
FILES = ("alerts/alerts.geojson",)
TIMEOUT_S = 400


def write_config(folder: Path, source: Path, name: str, cluster: object) -> Path:
    """Write the YAML of a run of some hundred units."""
    settings: dict[str, Any] = run_settings(source, folder / name)
    settings["store"] = {"shard_px": 32, "chunk_px": 16, "time_shard": 8}
    settings["cube"] = {"bands": ["red", "nir", "scl"], "time_block": 8}
    settings["cluster"] = cluster
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def start(
    config: Path, *options: str, env: Mapping[str, str] | None = None, prefix: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    """Start a run."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "cvlarray.cli", "run", str(config), *options],
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(run: subprocess.Popen[str]) -> str:
    """Wait for the end of a run that must succeed; return what it printed."""
    output, _ = run.communicate(timeout=TIMEOUT_S)
    assert run.returncode == 0, output
    return output


def n_done(workspace: Path) -> int:
    """Return how many units a run has done so far."""
    path = Workspace(workspace).ledger
    if not path.exists():
        return 0
    with Ledger(path) as ledger:
        return sum(stage.done for stage in ledger.summary().values())


def contents(workspace: Path) -> dict[str, bytes]:
    """Return the bytes of every file that makes the result."""
    # What a killed worker was writing lies beside the shards, and nobody reads it.
    stored = [
        path
        for name in STORES
        for path in (workspace / name).rglob("*")
        if path.is_file() and not path.name.endswith(".partial")
    ]
    named = [workspace / name for name in FILES]
    return {str(path.relative_to(workspace)): path.read_bytes() for path in (*stored, *named)}


def different_files(one: Path, other: Path) -> list[str]:
    """Return the files that differ between two workspaces, or that only one has."""
    ours, theirs = contents(one), contents(other)
    assert len(ours) > 50
    return sorted(name for name in ours | theirs if ours.get(name) != theirs.get(name))


def n_different_bytes(one: Path, other: Path) -> int:
    """Return how many bytes differ between two workspaces; those that one lacks count."""
    ours, theirs = contents(one), contents(other)
    total = 0
    for name in ours | theirs:
        a, b = ours.get(name, b""), theirs.get(name, b"")
        same = sum(x == y for x, y in zip(a, b, strict=False))
        total += max(len(a), len(b)) - same
    return total
