"""The guard: what was made differently isn't compared in silence."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
import shapely

from cvlarray.annual import generations_of, overlap_calibrated, yearly_differences
from cvlarray.annual.generations import Generation
from cvlarray.sensors import Scene

OLD = Generation("1.0", "unet-3", {"parks": "aaaa"}, ("sentinel-2",), ("sentinel-2 05",))
NEW = replace(OLD, model="unet-4")


def test_a_new_model_is_no_rush():
    """The public figures: some 2,600 ha a year, then 27,187 with another model."""
    values = {2021: 2601.0, 2022: 2598.0, 2023: 2612.0, 2024: 27_187.0}
    made = {year: OLD if year < 2024 else NEW for year in values}
    table = yearly_differences(values, made).set_index("year")
    assert table["is_comparable"].tolist() == [False, True, True, False]
    assert table.loc[2023, "difference"] == 14.0
    assert np.isnan(table.loc[2024, "difference"])
    assert "not compared with 2023: model (unet-3 → unet-4)" in table.loc[2024, "note"]


def test_the_overlap_joins_two_makings():
    older = {2021: 2600.0, 2022: 2500.0, 2023: 2700.0}
    newer = {2023: 24_300.0, 2024: 27_187.0}
    joined = overlap_calibrated(older, newer).set_index("year")
    assert (joined["factor"] == 9.0).all()
    assert joined["value"].tolist() == [23_400.0, 22_500.0, 24_300.0, 27_187.0]
    assert joined["source"].tolist() == ["older × factor"] * 2 + ["newer"] * 2


def test_without_overlap_there_is_no_way():
    with pytest.raises(ValueError, match="got 2021 to 2021 and 2024 to 2024; run the newer over"):
        overlap_calibrated({2021: 2600.0}, {2024: 27_187.0})


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"software": "1.1"}, "software (1.0 → 1.1)"),
        ({"layers": {"parks": "bbbb"}}, "layers (parks aaaa → parks bbbb)"),
        ({"sensors": ("landsat", "sentinel-2")}, "sensors (sentinel-2 → landsat, sentinel-2)"),
        ({"baselines": ("sentinel-2 04",)}, "baselines (sentinel-2 05 → sentinel-2 04)"),
    ],
)
def test_whatever_differs_is_named(change, word):
    other = replace(OLD, **change)
    (note,) = yearly_differences({1: 1.0, 2: 2.0}, {1: OLD, 2: other})["note"].tail(1)
    assert word in note
    assert other.name != OLD.name


def test_each_years_sensors_and_baselines(scene_of):
    scenes = [
        scene_of(dt.date(2021, 5, 1), "sentinel-2", "03.01"),
        scene_of(dt.date(2022, 5, 1), "sentinel-2", "04.00"),
        scene_of(dt.date(2022, 5, 2), "landsat", "02.T1"),
        scene_of(dt.date(2019, 5, 2), "landsat", "02.T1"),
    ]
    made = generations_of(scenes, [2021, 2022, 2023], software="1", model="m", layers={})
    assert made[2021].baselines == ("sentinel-2 03",)
    assert made[2022].sensors == ("landsat", "sentinel-2")
    assert made[2022].baselines == ("landsat 02", "sentinel-2 04")
    assert made[2023].sensors == ()
    assert len({one.name for one in made.values()}) == 3


@pytest.fixture
def scene_of():
    def make(day, family, baseline):
        return Scene(
            id=f"{family}{day}",
            collection="c",
            sensor="s",
            family=family,
            datetime=dt.datetime.combine(day, dt.time(), dt.UTC),
            solar_day=day,
            platform="p",
            grid_tile="",
            acquisition="",
            processing_baseline=baseline,
            series="",
            cloud_cover=None,
            sun_azimuth=None,
            sun_elevation=None,
            crs=None,
            footprint=shapely.box(0, 0, 1, 1),
            assets={},
        )

    return make
