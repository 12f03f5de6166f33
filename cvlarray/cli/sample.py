"""``cvlarray sample``: points of the map to be labelled."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from cvlarray.config import RunConfig

__all__ = ["sample_command"]


def sample_command(
    config: RunConfig,
    start: dt.date,
    end: dt.date,
    console: Console,
    *,
    n_points: int,
    seed: int,
) -> None:
    """Draw the points and say how many of each class."""
    from cvlarray.pipeline.sample import draw_points  # noqa: PLC0415 (loads rasterio)

    found = draw_points(config, start=start, end=end, n_points=n_points, seed=seed)
    table = Table(title="points to label: cvlarray review, then /sample", title_justify="left")
    table.add_column("class", style="bold")
    for heading in ("pixels", "points"):
        table.add_column(heading, justify="right")
    for name, n_pixels, n_drawn in found.itertuples():
        table.add_row(str(name), f"{n_pixels:,}", f"{n_drawn:,}")
    console.print(table)
