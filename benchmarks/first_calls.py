"""Calls every kernel once and prints the CPU seconds of these first calls, imports left out."""

from __future__ import annotations

import time

import numpy as np

from benchmarks import season_sides as sides
from cvlarray.kernels.boundaries import trace_boundaries
from cvlarray.kernels.harmonics import fit_ols, fit_robust, predict
from cvlarray.kernels.season import TimeAxis


def main() -> None:
    """Call each kernel on inputs too small to cost anything themselves."""
    series, days = sides.series(8), sides.days()
    axis = TimeAxis.over(sides.FIRST_DAY, sides.LAST_DAY)
    start = time.process_time()
    fit_ols(series, days, axis)
    predict(fit_robust(series, days, axis).coefficients, days, axis)
    trace_boundaries(
        np.ones((4, 4), np.int64), row=0, col=0, mosaic_width=4, is_eight=False, junctions=False
    )
    print(time.process_time() - start)


if __name__ == "__main__":
    main()
