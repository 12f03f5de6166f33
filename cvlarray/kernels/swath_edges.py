"""Where a swath begins and ends: outside it, products hold noise of processing instead of nothing.

Products older than IPF 2.90 have low values where there is no image, later ones zeros. Neither
stands above the thermal noise as ground does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit

EDGE_PX = 500
"""How far from either end of a line the swath's edge is looked for."""
WINDOW_PX, N_ABOVE = 16, 12
"""The swath begins where so many of so many pixels lie above the noise; of noise alone, 7 do."""


def inside_swath(power: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which pixels of whole lines lie within the swath and hold anything.

    Parameters
    ----------
    power
        DN², (line, pixel).
    noise
        Thermal noise of the same pixels [DN²].

    Returns
    -------
    Boolean (line, pixel).
    """
    result = np.empty(power.shape, np.bool_)
    _inside(power, noise, result)
    return result


@jit
def _inside(
    power: NDArray[np.float32], noise: NDArray[np.float32], result: NDArray[np.bool_]
) -> None:
    n_lines, width = power.shape
    reach = min(EDGE_PX, width // 2)
    for y in range(n_lines):
        start = reach
        stop = width - reach
        for side in range(2):
            n_above = 0
            for i in range(reach + WINDOW_PX):
                x = i if side == 0 else width - 1 - i
                if x < 0 or x >= width:
                    break
                n_above += power[y, x] > noise[y, x]
                if i >= WINDOW_PX:
                    out = x - WINDOW_PX if side == 0 else x + WINDOW_PX
                    n_above -= power[y, out] > noise[y, out]
                if i >= WINDOW_PX - 1 and n_above >= N_ABOVE:
                    if side == 0:
                        start = min(start, x - WINDOW_PX + 1)
                    else:
                        stop = max(stop, x + WINDOW_PX)
                    break
        for x in range(width):
            result[y, x] = start <= x < stop and power[y, x] > 0
