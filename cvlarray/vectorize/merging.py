"""Boundaries of blocks, joined into the polygons of the mosaic, one row of blocks at a time.

What reaches below the last row of blocks is carried on; all other patches are complete and are
handed out, so that memory follows the widest frontier and not the mosaic.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cvlarray.kernels.boundaries import Boundaries
from cvlarray.kernels.boundary_scan import NAMES_PER_VERTEX, PINCH
from cvlarray.kernels.rings import (
    chain_lines,
    gather_lines,
    ring_pixels,
    rotate_rings,
    unite_pairs,
)

__all__ = ["NOTHING_OPEN", "OpenPatches", "Patches", "merge_row"]

IntArray = npt.NDArray[np.int32]
KeyArray = npt.NDArray[np.int64]


class Patches(NamedTuple):
    """Complete patches: polygons on the vertex grid, ordered by their first vertex.

    Rings aren't closed by a repeated point. The first ring of a polygon is its outer one.
    """

    points: IntArray
    """(n, 2) row and column of vertices."""
    ring_offsets: KeyArray
    """(rings + 1,) into ``points``."""
    polygon_offsets: KeyArray
    """(polygons + 1,) into the rings."""
    values: IntArray
    """(polygons,) raster value."""
    n_pixels: KeyArray
    """(polygons,)."""


class Rings(NamedTuple):
    """Closed rings of parts that are still open."""

    points: IntArray
    offsets: KeyArray
    parts: KeyArray
    """(rings,) part that each ring bounds."""


class OpenPatches(NamedTuple):
    """What reaches below the blocks merged so far."""

    points: IntArray
    """(n, 2) vertices of the arcs."""
    offsets: KeyArray
    """(arcs + 1,)."""
    arc_parts: KeyArray
    arc_starts: KeyArray
    arc_ends: KeyArray
    pinch_names: KeyArray
    """(pinches, 2) cuts between two parts that may still turn out to be one."""
    pinch_parts: KeyArray
    part_values: IntArray
    """(parts,) raster value."""
    rings: tuple[Rings, ...]


def _no_keys(*shape: int) -> KeyArray:
    return np.empty(shape, np.int64)


NOTHING_OPEN = OpenPatches(
    points=np.empty((0, 2), np.int32),
    offsets=np.zeros(1, np.int64),
    arc_parts=_no_keys(0),
    arc_starts=_no_keys(0),
    arc_ends=_no_keys(0),
    pinch_names=_no_keys(0, 2),
    pinch_parts=_no_keys(0, 2),
    part_values=np.empty(0, np.int32),
    rings=(),
)
"""The state above the first row of blocks."""


def merge_row(above: OpenPatches, row: Sequence[Boundaries]) -> tuple[Patches, OpenPatches]:
    """Join a row of blocks with what was open above it.

    Parameters
    ----------
    above
        What the rows before left open; `NOTHING_OPEN` at the start.
    row
        Boundaries of the blocks of one row, from left to right.

    Returns
    -------
    The patches that are complete now, and those still open: after the last row there are none.
    """
    lines = _side_by_side([above, *(_as_open(boundaries) for boundaries in row)])
    successors = _successors(lines)
    is_joined = successors >= 0
    run_ends, run_starts = _runs_across(row, first_part=above.part_values.size)
    roots = unite_pairs(
        lines.part_values.size,
        np.concatenate((run_ends, lines.arc_parts[is_joined])),
        np.concatenate((run_starts, lines.arc_parts[successors[is_joined]])),
    )
    is_open = np.zeros(roots.size, np.bool_)
    is_open[roots[lines.arc_parts[~is_joined]]] = True
    lines = _with_parts(lines, roots)
    is_pending = _decide_pinches(successors, lines, is_open)
    lines = _chain(lines, successors)._replace(
        pinch_names=lines.pinch_names[is_pending], pinch_parts=lines.pinch_parts[is_pending]
    )
    rings = [_split(ring, is_open) for ring in lines.rings]
    patches = _patches([complete for complete, _ in rings], lines.part_values)
    lines = lines._replace(rings=tuple(rest for _, rest in rings if rest.parts.size))
    return patches, _renumber(lines, is_open)


def _as_open(block: Boundaries) -> OpenPatches:
    """Return a block's boundaries with the arcs and the closed rings apart."""
    n_arcs = block.arc_starts.size
    stop = block.offsets[n_arcs]
    parts = block.line_parts.astype(np.int64)
    return OpenPatches(
        points=block.points[:stop],
        offsets=block.offsets[: n_arcs + 1],
        arc_parts=parts[:n_arcs],
        arc_starts=block.arc_starts,
        arc_ends=block.arc_ends,
        pinch_names=block.pinch_names,
        pinch_parts=block.pinch_parts.astype(np.int64),
        part_values=block.part_values,
        rings=(Rings(block.points[stop:], block.offsets[n_arcs:] - stop, parts[n_arcs:]),),
    )


