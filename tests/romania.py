"""The real square of Romanian forest: its data, what was cut, and how well detections fit it.

Sentinel-2 L2A of 1 × 1 km, 140 dates from 2015-08 to 2021-01, carried by the package nrt 0.1.0
(EUPL-1.2). Group cuts were made in the winters 2018/19 (campaign A) and 2019/20 (B); a river runs
through, and older cuts grow back.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from cvlarray.features import feature_cube
from cvlarray.masking import is_clear
from cvlarray.names import NODATA_DN

HISTORY = slice("2015-08-01", "2018-08-31")
MONITORING = slice("2018-09-01", "2021-01-31")
BANDS = {
    10: {"B2": "blue", "B3": "green", "B4": "red", "B8": "nir"},
    20: {"B3": "green", "B4": "red", "B8A": "nir08", "B11": "swir16"},
}


def data_file(resolution_m: int) -> Path:
    """Return the file of the 10 m or 20 m bands, or skip."""
    name = f"sentinel2_cube_subset_romania_{resolution_m}m.nc"
    try:
        files = metadata.files("nrt") or []
    except metadata.PackageNotFoundError:
        files = []
    found = [Path(str(one.locate())) for one in files if one.name == name]
    if not found or not found[0].is_file():
        pytest.skip("the Romanian square is absent; install it with: pip install nrt==0.1.0")
    return found[0]


def load(resolution_m: int) -> xr.Dataset:
    """Return the square as a cube: int16 bands by their common names, and scl."""
    with xr.open_dataset(data_file(resolution_m), mask_and_scale=False) as source:
        raw = source.load()
    cube = {
        name: raw[key].where(raw[key] > 0, NODATA_DN).astype(np.int16).drop_attrs()
        for key, name in BANDS[resolution_m].items()
    }
    return xr.Dataset({**cube, "scl": raw["SCL"].astype(np.uint8).drop_attrs()})


@dataclass(frozen=True)
class Truth:
    """What became of each pixel, from the summers' medians of NDVI; boolean (y, x)."""

    campaign_a: NDArray[np.bool_]
    """Fell by more than 0.2 by June and July 2019."""
    campaign_b: NDArray[np.bool_]
    """Still stood then, and fell by more than 0.2 by May to July 2020."""
    dropped: NDArray[np.bool_]
    """Fell by more than 0.1 by either summer."""
    water: NDArray[np.bool_]
    """River and its banks: never green in 2016 to 2018."""


def truth(cube: xr.Dataset) -> Truth:
    """Return what happened, by a way of its own: medians of summers, no model, no detector."""
    clear = is_clear(cube["scl"], clear_classes={4, 5, 6, 7})
    ndvi = feature_cube(cube, clear, ["ndvi"]).isel(feature=0)
    values = ndvi.where(ndvi != NODATA_DN) / 1e4
    year, month = values["time"].dt.year, values["time"].dt.month
    before = _median(values, year.isin([2016, 2017, 2018]) & month.isin([5, 6, 7]))
    drop_19 = before - _median(values, (year == 2019) & month.isin([6, 7]))
    drop_20 = before - _median(values, (year == 2020) & month.isin([5, 6, 7]))
    campaign_a = drop_19 > 0.2
    return Truth(
        campaign_a,
        (drop_20 > 0.2) & (drop_19 < 0.05),
        (drop_19 > 0.1) | (drop_20 > 0.1),
        before < 0.7,
    )


def _median(values: xr.DataArray, when: xr.DataArray) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a pixel without clear dates is NaN
        return values.sel(time=when).median("time").to_numpy()


@dataclass(frozen=True)
class Score:
    """How well detections fit; shares from 0 to 1, with a pixel's tolerance."""

    covered: float
    """Cut pixels with a confirmed detection within one pixel."""
    true: float
    """Confirmed detections within one pixel of a drop."""
    a_in_time: float
    """Detected pixels of campaign A that were flagged by 2019-07-15."""
    b_in_time: float
    """Detected pixels of campaign B that were flagged from 2019-10-20 to 2020-06-30."""
    n_on_water: int
    """Confirmed detections on the river or its banks."""
    n_detected: int


def evaluate(
    detections: xr.Dataset, known: Truth, within: NDArray[np.bool_] | None = None
) -> Score:
    """Return the score of detections over the square, or over a part of it."""
    part = np.ones_like(known.dropped) if within is None else within
    first = detections["first_flagged"].to_numpy()
    is_detected = first >= 0
    cut = (known.campaign_a | known.campaign_b) & part
    found_a = known.campaign_a & is_detected & part
    found_b = known.campaign_b & is_detected & part
    found = is_detected & part
    return Score(
        covered=float(grown(is_detected)[cut].mean()),
        true=float(grown(known.dropped)[found].mean()),
        a_in_time=float((first[found_a] <= _day("2019-07-15")).mean()),
        b_in_time=float(
            ((first[found_b] >= _day("2019-10-20")) & (first[found_b] <= _day("2020-06-30"))).mean()
        ),
        n_on_water=int((found & known.water & ~grown(known.dropped)).sum()),
        n_detected=int(found.sum()),
    )


def meets(score: Score) -> bool:
    """Return whether a score is good enough."""
    return (
        score.covered >= 0.95
        and score.true >= 0.97
        and score.a_in_time >= 0.98
        and score.b_in_time >= 0.98
        and score.n_on_water == 0
    )


def grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what lies within one pixel of a mask, corners too."""
    return ndimage.binary_dilation(mask, np.ones((3, 3), bool))


def _day(date: str) -> int:
    return int(np.datetime64(date, "D").astype(int))
