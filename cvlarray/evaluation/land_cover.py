"""Land cover against the simulator's truth, region by region."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.evaluation.regions import Region
from cvlarray.evaluation.scores import confusion_of
from cvlarray.inference import NO_CLASS, infer
from cvlarray.masking import is_clear
from cvlarray.models import LAND_COVER, Model
from cvlarray.names import NODATA_DN
from cvlarray.simulate import Calendar, Pass, sentinel2_cube, truth_cube

__all__ = ["LandCoverCounts", "View", "classified", "count_land_cover", "views_of"]

LEAST_CLEAR = 0.2
"""Dates of which less is seen clearly are not looked at."""


@dataclass(frozen=True)
class View:
    """One clear enough date of a region, and the truth."""

    region: Region
    date: np.datetime64
    cube: xr.Dataset
    """Bands (y, x) as DN, missing where the scene classification doesn't call it clear."""
    truth: NDArray[np.uint8]
    """(y, x) `cvlarray.simulate.LandCover`."""


@dataclass(frozen=True)
class LandCoverCounts:
    """What a model said of one view."""

    region: str
    group: str
    confusion: NDArray[np.int64]
    """(the five classes, the model's classes)."""
    seconds: float
    """CPU time of inference."""
    megapixels: float


def views_of(region: Region, bands: Sequence[str], *, n_dates: int = 2) -> Iterator[View]:
    """Yield the last dates of a region's period that are clear enough, from both seasons.

    Parameters
    ----------
    region
        Any.
    bands
        Of Sentinel-2 to draw.
    n_dates
        How many, at most.
    """
    landscape = region.landscape
    passes = list(Calendar(landscape.start, landscape.end).sentinel2())
    random = np.random.default_rng([landscape.seed, 3])
    found = 0
    for number in random.permutation(len(passes)):
        view = _view(region, passes[int(number)], bands)
        if view is not None:
            yield view
            found += 1
        if found == n_dates:
            return


def _view(region: Region, at: Pass, bands: Sequence[str]) -> View | None:
    landscape = region.landscape
    sky = sentinel2_cube(landscape, [at], bands=("scl",)).isel(time=0)
    clear = is_clear(sky["scl"]).compute()
    if clear.mean() < LEAST_CLEAR:
        return None
    cube = sentinel2_cube(landscape, [at], bands=tuple(bands)).isel(time=0)
    seen = cube[list(bands)].compute().where(clear, NODATA_DN)
    truth = truth_cube(landscape, [at.date])["land_cover"].isel(time=0).to_numpy()
    return View(region, np.datetime64(at.date), seen, truth)


def classified(view: View, model: Model) -> xr.Dataset:
    """Return the model's maps of a view."""
    spec = model.spec
    names = [band.name for band in spec.bands]
    overlap = max(64, 2 * spec.stride) if spec.halo else 0
    return infer(view.cube[names], model, window=256, overlap=overlap)


def count_land_cover(view: View, model: Model) -> LandCoverCounts:
    """Return how a model's classes meet the truth, over what was seen."""
    start = time.process_time()
    said = classified(view, model)[model.spec.output].to_numpy()
    seconds = time.process_time() - start
    confusion = confusion_of(
        np.where(said == NO_CLASS, NO_CLASS, view.truth).astype(np.uint8),
        said,
        n_classes=len(LAND_COVER),
        n_said=len(model.spec.classes),
    )
    megapixels = float((said != NO_CLASS).sum()) / 1e6
    return LandCoverCounts(view.region.name, str(view.region.group), confusion, seconds, megapixels)
