"""A small valid run to start from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

MINIMAL = """\
name: x
workspace: out
region: {bbox: [1, 2, 3, 4]}
grid: {crs: EPSG:32719}
search: {source: s/catalog.json}
periods:
  history: {start: 2015-08-01, end: 2018-08-31}
  monitoring: {start: 2018-09-01, end: 2021-01-31}
cube: {bands: [red, nir, scl]}
"""

Write = Callable[..., Path]


@pytest.fixture
def minimal() -> str:
    return MINIMAL


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a YAML file, the minimal run if not told otherwise."""

    def write(text: str = MINIMAL, name: str = "run.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write
