"""A run on what a real dask-gateway server starts, with the configuration that is deployed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.slurm_server import free_ports
from tests.cluster.workspaces import different_files, finish, start, write_config

CONFIG = Path(__file__).parents[2] / "cluster/gateway/dask_gateway_config.py"
LOGIN = {"DASK_GATEWAY__AUTH__TYPE": "basic", "DASK_GATEWAY__AUTH__KWARGS__USERNAME": "tester",
         "DASK_GATEWAY__AUTH__KWARGS__PASSWORD": "open sesame"}  # fmt: skip


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[str]:
    """Return the URL of a gateway whose clusters are processes of this machine."""
    (port,) = free_ports(1)
    folder = tmp_path / "gateway"
    folder.mkdir()
    environment = {
        **os.environ,
        "GATEWAY_PASSWORD": LOGIN["DASK_GATEWAY__AUTH__KWARGS__PASSWORD"],
        "GATEWAY_ADDRESS": f"127.0.0.1:{port}",
        "GATEWAY_BACKEND": "dask_gateway_server.backends.local.UnsafeLocalBackend",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [Path(sys.executable).parent / "dask-gateway-server", "-f", CONFIG],
            cwd=folder, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait_for(port, server, folder / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError(log.read_text())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_on_a_gateways_cluster_ends_with_the_same_bytes(
    gateway: str, forest_source: Path, undisturbed: Path, tmp_path: Path
) -> None:
    block = {"kind": "gateway", "address": gateway, "n_workers": 2, "start_timeout_s": 120,
             "options": {"worker_memory_gb": 1}}  # fmt: skip
    finish(start(write_config(tmp_path, forest_source, "gateway-run", block), env=LOGIN))
    assert different_files(undisturbed, tmp_path / "gateway-run") == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_wrong_password_is_one_line(gateway: str, forest_source: Path, tmp_path: Path) -> None:
    config = write_config(
        tmp_path, forest_source, "refused", {"kind": "gateway", "address": gateway}
    )
    wrong = {**LOGIN, "DASK_GATEWAY__AUTH__KWARGS__PASSWORD": "sesame"}
    run = start(config, env=wrong)
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 1
    (line,) = output.strip().splitlines()
    assert line.startswith(f"error: the gateway at {gateway} refuses")
