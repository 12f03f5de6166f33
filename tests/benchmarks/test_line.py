"""The scenes that the line's cost is measured on, and the parts it is compared with."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio

from benchmarks import line_scenes, line_sides
from benchmarks.line import _block_bytes
from cvlarray.config import load_config
from cvlarray.grid import region_geobox

SIZE_PX = 120


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the config of a run a little larger than the real square."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_scenes, "FOLDER", tmp_path_factory.mktemp("line"))
        config, _ = line_scenes.mirrored_run(SIZE_PX)
    return config


def test_config_covers_exactly_the_pixels_that_were_written(scenes: Path) -> None:
    config = load_config(scenes)
    grid = config.grid
    geobox = region_geobox(
        config.region.to_geometry(),
        crs=grid.crs,
        resolution_m=grid.resolution_m,
        anchor_m=grid.anchor_m,
    )
    with rasterio.open(next(scenes.parent.glob("source/*/*/B04.tif"))) as file:
        assert geobox.shape == file.shape == (SIZE_PX, SIZE_PX)
        assert geobox.affine.almost_equals(file.transform, precision=1e-4)
        pixels = file.read(1)
    mirrored = pixels[100:, :100] == pixels[80:100, :100][::-1]
    assert 0.5 < mirrored.mean() < 1  # but for what was cut


def test_decode_reads_every_file(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(line_sides.FOLDER_VARIABLE, str(scenes.parent / "source"))
    opened = []
    monkeypatch.setattr(rasterio, "open", _logged(rasterio.open, opened))
    work, _ = line_sides.decode()
    work()
    assert len(opened) == len(set(opened)) == 140 * 5


def test_kernels_run_on_the_scenes(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(line_sides.FOLDER_VARIABLE, str(scenes.parent / "source"))
    alarms = []
    monkeypatch.setattr(line_sides, "findings", lambda alarm, evidence: alarms.append(alarm))
    work, _ = line_sides.kernels()
    work()
    assert sum(alarm.first.size for alarm in alarms) == SIZE_PX**2
    assert any((alarm.first >= 0).any() for alarm in alarms)


def test_block_bytes_are_those_of_the_pixels(scenes: Path) -> None:
    file = next(scenes.parent.glob("source/*/*/B04.tif"))
    assert 0.5 * file.stat().st_size < _block_bytes(file) < file.stat().st_size


def _logged(function, calls):
    def call(path, *args, **kwargs):
        calls.append(path)
        return function(path, *args, **kwargs)

    return call
