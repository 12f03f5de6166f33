import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from cvlarray.grid import tiles
from cvlarray.masking import (
    coverage_by_month,
    coverage_by_ten_days,
    is_clear_of,
    tile_coverage,
)
from cvlarray.masking.picture import coverage_figure
from cvlarray.names import MASKED_SHARE, NEEDS_SAR, QualityFlag

CLOUD, WATER, FILL = QualityFlag.CLOUD, QualityFlag.WATER, QualityFlag.FILL


def quality_of(values, dates):
    times = pd.DatetimeIndex(dates)
    return xr.DataArray(
        np.asarray(values, np.uint8), dims=("time", "y", "x"), coords={"time": times}
    )


def random_quality(seed, shape=(3, 23, 31)):
    random = np.random.default_rng(seed)
    values = random.choice([0, CLOUD, WATER, FILL], shape, p=[0.3, 0.4, 0.1, 0.2])
    return quality_of(values, pd.date_range("2024-01-01", periods=shape[0], freq="5D"))


@settings(max_examples=25)
@given(st.integers(0, 99), st.integers(7, 40))
def test_counts_tile_by_tile(seed, tile_px):
    quality = random_quality(seed)
    inside = xr.DataArray(np.random.default_rng(seed).random((23, 31)) < 0.7, dims=("y", "x"))
    coverage = tile_coverage(quality, tile_px, inside=inside)
    geobox = GeoBox((23, 31), Affine(10, 0, 0, 0, -10, 0), "EPSG:32719")
    for tile in tiles(geobox, tile_px):
        part, matters = quality[:, tile.y, tile.x], inside[tile.y, tile.x].to_numpy()
        for date in range(3):
            found = coverage.sel(tile=tile.name).isel(time=date)
            clear = is_clear_of(part[date]).to_numpy()[matters]
            seen = (part[date] != FILL).to_numpy()[matters]
            if not seen.any():
                assert np.isnan(found[MASKED_SHARE.name])
                assert not found[NEEDS_SAR.name]
            else:
                assert found[MASKED_SHARE.name] == pytest.approx(1 - clear.mean())
                assert found[NEEDS_SAR.name] == (np.float32(1 - clear.mean()) > 0.6)


@settings(max_examples=25)
@given(st.integers(5, 23), st.integers(5, 31), st.integers(1, 3), st.integers(5, 40))
def test_same_for_any_chunks(chunk_y, chunk_x, chunk_time, tile_px):
    quality = random_quality(7)
    chunked = quality.chunk(time=chunk_time, y=chunk_y, x=chunk_x)
    lazy = tile_coverage(chunked, tile_px)
    assert all(variable.chunks for variable in lazy.data_vars.values())
    xr.testing.assert_identical(
        lazy.compute(scheduler="synchronous"), tile_coverage(quality, tile_px)
    )


def test_sixty_percent_is_not_yet_too_much():
    row = np.zeros((1, 1, 10), np.uint8)
    row[..., :6] = CLOUD
    assert not tile_coverage(quality_of(row, ["2024-01-01"]), 10)[NEEDS_SAR.name].any()
    row[..., :7] = CLOUD
    assert tile_coverage(quality_of(row, ["2024-01-01"]), 10)[NEEDS_SAR.name].all()


def test_what_the_swath_missed_was_not_seen():
    row = np.zeros((1, 1, 10), np.uint8)
    row[..., :8] = FILL
    coverage = tile_coverage(quality_of(row, ["2024-01-01"]), 10)
    assert coverage[MASKED_SHARE.name].item() == pytest.approx(0.8)
    row[...] = FILL
    coverage = tile_coverage(quality_of(row, ["2024-01-01"]), 10)
    assert np.isnan(coverage[MASKED_SHARE.name].item())
    assert not coverage[NEEDS_SAR.name].item()


def test_stays_lazy(raise_if_dask_computes):
    with raise_if_dask_computes():
        coverage = tile_coverage(random_quality(1).chunk(y=7), 10)
    assert all(dask.is_dask_collection(one) for one in coverage.data_vars.values())


