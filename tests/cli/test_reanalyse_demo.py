"""The demo's real forest, looked back on: both campaigns in their years, and what grew back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.typing import NDArray

from cvlarray.annual.maps import dated, year_bounds
from cvlarray.config import load_config
from cvlarray.pipeline import Stage, workspace_of
from cvlarray.store import Workspace, open_raw
from tests import romania
from tests.pipeline.runs import run


@pytest.fixture(scope="module")
def reanalysed(demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return the workspace of the demo's reanalysis; don't write to it."""
    folder = shutil.copytree(demo_workspace, tmp_path_factory.mktemp("reanalysed") / "demo")
    config = load_config(folder / "run.yaml", {"workspace": str(folder)})
    assert run(config, last=Stage.ANNUAL) == {Stage.CHANGES: 1, Stage.ANNUAL: 1}
    return workspace_of(config)


@pytest.fixture(scope="module")
def changes(reanalysed: Workspace) -> Iterator[xr.Dataset]:
    with open_raw(reanalysed.changes) as stored:
        yield stored.load()


def of_year(changes: xr.Dataset, year: int) -> NDArray[np.bool_]:
    first, last = year_bounds(year)
    day = dated(changes).isel(episode=0).to_numpy()
    return (day >= first) & (day <= last)


def test_both_campaigns_are_of_their_years(changes: xr.Dataset) -> None:
    """A was cut by summer 2019 and B by summer 2020, as the summers' medians of NDVI say.

    Each cut pixel has a disturbance within a pixel, as the daily run is held to.
    """
    known = romania.truth(romania.load(10))
    is_disturbed = changes["disturbed"].isel(episode=0).to_numpy() >= 0
    for campaign, year in ((known.campaign_a, 2019), (known.campaign_b, 2020)):
        assert romania.grown(is_disturbed)[campaign].mean() > 0.9
        found = campaign & is_disturbed
        assert found.sum() > 200
        assert of_year(changes, year)[found].mean() > 0.97


def test_what_was_cut_first_grows_back_within_the_archive(changes: xr.Dataset) -> None:
    """NDVI of campaign A is back by the summer after next; that of B was never seen so."""
    known = romania.truth(romania.load(10))
    is_back = changes["recovered"].isel(episode=0).to_numpy() >= 0
    for campaign, least, most in ((known.campaign_a, 0.9, 1.0), (known.campaign_b, 0.0, 0.05)):
        found = campaign & (changes["disturbed"].isel(episode=0).to_numpy() >= 0)
        assert least <= is_back[found].mean() <= most


def test_hectares_are_those_of_the_pixels(reanalysed: Workspace, changes: xr.Dataset) -> None:
    areas = pd.read_csv(reanalysed.annual / "areas.csv", keep_default_na=False)
    whole = areas[(areas["domain"] == "region") & (areas["agent"] == "all")].set_index("year")
    for year in (2019, 2020):
        n_pixels = int(of_year(changes, year).sum())
        assert whole.loc[year, "mapped_ha"] == pytest.approx(n_pixels / 100, rel=0.02)
