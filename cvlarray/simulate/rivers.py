"""Rivers that meander, and the oxbow lakes that they leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from cvlarray.kernels.meander import curvature, migrate
from cvlarray.simulate.keeping import kept
from cvlarray.simulate.landscape import Landscape
from cvlarray.simulate.randomness import generator

_STEPS = 320
"""Of migration: as many as give a sinuosity of about two and some cutoffs."""
_RATE, _MEMORY = 0.15, 1.2
"""Bank retreat a step, and reach of upstream bends, in widths; bends get about ten widths long."""
_OXBOW_STEPS = 130
"""Bends cut off in the last steps are lakes; older ones have grown over."""
_SPIN_UP_WIDTHS = 45
"""A river starts so far outside, because its first bends are weak."""
_PIECE_POINTS, _BANK_M = 16, 5.0
"""Length of the pieces that are searched for what lies in a river, and how wide its bank is."""

Course = NDArray[np.float64]
"""(n, 4): x, y, half the width at bankfull [m], bend (width / radius, positive to the left)."""


class Rivers(NamedTuple):
    """All water courses of a landscape."""

    channels: tuple[Course, ...]
    """Flowing; the main river first."""
    lakes: tuple[Course, ...]
    """Oxbows."""

    @property
    def main(self) -> Course:
        """The main river."""
        return self.channels[0]


@kept(8)
def rivers_of(landscape: Landscape) -> Rivers:
    """Return the rivers of a landscape."""
    rng = generator(landscape.seed, "rivers")
    width = rng.uniform(*landscape.land_use.river_width_m)
    main, lakes = _course(rng, _main_path(rng, landscape, width), width)
    channels = [main]
    n_tributaries = 1 + int(rng.poisson(landscape.land_use.rivers * landscape.area_km2 / 1000))
    for _ in range(n_tributaries if landscape.land_use.rivers > 0 else 0):
        narrow = width * rng.uniform(0.10, 0.33)
        path = _tributary_path(rng, landscape, main, narrow)
        course, oxbows = _course(rng, path, narrow)
        channels.append(course)
        lakes += oxbows
    return Rivers(tuple(channels), tuple(lake for lake in lakes if len(lake) > 3))


class Channels:
    """The ground of all rivers and oxbows at bankfull, to ask what lies in it."""

    def __init__(self, rivers: Rivers) -> None:
        pieces = []
        for course in (*rivers.channels, *rivers.lakes):
            for start in range(0, len(course) - 1, _PIECE_POINTS):
                part = course[start : start + _PIECE_POINTS + 1]
                line = shapely.LineString(part[:, :2])
                pieces.append(line.buffer(float(part[:, 2].max()) + _BANK_M, quad_segs=4))
        self._tree = shapely.STRtree(pieces)

    def touch(self, rings: Sequence[NDArray[np.float64]]) -> NDArray[np.bool_]:
        """Return which polygons lie in water, even in part."""
        touches = np.zeros(len(rings), bool)
        if rings:
            lengths = [len(ring) for ring in rings]
            outlines = shapely.linearrings(
                np.vstack(rings), indices=np.repeat(np.arange(len(rings)), lengths)
            )
            which, _ = self._tree.query(shapely.polygons(outlines), predicate="intersects")
            touches[which] = True
        return touches


@kept(8)
def channels_of(landscape: Landscape) -> Channels:
    """Return the channels of a landscape's rivers."""
    return Channels(rivers_of(landscape))


def courses_array(courses: tuple[Course, ...]) -> tuple[Course, NDArray[np.int64]]:
    """Return courses end to end, and where each starts: the form that kernels take."""
    if not courses:
        return np.empty((0, 4)), np.zeros(1, np.int64)
    starts = np.concatenate([[0], np.cumsum([len(course) for course in courses])])
    return np.vstack(courses), starts.astype(np.int64)


def _main_path(rng: np.random.Generator, landscape: Landscape, width: float) -> NDArray[np.float64]:
    """Return a gently curved path (n, 2) right across, with a run-up outside."""
    left, bottom, right, top = landscape.bounds
    size = float(np.hypot(right - left, top - bottom))
    centre = np.array([left + right, bottom + top]) / 2 + rng.uniform(-0.12, 0.12, 2) * size
    return _path(rng, centre, rng.uniform(0, 2 * np.pi), size, width)


