"""Numbers of days as dates, against NumPy's own."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cvlarray.alerts.days import dates_of


def test_days_are_dates_and_nan_is_no_date() -> None:
    days = pd.Series([19_000.0, np.nan, 0.0, -1.0])
    expected = ["2022-01-08", "NaT", "1970-01-01", "1969-12-31"]
    assert dates_of(days).astype("datetime64[D]").astype(str).tolist() == expected
    assert dates_of(days).dtype == "datetime64[ms]"
    assert dates_of([]).size == 0
