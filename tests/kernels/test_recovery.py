"""A pixel is back when a time of year that gave it away doesn't any more."""

import datetime as dt

import numpy as np

from cvlarray.kernels.recovery import find_recoveries


def day(text):
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def recovered(residuals, since, **kwargs):
    """Return when a pixel with these residuals by date was back."""
    days = np.array([day(text) for text in residuals], np.int64)
    values = np.array(list(residuals.values()), np.float32)[:, None]
    settings = {"threshold": 2.0, "n_proofs": 2} | kwargs
    (found,) = find_recoveries(values, days, np.array([day(since)], np.int32), **settings)
    return None if found < 0 else str(np.datetime64(int(found), "D"))


CUT = {"2019-05-01": 6.0, "2019-06-01": 7.0, "2019-07-01": 6.0, "2019-08-01": 5.0}


def test_the_first_of_the_run_is_told_once_two_summers_agree():
    back = {"2020-04-01": 1.0, "2020-06-05": 0.5, "2020-07-08": 0.2}
    assert recovered(CUT | back, "2019-05-01") == "2020-04-01"


def test_winter_proves_nothing():
    """Snow and bare deciduous trees look alike, cut or not."""
    winter = {f"{year}-{month}-10": 0.0 for year, month in [(2019, 12), (2020, "01"), (2020, "02")]}
    assert recovered(CUT | winter, "2019-05-01") is None
    assert recovered(CUT | winter | {"2020-06-05": 6.0, "2020-06-15": 6.0}, "2019-05-01") is None


def test_the_same_summer_proves_nothing():
    assert (
        recovered(CUT | {"2019-08-20": 0.0, "2019-09-01": 0.0, "2019-09-10": 0}, "2019-05-01")
        is None
    )


def test_a_single_cloud_breaks_no_run_two_do():
    run = {"2020-05-05": 0.0, "2020-06-05": 9.0, "2020-07-05": 0.0}
    assert recovered(CUT | run, "2019-05-01") == "2020-05-05"
    two = {"2020-05-05": 0.0, "2020-06-05": 9.0, "2020-06-15": 9.0, "2020-07-05": 0.0}
    assert recovered(CUT | two, "2019-05-01") is None


def test_missing_observations_and_what_came_before_the_change_dont_count():
    before = {"2018-05-01": 9.0, "2018-06-01": 9.0}
    back = {"2020-05-05": np.nan, "2020-06-05": 0.0, "2020-07-08": 0.0}
    assert recovered(before | CUT | back, "2019-05-01") == "2020-06-05"
    assert recovered(CUT | back, "2019-05-01", n_proofs=3) is None


def test_a_pixel_without_change_isnt_back():
    values = np.zeros((3, 2), np.float32)
    found = find_recoveries(
        values, np.arange(3), np.array([-1, -1], np.int32), threshold=2.0, n_proofs=1
    )
    assert (found == -1).all()
