"""The command writes a region, and a picture of it."""

import json

import pytest
import typer
from matplotlib import image
from typer.testing import CliRunner

from cvlarray.simulate.command import simulate

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
APP = typer.Typer()
APP.command()(simulate)


def run(*arguments):
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


def test_writes_scenes_truth_and_a_picture(tmp_path):
    result = run(
        tmp_path / "out", "--size-px", 64, "--seed", 3, "--start", "2022-07-01", "--end",
        "2022-07-12", "--sensor", "sentinel-2", "--no-trouble",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = result.output.split()
    assert lines[-1] == str(tmp_path / "out" / "catalog.json")
    assert sum(line.endswith("_L2A") for line in lines) >= 2
    described = json.loads((tmp_path / "out" / "truth" / "landscape.json").read_text())
    assert described["passes"] == {"sentinel-2": 2, "sentinel-1": 0, "landsat": 0}
    assert not any(described["switches"].values())
    picture = image.imread(tmp_path / "out" / "truth" / "quicklook.png")
    assert picture.shape[0] > 1000
    assert picture[..., :3].std() > 0.1


@pytest.mark.parametrize(
    "arguments", [("--size-px", 65), ("--start", "2023-01-01", "--end", "2022-01-01")]
)
def test_mistakes_are_told_in_a_line(tmp_path, arguments):
    result = run(tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert "must" in result.output
    assert not (tmp_path / "out").exists()
