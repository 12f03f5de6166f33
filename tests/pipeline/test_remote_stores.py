"""A run whose stores lie in a bucket, or in icechunk: it ends with the bits of a local one."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from cvlarray.config import LocalCluster, RunConfig, load_config
from cvlarray.errors import WorkspaceBusyError
from cvlarray.pipeline import Stage, workspace_of
from cvlarray.store import open_raw
from tests.pipeline.runs import run
from tests.s3_server import KEYS, S3Server
from tests.s3_server import s3 as s3  # noqa: PLC0414
from tests.s3_server import s3_process as s3_process  # noqa: PLC0414

STORES = ("cube", "baseline", "detections")
LAYOUT = {"shard_px": 32, "chunk_px": 16, "time_shard": 24}
CUBE = {"bands": ["red", "nir", "scl"], "time_block": 48}
"""Twice the dates a unit of the local run: half the commits, and the same bits."""


@pytest.mark.parametrize("kind", ["zarr", "icechunk"])
def test_a_run_in_a_bucket_ends_with_the_bits_of_a_local_one(
    kind: str, s3: S3Server, forest_source: Path, write_config, finished: RunConfig
) -> None:
    url = f"s3://{s3.new_bucket()}/forest"
    store = {**LAYOUT, "url": url, "kind": kind}
    config = load_config(write_config(forest_source, kind, store=store, cube=CUBE))
    run(config)
    remote, here = workspace_of(config), workspace_of(finished)
    for name in STORES:
        found = open_raw(getattr(remote, name)).load()
        xr.testing.assert_identical(found, open_raw(getattr(here, name)).load())
    assert remote.alerts_geojson.read_bytes() == here.alerts_geojson.read_bytes()
    assert sorted(path.name for path in remote.path.iterdir() if path.suffix == ".zarr") == []
    written = [path for path in remote.path.rglob("*") if path.is_file()]
    secret = KEYS["AWS_SECRET_ACCESS_KEY"].encode()
    assert [path for path in written if secret in path.read_bytes()] == []


def test_another_workspace_may_not_write_to_the_same_prefix(
    s3: S3Server, forest_source: Path, write_config
) -> None:
    """Two operators who start the same decade, each with a ledger of their own."""
    store = {**LAYOUT, "url": f"s3://{s3.new_bucket()}/forest"}
    mine, other = (
        load_config(write_config(forest_source, name, store=store)) for name in ("mine", "other")
    )
    run(mine, last=Stage.SEARCH)
    with pytest.raises(WorkspaceBusyError, match=f"the run in {mine.workspace} on .*run.json"):
        run(other, last=Stage.SEARCH)
    assert run(mine, last=Stage.SEARCH) == {}


def test_workers_commit_side_by_side(
    s3: S3Server, forest_source: Path, write_config, finished: RunConfig
) -> None:
    """Two processes, one commit a unit."""
    store = {**LAYOUT, "url": f"s3://{s3.new_bucket()}/forest", "kind": "icechunk"}
    cluster = {"kind": "local", "n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    config = load_config(write_config(forest_source, store=store, cube=CUBE, cluster=cluster))
    assert isinstance(config.cluster, LocalCluster)
    run(config, last=Stage.INGEST)
    cube = workspace_of(config).cube
    xr.testing.assert_identical(open_raw(cube).load(), open_raw(workspace_of(finished).cube).load())