def test_attributes():
    coverage = tile_coverage(random_quality(1), 16)
    assert coverage[MASKED_SHARE.name].attrs == MASKED_SHARE.attrs
    assert coverage[NEEDS_SAR.name].dtype == bool
    assert coverage["tile"].values.tolist() == ["r000c000", "r000c001", "r001c000", "r001c001"]


def two_tiles():
    """Return four dates of two tiles of ten pixels; the second wasn't reached on the last."""
    masked = [(0, 9), (8, 5), (2, 10), (1, None)]
    values = np.zeros((4, 1, 20), np.uint8)
    for date, (first, second) in enumerate(masked):
        values[date, 0, :first] = CLOUD
        values[date, 0, 10 : 10 + (10 if second is None else second)] = (
            FILL if second is None else CLOUD
        )
    # 1970-01-01 + 1972 × 10 days is 2023-12-29.
    return quality_of(values, ["2023-12-30", "2024-01-07", "2024-01-08", "2024-02-05"])


def test_table_by_ten_days():
    table = coverage_by_ten_days(tile_coverage(two_tiles(), 10))
    assert [str(start.date()) for start in table.index] == [
        "2023-12-29",
        "2024-01-08",
        "2024-01-18",
        "2024-01-28",
    ]
    first, second, empty, last = (table.iloc[number] for number in range(4))
    assert (first["n_dates"], first["n_tile_dates"]) == (2, 4)
    assert first["clear_share"] == pytest.approx((1 + 0.1 + 0.2 + 0.5) / 4)
    assert first["clear_tile_dates"] == pytest.approx(2 / 4)
    assert first["clear_tiles"] == 1
    assert (second["clear_tile_dates"], second["clear_tiles"]) == (0.5, 0.5)
    assert (empty["n_dates"], empty["clear_tiles"]) == (0, 0)
    assert np.isnan(empty["clear_share"])
    assert (last["n_tile_dates"], last["clear_tiles"]) == (1, 0.5)


def test_table_by_month():
    table = coverage_by_month(tile_coverage(two_tiles(), 10))
    assert [str(start.date()) for start in table.index] == [
        "2023-12-01",
        "2024-01-01",
        "2024-02-01",
    ]
    assert table["n_dates"].tolist() == [1, 2, 1]
    assert table["clear_tile_dates"].tolist() == [0.5, 0.5, 1]
    assert table["clear_tiles"].tolist() == [0.5, 1, 0.5]


def test_windows_stay_when_dates_are_added():
    quality = random_quality(3, (12, 10, 10))
    early = coverage_by_ten_days(tile_coverage(quality.isel(time=slice(4, None)), 10))
    every = coverage_by_ten_days(tile_coverage(quality, 10))
    pd.testing.assert_frame_equal(early.iloc[1:], every.loc[early.index[1] :], check_freq=False)


def test_figure_shows_both_tables(tmp_path):
    coverage = tile_coverage(two_tiles(), 10)
    ten_days, months = coverage_by_ten_days(coverage), coverage_by_month(coverage)
    figure = coverage_figure(ten_days, months)
    for axes, table in zip(figure.axes, (ten_days, months), strict=True):
        no_image, once, looks = axes.containers
        assert [bar.get_height() > 0 for bar in no_image] == (table["n_dates"] == 0).tolist()
        assert [bar.get_height() for bar in once] == (100 * table["clear_tiles"]).tolist()
        heights = [bar.get_height() for bar in looks]
        assert heights == (100 * table["clear_tile_dates"].fillna(0)).tolist()
        days = np.diff(table.index.to_numpy()) / np.timedelta64(1, "D")
        assert [bar.get_width() for bar in once][:-1] == days.tolist()
    figure.savefig(tmp_path / "coverage.png")
    assert (tmp_path / "coverage.png").stat().st_size > 5_000


def test_what_is_refused():
    quality = random_quality(1)
    with pytest.raises(ValueError, match="tile_px must be at least 1"):
        tile_coverage(quality, 0)
    with pytest.raises(ValueError, match="inside must be"):
        tile_coverage(quality, 5, inside=xr.DataArray(np.ones((3, 3), bool), dims=("y", "x")))
    with pytest.raises(ValueError, match="a table needs numbers, got lazy coverage"):
        coverage_by_month(tile_coverage(quality.chunk(), 5))