def _tributary_path(
    rng: np.random.Generator, landscape: Landscape, main: Course, width: float
) -> NDArray[np.float64]:
    """Return a path that ends in the main river, somewhere inside."""
    left, bottom, right, top = landscape.bounds
    is_inside = (
        (main[:, 0] > left) & (main[:, 0] < right) & (main[:, 1] > bottom) & (main[:, 1] < top)
    )
    choices = np.flatnonzero(is_inside) if is_inside.any() else np.arange(len(main))
    mouth = main[rng.choice(choices)]
    size = float(np.hypot(right - left, top - bottom))
    reach = min(rng.uniform(0.25, 0.75) * size, 700 * width) + _SPIN_UP_WIDTHS * width
    angle = rng.uniform(0, 2 * np.pi)
    source = mouth[:2] + reach * np.array([np.cos(angle), np.sin(angle)])
    n_points = max(30, int(reach / (2 * width)))
    straight = np.linspace(source, mouth[:2], n_points)
    return _unsteady(rng, straight, width, reach)


def _path(
    rng: np.random.Generator, centre: NDArray[np.float64], angle: float, size: float, width: float
) -> NDArray[np.float64]:
    """Return a path through a centre, long enough for any direction."""
    half = 0.75 * size + _SPIN_UP_WIDTHS * width
    direction = np.array([np.cos(angle), np.sin(angle)])
    n_points = max(30, int(half / width))
    straight = np.linspace(centre - half * direction, centre + half * direction, n_points)
    return _unsteady(rng, straight, width, 2 * half)


def _unsteady(
    rng: np.random.Generator, path: NDArray[np.float64], width: float, length: float
) -> NDArray[np.float64]:
    """Push a straight path sideways: what bends grow from, and a slow swing of the valley."""
    along = path[-1] - path[0]
    across = np.array([-along[1], along[0]]) / np.hypot(*along)
    window = np.hanning(15) / np.hanning(15).sum()
    noise = np.convolve(rng.normal(0, 1, len(path) + 14), window, mode="valid")
    place = np.linspace(0, 1, len(path))
    swing = sum(
        rng.normal(0, 0.02 / k) * np.sin(2 * np.pi * k * place + rng.uniform(0, 2 * np.pi))
        for k in (1, 2, 3)
    )
    # Ends stay put, so that a tributary reaches its river.
    taper = np.minimum(1, 6 * np.minimum(place, 1 - place))
    return path + np.outer(taper * (4 * width * noise + swing * length), across)


def _course(
    rng: np.random.Generator, path: NDArray[np.float64], width: float
) -> tuple[Course, list[Course]]:
    """Let a river wander; return it and its younger oxbows."""
    line, loops, steps = migrate(path, width, _RATE * width, _MEMORY * width, _STEPS)
    bend = np.clip(curvature(line) * width, -1, 1)
    half = width / 2 * (1 + 0.25 * _waves(rng, len(line), 30) + 0.2 * np.abs(_eased(bend)))
    course = np.column_stack([line, half, _eased(bend)])
    lakes = [
        _oxbow(loop, width * rng.uniform(0.5, 0.85))
        for loop, step in zip(loops, steps, strict=True)
        if step >= _STEPS - _OXBOW_STEPS and rng.uniform() < 0.8
    ]
    return course, lakes


def _oxbow(loop: NDArray[np.float64], width: float) -> Course:
    """Return a bend as a lake: its ends have silted up."""
    place = np.linspace(0, 1, len(loop))
    silted = np.clip(np.minimum(place, 1 - place) / 0.22 - 0.35, 0, 1)
    kept = silted > 0
    half = width / 2 * np.sqrt(silted[kept])
    return np.column_stack([loop[kept], half, np.zeros(int(kept.sum()))])


def _waves(rng: np.random.Generator, n: int, length: int) -> NDArray[np.float64]:
    """Return n values within about ±1 that swing over some length."""
    knots = np.tanh(rng.normal(0, 0.8, n // length + 3))
    return np.interp(np.arange(n) / length, np.arange(len(knots)), knots)


def _eased(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values averaged over five neighbours."""
    padded = np.pad(values, 2, mode="edge")
    return np.convolve(padded, np.full(5, 0.2), mode="valid")
