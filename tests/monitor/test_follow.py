"""With hindsight: recovery and the disturbance after it, on series whose story is known."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cvlarray.baseline import fit_baseline
from cvlarray.monitor import Consecutive, Ewma, follow, start, update
from cvlarray.names import NODATA_DN

TIMES = pd.date_range("2014-01-05", "2023-12-31", freq="10D")
WATCHED = slice("2017-01-01", "2023-12-31")
CUT, BACK, AGAIN = "2018-03-01", "2020-07-01", "2022-02-01"


@pytest.fixture(scope="module")
def features():
    """Return four kinds of pixel, ten each: forest; cut; cut and grown back; and cut again."""
    rng = np.random.default_rng(1)
    season = np.cos(2 * np.pi * TIMES.dayofyear / 365.25).to_numpy()[:, None, None]
    shape = (TIMES.size, 4, 10)
    ndvi = 8_000 - 500 * season + rng.normal(0, 150, shape)
    red = 350 + 30 * season + rng.normal(0, 30, shape)
    for row, spans in enumerate([[], [(CUT, None)], [(CUT, BACK)], [(CUT, BACK), (AGAIN, None)]]):
        for first, last in spans:
            open_ = np.asarray((first <= TIMES) & ((last or "2030-01-01") > TIMES))
            ndvi[open_, row] -= 4_000
            red[open_, row] += 600
    values = np.stack([ndvi, red])
    values[:, rng.random(shape) < 0.4] = NODATA_DN
    coords = {"feature": ["ndvi", "red"], "time": TIMES}
    dims = ("feature", "time", "y", "x")
    return xr.DataArray(np.rint(values).astype(np.int16), coords, dims, name="features")


def watched_state(features, detector):
    season = fit_baseline(features.sel(time=slice(None, "2016-12-31")))
    return update(start(season, detector=detector), features.sel(time=WATCHED), detector=detector)


def dates(found, name, episode):
    values = found[name].isel(episode=episode).to_numpy()
    return [set(np.unique(row[row >= 0])) for row in values], (values >= 0).mean(axis=1)


@pytest.mark.parametrize("detector", [Consecutive(), Ewma()], ids=str)
def test_each_pixels_story(features, detector):
    state = watched_state(features, detector)
    found = follow(features.sel(time=WATCHED), state, detector=detector)
    _, disturbed = dates(found, "disturbed", 0)
    _, back = dates(found, "recovered", 0)
    _, second = dates(found, "disturbed", 1)
    assert disturbed.tolist() == [0, 1, 1, 1]
    assert back.tolist() == [0, 0, 1, 1]
    assert second.tolist() == [0, 0, 0, 1]
    for name, episode, true in [
        ("disturbed", 0, CUT),
        ("recovered", 0, BACK),
        ("disturbed", 1, AGAIN),
    ]:
        late = found[name].isel(episode=episode, y=3) - int(np.datetime64(true, "D").astype(int))
        # Dates come every ten days, and 40 % of them are hidden.
        assert (late >= 0).all(), name
        assert late.median() <= 20, name
    intact = found["intact_until"].isel(episode=1, y=3)
    assert (intact < found["disturbed"].isel(episode=1, y=3)).all()
    assert (found["recovered"].isel(episode=1) == -1).all()


def test_smoke_over_standing_forest_is_passed_over_for_the_cut_that_follows(features):
    """Months of smoke, clear again until the cut a year later: to the watch it is the change."""
    smoked = features.copy()
    is_smoke = (pd.Timestamp("2017-01-05") <= TIMES) & (pd.Timestamp("2017-04-20") > TIMES)
    thick = np.where(smoked[:, is_smoke] == NODATA_DN, 0, [[[[-2_500]]], [[[500]]]])
    smoked[:, is_smoke] = smoked[:, is_smoke] + thick.astype(np.int16)
    state = watched_state(smoked, Consecutive())
    assert float((state["alarm_first"] < np.datetime64("2017-04-20").astype(int)).mean()) > 0.9
    found = follow(smoked.sel(time=WATCHED), state, n_proofs=1, passing_days=365)
    cut = int(np.datetime64(CUT, "D").astype(int))
    disturbed = found["disturbed"].isel(episode=0).to_numpy()
    assert (disturbed[0] == -1).mean() >= 0.9
    # Where clouds hid the months that would prove that the forest stood, the smoke stays.
    assert (disturbed[1:] >= cut).mean() >= 0.8


def test_chunks_dont_matter(features):
    state = watched_state(features, Consecutive())
    whole = follow(features.sel(time=WATCHED), state)
    chunked = features.sel(time=WATCHED).chunk(time=-1, y=3, x=4)
    parts = follow(chunked, state.chunk(y=3, x=4))
    assert parts["disturbed"].chunks is not None
    xr.testing.assert_identical(parts.compute(), whole)


def test_time_in_chunks_is_refused(features):
    state = watched_state(features, Consecutive())
    with pytest.raises(ValueError, match="time must be one chunk to follow changes"):
        follow(features.sel(time=WATCHED).chunk(time=20), state)
