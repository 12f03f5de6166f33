"""An evaluation from end to end, small."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cvlarray.cli.app import app
from cvlarray.evaluation.evaluate import sorted_by_kind
from cvlarray.models import Band, LandCoverClass, ModelSpec, RadarRule, SpectralRule


class Strange:
    spec = ModelSpec("strange", (Band("thermal"),), ("cold", "warm"))


def test_models_are_told_apart_by_what_they_take():
    kinds = sorted_by_kind([RadarRule(), SpectralRule()])
    assert [len(kinds.land_cover), len(kinds.change), len(kinds.radar)] == [2, 1, 2]
    with pytest.raises(ValueError, match="strange takes thermal; the simulator draws"):
        sorted_by_kind([Strange()])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_command_measures_the_rules_on_simulated_and_real_scenes(tmp_path, external_data):
    options = ["--regions", "4", "--size-px", "192", "--real", str(external_data)]
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path / "page"), *options])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "page" / "evaluation.json").read_text())
    forest = found["land_cover"][0]["table"]["value"][LandCoverClass.INTACT_FOREST]
    assert forest[0] > 0.5
    assert 0 <= found["fused"][0]["ece_calibrated"]["value"] < 0.1
    shares = found["fused"][0]["seen_by"]
    assert sum(shares.values()) == pytest.approx(1)
    assert {one["data"] for one in found["real"]} == {
        "csmask Sentinel-2 chip", "OPERA Sentinel-1, California",
    }  # fmt: skip
    assert all(one["value"] < 0.02 for one in found["real"])
