"""Which pixels were forest, as their own season tells it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline.pixelwise import over_pixels
from cvlarray.kernels.season import DAYS_PER_YEAR, TimeAxis, design_matrix
from cvlarray.names import COEFFICIENTS, SIGMA

LOWEST_PEAK = {"ndvi": 0.6, "nbr": 0.45, "ndmi": 0.2}
"""Least expected value [1] of closed forest at the year's height, by vegetation index."""

_DATES_A_YEAR = 36


def is_forest(
    baseline: xr.Dataset,
    *,
    feature: str | None = None,
    lowest_peak: float | None = None,
    largest_sigma: float = 0.12,
) -> xr.DataArray:
    """Return which pixels were green at the height of their season and kept to it.

    Rivers and their banks, fields, and forest that was cut or grew back within the history fail
    one or the other.

    Parameters
    ----------
    baseline
        What `fit_baseline` returned.
    feature
        Vegetation index to judge by; the first of `LOWEST_PEAK` that the baseline has by default.
    lowest_peak
        Least expected value at the year's height [1]; that of `LOWEST_PEAK` by default, or NDVI's.
    largest_sigma
        Largest standard deviation of the residuals [1].

    Returns
    -------
    Boolean (y, x); False without a model. Lazy if ``baseline`` is.

    Raises
    ------
    ValueError
        If the baseline lacks the feature, or any vegetation index.
    """
    names = [str(name) for name in baseline["feature"].to_numpy()]
    chosen = _vegetation_index(names, feature)
    peak = LOWEST_PEAK.get(chosen, LOWEST_PEAK["ndvi"]) if lowest_peak is None else lowest_peak
    of_features = [name for name, coord in baseline.coords.items() if "feature" in coord.dims]
    one = baseline.isel(feature=names.index(chosen)).drop_vars(of_features)
    forest = over_pixels(
        partial(_is_forest, lowest_peak=1e4 * peak, largest_sigma=1e4 * largest_sigma),
        one[COEFFICIENTS.name].transpose("coefficient", "y", "x"),
        one[SIGMA.name].transpose("y", "x"),
        dims=("y", "x"),
        sizes={},
        dtype=np.bool_,
    )
    attrs = {"long_name": "pixel was forest in the history", "units": "1"}
    return forest.rename("is_forest").assign_attrs(attrs)


def _vegetation_index(names: Sequence[str], wanted: str | None) -> str:
    """Return the feature to judge by."""
    candidates = LOWEST_PEAK if wanted is None else [wanted]
    for name in candidates:
        if name in names:
            return name
    raise ValueError(
        f"is_forest needs the feature {' or '.join(candidates)}, the baseline has "
        f"{', '.join(names)}; add it or bring a forest mask of your own"
    )


def _is_forest(
    coefficients: NDArray[np.float32],
    sigma: NDArray[np.float32],
    *,
    lowest_peak: float,
    largest_sigma: float,
) -> NDArray[np.bool_]:
    """Return where the season's height and the residuals are those of forest."""
    year = np.linspace(0, DAYS_PER_YEAR, _DATES_A_YEAR, endpoint=False)
    order = (coefficients.shape[0] - 2) // 2
    basis = design_matrix(year, TimeAxis.over(0, DAYS_PER_YEAR), harmonic_order=order)
    basis[1] = 0  # the season at the middle of the history
    peak = np.full(sigma.shape, -np.inf, np.float32)
    height = np.empty_like(peak)
    for functions in basis.astype(np.float32).T:
        # A sum of a few terms: a matrix product would start BLAS threads inside every worker.
        height.fill(0)
        for weight, coefficient in zip(functions, coefficients, strict=True):
            if weight != 0:
                height += weight * coefficient
        np.fmax(peak, height, out=peak)
    is_forest: NDArray[np.bool_] = (peak >= lowest_peak) & (sigma <= largest_sigma)
    return is_forest
