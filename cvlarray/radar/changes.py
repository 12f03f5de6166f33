"""Changes out of what a model says of each date of radar: confirmed, with an interval of dates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.kernels.bayes_chain import NEVER, add_up
from cvlarray.names import NEEDS_REVIEW, NO_DATE, RADAR_VARIABLES

__all__ = ["Confirmation", "radar_belief", "radar_changes"]

_RECORD = np.dtype([(variable.name, variable.dtype) for variable in RADAR_VARIABLES])


@dataclass(frozen=True)
class Confirmation:
    """How much evidence makes a change of radar.

    RADD (Reiche et al. 2021) takes 0.9 and 0.975; these were chosen on simulated regions apart from
    those that are reported on.

    Raises
    ------
    ValueError
        If a probability isn't above a half and below 1.
    """

    most: float = 0.95
    """No single date counts for more, so that one wet or windy day confirms nothing."""
    clear: float = 0.9
    """From it on a date says clearly what it says; such dates bound the interval."""
    least: float = 0.995
    """Probability of all dates of a run that confirms it."""

    def __post_init__(self) -> None:
        for name in ("most", "clear", "least"):
            if not 0.5 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0.5 and 1, got {getattr(self, name)}")


def radar_changes(
    probability: xr.DataArray,
    *,
    confirmation: Confirmation = Confirmation(),
) -> xr.Dataset:
    """Return the first confirmed change of each pixel, from probabilities date by date.

    Parameters
    ----------
    probability
        float32 (time, y, x), 0 to 1, that the pixel has changed by what the date alone shows; NaN
        where not seen. Of one orbit, or of several put together in order of time: a probability is
        free of the orbit it was found in, as backscatter is not.
    confirmation
        How much evidence it takes.

    Returns
    -------
    `cvlarray.names.RADAR_VARIABLES`, each (y, x). Dates are days since 1970-01-01, -1 without a
    change. The change lies after ``interval_start``, the last date that spoke clearly for none
    (or, without one, the day before the first date), and not after ``interval_end``, the first that
    spoke clearly for it. Every change ``needs_review``. Lazy if ``probability`` is.

    Raises
    ------
    ValueError
        If time doesn't increase.

    References
    ----------
    Reiche et al. 2021, Environmental Research Letters 16, doi:10.1088/1748-9326/abd0a8.
    """
    series = probability.transpose("time", "y", "x")
    days = series["time"].to_numpy().astype("datetime64[D]").astype(np.int32)
    if (np.diff(days) <= 0).any():
        raise ValueError(
            "time must increase from date to date; put the orbits' probabilities in order with "
            'xr.concat([...], "time").sortby("time"), one a day'
        )
    data: Any = series.data
    if isinstance(data, da.Array):
        whole = data.rechunk({0: -1})
        map_blocks: Any = da.map_blocks  # dask leaves it untyped
        packed = map_blocks(
            radar_changes_of_block, whole, drop_axis=0, dtype=_RECORD,
            meta=np.empty((0, 0), _RECORD), days=days, confirmation=confirmation,
        )  # fmt: skip
    else:
        packed = radar_changes_of_block(data, days=days, confirmation=confirmation)
    coords = {name: one for name, one in series.coords.items() if "time" not in one.dims}
    mapping = {key: value for key, value in series.attrs.items() if key == "grid_mapping"}
    found = xr.Dataset(coords=coords)
    for variable in RADAR_VARIABLES:
        found[variable.name] = (("y", "x"), packed[variable.name], {**variable.attrs, **mapping})
    return found


def radar_belief(probability: xr.DataArray, *, n_dates: int = 3, most: float = 0.9) -> xr.DataArray:
    """Return the probability that a pixel has changed, by the last dates together.

    Parameters
    ----------
    probability
        As for `radar_changes`.
    n_dates
        Dates that are added up; what lies further back no longer counts.
    most
        No date counts for more.

    Returns
    -------
    float32, dims as given, NaN where none of the dates was seen. Lazy if ``probability`` is.
    """
    bounded = probability.clip(1 - most, most)
    log_odds: xr.DataArray = xr.ufuncs.log(bounded / (1 - bounded))
    total = log_odds.rolling(time=n_dates, min_periods=1).sum()
    belief: xr.DataArray = 1 / (1 + xr.ufuncs.exp(-total))
    return belief.astype(np.float32)


def radar_changes_of_block(
    probability: NDArray[np.float32], *, days: NDArray[np.int32], confirmation: Confirmation
) -> NDArray[Any]:
    """Return the findings of a block (time, y, x) as records (y, x)."""
    shape = probability.shape[1:]
    chain = add_up(
        probability.reshape(len(days), -1),
        most=confirmation.most,
        clear=confirmation.clear,
        least_odds=confirmation.least / (1 - confirmation.least),
    )
    is_change = chain.confirmed != NEVER
    before = np.where(chain.last_intact == NEVER, days[0] - 1, days[chain.last_intact])
    sure = np.where(chain.surely_changed == NEVER, chain.confirmed, chain.surely_changed)
    records = np.zeros(is_change.size, _RECORD)
    found = {
        "first_flagged": days[chain.first],
        "confirmed": days[chain.confirmed],
        "interval_start": before,
        "interval_end": days[sure],
    }
    for name, values in found.items():
        records[name] = np.where(is_change, values, NO_DATE)
    records["confidence"] = np.where(is_change, chain.odds / (1 + chain.odds), np.nan)
    records["n_flagged"], records["n_since"] = chain.n_flagged, chain.n_since
    records[NEEDS_REVIEW.name] = is_change
    return records.reshape(shape)
