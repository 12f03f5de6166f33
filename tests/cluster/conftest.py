"""Fixtures around clusters: the small forest, done undisturbed, and a real Slurm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.slurm_server import (
    INSTALL,
    Slurm,
    missing_rights,
    missing_tools,
    running_slurm,
)
from tests.cluster.workspaces import finish, start, write_config
from tests.pipeline.forest import write_forest


@pytest.fixture(scope="session")
def forest_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the forest's catalog; don't write to it."""
    folder = tmp_path_factory.mktemp("source")
    write_forest(folder)
    return folder


@pytest.fixture(scope="session")
def undisturbed(forest_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the workspace of a run in threads that nothing disturbed; don't write to it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(start(write_config(folder, forest_source, "whole", "threads")))
    return folder / "whole"


@pytest.fixture
def slurm(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    require_component: Callable[[str, object, str], None],
) -> Iterator[Slurm]:
    """Return a Slurm of two nodes."""
    if missing_rights():
        request.applymarker(pytest.mark.privileged)  # here alone: packages can be installed
        pytest.skip(f"Slurm's daemons can't start jobs here without {', '.join(missing_rights())}")
    require_component("Slurm", not missing_tools(), INSTALL)
    folder = tmp_path / "slurm"
    folder.mkdir()
    with running_slurm(folder) as started:
        yield started
