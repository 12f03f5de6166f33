"""Pictures of a reanalysis: hectares by year, and the sites that grow most.

Not imported with the package, so that matplotlib is loaded only to draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["areas_figure", "sites_figure", "to_png"]

_COLOURS = {"mining": "#b5452c", "clearing": "#e8a33d", "unknown": "#8a8a8a"}
_N_CURVES = 6


def areas_figure(areas: pd.DataFrame, comparable: Mapping[int, bool]) -> Figure:
    """Return bars of the hectares disturbed in each year, and what is certain and possible of them.

    Parameters
    ----------
    areas
        `cvlarray.annual.AREA_COLUMNS` of one part, such as the whole region.
    comparable
        Whether a year was made like the one before; where not, a line parts them.
    """
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes: Axes = figure.subplots()
    below: Any = 0.0
    years = sorted(areas["year"].unique())
    for agent, colour in _COLOURS.items():
        of_agent = areas[areas["agent"] == agent].set_index("year").reindex(years)
        heights = of_agent["mapped_ha"].fillna(0).to_numpy()
        if heights.any():
            axes.bar(years, heights, bottom=below, color=colour, label=f"{agent}, mapped")
            below = below + heights
    total = areas[areas["agent"] == "all"].set_index("year").reindex(years)
    sure, may = total["certain_ha"].to_numpy(), total["possible_ha"].to_numpy()
    axes.vlines(years, sure, may, color="0.25", lw=1, label="certain to possible")
    if total["low_ha"].notna().any():
        middle = total["estimated_ha"].to_numpy()
        reach = np.abs(total[["low_ha", "high_ha"]].to_numpy().T - middle)
        axes.errorbar(
            years, middle, reach, fmt="o", color="black", capsize=3, label="estimated, 95 %"
        )
    for year, is_comparable in comparable.items():
        if not is_comparable and year != years[0]:
            axes.axvline(year - 0.5, color="0.4", ls=":", lw=1)
            axes.annotate(
                "made differently", (year - 0.5, 1), xycoords=("data", "axes fraction"),
                rotation=90, va="top", ha="right", fontsize=7, color="0.4",
            )  # fmt: skip
    axes.set_xticks(years)
    axes.set_ylim(0, 1.15 * max(float(np.nanmax(below)), float(total["high_ha"].max() or 0), 1e-3))
    axes.set_ylabel("disturbed in the year [ha]")
    axes.legend(frameon=False, fontsize=8)
    return figure


def sites_figure(sites: gpd.GeoDataFrame, curve: pd.DataFrame) -> Figure:
    """Return the sites that grow most: their curves, and where they lie.

    Parameters
    ----------
    sites, curve
        From `cvlarray.annual.rank_growth` and `cvlarray.annual.growth_curves`.
    """
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    curves, place = figure.subplots(1, 2)
    for _, site in sites.head(_N_CURVES).iterrows():
        grown = curve.loc[site["site"]].cumsum()
        (line,) = curves.plot(grown.index, grown, marker="o", ms=3, label=f"site {site['site']}")
        gpd.GeoSeries([site.geometry], crs=sites.crs).plot(ax=place, color=line.get_color())
    others = sites.iloc[_N_CURVES:]
    if len(others):
        others.plot(ax=place, color="0.8", zorder=0)
    curves.set_ylabel("ha since the first year")
    curves.xaxis.get_major_locator().set_params(integer=True)
    if len(sites):
        curves.legend(frameon=False, fontsize=8)
    place.set_aspect("equal")
    place.ticklabel_format(useOffset=False, style="plain")
    place.tick_params(labelsize=7)
    return figure


def to_png(figure: Figure) -> bytes:
    """Return a figure as PNG; the same figure gives the same bytes."""
    content = BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return content.getvalue()
