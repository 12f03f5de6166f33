"""Real series with dated changes, as pyxccd brings them; both sides' environments import this."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.reference import reference_folder

COLUMNS = (
    "dates", "blue", "green", "red", "nir", "swir16", "swir22", "thermal", "qa", "sensor",
)  # fmt: skip
"""Of each file, whatever its header calls them; ``dates`` are Python's ordinals."""
BANDS = COLUMNS[1:7]
CLEAR_QA = (0, 1)
"""Clear land and clear water."""
ORDINAL_OF_1970 = 719_163


@dataclass(frozen=True)
class DatedSeries:
    """Reflectance of one pixel, and when it changed."""

    name: str
    files: str
    has_header: bool
    changes: tuple[tuple[str, str], ...]
    """First and last day of each change: any date in between is right."""

    @property
    def first_year(self) -> int:
        """Year of the first change: monitoring begins with it, after three years of history."""
        return int(self.changes[0][0][:4])

    def table(self) -> pd.DataFrame:
        """Return all observations in order of time, `COLUMNS` as integers."""
        files = sorted(reference_folder("pyxccd_series").glob(self.files))
        header = 0 if self.has_header else None
        parts = [pd.read_csv(file, header=header, names=list(COLUMNS)) for file in files]
        table = pd.concat(parts).drop_duplicates("dates").sort_values("dates")
        return table.astype(np.int64).reset_index(drop=True)

    def clear(self) -> pd.DataFrame:
        """Return the clear observations with possible reflectances, ``time`` as their index."""
        table = self.table()
        bands = table[list(BANDS)]
        is_possible = ((bands > 0) & (bands <= 10_000)).all(axis=1)
        clear = table[table["qa"].isin(CLEAR_QA) & is_possible]
        time = pd.to_datetime(clear["dates"] - ORDINAL_OF_1970, unit="D")
        return clear.set_index(pd.DatetimeIndex(time, name="time"))

    def errors(self, days: list[str]) -> list[int | None]:
        """Return how far [days] the nearest of ``days`` is from each change; None without any."""
        found = [np.datetime64(day) for day in days]
        return [
            min(
                (_distance(day, *map(np.datetime64, change)) for day in found),
                key=abs,
                default=None,
            )
            for change in self.changes
        ]


def _distance(day: np.datetime64, first: np.datetime64, last: np.datetime64) -> int:
    nearest = min(max(day, first), last)
    return int((day - nearest) / np.timedelta64(1, "D"))


SERIES = (
    DatedSeries("logging", "7_logging_hls_w*.csv", True, (("2024-04-08", "2024-04-08"),)),
    DatedSeries("fire", "1_hls_sc.csv", True, (("2024-03-23", "2024-03-23"),)),
    DatedSeries(
        "landsat",
        "spectral_336_3980_obs.csv",
        False,
        (("2013-06-21", "2013-06-21"), ("2013-07-27", "2013-07-27")),
    ),
    DatedSeries("spongy_moth", "2_sm_ma_landsat.csv", True, (("2017-06-01", "2017-08-31"),)),
)
