"""So many requests a minute of each, whatever the clocks do."""

from __future__ import annotations

from itertools import pairwise
from threading import Thread

from hypothesis import given
from hypothesis import strategies as st

from cvlarray.review.rate import MOST_REMEMBERED, Rate


class Clock:
    """Goes on when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(steps=st.lists(st.floats(0, 50), max_size=60), most=st.integers(1, 5))
def test_no_minute_has_more_and_nobody_waits_in_vain(steps, most):
    clock = Clock()
    rate, passed = Rate(most, clock), []
    for step in steps:
        clock.now += step
        in_last_minute = sum(time > clock.now - 60 for time in passed)
        allowed = rate.allows("ana")
        assert allowed == (in_last_minute < most)
        passed += [clock.now] * allowed
    assert all(later >= earlier for earlier, later in pairwise(passed))


def test_each_has_a_count_of_its_own_and_the_silent_are_forgotten():
    clock = Clock()
    rate = Rate(1, clock)
    assert all(rate.allows(f"guest {number}") for number in range(MOST_REMEMBERED))
    assert not rate.allows("guest 0")
    clock.now = 61
    assert rate.allows("another")
    assert len(rate._times) == 1


def test_many_at_once_get_no_more():
    rate, passed = Rate(50), []
    threads = [
        Thread(target=lambda: passed.extend(rate.allows("ana") for _ in range(20)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 50
