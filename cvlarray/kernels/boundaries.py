"""Boundaries of the equal-valued patches of one block of an integer raster.

One scan over the block's vertices (pixel corners) finds where a patch's boundary turns. Between two
turns it runs straight, so a turn only needs to be linked to the strand that arrives from the left
and the one that arrives from above: the scan's whole state is the open strands along the current
row line and down each column. A patch is kept on the left hand of its boundary, so on a north-up
map outer rings run counter-clockwise and holes clockwise.

Vertices and ports
    A block sees its own pixels and a halo of one pixel above and to the left. It owns the vertices
    at the top left corner of its pixels, so that every vertex of a mosaic belongs to one block. A
    strand that leaves the block ends in a port, a virtual node named by the edge it crosses; the
    neighbour has a port of the same name, where `cvlarray.vectorize` joins the two.

Which pixels are one patch
    Every strand has a label. Labels are united along a boundary, and from one end to the other of
    each pixel row's run of equal values; together that reaches every pixel of a patch without a
    label image. What is left are two pixels of equal value that touch in a corner only:

    - 8-connected, they are one patch: the boundary passes between the two other pixels.
    - 4-connected, they are one patch only if they are connected some other way round (a hole then
      touches its surroundings in that vertex), which may be known to no single block. Their strands
      are kept apart and recorded as a pinch. Once the labels are known, strands of one patch are
      reconnected; if both patches leave the block, they are cut there for the join to decide.

The rings are those of GDAL's polygonize on the undivided raster.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cvlarray.kernels.accelerate import jit, jit_step
from cvlarray.kernels.boundary_scan import (
    COL,
    LABEL,
    NEXT,
    ROW,
    find_root,
    scan_vertices,
    turn_tables,
    vertex_name,
)

__all__ = ["Boundaries", "trace_boundaries"]

IntArray = npt.NDArray[np.int32]
KeyArray = npt.NDArray[np.int64]

SEEN = -1
"""What `NEXT` becomes when a node was written out; at a cut it is -2 - the node after the cut."""


class Boundaries(NamedTuple):
    """What `trace_boundaries` found in a block. Vertices are (row, column) in the mosaic."""

    points: IntArray
    """(n, 2) vertices of all lines, one line after the other."""
    offsets: KeyArray
    """(lines + 1,) where each line starts in ``points``: first the open arcs, then closed rings."""
    line_parts: IntArray
    """(lines,) the part each line bounds."""
    arc_starts: KeyArray
    """(arcs,) name of the crossed edge or the pinch at which the arc starts."""
    arc_ends: KeyArray
    """(arcs,) the same for its end."""
    part_values: IntArray
    """(parts,) raster value of each part; a part is a patch as far as this block can tell."""
    west_parts: IntArray
    """(height,) part of the run that enters the pixel row from the left; -1 if the halo is 0."""
    east_parts: IntArray
    """(height,) part of the run that reaches the right border; -1 if the last pixel is 0."""
    pinch_names: KeyArray
    """(pinches, 2) names of the two ends at each pinch that was cut."""
    pinch_parts: IntArray
    """(pinches, 2) parts of the two."""


def trace_boundaries(
    pixels: IntArray, *, row: int, col: int, mosaic_width: int, is_eight: bool, junctions: bool
) -> Boundaries:
    """Trace the boundaries of all patches of one block.

    Parameters
    ----------
    pixels
        (height + 1, width + 1) int32, C order: the block with one more row above and one more
        column to the left. 0 is "nothing", also outside the mosaic. The last blocks of a mosaic
        carry a row of 0 below and a column of 0 to the right as if it were their own.
    row, col
        Place of the block's first own pixel in the mosaic.
    mosaic_width
        Pixels; makes the names of edges unique.
    is_eight
        Whether pixels that touch in a corner are connected.
    junctions
        Whether to keep vertices in which a straight boundary passes from one neighbour to another,
        so that patches which share a boundary share its vertices.
    """
    stride = mosaic_width + 2
    scan = scan_vertices(pixels, row, col, stride, turn_tables(is_eight, junctions))
    n_nodes, n_labels, n_ports, n_pinches = scan.counts
    nodes, ports, pinches = scan.nodes[:n_nodes], scan.ports[:n_ports], scan.pinches[:n_pinches]
    parts, part_values = _number_parts(scan.parent[:n_labels], scan.values[:n_labels])
    west, east = parts[scan.west], parts[scan.east]
    port_parts = parts[nodes[ports[:, 0], LABEL]]
    leaves = np.zeros(part_values.size + 1, np.bool_)
    leaves[west], leaves[east], leaves[port_parts] = True, True, True
    pinch_nodes, pinch_names = _resolve_pinches(nodes, parts, leaves[:-1], pinches, stride)
    starts = ports[:, 2] == 1
    arc_nodes = np.concatenate((ports[starts, 0], pinch_nodes.ravel()))
    arc_starts = np.concatenate((ports[starts, 1], pinch_names.ravel()))
    points, offsets, line_nodes, ends = _write_lines(nodes, arc_nodes)
    return Boundaries(
        points=points,
        offsets=offsets,
        line_parts=parts[nodes[line_nodes, LABEL]],
        arc_starts=arc_starts,
        arc_ends=_end_names(nodes, ports, pinch_nodes, pinch_names, ends),
        part_values=part_values,
        west_parts=west,
        east_parts=east,
        pinch_names=pinch_names,
        pinch_parts=parts[nodes[pinch_nodes, LABEL]],
    )


@jit
def _number_parts(parent: IntArray, values: IntArray) -> tuple[IntArray, IntArray]:
    """Return each label's part, numbered 0, 1, ..., and each part's value.

    The part of label 0, "none", is -1.
    """
    parts = np.empty(parent.size, np.int32)
    part_values = np.empty(parent.size, np.int32)
    parts[0] = -1
    n_parts = 0
    for label in range(1, parent.size):
        root = find_root(parent, label)
        if root == label:
            parts[label] = n_parts
            part_values[n_parts] = values[label]
            n_parts += 1
        else:
            parts[label] = parts[root]
    return parts, part_values[:n_parts].copy()


@jit
def _resolve_pinches(
    nodes: IntArray, parts: IntArray, leaves: npt.NDArray[np.bool_], pinches: IntArray, stride: int
) -> tuple[IntArray, KeyArray]:
    """Reconnect the strands of one part; cut those of two that may turn out to be one elsewhere.

    Returns
    -------
    (cuts, 2) the nodes with the cut behind them, and (cuts, 2) their names.
    """
    cut_nodes = np.empty((len(pinches), 2), np.int32)
    names = np.empty((len(pinches), 2), np.int64)
    n_cuts = 0
    for pinch in range(len(pinches)):
        upper, lower, kind = pinches[pinch, 0], pinches[pinch, 1], pinches[pinch, 2]
        upper_part, lower_part = parts[nodes[upper, LABEL]], parts[nodes[lower, LABEL]]
        if upper_part == lower_part:
            after_upper = nodes[upper, NEXT]
            nodes[upper, NEXT] = nodes[lower, NEXT]
            nodes[lower, NEXT] = after_upper
        elif leaves[upper_part] and leaves[lower_part]:
            name = vertex_name(nodes[upper, ROW], nodes[upper, COL], stride, kind)
            for end, node in enumerate((upper, lower)):
                nodes[node, NEXT] = -2 - nodes[node, NEXT]
                cut_nodes[n_cuts, end] = node
                names[n_cuts, end] = name + end
            n_cuts += 1
    return cut_nodes[:n_cuts].copy(), names[:n_cuts].copy()


@jit
def _write_lines(
    nodes: IntArray, arc_nodes: KeyArray
) -> tuple[IntArray, KeyArray, KeyArray, KeyArray]:
    """Follow the links and write vertices out, the open arcs first, then the closed rings.

    Returns
    -------
    Points (n, 2), offsets (lines + 1,), a node of each line, and the last node of each arc.
    """
    points = np.empty((len(nodes), 2), np.int32)
    max_lines = len(arc_nodes) + len(nodes) // 4
    offsets = np.zeros(max_lines + 1, np.int64)
    line_nodes = np.empty(max_lines, np.int64)
    arc_ends = np.empty(len(arc_nodes), np.int64)
    n_points = 0
    for line in range(len(arc_nodes)):
        start = arc_nodes[line]
        after = nodes[start, NEXT]
        first = after if after > 0 else -2 - after
        n_points, arc_ends[line] = _follow(nodes, first, 0, points, n_points)
        line_nodes[line] = start
        offsets[line + 1] = n_points
    n_lines = len(arc_nodes)
    for node in range(1, len(nodes)):
        if nodes[node, ROW] >= 0 and nodes[node, NEXT] > 0:
            n_points, _ = _follow(nodes, node, node, points, n_points)
            line_nodes[n_lines] = node
            n_lines += 1
            offsets[n_lines] = n_points
    return (
        points[:n_points].copy(),
        offsets[: n_lines + 1].copy(),
        line_nodes[:n_lines].copy(),
        arc_ends,
    )


@jit_step
def _follow(
    nodes: IntArray, node: int, stop: int, points: IntArray, n_points: int
) -> tuple[int, int]:
    """Write vertices up to a port, a cut (included) or `stop`; return how many, and the last."""
    while nodes[node, ROW] >= 0:
        points[n_points, 0], points[n_points, 1] = nodes[node, ROW], nodes[node, COL]
        n_points += 1
        after = nodes[node, NEXT]
        if after < SEEN:
            break
        nodes[node, NEXT] = SEEN
        node = after
        if node == stop:
            break
    return n_points, node


def _end_names(
    nodes: IntArray, ports: KeyArray, cut_nodes: IntArray, cut_names: KeyArray, ends: KeyArray
) -> KeyArray:
    """Return the names of the ports and cuts in which the arcs end."""
    rows = nodes[ends, ROW]
    names = np.empty(ends.size, np.int64)
    at_port = rows < 0
    names[at_port] = ports[-1 - rows[at_port], 1]
    order = np.argsort(cut_nodes.ravel())
    place = np.searchsorted(cut_nodes.ravel()[order], ends[~at_port])
    names[~at_port] = cut_names.ravel()[order][place]
    return names
