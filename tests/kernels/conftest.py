from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest


class Reference(NamedTuple):
    """NDVI of five real pixels, with answers that R's strucchange computed for them."""

    folder: Path
    series: np.ndarray
    """(time, pixel), NaN missing."""
    design: np.ndarray
    """(coefficient, time): constant and two harmonics."""

    def answer(self, name):
        return np.genfromtxt(self.folder / f"{name}_result.csv", delimiter=",")


@pytest.fixture(scope="session")
def strucchange(external_data) -> Reference:
    folder = external_data / "nrt_reference"
    series = np.genfromtxt(folder / "y.csv", delimiter=",")
    return Reference(folder, series, np.genfromtxt(folder / "X.csv", delimiter=",").T)
