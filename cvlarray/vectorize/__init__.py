"""Integer rasters of any size as polygons, and the areas of polygons on the ellipsoid."""

from cvlarray.vectorize.area import area_m2, area_uncertainty_m2
from cvlarray.vectorize.polygons import (
    Connectivity,
    patch_polygons,
    split_touching,
    trace_patches,
    vectorize,
)

__all__ = [
    "Connectivity",
    "area_m2",
    "area_uncertainty_m2",
    "patch_polygons",
    "split_touching",
    "trace_patches",
    "vectorize",
]
