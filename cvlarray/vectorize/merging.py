"""Boundaries of blocks, joined into the patches of the mosaic, one row of blocks at a time.

What reaches below the last row of blocks is carried on; all other patches are complete and are
handed out, so that memory follows the frontier and not the mosaic. Vertices make up most of the
memory: they stay in the arrays they came in, and are copied once when their line grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cvlarray.kernels.boundaries import Boundaries
from cvlarray.kernels.boundary_scan import NAMES_PER_VERTEX, PINCH
from cvlarray.kernels.rings import chain_lines, ring_pixels, rotate_rings, unite_pairs
from cvlarray.vectorize.lines import Lines, first_points, gather, line_lengths

__all__ = ["NOTHING_OPEN", "CompletePatches", "OpenPatches", "Patches", "merge_row"]

IntArray = npt.NDArray[np.int32]
KeyArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MAX_POINTS = 1 << 18
"""Vertices that are handed out at once, unless a single polygon has more."""

HANDED_OUT = -1


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
    """Closed rings, some of which may have been handed out."""

    lines: Lines
    parts: KeyArray
    """(rings,) part that each ring bounds, -1 once it was handed out."""


class OpenPatches(NamedTuple):
    """What reaches below the blocks merged so far."""

    arcs: tuple[Lines, ...]
    """Boundaries that aren't closed yet; they are numbered through all arrays."""
    arc_parts: KeyArray
    """(arcs,) part that each bounds."""
    arc_starts: KeyArray
    """(arcs,) name of the edge or pinch at its start."""
    arc_ends: KeyArray
    """(arcs,) the same for its end."""
    pinch_names: KeyArray
    """(pinches, 2) cuts between two parts that may still turn out to be one."""
    pinch_parts: KeyArray
    """(pinches, 2) the two parts."""
    part_values: IntArray
    """(parts,) raster value."""
    rings: tuple[Rings, ...]
    """Closed boundaries of these parts."""


def _no_keys(*shape: int) -> KeyArray:
    return np.empty(shape, np.int64)


NOTHING_OPEN = OpenPatches(
    arcs=(),
    arc_parts=_no_keys(0),
    arc_starts=_no_keys(0),
    arc_ends=_no_keys(0),
    pinch_names=_no_keys(0, 2),
    pinch_parts=_no_keys(0, 2),
    part_values=np.empty(0, np.int32),
    rings=(),
)
"""The state above the first row of blocks."""


class CompletePatches(NamedTuple):
    """Patches to which no further block can add."""

    lines: tuple[Lines, ...]
    """The arrays in which their rings lie."""
    rings: KeyArray
    """(rings,) numbers of the rings through all lines, polygon by polygon."""
    polygon_offsets: KeyArray
    """(polygons + 1,) into ``rings``."""
    values: IntArray
    """(polygons,) raster value."""

    def batches(self, max_points: int = MAX_POINTS) -> Iterator[Patches]:
        """Yield the patches, not many vertices at once."""
        n_points = np.concatenate(([0], np.cumsum(line_lengths(self.lines)[self.rings])))
        before = n_points[self.polygon_offsets]
        first = 0
        while first < self.values.size:
            last = int(np.searchsorted(before, before[first] + max_points, side="right")) - 1
            yield self._batch(first, max(last, first + 1))
            first = max(last, first + 1)

    def _batch(self, first: int, last: int) -> Patches:
        offsets = self.polygon_offsets[first : last + 1]
        points, ring_offsets = gather(self.lines, self.rings[offsets[0] : offsets[-1]])
        pixels = ring_pixels(points, ring_offsets)
        offsets = offsets - offsets[0]
        values = self.values[first:last]
        return Patches(points, ring_offsets, offsets, values, np.add.reduceat(pixels, offsets[:-1]))


def merge_row(above: OpenPatches, row: Sequence[Boundaries]) -> tuple[CompletePatches, OpenPatches]:
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
    lines = _with_parts(lines, np.append(roots, HANDED_OUT))
    is_pending = _decide_pinches(successors, lines, is_open)
    lines = _chain(lines, successors)._replace(
        pinch_names=lines.pinch_names[is_pending], pinch_parts=lines.pinch_parts[is_pending]
    )
    complete = _complete(lines, is_open)
    return complete, _renumber(_without_complete(lines, is_open), is_open)


def _as_open(block: Boundaries) -> OpenPatches:
    """Return a block's boundaries with the arcs and the closed rings apart."""
    n_arcs = block.arc_starts.size
    stop = block.offsets[n_arcs]
    parts = block.line_parts.astype(np.int64)
    rings = Lines(block.points[stop:], block.offsets[n_arcs:] - stop)
    return OpenPatches(
        arcs=(Lines(block.points[:stop], block.offsets[: n_arcs + 1]),),
        arc_parts=parts[:n_arcs],
        arc_starts=block.arc_starts,
        arc_ends=block.arc_ends,
        pinch_names=block.pinch_names,
        pinch_parts=block.pinch_parts.astype(np.int64),
        part_values=block.part_values,
        rings=(Rings(rings, parts[n_arcs:]),),
    )


