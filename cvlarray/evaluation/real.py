"""What models say of real data, as far as something is known of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray

from cvlarray.errors import ReadError
from cvlarray.evaluation.results import RealCheck
from cvlarray.inference import change_probability, infer
from cvlarray.models import LandCoverClass, Model
from cvlarray.names import NO_DATE
from cvlarray.radar import radar_changes, radar_departure

__all__ = ["read_opera_burst", "real_checks"]

_CHIP_BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
_CHIP_WATER, _CHIP_LAND = 2, 3
_SPLIT = "2023-02-01"
"""California: three seasons of history before it, one season watched."""


def real_checks(
    folder: Path, land_cover: Sequence[Model], radar: Sequence[Model]
) -> list[RealCheck]:
    """Return figures on the real chips and bursts of a folder.

    Parameters
    ----------
    folder
        With ``csmask_chips/sentinel2.npz`` (reflectance at the top of the atmosphere, with water
        and land told apart) and ``opera_s1/california_T137`` (four bursts of grass and oak, of
        which no change is known).
    land_cover, radar
        Models; those that need a band that the chips lack are left out.

    Raises
    ------
    ReadError
        If either is missing or unreadable.
    """
    return [*_chips(folder / "csmask_chips" / "sentinel2.npz", land_cover), *_bursts(folder, radar)]


def read_opera_burst(folder: Path) -> xr.Dataset:
    """Return ``vv`` and ``vh`` (time, y, x), linear gamma0, of a folder of OPERA RTC-S1 files.

    Raises
    ------
    ReadError
        If there is none, or a date lacks a polarisation.
    """
    layers: dict[np.datetime64, dict[str, NDArray[Any]]] = {}
    for path in sorted(folder.glob("*_V[VH].tif")):
        day = re.search(r"_(\d{4})(\d{2})(\d{2})T\d{6}Z_", path.name)
        if day is None:
            raise ReadError(f"{path} has no date in its name, such as _20211119T015858Z_")
        try:
            with rasterio.open(path) as dataset:
                image = dataset.read(1)
        except rasterio.errors.RasterioError as error:
            raise ReadError(f"{path} can't be read: {error}") from error
        date = np.datetime64("-".join(day.groups()), "ns")
        layers.setdefault(date, {})[path.stem[-2:].lower()] = image
    if not layers or any(len(both) != 2 for both in layers.values()):
        raise ReadError(f"{folder} must have VV and VH of each date as OPERA RTC-S1 names them")
    dates = sorted(layers)
    stacked = {name: np.stack([layers[date][name] for date in dates]) for name in ("vv", "vh")}
    height, width = stacked["vv"].shape[1:]
    return xr.Dataset(
        {name: (("time", "y", "x"), values) for name, values in stacked.items()},
        {"time": dates, "y": -30.0 * np.arange(height), "x": 30.0 * np.arange(width)},
    )


def _chips(path: Path, models: Sequence[Model]) -> Iterator[RealCheck]:
    """Yield how much of real water and land is taken for ponds of mines."""
    try:
        with np.load(path) as chip:
            image, mask = chip["img"].astype(np.float32), chip["msk"][..., 0]
    except (OSError, KeyError, ValueError) as error:
        raise ReadError(f"{path} is no chip of csmask: {error}") from error
    pixels = {"y": -10.0 * np.arange(image.shape[0]), "x": 10.0 * np.arange(image.shape[1])}
    cube = xr.Dataset(
        {name: (("y", "x"), image[..., k]) for k, name in enumerate(_CHIP_BANDS)}, pixels
    )
    for model in models:
        names = [band.name for band in model.spec.bands]
        if not set(names) <= set(_CHIP_BANDS):
            continue
        said = infer(cube[names], model, window=256, overlap=64)[model.spec.output].to_numpy()
        for ground, code in (("water", _CHIP_WATER), ("land", _CHIP_LAND)):
            inside = mask == code
            if not inside.any():
                continue
            share = float((said[inside] == LandCoverClass.TAILINGS_POND).mean())
            yield RealCheck(
                "csmask Sentinel-2 chip", model.spec.name, f"{ground} called pond", share
            )


def _bursts(folder: Path, models: Sequence[Model]) -> Iterator[RealCheck]:
    """Yield how much of a landscape without known change is confirmed as changed."""
    bursts = sorted((folder / "opera_s1" / "california_T137").glob("T137-*"))
    if not bursts:
        raise ReadError(f"{folder} has no bursts in opera_s1/california_T137")
    departures = [radar_departure(read_opera_burst(one), until=_SPLIT) for one in bursts]
    for model in models:
        confirmed = []
        for departure in departures:
            maps = infer(departure, model, window=128, overlap=32)
            found = radar_changes(change_probability(maps, model.spec.output))
            confirmed.append(float((found["confirmed"] != NO_DATE).mean()))
        yield RealCheck(
            "OPERA Sentinel-1, California", model.spec.name, "confirmed as changed",
            float(np.mean(confirmed)),
        )  # fmt: skip
