"""Scenes overlap: the tiles that a region's Sentinel-2 passes are cut into."""

from __future__ import annotations

from typing import NamedTuple

from odc.geo.geobox import GeoBox

from cvlarray.simulate.acquisitions import OVERLAP_PX, TILE_PX
from cvlarray.simulate.landscape import PIXEL_M, Landscape
from cvlarray.simulate.pixels import Pixels, pixels_of

_COLUMN_LETTERS, _ROW_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ", "ABCDEFGHJKLMNPQRSTUV"
_BANDS_OF_LATITUDE = "CDEFGHJKLMNPQRSTUVWX"


class Tile(NamedTuple):
    """One tile."""

    name: str
    """Like an MGRS square's: two digits and three letters."""
    geobox: GeoBox

    @property
    def pixels(self) -> Pixels:
        """Its pixels of 10 m."""
        return pixels_of(self.geobox, PIXEL_M, origin=(0.0, 0.0))


def tiles_of(
    landscape: Landscape, tile_px: int = TILE_PX, overlap_px: int = OVERLAP_PX
) -> tuple[Tile, ...]:
    """Return the tiles of a landscape, row by row; where they overlap, earlier ones lie on top.

    Parameters
    ----------
    landscape
        Any.
    tile_px
        Side of a tile [pixels of 10 m].
    overlap_px
        What a tile shares with the next.

    Raises
    ------
    ValueError
        If the sizes aren't even, or tiles would never get on.
    """
    if tile_px % 2 or overlap_px % 2 or not 0 <= overlap_px < tile_px:
        raise ValueError(
            "tile_px and overlap_px must be even and the overlap the smaller, "
            f"got {tile_px} and {overlap_px}"
        )
    height, width = landscape.geobox.shape
    rows, cols = (_starts(int(size), tile_px, overlap_px) for size in (height, width))
    return tuple(
        Tile(
            _name(landscape, i, j),
            landscape.geobox[row : min(row + tile_px, height), col : min(col + tile_px, width)],
        )
        for i, row in enumerate(rows)
        for j, col in enumerate(cols)
    )


def _starts(size: int, tile_px: int, overlap_px: int) -> range:
    """Return where tiles start along an axis: as few as cover it."""
    step = tile_px - overlap_px
    n_tiles = max(1, -(-(size - overlap_px) // step))
    return range(0, n_tiles * step, step)


def _name(landscape: Landscape, row: int, col: int) -> str:
    """Return a name in the style of MGRS; not the name that the place really has."""
    longitude, latitude = landscape.longitude_latitude
    zone = int((longitude + 180) // 6) + 1
    band = _BANDS_OF_LATITUDE[min(19, max(0, int((latitude + 80) // 8)))]
    column = _COLUMN_LETTERS[(2 + col) % len(_COLUMN_LETTERS)]
    return f"{zone:02d}{band}{column}{_ROW_LETTERS[(5 - row) % len(_ROW_LETTERS)]}"
