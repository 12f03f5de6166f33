"""The map: alerts over a picture, with scale bar, north and coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from cvlarray.report import pictures, wording
from cvlarray.report.alert_list import AlertEntry
from cvlarray.report.chart import FloatArray, Tick
from cvlarray.report.inputs import Background

WIDTH = 1000.0
"""Width of the map's viewBox; its height follows the grid."""
PIN_PX = 22.0
"""Diameter of a numbered pin on the screen."""
_NOMINAL_WIDTH_PX = 420.0
"""Screen width for which pins are kept apart: between a phone and a desk."""
_SIMPLIFY = 0.2
_EDGE_SAMPLES = 101

BoxArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """One alert's outline in the viewBox."""

    entry: AlertEntry
    path: str
    has_card: bool


@dataclass(frozen=True)
class Pin:
    """A numbered disc beside its alert: a place in per cent, and a shift on the screen."""

    entry: AlertEntry
    left: float
    top: float
    shift_x: float
    shift_y: float


@dataclass(frozen=True)
class ScaleBar:
    """A round length."""

    label: str
    percent: float
    metres_across: float
    """Ground length of the whole map width, for a bar that follows the zoom."""


@dataclass(frozen=True)
class AlertMap:
    """All that the template draws."""

    height: float
    picture: str | None
    picture_text: str
    crs: str
    extent: str
    shapes: list[Shape]
    pins: list[Pin]
    region_path: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    scale_bar: ScaleBar
    north_deg: float
    """Clockwise from the map's up."""


