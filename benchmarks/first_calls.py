"""Calls every kernel once and prints the CPU seconds of these first calls, imports left out."""

from __future__ import annotations

import time

import numpy as np

from benchmarks import season_sides as sides
from cvlarray.kernels.boundaries import trace_boundaries
from cvlarray.kernels.detectors import Consecutive
from cvlarray.kernels.evidence import collect_evidence
from cvlarray.kernels.harmonics import fit_ols, fit_robust, predict
from cvlarray.kernels.indices import normalised_difference
from cvlarray.kernels.residual import DateStatistics, joint_residual, standardise
from cvlarray.kernels.season import TimeAxis


def main() -> None:
    """Call each kernel of a run on inputs too small to cost anything themselves."""
    series, days = sides.series(8), sides.days()
    axis = TimeAxis.over(sides.FIRST_DAY, sides.LAST_DAY)
    start = time.process_time()
    normalised_difference(series, series, np.ones(series.shape, bool))
    fit_ols(series, days, axis)
    fit = fit_robust(series, days, axis)
    predict(fit.coefficients, days, axis)
    residual = standardise(series, days, fit.coefficients, fit.sigma, axis)
    joint = joint_residual([residual], DateStatistics.neutral(1, days.size))
    detector = Consecutive()
    collect_evidence(joint, days.astype(np.int32), detector(joint), detector.threshold)
    trace_boundaries(
        np.ones((4, 4), np.int32), row=0, col=0, mosaic_width=4, is_eight=False, junctions=False
    )
    print(time.process_time() - start)


if __name__ == "__main__":
    main()
