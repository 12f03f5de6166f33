"""Growth of sites whose growth is known."""

import datetime as dt

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from cvlarray.annual import TREND_COLUMNS, growth_curves, rank_growth

CRS = "EPSG:32719"
X, Y = 400_000, 8_600_000


def events_of(*squares):
    """Return events (east, north, side, date), m from a corner; seen ten days after they began."""
    rows = [
        {
            "event_id": f"e{number}",
            "interval_start": pd.Timestamp(date) - pd.Timedelta(days=20),
            "first_detected": pd.Timestamp(date),
            "area_m2": float(side) ** 2,
            "geometry": shapely.box(X + east, Y + north, X + east + side, Y + north + side),
        }
        for number, (east, north, side, date) in enumerate(squares)
    ]
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=CRS).to_crs(4326)


def growing(start, side=100, years=5):
    """A mine that works its way east, 120 m and a tenth more a year."""
    return [(start + 120 * n, 0, side + 10 * n, dt.date(2016 + n, 7, 1)) for n in range(years)]


@pytest.fixture
def ranked():
    fields = [(5_000 + 800 * n, 2_000, 150, dt.date(2017, 6, 1)) for n in range(6)]
    events = events_of(*fields, *growing(0))
    placed, curve = growth_curves(events, crs=CRS, within_m=50)
    river = gpd.GeoDataFrame(
        {"name": ["Malinowski"]},
        geometry=[shapely.LineString([(X + 3000, Y - 500), (X - 3000, Y - 500)])],
        crs=CRS,
    )
    return placed, curve, rank_growth(placed, curve, rivers=river)


def test_a_mine_of_years_is_one_site(ranked):
    placed, curve, sites = ranked
    assert len(sites) == 7
    best = sites.iloc[0]
    assert best["n_events"] == 5
    assert curve.columns.tolist() == list(range(2016, 2021))
    np.testing.assert_allclose(
        curve.loc[best["site"]], [(100 + 10 * n) ** 2 / 1e4 for n in range(5)]
    )
    assert set(placed[placed["site"] == best["site"]]["year"]) == set(range(2016, 2021))


def test_rate_acceleration_and_direction(ranked):
    _, _, sites = ranked
    best = sites.iloc[0]
    assert list(sites.columns) == list(TREND_COLUMNS)
    assert best["rate_ha_per_year"] == pytest.approx(1.46)
    # Theil-Sen of 1.00, 1.21, 1.44, 1.69, 1.96: the median of all pairs' slopes.
    assert best["acceleration_ha_per_year2"] == pytest.approx(0.24)
    # Each year's middle is 125 m further east and 5 m further north than the last one's.
    assert best["bearing_deg"] == pytest.approx(np.degrees(np.arctan2(125, 5)), abs=0.5)
    assert best["drift_m_per_year"] == pytest.approx(np.hypot(125, 5), rel=0.01)
    assert best["river"] == "Malinowski"
    # The line is drawn from east to west, so this mine moves against it.
    assert best["river_drift_m_per_year"] == pytest.approx(-125, rel=0.01)


def test_one_off_clearings_come_last_and_have_no_direction(ranked):
    _, _, sites = ranked
    rest = sites.iloc[1:]
    assert (rest["score"] < sites.iloc[0]["score"]).all()
    assert rest["bearing_deg"].isna().all()
    assert rest["acceleration_ha_per_year2"].isna().sum() == 0  # the years since are there, at 0


def test_no_events():
    events = events_of((0, 0, 10, dt.date(2020, 1, 1))).iloc[:0]
    placed, curve = growth_curves(events, crs=CRS)
    assert rank_growth(placed, curve).empty