def _side_by_side(pieces: Sequence[OpenPatches]) -> OpenPatches:
    """Put all lines together under one numbering of parts."""
    base = np.cumsum([0, *(piece.part_values.size for piece in pieces)])
    shifted = [
        _with_parts(piece, np.append(np.arange(base[k], base[k + 1]), HANDED_OUT))
        for k, piece in enumerate(pieces)
    ]
    return OpenPatches(
        arcs=tuple(arcs for piece in pieces for arcs in piece.arcs),
        arc_parts=np.concatenate([piece.arc_parts for piece in shifted]),
        arc_starts=np.concatenate([piece.arc_starts for piece in pieces]),
        arc_ends=np.concatenate([piece.arc_ends for piece in pieces]),
        pinch_names=np.concatenate([piece.pinch_names for piece in pieces]),
        pinch_parts=np.concatenate([piece.pinch_parts for piece in shifted]),
        part_values=np.concatenate([piece.part_values for piece in pieces]),
        rings=tuple(ring for piece in shifted for ring in piece.rings),
    )


def _with_parts(lines: OpenPatches, parts: KeyArray) -> OpenPatches:
    """Return the same lines with each part replaced by ``parts[part]``.

    The last of ``parts`` is what -1, handed out, becomes.
    """
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


def _decide_pinches(successors: KeyArray, lines: OpenPatches, is_open: BoolArray) -> BoolArray:
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
    is_pending: BoolArray = ~is_one & is_open[upper] & is_open[lower]
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
    first, last = order[chains[:-1]], order[chains[1:] - 1]
    parts = lines.arc_parts[first]
    arcs = gather(lines.arcs, order[: chains[n_open]])
    closed = gather(lines.arcs, order[chains[n_open] :])
    rings = Lines(closed.points, closed.offsets[chains[n_open:] - chains[n_open]])
    rotate_rings(*rings)
    return lines._replace(
        arcs=(Lines(arcs.points, arcs.offsets[chains[: n_open + 1]]),),
        arc_parts=parts[:n_open],
        arc_starts=lines.arc_starts[first[:n_open]],
        arc_ends=lines.arc_ends[last[:n_open]],
        rings=(*lines.rings, Rings(rings, parts[n_open:])),
    )


def _complete(lines: OpenPatches, is_open: BoolArray) -> CompletePatches:
    """Group the rings of complete parts into polygons."""
    pieces = tuple(ring.lines for ring in lines.rings)
    parts = np.concatenate([ring.parts for ring in lines.rings])
    rings = np.flatnonzero((parts != HANDED_OUT) & ~is_open[parts])
    rows, cols = first_points(pieces)[rings].T
    order = np.lexsort((cols, rows, parts[rings]))  # a polygon's outer ring starts first
    is_outer = np.diff(parts[rings][order], prepend=HANDED_OUT) != 0
    outer = order[is_outer]
    rank = np.empty(outer.size, np.int64)
    rank[np.lexsort((cols[outer], rows[outer]))] = np.arange(outer.size)
    by_polygon = np.argsort(rank[np.cumsum(is_outer) - 1], kind="stable")
    offsets = np.append(np.flatnonzero(is_outer[by_polygon]), rings.size)
    rings = rings[order[by_polygon]]
    return CompletePatches(pieces, rings, offsets, lines.part_values[parts[rings[offsets[:-1]]]])


def _without_complete(lines: OpenPatches, is_open: BoolArray) -> OpenPatches:
    """Return the lines without the rings of complete parts."""
    rings = (_without(ring, is_open) for ring in lines.rings)
    return lines._replace(rings=tuple(ring for ring in rings if ring.parts.size))


def _without(rings: Rings, is_open: BoolArray) -> Rings:
    """Mark the rings of complete parts as handed out; drop them once they are the larger part."""
    is_left = (rings.parts != HANDED_OUT) & is_open[rings.parts]
    left = np.flatnonzero(is_left)
    n_points = np.diff(rings.lines.offsets)[left].sum()
    if 2 * n_points > len(rings.lines.points):
        return rings._replace(parts=np.where(is_left, rings.parts, HANDED_OUT))
    return Rings(gather([rings.lines], left), rings.parts[left])


def _renumber(lines: OpenPatches, is_open: BoolArray) -> OpenPatches:
    """Return the lines with open parts numbered 0, 1, ..., and the others forgotten."""
    numbers = np.append(np.cumsum(is_open) - 1, HANDED_OUT)
    return _with_parts(lines, numbers)._replace(part_values=lines.part_values[is_open])
