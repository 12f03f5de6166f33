"""The scan over the vertices of a block of an integer raster that `boundaries` is made from.

A vertex is a pixel corner. What happens in it depends only on which of the four pixels around it
are equal, so it is tabulated: which turns of boundaries are there, and which of the strands that
arrive from the left and from above each of them continues or opens anew.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cvlarray.kernels.accelerate import jit, jit_step, variable

__all__ = [
    "COL",
    "LABEL",
    "NAMES_PER_VERTEX",
    "NEXT",
    "PINCH",
    "ROW",
    "Scan",
    "find_root",
    "scan_vertices",
    "turn_tables",
    "vertex_name",
]

IntArray = npt.NDArray[np.int32]
KeyArray = npt.NDArray[np.int64]
TableArray = npt.NDArray[np.int8]

NAMES_PER_VERTEX = 8
EAST, WEST, SOUTH, NORTH, PINCH = (variable(kind) for kind in range(5))
"""Names at a vertex: the direction in which an edge to it is crossed, or one of 4 pinch ends."""

ROW, COL, NEXT, LABEL = 0, 1, 2, 3
"""Columns of the node table: place in the mosaic, the node that follows along the boundary, label.

A port's row is -1 - its number. Node 0 and label 0 mean "none".
"""
TL, TR, BL, BR = 0, 1, 2, 3
"""The four pixels around a vertex."""
ABOVE, BELOW, LEFT, RIGHT, NONE = 0, 1, 2, 3, 4
"""Open strands at a vertex: along the row line, of the patch above or below it; down the column, of
the patch to its left or right."""
NODES, LABELS, PORTS, PINCHES = 0, 1, 2, 3
"""Places in `Scan.counts`."""


class Scan(NamedTuple):
    """The nodes of a block, and the state of the scan; arrays are filled up to their count."""

    counts: KeyArray
    """(4,) nodes, labels, ports and pinches so far."""
    origin: KeyArray
    """(3,) row and column of the block in the mosaic, and the factor of rows in names."""
    nodes: IntArray
    """(n, 4) turns of boundaries and ports; see `ROW`."""
    parent: IntArray
    """(labels,) union-find: the label each label is united with."""
    values: IntArray
    """(labels,) raster value."""
    ports: KeyArray
    """(n, 3) node, name, and whether an arc starts there."""
    pinches: IntArray
    """(n, 3) the upper and the lower node, and the kind of the upper one's name."""
    west: IntArray
    """(height,) label of the run of equal pixels that enters each row from the left."""
    east: IntArray
    """(height,) label of the run that reaches the right border."""
    line: IntArray
    """(2,) open strands along the row line."""
    columns: IntArray
    """(width, 2) open strands down each column, of the patch to its left and to its right."""


_FIRST = variable(0)


@cache
def turn_tables(is_eight: bool, junctions: bool) -> tuple[TableArray, TableArray, TableArray]:
    """Tabulate the nodes of a vertex by which of its four pixels are equal.

    Each pixel can have its own corner there (convex), or bite a corner out of the patch around it
    (reflex); and a straight strand can get a node where its neighbour changes.

    Returns
    -------
    (64, 4, 5) the nodes: the pixel whose patch it bounds, the strand that comes before and after,
    and the strands it opens along the row line and down the column; (64,) how many; (64,) whether
    there is a pinch of the top left pixel (1), of the top right one (2).
    """
    nodes = np.full((64, 4, 5), NONE, np.int8)
    counts = np.zeros(64, np.int8)
    pinches = np.zeros(64, np.int8)
    for code in range(64):
        top, bottom, left, right, falling, rising = (bool(code >> bit & 1) for bit in range(6))
        falls, rises = is_eight and falling, is_eight and rising
        possible = [
            (not (top or left or falls), (TL, ABOVE, LEFT, NONE, NONE)),
            (not (top or right or rises), (TR, RIGHT, NONE, ABOVE, NONE)),
            (not (bottom or left or rises), (BL, NONE, BELOW, NONE, LEFT)),
            (not (bottom or right or falls), (BR, NONE, NONE, BELOW, RIGHT)),
            (rising and not top and (is_eight or right), (TR, RIGHT, BELOW, NONE, NONE)),
            (falling and not top and (is_eight or left), (TL, NONE, LEFT, BELOW, NONE)),
            (falling and not left and (is_eight or top), (TL, ABOVE, NONE, NONE, RIGHT)),
            (rising and not right and (is_eight or top), (TR, NONE, NONE, ABOVE, LEFT)),
        ]
        if junctions:
            possible += [
                (top and not (bottom or left or right), (TL, ABOVE, NONE, ABOVE, NONE)),
                (bottom and not (top or left or right), (BL, NONE, BELOW, BELOW, NONE)),
                (left and not (right or top or bottom), (TL, NONE, LEFT, NONE, LEFT)),
                (right and not (left or top or bottom), (TR, RIGHT, NONE, NONE, RIGHT)),
            ]
        found = [node for is_there, node in possible if is_there]
        if len(found) <= 4:  # more only where the equalities contradict each other
            nodes[code, : len(found)] = np.reshape(found, (-1, 5))
            counts[code] = len(found)
        if not (is_eight or top or bottom or left or right):
            pinches[code] = falling + 2 * rising
    return nodes, counts, pinches


