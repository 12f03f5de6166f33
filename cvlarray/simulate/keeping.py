"""Results that are kept, because blocks of one landscape ask for the same again and again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from threading import RLock
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


def kept(n_results: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Keep a function's last results; threads that ask at the same time wait for one of them."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        cached = cast("Callable[P, T]", lru_cache(n_results)(function))
        lock = RLock()

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            with lock:
                return cached(*args, **kwargs)

        return call

    return decorate
