"""Yearly maps and areas of pixels whose dates are known."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cvlarray.annual import (
    agents,
    areas_by_year,
    land_cover_by_year,
    yearly_change,
    yearly_clear,
)

YEARS = [2019, 2020, 2021]


def day(text):
    return int(np.datetime64(text, "D").astype(int)) if text else -1


def episodes_of(*pixels):
    """Return the episodes of pixels: (disturbed, intact until, recovered) once or twice each."""
    table = np.full((3, 2, 1, len(pixels)), -1, np.int32)
    for number, stories in enumerate(pixels):
        for episode, story in enumerate(stories):
            table[:, episode, 0, number] = [day(text) for text in story]
    names = ("disturbed", "intact_until", "recovered")
    dims = ("episode", "y", "x")
    return xr.Dataset({name: (dims, values) for name, values in zip(names, table, strict=True)})


EPISODES = episodes_of(
    [],
    [("2019-06-10", "2019-05-01", "")],
    [("2020-02-20", "2019-11-01", "")],  # the middle is in 2019
    [("2019-06-10", "2019-05-01", "2020-08-01"), ("2021-03-01", "2021-02-20", "")],
    [("2021-01-20", "2021-01-10", "2021-11-01")],
    [],
)
FOREST = xr.DataArray([[True] * 5 + [False]], dims=("y", "x"))


def test_what_became_of_the_forest_by_each_years_end():
    found = yearly_change(EPISODES, FOREST, YEARS)
    assert found.dims == ("year", "y", "x")
    assert found[:, 0].to_numpy().T.tolist() == [
        [0, 0, 0],
        [1, 2, 2],
        [1, 2, 2],
        [1, 3, 1],
        [0, 0, 1],
        [255, 255, 255],
    ]


TIMES = pd.date_range("2019-01-05", "2021-12-28", freq="20D")
CLEARING = {"green": 700, "red": 900, "nir08": 2000, "swir16": 2800, "swir22": 1900}
PIT = {"green": 1100, "red": 1400, "nir08": 1800, "swir16": 1900, "swir22": 1750}
POND = {"green": 1100, "red": 1000, "nir08": 900, "swir16": 400, "swir22": 500}


def test_open_ground_is_classed_by_its_year():
    """A clearing that becomes a pit and then a pond; a second pixel nobody sees in 2020."""
    episodes = episodes_of(
        [("2019-06-10", "2019-05-01", "")],
        [("2019-06-10", "2019-05-01", "")],
        [],
    )
    forest = xr.ones_like(FOREST[:, :3])
    kinds = {2019: CLEARING, 2020: PIT, 2021: POND}
    bands = {
        name: (
            ("time", "y", "x"),
            np.array([[[kinds[at.year][name]] * 3] for at in TIMES], np.int16),
        )
        for name in CLEARING
    }
    cube = xr.Dataset(bands, coords={"time": TIMES})
    clear = xr.ones_like(cube["red"], dtype=bool)
    clear[{"x": 1, "time": TIMES.year == 2020}] = False
    change = yearly_change(episodes, forest, YEARS)
    cover = land_cover_by_year(change, cube, clear, episodes)
    assert cover[:, 0].to_numpy().T.tolist() == [[2, 3, 4], [2, 2, 4], [0, 0, 0]]
    agent = agents(cover, episodes, is_classed=True)
    assert agent[0, 0].to_numpy().tolist() == [3, 3, 0]
    assert (agent[1] == 0).all()
    unclassed = land_cover_by_year(change, None, clear, episodes)
    assert unclassed[:, 0, 0].to_numpy().tolist() == [2, 2, 2]
    unknown = agents(unclassed, episodes, is_classed=False)
    assert unknown[0, 0].to_numpy().tolist() == [1, 1, 0]
    seen = yearly_clear(clear, YEARS)
    n_dates = int((TIMES.year == 2020).sum())
    assert seen[1, 0].to_numpy().tolist() == [n_dates, 0, n_dates]


@pytest.fixture
def changes():
    change = yearly_change(EPISODES, FOREST, YEARS)
    cover = land_cover_by_year(change, None, None, EPISODES)
    clear = xr.full_like(change, 9).rename("n_clear_in_year")
    clear[{"year": 1, "x": 0}] = 2  # the forest of 2020 was hidden
    return xr.merge([EPISODES, change, cover, agents(cover, EPISODES, is_classed=True), clear])


def test_areas_say_what_is_mapped_certain_possible_and_hidden(changes):
    parts = {"park": (np.array([[-1, 0, 0, 1, 1, 1]], np.int32), ("north", "south"))}
    areas = areas_by_year(changes, parts, pixel_m2=1e4, min_clear=4)
    table = areas.set_index(["domain", "name", "agent", "year"]).sort_index()
    whole = table.loc["region", "", "clearing"]
    assert whole["mapped_ha"].tolist() == [3, 0, 2]
    # The winter hid whether one fell in 2019 or 2020: it is certain of neither, possible in both.
    assert whole["certain_ha"].tolist() == [2, 0, 2]
    assert whole["possible_ha"].tolist() == [3, 2, 2]
    assert whole["hidden_ha"].tolist() == [0, 1, 0]
    assert table.loc["park", "north", "all"]["mapped_ha"].tolist() == [2, 0, 0]
    assert table.loc["park", "south", "all"]["mapped_ha"].tolist() == [1, 0, 2]
    assert (table.loc["region", "", "mining"]["mapped_ha"] == 0).all()