@jit
def scan_vertices(
    pixels: IntArray,
    row: int,
    col: int,
    stride: int,
    tables: tuple[TableArray, TableArray, TableArray],
) -> Scan:
    """Find the nodes, ports and pinches of a block, link the nodes, and unite their labels.

    Parameters
    ----------
    pixels
        (height + 1, width + 1): with a row above and a column to the left of the neighbours.
    row, col
        Place of the first own pixel in the mosaic.
    stride
        More than the mosaic's width plus one; makes names unique.
    tables
        From `turn_tables`.
    """
    scan = _empty_scan(pixels)
    scan.origin[0], scan.origin[1], scan.origin[2] = row, col, stride
    height, width = len(pixels) - 1, pixels.shape[1] - 1
    for j in range(width):
        _enter(scan, scan.columns[j], pixels[0, j], pixels[0, j + 1], _FIRST, j, NORTH)
    for i in range(height):
        upper, lower = pixels[i], pixels[i + 1]
        _enter(scan, scan.line, upper[0], lower[0], i, _FIRST, EAST)
        _scan_row(scan, upper, lower, i, tables)
        _leave(scan, scan.line, upper[width], lower[width], i, width, EAST)
    last = pixels[height]
    for j in range(width):
        _leave(scan, scan.columns[j], last[j], last[j + 1], height, j, NORTH)
    return scan


@jit_step
def _empty_scan(pixels: IntArray) -> Scan:
    """Return a scan with room for the worst case; memory that isn't used is never touched."""
    height, width = len(pixels) - 1, pixels.shape[1] - 1
    n_mixed = 0
    for i in range(height):
        for j in range(width):
            tl, tr, bl, br = pixels[i, j], pixels[i, j + 1], pixels[i + 1, j], pixels[i + 1, j + 1]
            n_mixed += (tl != tr) | (tl != bl) | (tl != br)
    max_ports = 4 * (height + width)
    max_nodes = 4 * n_mixed + max_ports + 1
    scan = Scan(
        counts=np.array([1, 1, 0, 0], np.int64),
        origin=np.zeros(3, np.int64),
        nodes=np.empty((max_nodes, 4), np.int32),
        parent=np.empty(max_nodes + height, np.int32),
        values=np.empty(max_nodes + height, np.int32),
        ports=np.empty((max_ports, 3), np.int64),
        pinches=np.empty((2 * n_mixed, 3), np.int32),
        west=np.zeros(height, np.int32),
        east=np.zeros(height, np.int32),
        line=np.zeros(2, np.int32),
        columns=np.zeros((width, 2), np.int32),
    )
    scan.nodes[0], scan.parent[0], scan.values[0] = 0, 0, 0
    return scan


@jit_step
def _scan_row(
    scan: Scan,
    upper: IntArray,
    lower: IntArray,
    i: int,
    tables: tuple[TableArray, TableArray, TableArray],
) -> None:
    """Scan the vertices between two rows of pixels, and the runs of equal pixels below them."""
    turns, n_turns, pinch_codes = tables
    first_row, first_col = scan.origin[0], scan.origin[1]
    nodes, parent, values, columns = scan.nodes, scan.parent, scan.values, scan.columns
    n_nodes, n_labels = scan.counts[NODES], scan.counts[LABELS]
    arriving, leaving = np.zeros(5, np.int32), np.zeros(5, np.int32)
    leaving[ABOVE], leaving[BELOW] = scan.line
    around, corner = np.empty(4, np.int32), np.empty(4, np.int32)
    run = 0
    if lower[0] != 0 and lower[0] == lower[1]:
        run = _set_label(parent, values, n_labels, lower[0])
        scan.west[i] = run
        n_labels += 1
    for j in range(len(columns)):
        tl, tr, bl, br = upper[j], upper[j + 1], lower[j], lower[j + 1]
        level, upright = (tl == tr) | (bl == br) << 1, (tl == bl) << 2 | (tr == br) << 3
        code = level | upright | (tl == br) << 4 | (tr == bl) << 5
        if code == 63:
            continue
        if n_turns[code] > 0:
            around[TL], around[TR], around[BL], around[BR] = tl, tr, bl, br
            leaving[LEFT], leaving[RIGHT] = columns[j]
            for strand in range(4):
                arriving[strand] = leaving[strand]
            for turn in range(n_turns[code]):
                owner, before, after, opens_line, opens_column = turns[code, turn]
                if around[owner] == 0:
                    continue
                before, after = arriving[before], arriving[after]
                nodes[before, NEXT] = n_nodes
                nodes[n_nodes, ROW], nodes[n_nodes, COL] = first_row + i, first_col + j
                nodes[n_nodes, NEXT] = after
                label = nodes[before, LABEL] if before != 0 else nodes[after, LABEL]
                if label == 0:
                    label = _set_label(parent, values, n_labels, around[owner])
                    n_labels += 1
                elif after != 0:
                    _unite(parent, label, nodes[after, LABEL])
                nodes[n_nodes, LABEL] = label
                leaving[opens_line], leaving[opens_column] = n_nodes, n_nodes
                corner[owner] = n_nodes
                n_nodes += 1
            columns[j, 0], columns[j, 1] = leaving[LEFT], leaving[RIGHT]
            if pinch_codes[code] != 0:
                _add_pinches(scan, pinch_codes[code], around, corner)
        if bl == br:
            continue
        if bl != 0:  # a run ends: what bounds it left and right bounds one patch
            end = nodes[columns[j, 0], LABEL]
            if run == 0:  # it came in from the left and ends at once
                scan.west[i] = end
            else:
                _unite(parent, run, end)
        run = nodes[columns[j, 1], LABEL] if br != 0 else 0
    scan.east[i] = run
    scan.line[0], scan.line[1] = leaving[ABOVE], leaving[BELOW]
    scan.counts[NODES], scan.counts[LABELS] = n_nodes, n_labels