def _side_by_side(pieces: Sequence[OpenPatches]) -> OpenPatches:
    """Put all lines into one set of arrays, under one numbering of parts."""
    base = np.cumsum([0, *(piece.part_values.size for piece in pieces)])
    shifted = [
        _with_parts(piece, np.arange(base[k], base[k + 1])) for k, piece in enumerate(pieces)
    ]
    lengths = np.concatenate([np.diff(piece.offsets) for piece in pieces])
    return OpenPatches(
        points=np.concatenate([piece.points for piece in pieces]),
        offsets=np.concatenate(([0], np.cumsum(lengths))),
        arc_parts=np.concatenate([piece.arc_parts for piece in shifted]),
        arc_starts=np.concatenate([piece.arc_starts for piece in pieces]),
        arc_ends=np.concatenate([piece.arc_ends for piece in pieces]),
        pinch_names=np.concatenate([piece.pinch_names for piece in pieces]),
        pinch_parts=np.concatenate([piece.pinch_parts for piece in shifted]),
        part_values=np.concatenate([piece.part_values for piece in pieces]),
        rings=tuple(ring for piece in shifted for ring in piece.rings),
    )


def _with_parts(lines: OpenPatches, parts: KeyArray) -> OpenPatches:
    """Return the same lines with each part replaced by ``parts[part]``."""
    return lines._replace(
        arc_parts=parts[lines.arc_parts],
        pinch_parts=parts[lines.pinch_parts],
        rings=tuple(ring._replace(parts=parts[ring.parts]) for ring in lines.rings),
    )


def _runs_across(row: Sequence[Boundaries], *, first_part: int) -> tuple[KeyArray, KeyArray]:
    """Return pairs of parts that are one as a run of equal pixels crosses from block to block."""
    bases = first_part + np.cumsum([0, *(block.part_values.size for block in row)])
    ends, starts = [_no_keys(0)], [_no_keys(0)]
    for k, (left, right) in enumerate(pairwise(row)):
        crosses = right.west_parts >= 0
        ends.append(left.east_parts[crosses] + bases[k])
        starts.append(right.west_parts[crosses] + bases[k + 1])
    return np.concatenate(ends), np.concatenate(starts)


def _successors(lines: OpenPatches) -> KeyArray:
    """Return for each arc the one that starts where it ends, or -1."""
    if lines.arc_ends.size == 0:
        return _no_keys(0)
    order = np.argsort(lines.arc_starts)
    names = lines.arc_starts[order]
    place = np.minimum(np.searchsorted(names, lines.arc_ends), names.size - 1)
    return np.where(names[place] == lines.arc_ends, order[place], -1)


