"""Alerts for a ranger's phone and GPS receiver: KML and GPX."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from xml.etree import ElementTree as ET

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from cvlarray.alerts.package.dossier import Dossier

__all__ = ["gpx", "kml", "summary_line"]

KML = "http://www.opengis.net/kml/2.2"
GPX = "http://www.topografix.com/GPX/1/1"

KML_COLOURS = {"high": "ff2a2ae6", "medium": "ff1f9cf5", "low": "ff4fd6f2"}
"""By priority, alpha-blue-green-red as KML has it."""
OTHER_COLOUR = "ffb0b0b0"

OVER = frozenset({"withdrawn", "merged"})
"""States of events that are over, which whoever was told of them must see at once."""


def summary_line(dossier: Dossier) -> str:
    """Return an alert in a line: priority, class, hectares, date, confidence."""
    told = dossier.properties
    hectares, doubt = (
        (told.get(name) or 0.0) / 10_000 for name in ("area_m2", "area_uncertainty_m2")
    )
    state = told.get("state")
    over = f"{state.upper()}: " if state in OVER else ""
    return (
        f"{over}{told.get('priority', 'unassigned')} {told.get('class', 'change')}: "
        f"{hectares:.2f} ± {doubt:.2f} ha, first seen {told.get('first_detected')}, "
        f"confidence {told.get('confidence') or 0:.2f}"
    )


def kml(dossiers: Iterable[Dossier]) -> bytes:
    """Return alerts as KML 2.2: a pin and the outline of each, coloured by priority."""
    root = ET.Element("kml", xmlns=KML)
    document = ET.SubElement(root, "Document")
    ET.SubElement(document, "name").text = "cvlarray"
    for priority, colour in {**KML_COLOURS, "other": OTHER_COLOUR}.items():
        style = ET.SubElement(document, "Style", id=priority)
        line = ET.SubElement(style, "LineStyle")
        ET.SubElement(line, "color").text = colour
        ET.SubElement(line, "width").text = "3"
        ET.SubElement(ET.SubElement(style, "PolyStyle"), "fill").text = "0"
    for dossier in dossiers:
        document.append(_placemark(dossier))
    return _written(root)


def gpx(dossiers: Iterable[Dossier]) -> bytes:
    """Return alerts as GPX 1.1: a waypoint inside each, and each ring as a closed track."""
    root = ET.Element("gpx", version="1.1", creator="cvlarray", xmlns=GPX)
    every = list(dossiers)
    for dossier in every:
        point = dossier.geometry.representative_point()
        waypoint = ET.SubElement(root, "wpt", lat=f"{point.y:.7f}", lon=f"{point.x:.7f}")
        ET.SubElement(waypoint, "name").text = dossier.event_id
        ET.SubElement(waypoint, "desc").text = summary_line(dossier)
        if dossier.verification_url:
            ET.SubElement(waypoint, "link", href=dossier.verification_url)
    for dossier in every:
        track = ET.SubElement(root, "trk")
        ET.SubElement(track, "name").text = dossier.event_id
        for ring in _rings(dossier.geometry):
            segment = ET.SubElement(track, "trkseg")
            for x, y in ring:
                ET.SubElement(segment, "trkpt", lat=f"{y:.7f}", lon=f"{x:.7f}")
    return _written(root)


def _placemark(dossier: Dossier) -> ET.Element:
    placemark = ET.Element("Placemark", id=f"alert-{dossier.name}")
    ET.SubElement(placemark, "name").text = dossier.event_id
    link = f"\n{dossier.verification_url}" if dossier.verification_url else ""
    ET.SubElement(placemark, "description").text = summary_line(dossier) + link
    priority = str(dossier.properties.get("priority"))
    style = priority if priority in KML_COLOURS else "other"
    ET.SubElement(placemark, "styleUrl").text = f"#{style}"
    several = ET.SubElement(placemark, "MultiGeometry")
    point = dossier.geometry.representative_point()
    pin = ET.SubElement(several, "Point")
    ET.SubElement(pin, "coordinates").text = f"{point.x:.7f},{point.y:.7f}"
    for part in shapely.get_parts(dossier.geometry):
        polygon = ET.SubElement(several, "Polygon")
        outer, *holes = _rings(part)
        _boundary(polygon, "outerBoundaryIs", outer)
        for hole in holes:
            _boundary(polygon, "innerBoundaryIs", hole)
    return placemark


def _boundary(polygon: ET.Element, kind: str, ring: Sequence[Sequence[float]]) -> None:
    linear = ET.SubElement(ET.SubElement(polygon, kind), "LinearRing")
    ET.SubElement(linear, "coordinates").text = " ".join(f"{x:.7f},{y:.7f}" for x, y in ring)


def _rings(geometry: BaseGeometry) -> Iterator[list[list[float]]]:
    """Yield the rings of polygons, of each the outer one first."""
    for part in shapely.get_parts(geometry):
        for ring in shapely.get_rings(shapely.orient_polygons(part)):
            yield np.asarray(shapely.get_coordinates(ring)).tolist()


def _written(root: ET.Element) -> bytes:
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"
