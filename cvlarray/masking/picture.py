"""How much was seen through the year, as a picture."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_NO_IMAGE, _SEEN, _CLEAR = "#ececec", "#9fb8ad", "#1f5c4a"


def coverage_figure(ten_days: pd.DataFrame, months: pd.DataFrame) -> Figure:
    """Draw the share of clear tiles by ten days and by month.

    Parameters
    ----------
    ten_days, months
        From `cvlarray.masking.coverage_by_ten_days` and `cvlarray.masking.coverage_by_month`.

    Returns
    -------
    A figure of its own, outside pyplot: save it with ``figure.savefig(path)``.
    """
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    _draw(upper, ten_days, "by ten days")
    _draw(lower, months, "by month")
    upper.legend(loc="lower left", bbox_to_anchor=(0, 1.08), ncols=3, frameon=False)
    return figure


def _draw(axes: Axes, table: pd.DataFrame, title: str) -> None:
    """Draw one table as bars within bars."""
    starts = table.index
    ends = [*starts[1:], starts[-1] + _last_length(starts)]
    widths = pd.TimedeltaIndex([end - start for start, end in zip(starts, ends, strict=True)])
    for share, colour, label in (
        (table["n_tile_dates"] == 0, _NO_IMAGE, "no image"),
        (table["clear_tiles"], _SEEN, "tiles that were clear at least once"),
        (table["clear_tile_dates"], _CLEAR, "looks at a tile that were clear"),
    ):
        percent = 100 * share.astype(float).fillna(0)
        axes.bar(
            starts.to_numpy(),
            percent.to_numpy(),
            width=widths.to_numpy(),
            align="edge",
            color=colour,
            edgecolor="white",
            linewidth=0.5,
            label=label,
        )
    axes.set_title(title, loc="left", fontsize="medium")
    axes.set_ylabel("clear [%]")
    axes.set_ylim(0, 100)
    axes.spines[["top", "right"]].set_visible(False)


def _last_length(starts: pd.Index[pd.Timestamp]) -> pd.Timedelta:
    """Return the length of the last period: as the one before it."""
    return pd.Timedelta(days=30) if len(starts) < 2 else starts[-1] - starts[-2]
