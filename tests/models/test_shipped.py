"""What ships: it loads, says where it comes from, and beats the rule on regions it never saw."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="make models")
pytest.importorskip("transformers", reason="make models")

from cvlarray.config.train import load_training
from cvlarray.models import SpectralRule
from cvlarray.models.shipped import shipped_checkpoint, shipped_names
from cvlarray.models.torch_model import load_model
from cvlarray.simulate import Calendar, Landscape, LandUse, sentinel2_cube, truth_cube

ROOT = Path(__file__).parents[2]
MB = 1e6


@pytest.mark.parametrize("name", shipped_names())
def test_it_loads_and_says_where_it_comes_from(name):
    folder = shipped_checkpoint(name)
    model = load_model(folder)
    assert model.spec.name == name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10 * MB
    card = model.card
    assert card.properties.training_data.startswith("simulated:")
    assert all(metric.startswith("simulated_") for metric in card.metrics)
    *command, config = card.properties.command.split()
    assert command == ["cvlarray", "train"]
    settings = load_training(ROOT / config)
    assert settings.name == name
    assert settings.architecture == card.architecture
    made_by = settings.recipe.model_dump(mode="json")
    assert {key: card.properties.hyperparameters[key] for key in made_by} == made_by


def test_all_of_them_are_small():
    total = sum(
        path.stat().st_size
        for name in shipped_names()
        for path in shipped_checkpoint(name).iterdir()
    )
    assert 0 < total < 20 * MB


def test_an_unknown_one_is_refused():
    with pytest.raises(ValueError, match="oracle is none of"):
        shipped_checkpoint("oracle")


def test_land_cover_beats_the_rule_on_a_region_of_another_seed_and_use():
    use = LandUse(mining_sites=80, old_mining_sites=60, clearings=60, old_fields=60, rivers=3)
    landscape = Landscape.of_size(
        77, 256, start=dt.date(2022, 1, 1), end=dt.date(2023, 12, 31), land_use=use
    )
    passes = Calendar(dt.date(2023, 7, 1), dt.date(2023, 8, 30)).sentinel2()
    cube = sentinel2_cube(landscape, passes).compute(scheduler="synchronous")
    best = int((cube["sky"] == 0).mean(("y", "x")).to_numpy().argmax())
    date = cube.isel(time=best)
    clear = (date["sky"] == 0).to_numpy()
    truth = truth_cube(landscape, [passes[best].date])["land_cover"].to_numpy()[0]
    counted = clear & (truth < 5)
    assert counted.mean() > 0.4

    def iou(model):
        bands = [date[band.name].to_numpy() / 1e4 for band in model.spec.bands]
        chips = np.where(clear, np.stack(bands), 0).astype(np.float32)[None]
        said = model.predict(chips, clear[None])[0].argmax(0)
        hits = [((said == k) & (truth == k) & counted).sum() for k in range(5)]
        either = [(((said == k) | (truth == k)) & counted).sum() for k in range(5)]
        assert min((truth[counted] == k).sum() for k in range(5)) > 50
        return np.mean(np.divide(hits, either))

    learned = iou(load_model(shipped_checkpoint("land-cover-small")))
    assert learned > iou(SpectralRule()) + 0.1
