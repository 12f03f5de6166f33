"""Rings put together and measured, on cases small enough to see."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.kernels.rings import (
    chain_lines,
    close_rings,
    copy_lines,
    ring_pixels,
    rotate_rings,
    unite_pairs,
)

SQUARE = np.array([[0, 0], [2, 0], [2, 2], [0, 2]], np.int32)


@given(
    count=st.integers(1, 12),
    pairs=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=15),
)
def test_unite_pairs_finds_the_smallest_member(count: int, pairs: list[tuple[int, int]]) -> None:
    pairs = [(a % count, b % count) for a, b in pairs]
    groups = {element: {element} for element in range(count)}
    for a, b in pairs:  # the slow and obvious way
        merged = groups[a] | groups[b]
        groups.update(dict.fromkeys(merged, merged))
    ones, others = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
    expected = [min(groups[element]) for element in range(count)]
    assert unite_pairs(count, ones, others).tolist() == expected


def test_chains_are_open_first_then_closed() -> None:
    order, offsets, n_open = chain_lines(np.array([2, 4, -1, 3, 1]))
    assert order.tolist() == [0, 2, 1, 4, 3]
    assert offsets.tolist() == [0, 2, 4, 5]
    assert n_open == 1


def test_lines_are_copied_to_their_places() -> None:
    points = np.arange(12, dtype=np.int32).reshape(6, 2)
    target = np.zeros((4, 2), np.int32)
    copy_lines(points, np.array([0, 1, 3, 6]), np.array([2, 0]), target, np.array([0, 3]))
    assert target.tolist() == [[6, 7], [8, 9], [10, 11], [0, 1]]


@given(shift=st.integers(0, 3))
def test_rings_start_at_the_top_left(shift: int) -> None:
    rotated = np.concatenate((np.roll(SQUARE, shift, axis=0), np.roll(SQUARE, 1, axis=0) + 7))
    rotate_rings(rotated, np.array([0, 4, 8]))
    assert rotated.tolist() == [*SQUARE.tolist(), *(SQUARE + 7).tolist()]


def test_pixels_are_the_area_and_negative_for_holes() -> None:
    points = np.concatenate((SQUARE, SQUARE[::-1]))
    assert ring_pixels(points, np.array([0, 4, 8])).tolist() == [4, -4]
    assert shapely.Polygon(SQUARE).area == 4


def test_close_repeats_the_first_point() -> None:
    closed, offsets = close_rings(np.concatenate((SQUARE, SQUARE + 5)), np.array([0, 4, 8]))
    assert offsets.tolist() == [0, 5, 10]
    assert closed[[0, 5]].tolist() == closed[[4, 9]].tolist() == [[0, 0], [5, 5]]
