"""What each pixel should look like on any day: seasonal models, lazily."""

from cvlarray.baseline.forest import is_forest
from cvlarray.baseline.history import stable_history
from cvlarray.baseline.prior import regional_prior
from cvlarray.baseline.season import fit_baseline, predict, time_axis

__all__ = ["fit_baseline", "is_forest", "predict", "regional_prior", "stable_history", "time_axis"]
