"""A small store, what fills it, and what is read of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray import names
from cvlarray.store import create_store
from cvlarray.store.bucket import Bucket
from cvlarray.store.place import Place
from cvlarray.store.repository import Repository
from tests.s3_server import s3 as s3  # noqa: PLC0414
from tests.s3_server import s3_process as s3_process  # noqa: PLC0414

CUBE_VARIABLES = (names.band("red", "red"), names.SCL, names.READ_STATUS)
DATES = ("2020-01-03", "2020-01-08", "2020-02-02", "2020-02-07", "2020-03-01")


@pytest.fixture(scope="session")
def geobox() -> GeoBox:
    """27 × 20 pixels in Madre de Dios; neither is a multiple of a shard."""
    return GeoBox((27, 20), Affine(10, 0, 300_000, 0, -10, 8_600_000), "EPSG:32719")


@pytest.fixture(scope="session")
def times() -> np.ndarray[Any, Any]:
    return np.array(DATES, dtype="datetime64[ns]")


@pytest.fixture(scope="session")
def make_cube(geobox: GeoBox, times: np.ndarray[Any, Any]) -> Callable[..., None]:
    """Return `create_store` with a small cube's arguments, any of which may be replaced."""

    def make(path: Path, **changes: Any) -> None:
        arguments = {
            "geobox": geobox,
            "times": times,
            "variables": CUBE_VARIABLES,
            "shard_px": 8,
            "chunk_px": 4,
            "time_shard": 2,
            "fingerprint": {"masking": {"clear_classes": [4, 5]}, "loader": "direct"},
        }
        create_store(path, **arguments | changes)

    return make


@pytest.fixture(scope="session")
def empty_cube(tmp_path_factory: pytest.TempPathFactory, make_cube: Callable[..., None]) -> Path:
    """The small cube, to be copied: making it takes ten times as long."""
    path = tmp_path_factory.mktemp("empty") / "cube.zarr"
    make_cube(path)
    return path


@pytest.fixture
def pixel_reads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[Path, int]]:
    """Return a function that counts the chunks read of each shard since its last call."""
    reads: list[Path] = []
    preadv = os.preadv

    def counting(descriptor: int, *arguments: Any) -> int:
        reads.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        return preadv(descriptor, *arguments)

    monkeypatch.setattr(os, "preadv", counting)

    def count() -> dict[Path, int]:
        found = dict(Counter(reads))
        reads.clear()
        return found

    return count


@pytest.fixture(params=["s3", "icechunk on s3", "icechunk in a folder"])
def remote_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return a place for a store, other than a folder of files."""
    if request.param == "icechunk in a folder":
        return Repository(str(tmp_path / "cube.icechunk"))
    bucket = request.getfixturevalue("s3").new_bucket()
    if request.param == "s3":
        return Bucket(f"s3://{bucket}/forest/cube.zarr")
    return Repository(f"s3://{bucket}/forest/cube.icechunk")
