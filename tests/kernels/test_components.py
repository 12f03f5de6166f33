"""Components of pixel lists against SciPy's on the whole mask."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cvlarray.kernels.components import label_pixels

EIGHT = np.ones((3, 3))


@given(
    mask=arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    is_eight=st.booleans(),
)
def test_labels_are_those_of_scipy(mask: np.ndarray, is_eight: bool) -> None:
    row, col = np.nonzero(mask)
    labels = label_pixels(
        row.astype(np.int32), col.astype(np.int32), np.zeros(row.size, np.int64), 0, is_eight
    )
    expected, _ = ndimage.label(mask, EIGHT if is_eight else None)
    assert labels.tolist() == (expected[mask] - 1).tolist()


@given(
    values=arrays(
        np.int64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3)
    ),
    is_eight=st.booleans(),
)
def test_groups_are_not_connected(values: np.ndarray, is_eight: bool) -> None:
    row, col = np.nonzero(values)
    labels = label_pixels(row.astype(np.int32), col.astype(np.int32), values[row, col], 0, is_eight)
    n_expected = sum(ndimage.label(values == v, EIGHT if is_eight else None)[1] for v in (1, 2, 3))
    assert np.unique(labels).size == n_expected
    for label in range(n_expected):
        assert np.unique(values[row, col][labels == label]).size == 1


@given(
    days=arrays(
        np.int64, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.integers(0, 40)
    ),
    max_step=st.integers(0, 20),
)
def test_neighbours_too_far_apart_in_value_are_not_connected(
    days: np.ndarray, max_step: int
) -> None:
    row, col = np.nonzero(days)
    labels = label_pixels(
        row.astype(np.int32), col.astype(np.int32), days[row, col], max_step, False
    )
    number = {place: k for k, place in enumerate(zip(row.tolist(), col.tolist(), strict=True))}
    pairs = [
        (number[y, x], number[y + dy, x + dx])
        for y, x in number
        for dy, dx in ((0, 1), (1, 0))
        if (y + dy, x + dx) in number and abs(days[y, x] - days[y + dy, x + dx]) <= max_step
    ]
    one, other = np.array(pairs, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(one.size), (one, other)), (row.size, row.size))
    n_expected, expected = connected_components(graph, directed=False)
    assert np.unique(labels).size == n_expected
    assert len(set(zip(labels.tolist(), expected.tolist(), strict=True))) == n_expected


def test_no_pixels_have_no_labels() -> None:
    none = np.empty(0, np.int32)
    assert label_pixels(none, none, np.empty(0, np.int64), 0, False).size == 0
