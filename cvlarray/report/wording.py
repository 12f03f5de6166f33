"""Numbers, dates and the plain sentences of the page."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

from shapely import Point

M2_PER_HA = 10_000.0
ABSENT = "–"
_NUMERALS = ("No", "One")


def hectares(area_m2: float) -> str:
    """Return an area as a reader wants it: 0.12, 6.8, 1,234."""
    return f"{hectare_number(area_m2)} ha"


def land_area(area_m2: float) -> str:
    """Return the area of a region: hectares, or km² from 1,000 km² on."""
    return hectares(area_m2) if area_m2 < 1e9 else f"{area_m2 / 1e6:,.0f} km²"


def count(number: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{number:,}"


def hectare_number(area_m2: float) -> str:
    """Return hectares without the unit: two decimals below one, one below a hundred."""
    value = area_m2 / M2_PER_HA
    if value == 0:
        return "0"
    return f"{value:,.{_decimals(value)}f}"


def hectares_with_uncertainty(area_m2: float, uncertainty_m2: float) -> str:
    """Return ``6.8 ± 0.4 ha``, or the area alone where the uncertainty is NaN."""
    area, spread = area_m2 / M2_PER_HA, uncertainty_m2 / M2_PER_HA
    if math.isnan(spread):
        return hectares(area_m2)
    decimals = max(_decimals(area), 2 if spread < 0.1 else 1 if spread < 10 else 0)
    return f"{area:,.{decimals}f} ± {spread:,.{decimals}f} ha"


def _decimals(value: float) -> int:
    return 2 if value < 1 else 1 if value < 100 else 0


def percent(share: float) -> str:
    """Return 0..1 as per cent; what is small but not nothing never reads as 0 %."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    value = share * 100
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.1f} %"


def date_text(day: dt.date | None) -> str:
    """Return an ISO date, or a dash."""
    return day.isoformat() if day else ABSENT


def month_text(day: dt.date) -> str:
    """Return ``March 2019``."""
    return f"{day:%B %Y}"


def duration(seconds: float) -> str:
    """Return a time span in its two largest units."""
    if seconds < 60:
        return f"{seconds:.1f}\u00a0s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}\u00a0min {rest}\u00a0s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,}\u00a0h {minutes}\u00a0min"


def byte_size(size: float) -> str:
    """Return bytes in the decimal unit that leaves one to three digits."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def class_label(name: object) -> str:
    """Return an alert's class as words."""
    return str(name).replace("_", " ").strip() or "change"


def counted(number: int, noun: str) -> str:
    """Return ``One clearing``, ``12 clearings``."""
    numeral = _NUMERALS[number] if number < len(_NUMERALS) else count(number)
    return f"{numeral} {noun}" if number == 1 else f"{numeral} {plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of a class label."""
    if noun.endswith("s"):
        return noun
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def finding(
    classes: Mapping[str, int], area_m2: float, first: dt.date | None, last: dt.date | None
) -> str:
    """Return what was found, in one sentence.

    Parameters
    ----------
    classes
        Alerts by class label.
    area_m2
        All of them together.
    first, last
        Earliest and latest date first detected; None if no alert has one.
    """
    total = sum(classes.values())
    if total == 0:
        return "No change was found."
    noun = next(iter(classes)) if len(classes) == 1 else "change"
    parts = [counted(total, noun)]
    if len(classes) > 1:
        ordered = sorted(classes.items(), key=lambda item: (-item[1], item[0]))
        inside = ", ".join(counted(n, name).lower() for name, n in ordered)
        parts[0] += f" ({inside})"
    parts.append(hectares(area_m2) + (" in all" if total > 1 else ""))
    if first and last:
        parts.append(f"first seen {_between(first, last)}")
    return ", ".join(parts) + "."


def _between(first: dt.date, last: dt.date) -> str:
    if first == last:
        return f"on {first.isoformat()}"
    if month_text(first) == month_text(last):
        return f"in {month_text(first)}"
    return f"between {month_text(first)} and {month_text(last)}"


def place(entry: Mapping[str, Any]) -> str:
    """Return ``Parque Nacional Manu (PN03), 84 %`` for a feature of an alert's jurisdiction."""
    kind = entry.get("category") or str(entry["role"]).replace("_", " ")
    named = " ".join(filter(None, (kind, entry.get("name"))))
    code = f" ({entry['code']})" if entry.get("code") else ""
    status = f", status {entry['status']}" if entry.get("status") else ""
    doubt = ", border in doubt" if entry.get("ambiguous") else ""
    return f"{named}{code}{status}, {percent(entry['share'])}{doubt}"


def signed(value: float) -> str:
    """Return a number with one decimal and its sign."""
    return f"{value:+.1f}".replace("-", "−")


def latitude_longitude(point: Point) -> str:
    """Return degrees to about a metre, with the hemisphere; the point is (longitude, latitude)."""
    return f"{degrees(point.y, 'NS', 5)}, {degrees(point.x, 'EW', 5)}"


def degrees(value: float, hemispheres: str, decimals: int) -> str:
    """Return ``12.59° S``; ``hemispheres`` names positive and negative, ``NS`` or ``EW``."""
    return f"{abs(value):.{decimals}f}°\u00a0{hemispheres[int(value < 0)]}"


def utm(point: Point, epsg: int) -> str:
    """Return ``19S 412 345 E 8 612 345 N``: metres in groups of three, zone and hemisphere."""
    zone, hemisphere = epsg % 100, "N" if epsg < 32700 else "S"
    easting, northing = (f"{value:,.0f}".replace(",", "\u202f") for value in (point.x, point.y))
    return f"{zone}{hemisphere} {easting}\u00a0E {northing}\u00a0N"
