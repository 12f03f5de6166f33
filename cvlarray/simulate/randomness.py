"""Random numbers that depend on what they are for, and never on what was drawn before."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return the generator of one purpose, such as ``generator(7, "weather", day)``.

    Parameters
    ----------
    seed
        Of the landscape.
    purpose
        Words and numbers; other ones give other numbers.

    Returns
    -------
    A Philox generator at its beginning.
    """
    return np.random.Generator(np.random.Philox(_sequence(seed, purpose)))


def field_key(seed: int, *purpose: str | int) -> NDArray[np.uint32]:
    """Return the key (2,) of the random field of one purpose, for `kernels.counter_random`."""
    return np.asarray(_sequence(seed, purpose).generate_state(2, np.uint32), np.uint32)


def _sequence(seed: int, purpose: tuple[str | int, ...]) -> np.random.SeedSequence:
    words = [zlib.crc32(word.encode()) if isinstance(word, str) else word for word in purpose]
    # A seed sequence takes no negative numbers, and days before 1970 are.
    return np.random.SeedSequence([seed % 2**64, *(word % 2**64 for word in words)])