class MapFrame:
    """Places on a grid as places in the map's viewBox."""

    def __init__(self, geobox: GeoBox) -> None:
        rows, columns = geobox.shape
        self.geobox = geobox
        self.unit = WIDTH / columns
        self.height = rows * self.unit

    def place(self, geometries: gpd.GeoSeries) -> npt.NDArray[np.object_]:
        """Return geometries of any CRS in the units of the viewBox."""

        def to_box(xy: FloatArray) -> FloatArray:
            columns, rows = _apply(~self.geobox.affine, xy[:, 0], xy[:, 1])
            return np.column_stack([columns, rows]) * self.unit

        projected = geometries.to_crs(self.geobox.crs)
        placed: npt.NDArray[np.object_] = shapely.transform(projected.to_numpy(), to_box)
        return placed

    def longitude_latitude(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return degrees at places in the viewBox."""
        map_x, map_y = _apply(self.geobox.affine, x / self.unit, y / self.unit)
        points = gpd.GeoSeries(gpd.points_from_xy(map_x, map_y), crs=self.geobox.crs).to_crs(4326)
        return points.x.to_numpy(), points.y.to_numpy()


def _apply(affine: Affine, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


def alert_map(
    geobox: GeoBox,
    alerts: gpd.GeoSeries,
    entries: Sequence[AlertEntry],
    *,
    cards: int,
    region: BaseGeometry | None,
    background: Background | None,
) -> AlertMap:
    """Place alerts on the background's grid, or on the run's where there's none.

    Parameters
    ----------
    geobox
        Grid of the run.
    alerts
        Outlines, in the order of ``entries``.
    entries
        What they are.
    cards
        The first so many have a card to lead to, and a pin.
    region
        Region watched, EPSG:4326.
    background
        Picture underneath.
    """
    frame = MapFrame(background.geobox if background else geobox)
    placed = frame.place(alerts)
    outlines = shapely.simplify(placed, _SIMPLIFY)
    shapes = [
        Shape(entry, svg_path(outline), index < cards)
        for index, (entry, outline) in enumerate(zip(entries, outlines, strict=True))
    ]
    region_series = gpd.GeoSeries([] if region is None else [region], crs=4326)
    scale_bar, north = _ground(frame)
    return AlertMap(
        height=round(frame.height, 1),
        picture=pictures.background_uri(background.rgb) if background else None,
        picture_text=_picture_text(background),
        crs=_crs_text(frame.geobox),
        extent=_extent_text(frame),
        shapes=[shape for shape in shapes if shape.path],
        pins=_pins(entries[:cards], shapely.bounds(placed), frame.height),
        region_path="".join(svg_path(outline) for outline in frame.place(region_series)),
        x_ticks=_bottom_ticks(frame),
        y_ticks=_left_ticks(frame),
        scale_bar=scale_bar,
        north_deg=north,
    )


def svg_path(geometry: BaseGeometry | None) -> str:
    """Return the rings of a polygon or multipolygon as an SVG path, for fill-rule evenodd."""
    if geometry is None or geometry.is_empty:
        return ""
    rings = shapely.get_rings(shapely.get_parts(geometry))
    return "".join(_ring_path(shapely.get_coordinates(ring)) for ring in rings)


def _ring_path(coordinates: FloatArray) -> str:
    points = (f"{x:.1f} {y:.1f}".replace(".0", "") for x, y in coordinates[:-1])
    return f"M{'L'.join(points)}Z"


def _picture_text(background: Background | None) -> str:
    if background is None:
        return "No date was clear enough for a picture"
    return f"Satellite picture in {background.rendering}, {background.date}"


def _crs_text(geobox: GeoBox) -> str:
    resolution = max(geobox.resolution.map(abs).xy)
    unit = geobox.crs.units[0] if geobox.crs else ""
    size = f"{resolution:g} m" if unit == "metre" else f"{resolution:g} {unit}"
    return f"{geobox.crs}, {size} a pixel"


def _extent_text(frame: MapFrame) -> str:
    corners = np.array([0.0, WIDTH, WIDTH, 0.0]), np.array([0.0, 0.0, frame.height, frame.height])
    longitude, latitude = frame.longitude_latitude(*corners)
    south, north = (wording.degrees(v, "NS", 4) for v in (latitude.min(), latitude.max()))
    west, east = (wording.degrees(v, "EW", 4) for v in (longitude.min(), longitude.max()))
    return f"{south} to {north}, {west} to {east}"


def _ground(frame: MapFrame) -> tuple[ScaleBar, float]:
    """Return the scale bar and the direction of north, both as they are at the centre."""
    middle = frame.height / 2
    x = np.array([0.0, WIDTH, WIDTH / 2, WIDTH / 2])
    y = np.array([middle, middle, middle * 1.02, middle * 0.98])
    longitude, latitude = frame.longitude_latitude(x, y)
    geod = gpd.GeoSeries(crs=4326).crs.get_geod()
    _, _, across = geod.inv(longitude[0], latitude[0], longitude[1], latitude[1])
    up, _, _ = geod.inv(longitude[2], latitude[2], longitude[3], latitude[3])
    length = round_length(across / 4)
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    bar = ScaleBar(label, round(100 * length / across, 3), round(across, 1))
    return bar, round(-float(up), 1)


def round_length(at_most: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, ... that isn't above ``at_most`` [m]."""
    power = 10.0 ** math.floor(math.log10(at_most))
    return next(step * power for step in (5, 2, 1) if step * power <= at_most)


def _bottom_ticks(frame: MapFrame) -> list[Tick]:
    """Return round meridians along the bottom edge."""
    along = np.linspace(0, 1, _EDGE_SAMPLES)
    edge = np.full_like(along, frame.height)
    longitude, _ = frame.longitude_latitude(along * WIDTH, edge)
    return _ticks(along, longitude, "EW")


def _left_ticks(frame: MapFrame) -> list[Tick]:
    """Return round parallels along the left edge."""
    along = np.linspace(0, 1, _EDGE_SAMPLES)
    _, latitude = frame.longitude_latitude(np.zeros_like(along), along * frame.height)
    return _ticks(along, latitude, "NS")


def _ticks(along: FloatArray, values: FloatArray, hemispheres: str) -> list[Tick]:
    order = np.argsort(values)
    step, decimals = _degree_step(float(np.ptp(values)))
    marks = np.arange(math.ceil(values.min() / step), math.floor(values.max() / step) + 1) * step
    places = np.interp(marks, values[order], along[order]) * 100
    return [
        Tick(round(float(place), 2), wording.degrees(float(mark), hemispheres, decimals))
        for place, mark in zip(places, marks, strict=True)
        if 4 < place < 96
    ]


def _degree_step(span: float) -> tuple[float, int]:
    """Return a round step that gives two to five marks, and its decimals."""
    step = round_length(span / 2)
    return step, max(0, -math.floor(math.log10(step)))


def _pins(entries: Sequence[AlertEntry], boxes: BoxArray, height: float) -> list[Pin]:
    """Put a pin beside each alert, where it hides the fewest others."""
    scale = _NOMINAL_WIDTH_PX / WIDTH
    boxes_px, frame_px = boxes * scale, (_NOMINAL_WIDTH_PX, height * scale)
    taken = np.empty((0, 4))
    furniture = _furniture(frame_px)
    pins = []
    for index, entry in enumerate(entries):
        if np.isnan(boxes[index]).any():
            continue
        others = np.vstack([np.delete(boxes_px, index, axis=0), taken, taken, furniture])
        anchor, shift, box = _best_place(boxes_px[index], others, frame_px)
        taken = np.vstack([taken, box])
        left, top = 100 * anchor[0] / frame_px[0], 100 * anchor[1] / frame_px[1]
        pins.append(Pin(entry, round(left, 2), round(top, 2), *shift))
    return pins


def _furniture(frame_px: tuple[float, float]) -> BoxArray:
    """Return the boxes [px] of the north arrow and the scale bar, which lie over the map."""
    width, height = frame_px
    north = (width - 45, 5, width - 5, 58)
    scale_bar = (8, height - 35, 12 + width / 4, height)
    return np.array([north, scale_bar], dtype=np.float64)


def _best_place(
    box: BoxArray, others: BoxArray, frame_px: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float], BoxArray]:
    """Return anchor, shift and box [px] of the side with the least overlap."""
    places = []
    for east, south in ((0, -1), (1, 0), (-1, 0), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1)):
        anchor = _side(box[0], box[2], east), _side(box[1], box[3], south)
        reach = PIN_PX / 2 + 2 if 0 in (east, south) else PIN_PX / 2
        shift = east * reach, south * reach
        x, y = anchor[0] + shift[0], anchor[1] + shift[1]
        half = PIN_PX / 2
        pin = np.array([x - half, y - half, x + half, y + half])
        outside = max(0, -pin[0], -pin[1], pin[2] - frame_px[0], pin[3] - frame_px[1])
        places.append((_overlap(pin, others) + 1e3 * outside, anchor, shift, pin))
    _, anchor, shift, pin = min(places, key=lambda place: place[0])
    return anchor, shift, pin


def _side(low: float, high: float, direction: int) -> float:
    return float((low, (low + high) / 2, high)[direction + 1])


def _overlap(box: BoxArray, others: BoxArray) -> float:
    """Return the area [px²] that a box shares with others."""
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    return float((width.clip(0) * height.clip(0)).sum())
