"""Calls every kernel once and prints the CPU seconds of these first calls, imports left out."""

from __future__ import annotations

import time

import numpy as np

from benchmarks import season_sides as sides
from cvlarray.kernels.boundaries import trace_boundaries
from cvlarray.kernels.detectors import Alarm, Consecutive
from cvlarray.kernels.evidence import Evidence, collect_evidence
from cvlarray.kernels.harmonics import fit_ols, fit_robust, predict
from cvlarray.kernels.indices import normalised_difference
from cvlarray.kernels.online import residuals, state_of, update
from cvlarray.kernels.residual import DateStatistics, judge, standardise
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
    standardise(series, days, fit.coefficients, fit.sigma, axis)
    state = state_of(series[None], days, axis, fit.coefficients[None], fit.sigma[None])
    residual = residuals(state, series[None, 0], days[0], axis)
    one = np.ones(1, np.float32)
    joint = judge(residual, state.sigma, one, one, DateStatistics(0 * one, one))
    detector, alarm = Consecutive(), Alarm.none(joint.size)
    before = alarm.first.copy()
    detector.step(joint, 0, detector.begin(joint.size), alarm)
    collect_evidence(joint, 0, detector.threshold, before, alarm, Evidence.none(joint.size))
    update(state, residual, days[0], axis)
    trace_boundaries(
        np.ones((4, 4), np.int32), row=0, col=0, mosaic_width=4, is_eight=False, junctions=False
    )
    print(time.process_time() - start)


if __name__ == "__main__":
    main()
