"""Integer rasters of any size as polygons, and the areas of polygons on the ellipsoid."""

from cvlarray.vectorize.area import area_m2, area_uncertainty_m2
from cvlarray.vectorize.blocks import regular_chunks
from cvlarray.vectorize.geoparquet import patch_wkb, write_polygons
from cvlarray.vectorize.polygons import (
    Connectivity,
    patch_polygons,
    raster_blocks,
    raster_geobox,
    split_touching,
    trace_patches,
    vectorize,
)
from cvlarray.vectorize.zones import vectorize_zones

__all__ = [
    "Connectivity",
    "area_m2",
    "area_uncertainty_m2",
    "patch_polygons",
    "patch_wkb",
    "raster_blocks",
    "raster_geobox",
    "regular_chunks",
    "split_touching",
    "trace_patches",
    "vectorize",
    "vectorize_zones",
    "write_polygons",
]
