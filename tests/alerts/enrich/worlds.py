"""Small worlds of layers and alerts around Madre de Dios."""

from __future__ import annotations

import hashlib

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from cvlarray.alerts.enrich import Layer, Role, Snapshot
from cvlarray.alerts.enrich.clean import clean_features

WEST, SOUTH = -70.0, -12.5
DEGREE_M = 111_320.0


def box(x_km: float, y_km: float, width_km: float, height_km: float) -> BaseGeometry:
    """Return a box; its place and size in kilometres from the world's corner, roughly."""
    corner = np.array([x_km, y_km]) * 1000 / DEGREE_M + [WEST, SOUTH]
    size = np.array([width_km, height_km]) * 1000 / DEGREE_M
    return shapely.box(*corner, *(corner + size))


def make_alerts(*geometry: BaseGeometry, **columns: object) -> gpd.GeoDataFrame:
    alerts = gpd.GeoDataFrame(
        {
            "event_id": [f"e{number}" for number in range(len(geometry))],
            "class": "mine_pit",
            "confidence": 0.9,
            "first_detected": pd.Timestamp("2025-05-10"),
            "area_m2": 10_000.0,
        },
        geometry=list(geometry),
        crs=4326,
    )
    return alerts.assign(**columns)


def make_layer(name: str, role: Role | str, **declared: object) -> Layer:
    return Layer(name=name, source={"path": f"{name}.gpkg"}, role=role, **declared)


def make_snapshot(
    name: str, role: Role | str, rows: dict[str, list], *, crs: object = 4326, **declared: object
) -> Snapshot:
    """Return a snapshot of rows given as columns, each declared by its own name."""
    columns = {column: column for column in rows if column != "geometry"}
    layer = make_layer(name, role, columns=columns, **declared)
    frame = gpd.GeoDataFrame(rows, geometry="geometry", crs=crs)
    digest = hashlib.sha256(frame.to_json().encode()).hexdigest()
    return Snapshot(layer, clean_features((frame,), layer), digest)


def ragged(rng: np.random.Generator, x_km: float, y_km: float, radius_km: float) -> BaseGeometry:
    """Return a star of 40 to 400 vertices."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(40, 400)))
    radii = radius_km * rng.uniform(0.5, 1, len(angles))
    ring = np.stack([x_km + radii * np.cos(angles), y_km + radii * np.sin(angles)], axis=1)
    return shapely.make_valid(shapely.Polygon(ring * 1000 / DEGREE_M + [WEST, SOUTH]))


def track(rng: np.random.Generator, n_vertices: int) -> BaseGeometry:
    """Return a line that wanders through the world."""
    steps = rng.normal(0, 1, (n_vertices, 2)).cumsum(axis=0) + rng.uniform(0, 60, 2)
    return shapely.LineString(steps * 1000 / DEGREE_M + [WEST, SOUTH])


def random_world(seed: int, n_alerts: int = 60) -> tuple[gpd.GeoDataFrame, list[Snapshot]]:
    """Return alerts, and a layer of every role."""
    rng = np.random.default_rng(seed)

    def stars(n: int, radius_km: float) -> list[BaseGeometry]:
        return [ragged(rng, *rng.uniform(0, 60, 2), radius_km) for _ in range(n)]

    def areas(role: Role, n: int, radius_km: float, **more: list) -> Snapshot:
        codes = [f"{role.value[:2]}{number:02d}" for number in range(n)]
        rows = {"geometry": stars(n, radius_km), "code": codes, "name": [*codes[::-1]], **more}
        return make_snapshot(f"layer {role}", role, rows, boundary_uncertainty_m=150)

    dates = pd.date_range("2025-03-01", periods=30, freq="6D").strftime("%Y-%m-%d").tolist()
    half = WEST + 30_000 / DEGREE_M
    west, east = shapely.box(-71, -13, half, -11), shapely.box(half, -13, -69, -11)
    points = shapely.points(rng.uniform([WEST, SOUTH], [WEST + 0.5, SOUTH + 0.5], (30, 2)))
    snapshots = [
        areas(Role.STRICT_PROTECTION, 3, 20),
        areas(Role.COMMUNAL_RESERVE, 2, 15),
        areas(Role.BUFFER_ZONE, 3, 25),
        areas(Role.CONCESSION, 30, 5, status=["T", "P", "F"] * 10),
        areas(Role.INDIGENOUS_TERRITORY, 4, 12),
        make_snapshot("roads", Role.ROAD, {"geometry": [track(rng, 200) for _ in range(5)]}),
        make_snapshot(
            "rivers", Role.RIVER, {"geometry": [track(rng, 90), *stars(6, 2)], "name": [*"abcdefg"]}
        ),
        make_snapshot(
            "districts",
            Role.ADMIN_UNIT,
            {"geometry": [west, east], "district": ["LEFT", "RIGHT"]},
            boundary_uncertainty_m=500,
        ),
        make_snapshot(
            "points", Role.EXTERNAL_ALERTS, {"geometry": points, "date": dates},
            match={"distance_m": 3000, "days": 30},
        ),
        make_snapshot(
            "patches", Role.EXTERNAL_ALERTS, {"geometry": stars(30, 3), "date": dates},
            match={"distance_m": 500, "days": 30},
        ),
    ]  # fmt: skip
    alerts = make_alerts(*(stars(n_alerts, 1)))
    return alerts, snapshots
