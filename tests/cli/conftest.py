"""A finished demo, run once by its command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]


def run_cvlarray(*arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "cvlarray.cli", *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "120", "NO_COLOR": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, env=environment, check=False
    )


@pytest.fixture(scope="session")
def cvlarray() -> Command:
    """Return the command line as a function."""
    return run_cvlarray


@pytest.fixture(scope="session")
def demo_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the workspace of a finished demo; don't write to it."""
    pytest.importorskip("netCDF4", reason="pip install 'cvlarray[demo]'")
    workspace = tmp_path_factory.mktemp("demo")
    result = run_cvlarray("demo", "--workspace", workspace, "--cluster", "threads", timeout=280)
    assert result.returncode == 0, result.stderr
    assert f"report: {workspace}/report/index.html" in result.stdout
    assert "wall time: " in result.stdout
    return workspace
