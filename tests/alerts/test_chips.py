"""Pictures of a place that is green and turns bright."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

import dask.array as da
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from PIL import Image

from cvlarray.alerts import render_chips, write_chips
from cvlarray.alerts.chips import MAX_BYTES, OUTLINE_COLOUR, choose_dates

# odc-geo multiplies transforms the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

SIZE = 100
CLEARED = np.s_[40:60, 45:55]
TIMES = pd.date_range("2022-01-15", "2024-12-31", freq="30D")
CHANGE = pd.Timestamp("2024-01-20")


@pytest.fixture
def cube() -> xr.Dataset:
    """Forest that is cleared on `CHANGE`, over three years."""
    geobox = GeoBox((SIZE, SIZE), Affine(10, 0, 350_000, 0, -10, 8_560_000), "EPSG:32719")
    rng = np.random.default_rng(0)
    forest = {"blue": 300, "green": 500, "red": 300, "nir": 3000}
    bare = {"blue": 1200, "green": 1500, "red": 2200, "nir": 2600}
    variables = {}
    for band, level in forest.items():
        values = rng.normal(level, 30, (len(TIMES), SIZE, SIZE)).astype(np.int16)
        values[TIMES >= CHANGE, *CLEARED] = bare[band]
        variables[band] = (("time", "y", "x"), values)
    return xr.Dataset(variables, coords={**xr_coords(geobox), "time": TIMES})


@pytest.fixture
def is_clear(cube: xr.Dataset) -> xr.DataArray:
    return xr.ones_like(cube["red"], dtype=bool)


@pytest.fixture
def alert() -> pd.Series:
    box = shapely.box(350_450, 8_560_000 - 600, 350_550, 8_560_000 - 400)
    return pd.Series(
        {
            "event_id": "20240204-abc",
            "geometry": gpd.GeoSeries([box], crs=32719).to_crs(4326).iloc[0],
            "first_detected": pd.Timestamp("2024-02-04"),
            "confirmed": pd.Timestamp("2024-04-04"),
            "interval_start": pd.Timestamp("2024-01-05"),
            "interval_end": pd.Timestamp("2024-02-04"),
        }
    )


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_before_is_forest_and_after_is_bare(
    cube: xr.Dataset, is_clear: xr.DataArray, alert: pd.Series
) -> None:
    chips = render_chips(cube, is_clear, alert, size_px=64)
    before, after = pixels(chips.before_png), pixels(chips.after_png)
    assert before.shape == after.shape == (192, 192, 3)
    middle = np.s_[80:110, 88:100]
    assert after[middle].mean() > before[middle].mean() + 80
    corner = np.s_[:30, :30]  # unchanged forest is drawn alike on both dates
    assert after[corner].mean() == pytest.approx(before[corner].mean(), abs=8)
    assert chips.rendering == "true colour"


def test_the_outline_is_drawn_round_the_alert(
    cube: xr.Dataset, is_clear: xr.DataArray, alert: pd.Series
) -> None:
    chips = render_chips(cube, is_clear, alert, size_px=64)
    for png in (chips.before_png, chips.after_png):
        row, col = np.nonzero((pixels(png) == OUTLINE_COLOUR).all(axis=2))
        # 20 × 10 pixels in the middle of 64, three times enlarged
        assert (row.min(), col.min()) == pytest.approx((66, 81), abs=1)
        assert (row.max(), col.max()) == pytest.approx((126, 111), abs=1)


def test_dates_are_of_one_season_and_on_the_right_side(
    cube: xr.Dataset, is_clear: xr.DataArray, alert: pd.Series
) -> None:
    chips = render_chips(cube, is_clear, alert)
    assert chips.before_date <= dt.date(2024, 1, 5)
    assert chips.after_date >= dt.date(2024, 4, 4)
    apart = (chips.after_date - chips.before_date).days % 365
    assert min(apart, 365 - apart) < 30


def test_pictures_are_small_also_of_large_and_noisy_places(alert: pd.Series) -> None:
    geobox = GeoBox((600, 600), Affine(10, 0, 347_500, 0, -10, 8_562_000), "EPSG:32719")
    noise = np.random.default_rng(1).integers(0, 10_000, (3, len(TIMES), 600, 600), np.int16)
    variables = dict(zip(("red", "green", "blue"), noise, strict=True))
    cube = xr.Dataset(
        {name: (("time", "y", "x"), values) for name, values in variables.items()},
        coords={**xr_coords(geobox), "time": TIMES},
    )
    chips = render_chips(cube, xr.ones_like(cube["red"], dtype=bool), alert, size_px=600)
    assert len(chips.before_png) <= MAX_BYTES
    assert max(pixels(chips.before_png).shape) <= 224


def test_only_the_window_is_read(
    cube: xr.Dataset, is_clear: xr.DataArray, alert: pd.Series
) -> None:
    expected = render_chips(cube, is_clear, alert, size_px=20)
    read = []

    def load(block: np.ndarray, block_info: dict | None = None) -> np.ndarray:
        if block_info:
            read.append(tuple(block_info[0]["chunk-location"]))
        return block

    lazy = cube.map(
        lambda band: band.copy(
            data=da.from_array(band.data, chunks=(1, 10, 10)).map_blocks(load, dtype=band.dtype)
        )
    )
    assert render_chips(lazy, is_clear, alert, size_px=20) == expected
    assert len({place[0] for place in read}) == 2
    # two rows of chunks and one or two columns around rows 32 to 68 and columns 40 to 60
    assert {place[1:] for place in read} <= {(y, x) for y in range(3, 7) for x in range(3, 7)}


def test_clouds_over_the_alert_count_even_if_the_rest_is_clear(
    cube: xr.Dataset, is_clear: xr.DataArray, alert: pd.Series
) -> None:
    first = render_chips(cube, is_clear, alert).after_date
    is_clear.data[pd.Timestamp(first) == TIMES, *CLEARED] = False
    assert render_chips(cube, is_clear, alert).after_date not in (None, first)


def test_without_a_clear_date_there_is_no_picture(
    cube: xr.Dataset, is_clear: xr.DataArray, alert: pd.Series, tmp_path: Path
) -> None:
    is_clear.data[TIMES >= CHANGE] = False
    chips = render_chips(cube, is_clear, alert)
    assert chips.after_png is chips.after_date is None
    assert chips.before_png is not None
    assert [path.name for path in write_chips(chips, tmp_path, "x")] == ["x_before.png"]
    is_clear.data[:] = False
    assert render_chips(cube, is_clear, alert)[:4] == (None, None, None, None)


def test_a_pixel_never_seen_unchanged_is_shown_before_it_was_flagged(
    cube: xr.Dataset, is_clear: xr.DataArray, alert: pd.Series
) -> None:
    alert["interval_start"] = pd.NaT
    assert render_chips(cube, is_clear, alert).before_date < dt.date(2024, 2, 4)


@pytest.mark.parametrize(
    ("renamed", "rendering"),
    [
        ({"blue": "swir16"}, "false colour (near infrared, red, green)"),
        ({"blue": "swir16", "nir": "nir08"}, "false colour (narrow near infrared, red, green)"),
    ],
)
def test_false_colour_stands_in(
    cube: xr.Dataset, is_clear: xr.DataArray, alert: pd.Series, renamed: dict, rendering: str
) -> None:
    assert render_chips(cube.rename(renamed), is_clear, alert).rendering == rendering


def test_too_few_bands_are_named(
    cube: xr.Dataset, is_clear: xr.DataArray, alert: pd.Series
) -> None:
    with pytest.raises(ValueError, match=r"red, green and blue.*got blue, nir"):
        render_chips(cube[["blue", "nir"]], is_clear, alert)


def test_the_same_input_gives_the_same_bytes(
    cube: xr.Dataset, is_clear: xr.DataArray, alert: pd.Series, tmp_path: Path
) -> None:
    one, two = (render_chips(cube, is_clear, alert) for _ in range(2))
    assert one == two
    paths = write_chips(one, tmp_path / "chips", "20240204-abc")
    assert [path.name for path in paths] == ["20240204-abc_before.png", "20240204-abc_after.png"]
    assert paths[1].read_bytes() == one.after_png


def test_missing_pixels_are_grey(
    cube: xr.Dataset, is_clear: xr.DataArray, alert: pd.Series
) -> None:
    cube["red"].data[:, :38, :] = -32768
    after = pixels(render_chips(cube, is_clear, alert, size_px=64).after_png)
    assert np.ptp(after[2, 2].astype(int)) == 0


DATES = np.arange("2023-01-01", "2025-01-01", 10, dtype="datetime64[D]")
CHANGED = np.datetime64("2024-06-01")


def chosen(clear_shares: np.ndarray) -> tuple[str, str]:
    before, after = choose_dates(DATES, clear_shares, CHANGED, CHANGED)
    return str(DATES[before]), str(DATES[after])


def test_dates_next_to_the_change_are_best_if_clear() -> None:
    assert chosen(np.ones(DATES.size)) == ("2024-05-25", "2024-06-04")


def test_a_year_back_is_better_than_another_season() -> None:
    clear = np.ones(DATES.size)
    clear[pd.DatetimeIndex(DATES).slice_indexer("2023-08-02", "2024-06-30")] = 0
    before, after = chosen(clear)
    assert after == "2024-07-04"
    assert "2023-06-20" < before < "2023-07-20"


def test_a_clear_date_is_better_than_a_near_one() -> None:
    clear = np.full(DATES.size, 0.6)
    clear[np.datetime64("2024-05-05") == DATES] = 1
    assert chosen(clear)[0] == "2024-05-05"
