"""What was seen and what was expected at the place of an alert, ready to be drawn."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["AlertSeries"]


@dataclass(frozen=True)
class AlertSeries:
    """Time series of one feature over the pixels of one alert.

    Raises
    ------
    ValueError
        If arrays that belong together differ in length.
    """

    event_id: str
    feature: str
    """Name of the feature, such as ``ndvi``."""
    dates: npt.NDArray[np.datetime64]
    """(n,) datetime64[D]: the dates with a clear observation, increasing."""
    observed: npt.NDArray[np.float32]
    """(n,) median over the alert's clear pixels [feature's unit, 1 for an index]; never NaN."""
    curve_dates: npt.NDArray[np.datetime64]
    """(m,) datetime64[D]: regular dates over the same time, for the lines below."""
    expected: npt.NDArray[np.float32]
    """(m,) what the season leads one to expect; NaN where the baseline has no model."""
    lower: npt.NDArray[np.float32]
    """(m,) lower edge of the expected band."""
    upper: npt.NDArray[np.float32]
    """(m,) upper edge of the expected band."""
    monitoring_start: dt.date
    """First date watched; before it lies the history that the curve was learned from."""
    first_detected: dt.date
    confirmed: dt.date

    def __post_init__(self) -> None:
        _same_length("dates", self.dates, observed=self.observed)
        _same_length(
            "curve_dates",
            self.curve_dates,
            expected=self.expected,
            lower=self.lower,
            upper=self.upper,
        )


def _same_length(
    axis: str, dates: npt.NDArray[np.datetime64], **values: npt.NDArray[np.float32]
) -> None:
    for name, array in values.items():
        if array.shape != dates.shape:
            raise ValueError(
                f"{name} must have one value per {axis}, got shape {array.shape} for {dates.shape}"
            )
