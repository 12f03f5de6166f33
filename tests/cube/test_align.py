"""Whole-pixel geometry, against the centres of the pixels one by one."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.cube.align import align

from .conftest import NORTH, WEST, grid

small = st.integers(-30, 30)
sizes = st.integers(1, 25)


@given(small, small, sizes, sizes, sizes, sizes, st.sampled_from([(1, 1), (2, 1), (3, 1), (1, 2)]))
def test_every_pixel_gets_the_file_pixel_under_it(dy, dx, fh, fw, bh, bw, scales):
    repeat, reduce = scales
    transform = Affine(10 * repeat, 0, WEST + 10 * dx, 0, -10 * repeat, NORTH - 10 * dy)
    block = grid(bh, bw, resolution=10 * reduce)

    alignment = align(transform, (fh, fw), block)

    assert (alignment.repeat, alignment.reduce) == scales
    extent = alignment.covered(block)
    for axis, (offset, n_file, n_block) in enumerate(((dy, fh, bh), (dx, fw, bw))):
        # left and right edge of each block pixel, in file pixels
        edges = (np.arange(n_block + 1) * reduce - offset) / repeat
        inside = (edges[:-1] >= 0) & (edges[1:] <= n_file)
        assert np.flatnonzero(inside).tolist() == list(range(n_block)[extent[axis]])
        if not inside.any() or extent[0].start == extent[0].stop:
            continue
        source = alignment.source(extent)[axis]
        assert 0 <= source.start < source.stop <= n_file
        if reduce == 1:
            under = np.floor((edges[:-1] + edges[1:]) / 2).astype(int)[extent[axis]]
            repeated = np.repeat(np.arange(source.start, source.stop), repeat)
            start = alignment.start(extent)[axis]
            assert repeated[start : start + len(under)].tolist() == under.tolist()
        else:
            first = edges[:-1][extent[axis]]
            assert list(range(source.start, source.stop, reduce)) == first.tolist()


@pytest.mark.parametrize(
    "transform",
    [
        pytest.param(Affine(10, 0, WEST + 5, 0, -10, NORTH), id="half a pixel"),
        pytest.param(Affine(15, 0, WEST, 0, -15, NORTH), id="one and a half"),
        pytest.param(Affine(20, 0, WEST, 0, -10, NORTH), id="not square"),
        pytest.param(Affine(10, 0, WEST, 0, 10, NORTH), id="south up"),
        pytest.param(Affine(10, 1, WEST, 1, -10, NORTH), id="rotated"),
        pytest.param(Affine(7, 0, WEST, 0, -7, NORTH), id="finer, no whole part"),
    ],
)
def test_what_needs_interpolation(transform):
    assert align(transform, (10, 10), grid(10, 10)) is None


def test_rounding_of_written_transforms_is_forgiven():
    transform = Affine(10, 0, WEST + 1e-6, 0, -10, NORTH - 1e-6)
    assert align(transform, (10, 10), grid(10, 10)).row == 0