def _decide_pinches(
    successors: KeyArray, lines: OpenPatches, is_open: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Join the strands at each pinch in ``successors``, or leave them cut where it isn't known yet.

    Parameters
    ----------
    successors
        (arcs,) as if all pinches kept their two patches apart; changed in place.
    lines
        Lines whose parts are united.
    is_open
        (parts,) whether a part may be united with another one later.

    Returns
    -------
    (pinches,) whether it stays undecided.
    """
    upper, lower = lines.pinch_parts.T
    is_one = upper == lower
    is_pending: npt.NDArray[np.bool_] = ~is_one & is_open[upper] & is_open[lower]
    at_pinch = np.flatnonzero(lines.arc_ends % NAMES_PER_VERTEX >= PINCH)
    order = at_pinch[np.argsort(lines.arc_ends[at_pinch])]
    place = np.searchsorted(lines.arc_ends[order], lines.pinch_names)
    arcs = order[place] if order.size else _no_keys(0, 2)
    one, other = arcs[is_one].T
    successors[one], successors[other] = successors[other], successors[one]
    successors[arcs[is_pending]] = -1
    return is_pending


def _chain(lines: OpenPatches, successors: KeyArray) -> OpenPatches:
    """Return the lines with arcs that follow each other made one; those that close become rings."""
    order, chains, n_open = chain_lines(successors)
    points, offsets = gather_lines(lines.points, lines.offsets, order)
    offsets = offsets[chains]
    first, last = order[chains[:-1]], order[chains[1:] - 1]
    parts = lines.arc_parts[first]
    stop = offsets[n_open]
    ring_offsets = offsets[n_open:] - stop
    rings = Rings(rotate_rings(points[stop:], ring_offsets), ring_offsets, parts[n_open:])
    return lines._replace(
        points=points[:stop],
        offsets=offsets[: n_open + 1],
        arc_parts=parts[:n_open],
        arc_starts=lines.arc_starts[first[:n_open]],
        arc_ends=lines.arc_ends[last[:n_open]],
        rings=(*lines.rings, rings),
    )


def _split(rings: Rings, is_open: npt.NDArray[np.bool_]) -> tuple[Rings, Rings]:
    """Return the rings of complete parts, and the others."""
    stays = is_open[rings.parts]
    if stays.all():
        return _take(rings, np.flatnonzero(~stays)), rings
    return _take(rings, np.flatnonzero(~stays)), _take(rings, np.flatnonzero(stays))


def _take(rings: Rings, order: KeyArray) -> Rings:
    points, offsets = gather_lines(rings.points, rings.offsets, order)
    return Rings(points, offsets, rings.parts[order])


def _patches(pieces: Sequence[Rings], part_values: IntArray) -> Patches:
    """Group the rings of complete parts into polygons."""
    rings = _join_rings(pieces)
    starts = rings.points[rings.offsets[:-1]].astype(np.int64)
    order = np.lexsort((starts[:, 1], starts[:, 0], rings.parts))  # outer rings start first
    is_outer = np.diff(rings.parts[order], prepend=-1) != 0
    outer = order[is_outer]
    rank = np.empty(outer.size, np.int64)
    rank[np.lexsort((starts[outer, 1], starts[outer, 0]))] = np.arange(outer.size)
    polygon = rank[np.cumsum(is_outer) - 1]
    by_polygon = np.argsort(polygon, kind="stable")
    rings = _take(rings, order[by_polygon])
    pixels = ring_pixels(rings.points, rings.offsets)
    polygon_offsets = np.append(np.flatnonzero(is_outer[by_polygon]), pixels.size)
    return Patches(
        points=rings.points,
        ring_offsets=rings.offsets,
        polygon_offsets=polygon_offsets,
        values=part_values[rings.parts[polygon_offsets[:-1]]],
        n_pixels=np.add.reduceat(pixels, polygon_offsets[:-1]) if pixels.size else _no_keys(0),
    )


def _join_rings(pieces: Sequence[Rings]) -> Rings:
    lengths = np.concatenate([np.diff(piece.offsets) for piece in pieces])
    return Rings(
        np.concatenate([piece.points for piece in pieces]),
        np.concatenate(([0], np.cumsum(lengths))),
        np.concatenate([piece.parts for piece in pieces]),
    )


def _renumber(lines: OpenPatches, is_open: npt.NDArray[np.bool_]) -> OpenPatches:
    """Return the lines with open parts numbered 0, 1, ..., and the others forgotten."""
    numbers = np.cumsum(is_open) - 1
    return _with_parts(lines, numbers)._replace(part_values=lines.part_values[is_open])
