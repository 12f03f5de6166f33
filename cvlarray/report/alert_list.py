"""Alerts in the order they are numbered, in words and colours."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
from shapely import Point

from cvlarray.report import palette, wording

PRIORITIES = ("high", "medium", "low")
"""In the order of the list; whatever else a run uses comes after."""


@dataclass(frozen=True)
class AlertEntry:
    """One alert as a reader meets it."""

    number: int
    """From 1, by priority and then area; the name of its place on the page."""
    event_id: str
    label: str
    priority: str
    first_detected: dt.date | None
    confirmed: dt.date | None
    interval: tuple[dt.date | None, dt.date | None]
    area_m2: float
    area: str
    area_with_uncertainty: str
    confidence: float
    confidence_text: str
    magnitude: str
    magnitude_value: float
    n_pixels: int
    sensor: str
    places: tuple[str, ...]
    """Features of official layers that the alert lies in, the largest share first."""
    reason: str
    """Why it has its priority; empty if nothing says so."""
    needs_review: bool
    latitude_longitude: str
    utm: str
    colour: str
    ink: str

    @property
    def has_priority(self) -> bool:
        """Whether the run gave it one."""
        return self.priority != wording.ABSENT


@dataclass(frozen=True)
class DateLegend:
    """The colours of dates first detected."""

    gradient: str
    first: str
    last: str


def ranked(alerts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the alerts by priority, then area (largest first), then event_id; EPSG:4326."""
    priority = alerts["priority"].astype(str).str.lower()
    order = priority.map({name: rank for rank, name in enumerate(PRIORITIES)})
    keyed = alerts.assign(
        _priority=order.fillna(len(PRIORITIES)),
        _area=-alerts["area_m2"].astype(float),
        _id=alerts["event_id"].astype(str),
    )
    sorted_alerts = keyed.sort_values(["_priority", "_area", "_id"], kind="stable")
    plain = sorted_alerts.drop(columns=["_priority", "_area", "_id"]).reset_index(drop=True)
    return plain.to_crs(4326)


def entries(alerts: gpd.GeoDataFrame) -> list[AlertEntry]:
    """Return one entry for each of the `ranked` alerts, in their order."""
    fractions = date_fractions(alerts["first_detected"])
    points = gpd.GeoSeries(alerts.geometry.representative_point(), crs=4326)
    utm = _utm_texts(points)
    records = alerts.drop(columns="geometry").to_dict("records")
    return [
        _entry(number, record, point, utm_text, fraction)
        for number, (record, point, utm_text, fraction) in enumerate(
            zip(records, points, utm, fractions, strict=True), start=1
        )
    ]


def _entry(
    number: int, record: Mapping[str, Any], point: Point, utm: str, fraction: float
) -> AlertEntry:
    colour = palette.UNDATED if np.isnan(fraction) else palette.date_colour(fraction)
    area, uncertainty = _number(record["area_m2"]), _number(record["area_uncertainty_m2"])
    confidence, magnitude = _number(record["confidence"]), _number(record["magnitude"])
    return AlertEntry(
        number=number,
        event_id=str(record["event_id"]),
        label=wording.class_label(record["class"]),
        priority=_text(record["priority"]),
        first_detected=_date(record["first_detected"]),
        confirmed=_date(record["confirmed"]),
        interval=(_date(record["interval_start"]), _date(record["interval_end"])),
        area_m2=area,
        area=wording.hectare_number(area),
        area_with_uncertainty=wording.hectares_with_uncertainty(area, uncertainty),
        confidence=confidence,
        confidence_text=wording.ABSENT if np.isnan(confidence) else f"{confidence:.2f}",
        magnitude=wording.ABSENT if np.isnan(magnitude) else wording.signed(magnitude),
        magnitude_value=magnitude,
        n_pixels=int(_number(record["n_pixels"])),
        sensor=_text(record["sensor"]),
        places=_places(record.get("jurisdiction") or ()),
        reason=(record.get("reasoning") or {}).get("text", ""),
        needs_review=bool(record.get("needs_review")),
        latitude_longitude=wording.latitude_longitude(point),
        utm=utm,
        colour=colour,
        ink=palette.ink_on(colour),
    )


def _places(trail: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    inside = [entry for entry in trail if entry.get("share", 0) > 0]
    ordered = sorted(inside, key=lambda entry: -entry["share"])
    return tuple(wording.place(entry) for entry in ordered)


def _number(value: Any) -> float:
    return math.nan if pd.isna(value) else float(value)


def _text(value: Any) -> str:
    return wording.ABSENT if value is None or pd.isna(value) else str(value)


def _date(value: Any) -> dt.date | None:
    stamp = pd.Timestamp(value)
    return None if pd.isna(stamp) else stamp.date()


def date_fractions(first_detected: pd.Series) -> list[float]:
    """Return where each date lies between the earliest (0) and the latest (1); NaN if undated."""
    dates = pd.to_datetime(first_detected)
    span = dates.max() - dates.min()
    if pd.isna(span) or span == pd.Timedelta(0):
        return [float("nan") if pd.isna(day) else 0.5 for day in dates]
    return [float(fraction) for fraction in (dates - dates.min()) / span]


def date_legend(first_detected: pd.Series) -> DateLegend | None:
    """Return the legend, or None if no alert has a date."""
    dates = pd.to_datetime(first_detected).dropna()
    if dates.empty:
        return None
    first, last = dates.min().date().isoformat(), dates.max().date().isoformat()
    colour = palette.date_colour(0.5)
    stops = (colour, colour) if first == last else palette.DATE_STOPS
    return DateLegend(palette.css_gradient(stops), first, last)


def _utm_texts(points: gpd.GeoSeries) -> list[str]:
    """Return UTM coordinates of points in EPSG:4326, each in its own zone."""
    zones = utm_epsg(points.x.to_numpy(), points.y.to_numpy())
    texts = [""] * len(points)
    for epsg in np.unique(zones):
        inside = np.flatnonzero(zones == epsg)
        projected = points.iloc[inside].to_crs(int(epsg))
        for position, point in zip(inside, projected, strict=True):
            texts[position] = wording.utm(point, int(epsg))
    return texts


def utm_epsg(
    longitude: npt.NDArray[np.float64], latitude: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Return the EPSG code of the WGS 84 UTM zone of each point (degrees)."""
    zone = np.clip(np.floor((longitude + 180) / 6).astype(np.int64) + 1, 1, 60)
    codes: npt.NDArray[np.int64] = np.where(latitude >= 0, 32600, 32700) + zone
    return codes
