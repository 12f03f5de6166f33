"""The same files read with stackstac (extra ``stackstac``), for comparison and for its users.

On aligned grids the pixels equal those of the direct reader. On others GDAL approximates the
projection within the window it is given, so that pixels may differ by a few DN.

What has to be minded with stackstac 0.5.1: pystac 1.15 renames proj:epsg, so plain dicts are
passed, with the file's own grid; coordinates are of pixel centres; each band has its own
resampling, or classes would be interpolated; and by default it takes a missing file for no data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling

from cvlarray.cube import warp
from cvlarray.cube.access import GdalPath
from cvlarray.cube.align import Extent, intersection, whole
from cvlarray.cube.geofile import (
    crs_text,
    file_alignment,
    open_checked,
    with_own_nodata,
    with_retries,
)
from cvlarray.cube.raster import Patch, merge
from cvlarray.errors import MissingExtraError, ReadError
from cvlarray.names import Variable
from cvlarray.sensors import Asset, Quantity, to_dn

_RESAMPLING = {"nearest": Resampling.nearest, "bilinear": Resampling.bilinear}


def read_asset(
    asset: Asset,
    crs: str | None,
    geobox: GeoBox,
    variable: Variable,
    layer: NDArray[Any],
    missing: Extent | None,
) -> Patch:
    """Fill the pixels of a layer that are missing from a file, as `raster.read_asset` does.

    Raises
    ------
    MissingExtraError
        If stackstac isn't installed.
    ValueError
        If the grid's CRS has no EPSG code.
    ReadError
        If the file is broken, or isn't what the catalogue says.
    """
    _stackstac()
    _epsg(geobox)
    return with_retries(
        asset, lambda path: _read_once(path, asset, crs, geobox, variable, layer, missing)
    )


def _stackstac() -> Any:
    """Import stackstac, or say how to get it."""
    try:
        import stackstac  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError(
            f"the stackstac loader needs stackstac ({error}); pip install 'cvlarray[stackstac]'"
        ) from error
    return stackstac


def _epsg(geobox: GeoBox) -> int:
    """Return the EPSG code of a grid."""
    code = None if geobox.crs is None else geobox.crs.epsg
    if code is None:
        raise ValueError(f"stackstac needs a grid with an EPSG code, got {geobox.crs}")
    return int(code)


def _read_once(
    path: GdalPath,
    asset: Asset,
    crs: str | None,
    geobox: GeoBox,
    variable: Variable,
    layer: NDArray[Any],
    missing: Extent | None,
) -> Patch:
    """Read a file once through stackstac."""
    if asset.n_bands != 1:
        raise ReadError(f"has {asset.n_bands} bands, stackstac reads files of one")
    with open_checked(path, asset, crs) as dataset:
        asset = with_own_nodata(asset, dataset)
        alignment = file_alignment(dataset, geobox)
        source_crs, transform = crs_text(dataset.crs.to_wkt()), dataset.transform
        shape: tuple[int, int] = dataset.shape
    extent = missing or whole(geobox)
    is_covered: NDArray[np.bool_] | bool = True
    if alignment is None:
        height, width = shape
        lattice = warp.lattice(source_crs, transform, geobox)
        is_covered = warp.covered(lattice, (float(height), float(width)), extent)
    else:
        extent = intersection(alignment.covered(geobox), extent)
    is_copied = alignment is not None and alignment.reduce == 1
    resampling = "nearest" if is_copied else asset.resampling
    item = _item(path, asset, source_crs, tuple(transform[:6]), shape)
    raw = _stacked(item, asset.band, geobox, _RESAMPLING[resampling])[extent]
    patch = Patch(extent, is_covered, was_missing=missing is None)
    return merge(layer, _canonical(raw, asset, variable), patch, variable)


def _stacked(
    item: dict[str, Any], band: str, geobox: GeoBox, resampling: Resampling
) -> NDArray[np.float64]:
    """Return one band of one item on the grid, NaN where there is no data."""
    box = geobox.boundingbox
    stack = _stackstac().stack(
        [item],
        assets=[band],
        epsg=_epsg(geobox),
        resolution=float(geobox.affine.a),
        bounds=(box.left, box.bottom, box.right, box.top),
        snap_bounds=False,
        resampling=resampling,
        chunksize=-1,
        rescale=False,
        xy_coords="center",
        properties=False,
        band_coords=False,
        errors_as_nodata=(),
    )
    try:
        values: NDArray[np.float64] = stack.data.compute(scheduler="synchronous")[0, 0]
    except RuntimeError as error:  # which is what stackstac makes of rasterio's
        raise OSError(str(error)) from error
    return values


def _item(
    path: GdalPath, asset: Asset, crs: str, transform: tuple[float, ...], shape: tuple[int, int]
) -> dict[str, Any]:
    """Return the least that stackstac takes for a STAC Item."""
    if not crs.startswith("EPSG:"):
        raise ReadError(f"has no EPSG code, which stackstac needs; its CRS is {crs[:60]}")
    projection = {
        "proj:epsg": int(crs.removeprefix("EPSG:")),
        "proj:transform": list(transform),
        "proj:shape": list(shape),
    }
    file = {"href": str(path), "type": "image/tiff; application=geotiff", **projection}
    return {
        "type": "Feature",
        "id": asset.href,
        "properties": {"datetime": "2000-01-01T00:00:00Z"},
        "assets": {asset.band: file},
    }


def _canonical(raw: NDArray[np.float64], asset: Asset, variable: Variable) -> NDArray[Any]:
    """Return the file's values as the variable holds them."""
    missing = np.isnan(raw) if asset.nodata is None else np.isnan(raw) | (raw == asset.nodata)
    if asset.quantity is Quantity.CLASSES:
        return np.where(missing, variable.fill_value, raw).astype(variable.dtype)
    return to_dn(raw, asset).astype(variable.dtype, copy=False)
