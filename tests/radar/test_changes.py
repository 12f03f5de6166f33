"""From probabilities date by date to dated changes: by hand, by law, and on real rain."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.inference import change_probability, infer
from cvlarray.models import RadarRule
from cvlarray.names import NO_DATE, RADAR_VARIABLES
from cvlarray.radar import Confirmation, radar_changes, radar_departure
from tests.radar.opera import BURSTS, RAINY, read_burst

NOTHING = np.nan


def probabilities(*pixels) -> xr.DataArray:
    """Return one row of pixels, given by their series, on days 100, 112, ..."""
    values = np.array(pixels, np.float32).T[:, None]
    days = 100 + 12 * np.arange(len(values))
    time = days.astype("datetime64[D]").astype("datetime64[ns]")
    return xr.DataArray(values, dims=("time", "y", "x"), coords={"time": time})


def test_a_change_by_hand():
    """0.95 twice is odds of 361: above 199, those of 0.995."""
    found = radar_changes(probabilities([0.1, 0.05, 0.6, 0.95, 0.99, NOTHING, 0.9]))
    pixel = {name: one.item() for name, one in found.isel(y=0, x=0).items()}
    odds = 1.5 * 19 * 19 * 9
    assert pixel["confidence"] == pytest.approx(odds / (1 + odds), rel=1e-4)
    del pixel["confidence"]
    assert pixel == {
        "first_flagged": 124,
        "confirmed": 148,
        "interval_start": 112,
        "interval_end": 136,
        "n_flagged": 4,
        "n_since": 4,
        "needs_review": True,
    }


def test_one_date_confirms_nothing_however_sure():
    found = radar_changes(probabilities([0.1, 1.0, 0.1, 0.1, 1.0, 0.02, 0.1]))
    assert found["confirmed"].item() == NO_DATE
    assert not found["needs_review"].item()
    assert np.isnan(found["confidence"].item())


def test_a_run_that_fails_leaves_no_trace():
    """Only the second run is a change; the first one ended below even odds."""
    found = radar_changes(probabilities([0.6, 0.05, 0.05, 0.95, 0.95]))
    assert found["first_flagged"].item() == 136
    assert found["n_flagged"].item() == 2
    assert found["interval_start"].item() == 124


def test_never_seen_is_no_change():
    found = radar_changes(probabilities([NOTHING] * 5))
    for variable in RADAR_VARIABLES:
        value = found[variable.name].item()
        assert value in {NO_DATE, 0} or np.isnan(value)


@settings(max_examples=30)
@given(
    st.lists(
        st.lists(st.one_of(st.floats(0, 1, width=32), st.just(NOTHING)), min_size=6, max_size=6),
        min_size=6,
        max_size=6,
    )
)
def test_laws(values):
    """Dates are in order; unseen dates and chunks change nothing; later evidence undoes nothing."""
    series = probabilities(*values)
    found = radar_changes(series)
    change = found["confirmed"] != NO_DATE
    first, confirmed = found["first_flagged"], found["confirmed"]
    assert ((found["interval_start"] < first) | ~change).all()
    assert ((first <= found["interval_end"]) | ~change).all()
    assert ((found["interval_end"] <= confirmed) | ~change).all()
    assert (found["needs_review"] == change).all()
    xr.testing.assert_identical(radar_changes(series.chunk(time=2, x=4)).compute(), found)
    unseen = xr.full_like(series[:1], NOTHING).assign_coords(
        time=series["time"][-1:] + np.timedelta64(1, "D")
    )
    xr.testing.assert_identical(radar_changes(xr.concat([series, unseen], "time")), found)
    earlier = radar_changes(series[:4])
    was = earlier["confirmed"] != NO_DATE
    assert (earlier["confirmed"].where(was) == confirmed.where(was)).sum() == was.sum()


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"least must lie between 0\.5 and 1, got 1"):
        Confirmation(least=1.0)
    twice = probabilities([0.1, 0.2])
    with pytest.raises(ValueError, match="one a day"):
        radar_changes(xr.concat([twice, twice], "time"))


@pytest.mark.parametrize("burst", BURSTS)
@pytest.mark.parametrize("until", ["2022-01-01", "2023-02-01"])
def test_real_rain_is_not_confirmed_as_change(external_data, burst, until):
    """Rain among the watched dates, and rain in the history that later dates fall short of.

    On a rainy day a tenth of the pixels may look fallen beside their neighbours.
    """
    cube = read_burst(external_data / "opera_s1" / "california_T137" / burst)
    maps = infer(radar_departure(cube, until=until), RadarRule(), window=128, overlap=32)
    found = radar_changes(change_probability(maps, "radar_change"))
    is_change = found["confirmed"] != NO_DATE
    assert is_change.mean() < 0.02
    rainy = [day.astype("datetime64[D]").astype(int) for day in RAINY]
    assert (is_change & found["first_flagged"].isin(rainy)).mean() < 0.01
