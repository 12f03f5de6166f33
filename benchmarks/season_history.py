"""Where a history becomes stable, against R's strucchange."""

from __future__ import annotations

import numpy as np

from benchmarks.reference import reference_folder
from benchmarks.registry import Measurement, measures
from cvlarray.kernels.history import stable_start


@measures("strucchange_history_starts")
def strucchange_history_starts() -> Measurement:
    """Real NDVI of five pixels; a start counts the observations from 1, as R does."""
    folder = reference_folder("nrt_reference")
    series, design, answer = (
        np.genfromtxt(folder / f"{name}.csv", delimiter=",")
        for name in ("y", "X", "roc_history_result")
    )
    # There the design held the constant twice, so that one more observation starts the fit.
    starts = stable_start(series, design.T, n_initial=design.shape[1] + 1)
    found = [
        int(np.isfinite(values[:start]).sum()) + 1
        for values, start in zip(series.T, starts, strict=True)
    ]
    note = f"ours {' '.join(map(str, found))}, R {' '.join(f'{one:g}' for one in answer)}"
    return Measurement(float(np.sum(answer != found)), "series", note=note)
