"""Random numbers by place: known answers, the same in any window, and normal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cvlarray.kernels.counter_random import NORMAL_QUANTILES, philox, random_field


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        # "kat_vectors" of the Random123 library, philox4x32 with 10 rounds
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (
            [0xFFFFFFFF] * 4,
            [0xFFFFFFFF] * 2,
            [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        ),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_known_answers(counter, key, answer):
    assert [int(word) for word in philox(*np.array(counter + key, np.uint64))] == answer


def draw(row0, col0, shape, key=(3, 4)):
    field = np.empty(shape, np.float32)
    random_field(row0, col0, np.array(key, np.uint32), NORMAL_QUANTILES, field)
    return field


@given(
    row=st.integers(-70, 70),
    col=st.integers(-70, 70),
    height=st.integers(1, 30),
    width=st.integers(1, 30),
)
def test_a_window_is_a_part_of_the_whole(row, col, height, width):
    whole = draw(-70, -70, (170, 170))
    part = draw(row, col, (height, width))
    np.testing.assert_array_equal(part, whole[row + 70 :, col + 70 :][:height, :width])


def test_values_are_standard_normal():
    values = draw(-500, 12_345, (1000, 1000))
    assert values.mean() == pytest.approx(0, abs=0.004)
    assert values.std() == pytest.approx(1, abs=0.003)
    assert stats.kstest(values.ravel()[:100_000], "norm").pvalue > 0.001


def test_neighbours_and_keys_are_independent():
    values = draw(0, 0, (1000, 1000))
    for other in (
        draw(0, 1, (1000, 1000)),
        draw(1, 0, (1000, 1000)),
        draw(0, 0, (1000, 1000), key=(3, 5)),
        draw(0, 0, (1000, 1000), key=(4, 4)),
    ):
        assert abs((values * other).mean()) < 0.004
