"""The YAML of a training: those that ship are right, and mistakes give one line."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="make models")
pytest.importorskip("transformers", reason="make models")

from cvlarray.cli.app import app
from cvlarray.config.train import load_training
from cvlarray.errors import CvlarrayError
from cvlarray.evaluation import HeldOut

SHIPPED = sorted((Path(__file__).parents[2] / "configs" / "train").glob("*.yaml"))
TINY = """
name: tiny
workspace: run
architecture: sar-unet-8
output: radar_change
chips:
  kind: simulated-radar
  watch_from: 2020-06-01
  history_days: 120
  dates_a_landscape: 1
  regions:
    first_seed: 900
    n_landscapes: 10
    size_px: 256
    start: 2019-06-01
    end: 2020-12-31
    land_use: {mining_sites: {low: 60, high: 90}, clearings: {low: 60, high: 90}}
split: {seed: 1, block_m: 5120, validation_share: 0.3, test_share: 0.3}
recipe: {seed: 1, steps: 4, validate_every: 2, validation_chips: 2, save_every: 2, batch_size: 2}
"""


def written(tmp_path, text):
    path = tmp_path / "train.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_those_that_ship_are_right(path):
    settings = load_training(path)
    assert settings.aim("none").source.chip_kind.source == "simulated"
    assert settings.workspace.name == path.stem


def test_evaluations_take_other_seeds():
    seeds = []
    for path in SHIPPED:
        regions = load_training(path).chips.regions
        seeds.append((regions.first_seed, regions.first_seed + regions.n_landscapes))
    ordered = sorted(seeds)
    assert all(end <= start for (_, end), (start, _) in pairwise(ordered))
    held_out = [region.landscape.seed for region in HeldOut().regions()]
    assert not any(start <= seed < end for seed in held_out for start, end in seeds)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steps: 4", "steps: 4, patiense: 2", "patience?"),
        ("steps: 4", "steps: 0", "recipe.steps: expected 1 or more, got 0"),
        ("kind: simulated-radar", "kind: photographs", "chips: expected 'kind' to be one of"),
        (
            "sar-unet-8",
            "segformer-small",
            "chips.kind: expected simulated-land-cover for segformer",
        ),
        ("sar-unet-8", "oracle", "architecture: expected 'segformer-small'"),
        ("workspace: run\n", "", "workspace: expected"),
        ("watch_from: 2020-06-01", "watch_from: soon", "chips.watch_from"),
    ],
)
def test_mistakes_give_one_line(tmp_path, old, new, message):
    path = written(tmp_path, TINY.replace(old, new))
    with pytest.raises(CvlarrayError) as caught:
        load_training(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}:") or str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_from_yaml_to_checkpoint(tmp_path):
    """It ends with a checkpoint that loads; again, it has nothing left to do and says the same."""
    from cvlarray.models.torch_model import load_model  # noqa: PLC0415

    path = written(tmp_path, TINY)
    first = CliRunner().invoke(app, ["train", str(path)], catch_exceptions=False)
    assert first.exit_code == 0
    assert f"checkpoint: {tmp_path / 'run' / 'checkpoint'}" in first.stdout
    model = load_model(tmp_path / "run" / "checkpoint")
    assert model.spec.output == "radar_change"
    assert any(name.startswith("simulated_test_iou_") for name in model.card.metrics)
    weights = (tmp_path / "run" / "checkpoint" / "model.safetensors").read_bytes()
    again = CliRunner().invoke(app, ["train", str(path)], catch_exceptions=False)
    assert again.exit_code == 0
    assert (tmp_path / "run" / "checkpoint" / "model.safetensors").read_bytes() == weights
