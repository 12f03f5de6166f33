"""What each date says of the pixels of a tile that may have changed, on disk."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cvlarray.alerts.events import OBSERVED, Acquisition, by_acquisition
from cvlarray.grid import Tile
from cvlarray.kernels.sightings import CONFIRMED, PENDING
from cvlarray.store import replacing

Table = npt.NDArray[np.void]


def write_sightings(folder: Path, tile: Tile, found: Table, *, kept_until: int) -> int:
    """Write the sightings of a tile as Parquet, whole or not at all.

    Parameters
    ----------
    folder
        Of all tiles.
    tile
        Where the pixels lie, which are numbered row by row.
    found
        `cvlarray.kernels.sightings.SIGHTING` of the dates after.
    kept_until
        Last date [days since 1970-01-01] of which the sightings that are there stay.

    Returns
    -------
    Size of the file.
    """
    row, col = np.divmod(found["pixel"], tile.x.stop - tile.x.start)
    places = {"row": tile.y.start + row, "col": tile.x.start + col}
    names = OBSERVED.names or ()
    frame = pd.DataFrame({name: places[name] if name in places else found[name] for name in names})
    path = _path(folder, tile)
    if path.exists():
        earlier = pd.read_parquet(path)
        kept = earlier[earlier["day"] <= kept_until]
        frame = pd.concat([kept, frame], ignore_index=True) if len(kept) else frame
    with replacing(path) as temporary:
        frame.to_parquet(temporary, index=False)
    return path.stat().st_size


def read_acquisitions(
    folder: Path, tiles: Sequence[Tile], sensor: str, *, min_confidence: float
) -> list[Acquisition]:
    """Return what each date says, over all tiles.

    Parameters
    ----------
    folder, tiles
        What was written.
    sensor
        What saw it.
    min_confidence
        A change is pending until it is both confirmed and as likely as this.
    """
    tables = list(_tables(folder, tiles, min_confidence))
    return by_acquisition(tables, sensor)


def _tables(folder: Path, tiles: Sequence[Tile], min_confidence: float) -> Iterator[Table]:
    for tile in tiles:
        path = _path(folder, tile)
        if path.exists():
            frame = pd.read_parquet(path)
            doubtful = (frame["status"] == CONFIRMED) & (frame["confidence"] < min_confidence)
            frame.loc[doubtful, "status"] = PENDING
            table = np.empty(len(frame), OBSERVED)
            for name in OBSERVED.names or ():
                table[name] = frame[name]
            yield table


def _path(folder: Path, tile: Tile) -> Path:
    return folder / f"{tile.name}.parquet"


def min_pixels(min_area_m2: float, resolution_m: float) -> int:
    """Return how many pixels make the minimum mapping unit, at least 1."""
    return max(1, math.ceil(min_area_m2 / resolution_m**2 - 1e-9))
