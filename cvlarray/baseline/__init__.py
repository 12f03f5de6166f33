"""What each pixel should look like on any day: seasonal models, lazily."""

from cvlarray.baseline.certainty import observation_coverage, observed_range, prediction_error
from cvlarray.baseline.forest import is_forest
from cvlarray.baseline.history import stable_history
from cvlarray.baseline.prediction import predict
from cvlarray.baseline.prior import regional_prior, strata_prior
from cvlarray.baseline.season import fit_baseline, fit_baseline_jointly, time_axis

__all__ = [
    "fit_baseline",
    "fit_baseline_jointly",
    "is_forest",
    "observation_coverage",
    "observed_range",
    "predict",
    "prediction_error",
    "regional_prior",
    "stable_history",
    "strata_prior",
    "time_axis",
]
