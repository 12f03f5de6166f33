"""Outlines of things: blobs, fields, fans, and stretches of road."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cvlarray.simulate.event import Ring

Point = tuple[float, float]

_LOBES = np.arange(2, 7)
"""Dents that a blob may have."""


def blob(
    rng: np.random.Generator,
    centre: Point,
    radius: float,
    *,
    roughness: float = 0.22,
    stretch: float = 1.0,
    angle: float = 0.0,
    n_vertices: int = 28,
) -> Ring:
    """Return an amoeba.

    Parameters
    ----------
    rng
        Draws its outline.
    centre, radius
        [m]; the radius is that of a circle of about the same area.
    roughness
        Relative spread of the radius around it.
    stretch, angle
        How many times longer than wide, along which direction [rad, counter-clockwise from east].
    n_vertices
        Vertices.
    """
    circle, cosines, sines = _harmonics(n_vertices)
    sizes = rng.normal(0, roughness, len(_LOBES)) / np.sqrt(_LOBES)
    phases = rng.uniform(0, 2 * np.pi, len(_LOBES))
    shape = 1 + (sizes * np.cos(phases)) @ cosines - (sizes * np.sin(phases)) @ sines
    distance = radius * np.maximum(shape, 0.3)
    axes = np.array([np.sqrt(stretch), 1 / np.sqrt(stretch)])
    return _placed(circle * axes * distance[:, np.newaxis], centre, angle)


@lru_cache
def _harmonics(
    n_vertices: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the unit circle (vertex, 2), and the waves (lobe, vertex) that dent it."""
    around = np.linspace(0, 2 * np.pi, n_vertices, endpoint=False)
    circle = np.column_stack([np.cos(around), np.sin(around)])
    waves = np.outer(_LOBES, around)
    return circle, np.cos(waves), np.sin(waves)


def field(rng: np.random.Generator, centre: Point, area_m2: float, angle: float) -> Ring:
    """Return a farmer's field: four corners, none of them quite square."""
    ratio = np.exp(rng.normal(0.25, 0.3))
    half = np.sqrt(area_m2 * np.array([ratio, 1 / ratio])) / 2
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    corners = corners * (1 + rng.uniform(-0.16, 0.16, corners.shape))
    return _placed(corners, centre, angle)


def fan(rng: np.random.Generator, apex: Point, length: float, angle: float, opening: float) -> Ring:
    """Return a fan of sediment that spreads from its apex."""
    n_rim = 12
    directions = np.linspace(-opening / 2, opening / 2, n_rim)
    reach = length * (1 - 0.35 * (2 * directions / opening) ** 2)
    reach = reach * (1 + rng.uniform(-0.18, 0.18, n_rim))
    rim = np.column_stack([reach * np.cos(directions), reach * np.sin(directions)])
    return _placed(np.vstack([[0.0, 0.0], rim]), apex, angle)


def strip(start: Point, end: Point, width: float) -> Ring:
    """Return a straight stretch of road, a little longer than from start to end."""
    a, b = np.array(start), np.array(end)
    along = (b - a) / max(float(np.hypot(*(b - a))), 1e-9)
    across = np.array([-along[1], along[0]]) * width / 2
    a, b = a - along * width / 3, b + along * width / 3
    return np.array([a + across, b + across, b - across, a - across])


def wander(
    rng: np.random.Generator, start: Point, angle: float, length: float, *, step: float, bend: float
) -> NDArray[np.float64]:
    """Return a path (n, 2) that keeps its direction, about.

    Parameters
    ----------
    rng
        Draws the bends.
    start, angle, length
        Where it begins, which way it goes [rad], how far [m].
    step
        Distance between its points [m].
    bend
        Spread of its direction from step to step [rad].
    """
    n_steps = max(2, round(length / step))
    turns = np.zeros(n_steps)
    for i in range(1, n_steps):
        turns[i] = 0.93 * turns[i - 1] + rng.normal(0, bend)
    direction = angle + turns
    steps = step * np.column_stack([np.cos(direction), np.sin(direction)])
    return np.vstack([start, np.array(start) + steps.cumsum(axis=0)])


def _placed(local: NDArray[np.float64], centre: Point, angle: float) -> Ring:
    """Turn and move an outline."""
    cos, sin = math.cos(angle), math.sin(angle)
    placed: Ring = local @ np.array([[cos, sin], [-sin, cos]]) + np.array(centre)
    return placed
