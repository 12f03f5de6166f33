"""What each pixel should look like on any day: seasonal models, lazily."""

from cvlarray.baseline.forest import is_forest
from cvlarray.baseline.season import fit_baseline, predict, time_axis

__all__ = ["fit_baseline", "is_forest", "predict", "time_axis"]
