"""Files that needn't be opened: the catalogue and the footprint agree that they lie elsewhere."""

from __future__ import annotations

from functools import lru_cache

import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from cvlarray.grid import project
from cvlarray.sensors import Asset, Scene

Bounds = tuple[float, float, float, float]
"""West, south, east, north in a CRS."""

_TOLERANCE_DEG = 0.01
"""How far a footprint may reach beyond its file's grid; catalogues simplify footprints."""


def lies_beside(asset: Asset, scene: Scene, geobox: GeoBox) -> bool:
    """Tell whether a file has no pixels on a block for sure, without opening it.

    Footprints near the block's edge don't tell, the grid that the catalogue gives does. As the
    catalogue may be wrong, that grid must also hold the scene's footprint: what contradicts itself
    is opened, and then found broken.

    Parameters
    ----------
    asset, scene
        The file, and the scene it belongs to.
    geobox
        North-up grid of the block.

    Returns
    -------
    False where the catalogue doesn't give the grid, or in another CRS than the block's.
    """
    if asset.transform is None or asset.shape is None or scene.crs != str(geobox.crs):
        return False
    a, b, c, d, e, f = asset.transform
    if b or d or a <= 0 or e >= 0:
        return False
    bounds = (c, f + e * asset.shape[0], c + a * asset.shape[1], f)
    block = geobox.boundingbox
    apart = (
        bounds[2] <= block.left
        or bounds[0] >= block.right
        or bounds[3] <= block.bottom
        or bounds[1] >= block.top
    )
    return apart and bool(shapely.covers(_outline(bounds, scene.crs), scene.footprint))


@lru_cache(maxsize=1024)
def _outline(bounds: Bounds, crs: str) -> BaseGeometry:
    """Return a grid's outline in EPSG:4326, widened by the tolerance."""
    edge = shapely.segmentize(box(*bounds), max(bounds[2] - bounds[0], bounds[3] - bounds[1]) / 8)
    widened: BaseGeometry = project(edge, crs, "EPSG:4326").buffer(_TOLERANCE_DEG)
    return widened
