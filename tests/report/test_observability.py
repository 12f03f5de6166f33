import datetime as dt

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.report import Period
from cvlarray.report.observability import (
    RegionGap,
    blind_rows,
    clear_by_month,
    grid_area_m2,
    measure,
    region_gaps,
)

GEOBOX = GeoBox((70, 90), Affine(10, 0, 5_272_000, 0, -10, 2_533_000), "EPSG:3035")
PERIOD = Period(dt.date(2019, 1, 1), dt.date(2019, 12, 31))


@pytest.fixture(scope="module")
def detections():
    rng = np.random.default_rng(11)
    gaps = rng.integers(5, 300, GEOBOX.shape).astype(np.uint16)
    n_clear = rng.integers(0, 6, GEOBOX.shape).astype(np.uint16)
    return xr.Dataset({"n_clear": (("y", "x"), n_clear), "max_gap_days": (("y", "x"), gaps)})


def test_sizes_are_those_of_plain_numpy(detections):
    seen = measure(detections, GEOBOX)
    gaps = detections["max_gap_days"].values
    assert seen.longest_gap_days == gaps.max()
    assert seen.median_gap_days == np.quantile(gaps, 0.5, method="inverted_cdf")
    assert seen.never_clear_share == (detections["n_clear"].values == 0).mean()
    for gap in seen.gap_shares:
        assert gap.share == pytest.approx((gaps > gap.days).mean())
        assert gap.area_m2 == pytest.approx(gap.share * seen.area_m2)
    np.testing.assert_array_equal(seen.gap_days, gaps)
    np.testing.assert_array_equal(seen.never_clear, detections["n_clear"].values == 0)


def test_lazy_input_gives_the_same_in_one_computation(detections, raise_if_dask_computes):
    eager = measure(detections, GEOBOX)
    with raise_if_dask_computes(max_computes=1):
        lazy = measure(detections.chunk(y=32, x=50), GEOBOX)
    assert lazy.gap_shares == eager.gap_shares
    assert lazy.median_gap_days == eager.median_gap_days
    np.testing.assert_array_equal(lazy.gap_days, eager.gap_days)


def test_days_decoded_as_timedelta_are_days(detections):
    decoded = detections.assign(
        max_gap_days=detections["max_gap_days"].astype("timedelta64[D]").astype("timedelta64[ns]")
    )
    assert measure(decoded, GEOBOX).median_gap_days == measure(detections, GEOBOX).median_gap_days


def test_steps_that_everything_exceeds_are_told_once():
    gaps = xr.full_like(xr.DataArray(np.zeros(GEOBOX.shape, np.uint16), dims=("y", "x")), 100)
    same = xr.Dataset({"n_clear": gaps, "max_gap_days": gaps})
    assert [(gap.days, gap.share) for gap in measure(same, GEOBOX).gap_shares] == [(90, 1.0)]


def test_picture_of_a_large_grid_shows_the_worst_pixel_of_each_cell():
    geobox = GeoBox((1300, 700), GEOBOX.affine, "EPSG:3035")
    gaps = np.full(geobox.shape, 10, np.uint16)
    gaps[1299, 699] = 200
    seen = measure(
        xr.Dataset(dict.fromkeys(("n_clear", "max_gap_days"), (("y", "x"), gaps))), geobox
    )
    assert max(seen.gap_days.shape) <= 600
    assert seen.gap_days[-1, -1] == 200
    assert seen.longest_gap_days == 200


def test_area_of_an_equal_area_grid_is_its_pixels():
    assert grid_area_m2(GEOBOX) == pytest.approx(70 * 90 * 100, rel=1e-6)


def test_area_of_a_utm_grid_is_corrected_for_its_scale():
    # On the central meridian a UTM length is 0.9996 of the ground, so areas are larger.
    utm = GeoBox((100, 100), Affine(10, 0, 500_000, 0, -10, 8_600_000), "EPSG:32719")
    assert grid_area_m2(utm) == pytest.approx(1e6 / 0.9996**2, rel=1e-5)


def shares(*rows):
    return pd.DataFrame(rows, columns=["date", "clear_share"])


def test_gaps_of_the_region_run_between_dates_that_saw_half_of_it():
    seen = shares(
        ("2018-12-30", 1.0),
        ("2019-03-01", 0.5),
        ("2019-05-01", 0.49),
        ("2019-06-09", 0.9),
        ("2019-12-21", 0.8),
    )
    first, last = dt.date(2019, 3, 1), dt.date(2019, 12, 21)
    assert region_gaps(seen, PERIOD) == [
        RegionGap(dt.date(2019, 6, 9), last, 195),
        RegionGap(first, dt.date(2019, 6, 9), 100),
        RegionGap(None, first, 59),
        RegionGap(last, None, 10),
    ]


def test_a_period_without_a_clear_date_is_one_gap():
    assert region_gaps(shares(("2019-03-01", 0.1)), PERIOD) == [RegionGap(None, None, 364)]


def test_clear_by_month_adds_the_shares_up():
    months = [pd.Period("2019-03"), pd.Period("2019-04")]
    seen = shares(("2019-03-01", 0.5), (dt.date(2019, 3, 31), 0.75), ("2019-05-01", 1.0))
    assert clear_by_month(seen, months) == [1.25, 0.0]


def test_the_jurisdictions_that_went_unseen_the_longest_come_first():
    table = pd.DataFrame(
        {
            "layer": "parks",
            "role": "strict_protection",
            "code": ["PN01", None, "PN03"],
            "name": ["A", "B", "C"],
            "area_km2": [1.0, 2.0, 3.0],
            "never_seen_share": [0.0, 0.5, 0.0],
            "median_blind_days": [10, 200, 30],
            "p90_blind_days": [20, 300, 40],
            "longest_blind_days": [30, 365, 50],
        }
    )
    rows = blind_rows(table, at_most=2)
    assert [(row.feature, row.median, row.longest) for row in rows] == [
        ("B", 200, 365),
        ("C PN03", 30, 50),
    ]
    assert rows[0].area_m2 == 2e6
    assert blind_rows(None, at_most=2) == []