@jit_step
def _enter(scan: Scan, strands: IntArray, a: int, b: int, i: int, j: int, kind: int) -> None:
    """Open the strands of an edge that crosses the left or upper border, between pixels a and b.

    ``kind`` is the direction in which the patch of ``a`` is bounded, EAST or NORTH; that of ``b``
    is bounded the other way.
    """
    for side in range(2):
        value = b if side == 1 else a
        if a == b or value == 0:
            continue
        node, label = scan.counts[NODES], scan.counts[LABELS]
        is_start = (kind == EAST) != (side == 1)
        _add_port(scan, _kind(kind, side), i, j, is_start)
        scan.nodes[node, LABEL] = _set_label(scan.parent, scan.values, label, value)
        scan.counts[LABELS] += 1
        strands[side] = node


@jit_step
def _leave(scan: Scan, strands: IntArray, a: int, b: int, i: int, j: int, kind: int) -> None:
    """Close the strands of an edge that crosses the right or lower border; see `_enter`."""
    for side in range(2):
        if a == b or (b if side == 1 else a) == 0:
            continue
        node, strand = scan.counts[NODES], strands[side]
        is_start = (kind == EAST) == (side == 1)
        _add_port(scan, _kind(kind, side), i, j, is_start)
        scan.nodes[node, LABEL] = scan.nodes[strand, LABEL]
        if is_start:
            scan.nodes[node, NEXT] = strand
        else:
            scan.nodes[strand, NEXT] = node


@jit_step
def _kind(kind: int, side: int) -> int:
    """Return the direction on the other side of an edge."""
    if side == 0:
        return kind
    return WEST if kind == EAST else SOUTH


@jit_step
def _add_port(scan: Scan, kind: int, i: int, j: int, is_start: bool) -> None:
    row, col, stride = scan.origin
    node, port = scan.counts[NODES], scan.counts[PORTS]
    scan.nodes[node, ROW], scan.nodes[node, COL], scan.nodes[node, NEXT] = -1 - port, 0, 0
    scan.ports[port, 0], scan.ports[port, 2] = node, is_start
    scan.ports[port, 1] = vertex_name(row + i, col + j, stride, kind)
    scan.counts[NODES] += 1
    scan.counts[PORTS] += 1


@jit_step
def _add_pinches(scan: Scan, code: int, around: IntArray, corner: IntArray) -> None:
    for kind, upper, lower in ((0, TL, BR), (1, TR, BL)):
        if code >> kind & 1 and around[upper] != 0:
            pinch = scan.pinches[scan.counts[PINCHES]]
            pinch[0], pinch[1], pinch[2] = corner[upper], corner[lower], PINCH + 2 * kind
            scan.counts[PINCHES] += 1


@jit_step
def vertex_name(row: int, col: int, stride: int, kind: int) -> int:
    """Name an edge by the vertex at its right or lower end, or a pinch by its vertex."""
    return (row * stride + col) * NAMES_PER_VERTEX + kind


@jit_step
def _set_label(parent: IntArray, values: IntArray, label: int, value: int) -> int:
    parent[label] = label
    values[label] = value
    return label


@jit_step
def find_root(parent: IntArray, label: int) -> int:
    """Return the label that stands for all those ``label`` is united with."""
    while parent[label] != label:
        parent[label] = parent[parent[label]]
        label = parent[label]
    return label


@jit_step
def _unite(parent: IntArray, one: int, other: int) -> None:
    """Make two labels one. The older one stays, so roots come before what hangs on them."""
    if parent[one] == parent[other]:
        return
    one, other = find_root(parent, one), find_root(parent, other)
    if one < other:
        parent[other] = one
    else:
        parent[one] = other
