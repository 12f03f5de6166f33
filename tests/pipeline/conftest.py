"""Fixtures around the small forest."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cvlarray.config import RunConfig, load_config
from tests.pipeline.forest import run_settings, write_forest
from tests.pipeline.runs import run


@pytest.fixture(scope="session")
def forest_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the catalog; don't write to it."""
    folder = tmp_path_factory.mktemp("source")
    write_forest(folder)
    return folder


@pytest.fixture(scope="session")
def finished(forest_source: Path, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """Return the config of a finished run; don't write to its workspace."""
    folder = tmp_path_factory.mktemp("finished")
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(run_settings(forest_source, folder / "workspace")))
    config = load_config(path)
    run(config)
    return config


@pytest.fixture
def source(forest_source: Path, tmp_path: Path) -> Path:
    """Return a copy of the catalog that a test may break."""
    return Path(shutil.copytree(forest_source, tmp_path / "source"))


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a run's YAML, with top-level sections replaced."""

    def write(source: Path, name: str = "run", **sections: object) -> Path:
        settings = run_settings(source, tmp_path / f"{name}-workspace") | sections
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(settings))
        return path

    return write
