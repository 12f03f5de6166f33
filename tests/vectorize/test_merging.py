"""Patches are handed out when they are complete, in pieces, and leave nothing behind."""

from __future__ import annotations

import numpy as np
import pytest

from cvlarray.kernels.boundaries import Boundaries, trace_boundaries
from cvlarray.vectorize.blocks import block_rows, regular_chunks
from cvlarray.vectorize.lines import Lines, gather
from cvlarray.vectorize.merging import NOTHING_OPEN, OpenPatches, merge_row


def boundaries(values: np.ndarray, block_px: int) -> list[list[Boundaries]]:
    chunks = regular_chunks(values.shape, block_px)
    settings = {"mosaic_width": values.shape[1], "is_eight": False, "junctions": False}
    return [
        [trace_boundaries(b.pixels, row=b.row, col=b.col, **settings) for b in row]
        for row in block_rows(lambda y, x: values[y, x], chunks)
    ]


def noise(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 3, shape, np.uint8)


def test_nothing_is_open_after_the_last_row() -> None:
    still_open = NOTHING_OPEN
    for row in boundaries(noise((50, 40)), 7):
        _, still_open = merge_row(still_open, row)
    assert isinstance(still_open, OpenPatches)
    assert still_open.arc_starts.size == still_open.part_values.size == 0
    assert still_open.pinch_names.size == 0
    assert still_open.rings == ()
    assert sum(len(arcs.points) for arcs in still_open.arcs) == 0


def test_what_stays_open_does_not_grow_with_the_rows() -> None:
    values = np.zeros((400, 20), np.uint8)
    values[::2, ::2] = 1  # single pixels, all complete but for those of the last row
    still_open, held = NOTHING_OPEN, []
    for row in boundaries(values, 10):
        _, still_open = merge_row(still_open, row)
        arcs = sum(len(lines.points) for lines in still_open.arcs)
        held.append(arcs + sum(len(ring.lines.points) for ring in still_open.rings))
    assert max(held) == held[0]


def test_rings_of_an_open_patch_are_kept_and_the_others_forgotten() -> None:
    values = np.ones((30, 30), np.uint8)
    values[2:28, 2:28] = 0  # a frame, which stays open to the end
    values[4:26:2, 4:26:2] = 2  # and 121 single pixels
    values[12:18, 0:2] = np.array([[1, 1], [1, 0], [1, 1], [1, 1], [1, 0], [1, 1]])  # its holes
    complete, still_open = merge_row(NOTHING_OPEN, boundaries(values, 10)[0])
    assert set(complete.values.tolist()) == {2}
    found = []
    for row in boundaries(values, 10)[1:]:
        complete, still_open = merge_row(still_open, row)
        found += [(int(b.values[0]), b.n_pixels.tolist()) for b in complete.batches(1)]
    assert (1, [30 * 30 - 26 * 26 - 2]) in found


@pytest.mark.parametrize("max_points", [1, 50, 10_000])
def test_batches_are_the_whole_in_pieces(max_points: int) -> None:
    complete, _ = merge_row(NOTHING_OPEN, boundaries(noise((30, 30)), 30)[0])
    (whole,) = complete.batches()
    batches = list(complete.batches(max_points))
    assert len(batches) == {1: whole.values.size, 10_000: 1}.get(max_points, len(batches))
    assert np.array_equal(np.concatenate([b.points for b in batches]), whole.points)
    assert np.array_equal(np.concatenate([b.n_pixels for b in batches]), whole.n_pixels)
    assert np.array_equal(np.concatenate([b.values for b in batches]), whole.values)
    if max_points > 1:
        assert max(len(b.points) for b in batches) <= max_points


def test_lines_of_several_pieces_are_gathered_in_any_order() -> None:
    points = np.arange(20, dtype=np.int32).reshape(10, 2)
    pieces = [Lines(points[:4], np.array([0, 1, 4])), Lines(points[4:], np.array([0, 2, 2, 6]))]
    found = gather(pieces, np.array([4, 0, 3, 2]))
    assert found.points[:, 0].tolist() == [12, 14, 16, 18, 0, 8, 10]
    assert found.offsets.tolist() == [0, 4, 5, 5, 7]


def test_blocks_have_the_pixels_above_and_to_the_left() -> None:
    values = np.arange(1, 26, dtype=np.int64).reshape(5, 5)
    rows = [list(row) for row in block_rows(lambda y, x: values[y, x], ([3, 2], [3, 2]))]
    padded = np.pad(values, 1)
    assert np.array_equal(rows[0][0].pixels, padded[:4, :4])
    assert np.array_equal(rows[0][1].pixels, padded[:4, 3:])
    assert np.array_equal(rows[1][0].pixels, padded[3:, :4])
    assert np.array_equal(rows[1][1].pixels, padded[3:, 3:])
    assert [(b.row, b.col) for row in rows for b in row] == [(0, 0), (0, 3), (3, 0), (3, 3)]


def test_a_reader_that_gives_another_shape_is_refused() -> None:
    rows = block_rows(lambda y, x: np.zeros((1, 1), np.uint8), ([3], [3]))
    with pytest.raises(ValueError, match=r"the shape asked for, \(3, 3\), got \(1, 1\)"):
        list(next(rows))


def test_blocks_have_a_size() -> None:
    with pytest.raises(ValueError, match="block_px must be a positive"):
        regular_chunks((5, 5), 0)
