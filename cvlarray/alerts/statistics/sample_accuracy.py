"""Accuracy of a map as a labelled sample says, for all of it and for each jurisdiction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cvlarray.alerts.statistics.accuracy import Accuracy, stratified_accuracy

__all__ = ["ACCURACY_DTYPES", "STABLE", "UNSURE", "sample_accuracy"]

STABLE = "stable"
"""Class of what was watched and isn't an alert."""
UNSURE = "unsure"
"""Label of a point that nobody can tell; it counts as not labelled."""

PLACE = ["layer", "code", "name"]
MEASURES = (
    "users",
    "users_half_width",
    "producers",
    "producers_half_width",
    "area",
    "area_half_width",
    "mapped_area",
)
ACCURACY_DTYPES = {
    **dict.fromkeys(PLACE, "string"),
    "class": "string",
    "n_points": "int64",
    "n_labelled": "int64",
    "overall": "float64",
    "overall_half_width": "float64",
    **{f"{name}_m2" if "area" in name else name: "float64" for name in MEASURES},
}
"""Columns of `sample_accuracy`. ``n_points`` of the class were drawn in the place, ``n_labelled``
of them were told apart; half widths are of 95 % confidence."""


def sample_accuracy(
    points: pd.DataFrame, areas: pd.DataFrame, labels: dict[str, str]
) -> pd.DataFrame:
    """Return area-weighted accuracies and areas by place and class.

    For a jurisdiction its own points and mapped areas count: given how many points of a stratum
    fell into it, they are a random sample of that stratum's pixels there (Särndal, Swensson and
    Wretman 1992, Model Assisted Survey Sampling, 10.3: post-strata by domain).

    Parameters
    ----------
    points
        ``point_id``, ``map_class`` and ``places``, a list of positions in the places of ``areas``.
    areas
        Columns ``place`` (0, 1, ...), ``layer``, ``code``, ``name``, ``map_class`` and ``area_m2``:
        the mapped area of each class in each place.
    labels
        What points are, by ``point_id``; `UNSURE` counts as none.

    Returns
    -------
    `ACCURACY_DTYPES`, a row for each place and class. Measures are NaN for a place of which a class
    has fewer than two labelled points: nothing can be said of it yet.
    """
    known = points.assign(label=points["point_id"].map(labels))
    known["label"] = known["label"].where(known["label"] != UNSURE)
    classes = sorted({*areas["map_class"], *known["label"].dropna()})
    rows: list[dict[str, Any]] = []
    for place, own in areas.groupby("place", sort=True):
        here = known[[place in places for places in known["places"]]]
        labelled = here.dropna(subset=["label"])
        mapped = own.groupby("map_class")["area_m2"].sum().reindex(classes, fill_value=0.0)
        counts = pd.crosstab(labelled["map_class"], labelled["label"]).reindex(
            index=classes, columns=classes, fill_value=0
        )
        found = _accuracy(counts.to_numpy(), mapped.to_numpy(), classes)
        where = {part: own.iloc[0][part] for part in PLACE}
        for name in classes:
            row = {
                **where,
                "class": name,
                "n_points": int((here["map_class"] == name).sum()),
                "n_labelled": int((labelled["map_class"] == name).sum()),
                "mapped_area_m2": mapped[name],
            }
            rows.append({**row, **({} if found is None else _measures(found, name))})
    return pd.DataFrame(rows, columns=list(ACCURACY_DTYPES)).astype(ACCURACY_DTYPES)


def _accuracy(counts: Any, mapped: Any, classes: list[str]) -> Accuracy | None:
    """Return the accuracy; None if a class of the map has too few labels."""
    if mapped.sum() == 0 or np.any((mapped > 0) & (counts.sum(axis=1) < 2)):
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        return stratified_accuracy(counts, mapped, classes=classes)


def _measures(found: Accuracy, name: str) -> dict[str, float]:
    own = found.by_class.loc[name].to_dict()
    return {
        "overall": found.overall,
        "overall_half_width": found.overall_half_width,
        **{f"{key}_m2" if "area" in key else key: float(own[key]) for key in MEASURES},
    }
