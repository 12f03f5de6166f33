"""How much more likely an observation is if the pixel has changed."""

from __future__ import annotations

import numpy as np

from cvlarray.kernels.accelerate import jit

PRIOR = 0.1
"""Share of pixels with a flagged observation that have really changed, before looking further."""

CHANGED_MEAN = 5.0
CHANGED_DEVIATION = 2.0
"""Residual of a cleared pixel [standard deviations of the intact one]."""

LARGEST_SHARE = 0.9
"""No single observation may claim more than this, whatever it shows: clouds get through masks
(the block weighting of Reiche et al. 2015, doi:10.1016/j.rse.2014.10.001)."""


@jit
def log_likelihood_ratio(residual: float) -> float:
    """Return the log of the likelihood if changed over that if intact.

    Changed is Gaussian about `CHANGED_MEAN`, intact standard Gaussian; within `LARGEST_SHARE`.

    Parameters
    ----------
    residual
        Towards disturbance [standard deviations of the intact pixel].
    """
    limit = np.log(LARGEST_SHARE / (1 - LARGEST_SHARE))
    residual = max(residual, 0.0)  # below 0 the wider Gaussian would speak for a change again
    from_changed = (residual - CHANGED_MEAN) / CHANGED_DEVIATION
    ratio = 0.5 * (residual**2 - from_changed**2) - np.log(CHANGED_DEVIATION)
    return float(min(max(ratio, -limit), limit))
