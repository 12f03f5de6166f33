"""Read one band of one scene onto a block: open the file once, check it, read one window."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from cvlarray.cube import warp
from cvlarray.cube.access import GdalPath
from cvlarray.cube.align import Alignment, Extent, intersection, whole
from cvlarray.cube.geofile import (
    crs_text,
    file_alignment,
    open_checked,
    with_own_nodata,
    with_retries,
)
from cvlarray.errors import ReadError
from cvlarray.kernels.digital_numbers import shift_and_fill
from cvlarray.kernels.mosaic import fill_missing, repeat_pixels
from cvlarray.names import Variable
from cvlarray.sensors import Asset, Quantity, to_dn

_INT16_MAX = 32767


@dataclass(frozen=True)
class Patch:
    """What reading one file changed in a layer."""

    extent: Extent
    """Rows and columns of the block that were read."""
    is_covered: NDArray[np.bool_] | bool
    """Which pixels of the extent lie in the file."""
    was_missing: NDArray[np.bool_] | bool
    """Which pixels of the extent had no data before, and have the file's now."""

    def undo(self, layer: NDArray[Any], variable: Variable) -> None:
        """Make the pixels missing again."""
        np.copyto(layer[self.extent], variable.fill_value, where=self.was_missing)


def read_asset(
    asset: Asset,
    crs: str | None,
    geobox: GeoBox,
    variable: Variable,
    layer: NDArray[Any],
    missing: Extent | None,
) -> Patch:
    """Fill the pixels of a layer that are missing from a file, as far as it reaches.

    Call it within ``rasterio.Env(**GDAL_OPTIONS)``, see `geofile`.

    Parameters
    ----------
    asset
        The file; tried again a little later where it can't be read.
    crs
        What the catalogue says the file's CRS is.
    geobox
        North-up grid of the block.
    variable
        Dtype and fill of the layer.
    layer
        (y, x) of the block, written.
    missing
        Part of the block outside which nothing is missing; None if nothing has been read yet.

    Returns
    -------
    What was changed.

    Raises
    ------
    ReadError
        If the file is missing, truncated, no raster, has other bands, or lies elsewhere than
        the catalogue says. The layer is then as it was.
    """
    try:
        return with_retries(
            asset, lambda path: _read_once(path, asset, crs, geobox, variable, layer, missing)
        )
    except ReadError:
        if missing is None:
            layer[...] = variable.fill_value
        raise


def _read_once(
    path: GdalPath,
    asset: Asset,
    crs: str | None,
    geobox: GeoBox,
    variable: Variable,
    layer: NDArray[Any],
    missing: Extent | None,
) -> Patch:
    """Read a file once; what rasterio raises passes through."""
    with open_checked(path, asset, crs) as dataset:
        asset = with_own_nodata(asset, dataset)
        alignment = file_alignment(dataset, geobox)
        if alignment is None:
            extent = missing or whole(geobox)
            values, is_covered = _read_warped(dataset, geobox, extent, asset, variable)
            return merge(layer, values, Patch(extent, is_covered, missing is None), variable)
        extent = intersection(alignment.covered(geobox), missing or whole(geobox))
        patch = Patch(extent, is_covered=True, was_missing=missing is None)
        if _is_empty(extent):
            return patch
        if missing is None:
            _read_aligned(dataset, alignment, extent, asset, variable, layer[extent])
            return patch
        height, width = (part.stop - part.start for part in extent)
        values = np.empty((height, width), variable.dtype)
        _read_aligned(dataset, alignment, extent, asset, variable, values)
        return merge(layer, values, patch, variable)


def merge(layer: NDArray[Any], values: NDArray[Any], patch: Patch, variable: Variable) -> Patch:
    """Put values where nothing was before."""
    if patch.was_missing is True:
        layer[patch.extent] = values
        return patch
    was_missing = np.empty(values.shape, bool)
    fill_missing(layer[patch.extent], values, layer.dtype.type(variable.fill_value), was_missing)
    return replace(patch, was_missing=was_missing)


def _read_aligned(
    dataset: rasterio.DatasetReader,
    alignment: Alignment,
    extent: Extent,
    asset: Asset,
    variable: Variable,
    out: NDArray[Any],
) -> None:
    """Read a part of the block into ``out``, each file pixel repeated or squares of them merged."""
    rows, cols = alignment.source(extent)
    if alignment.repeat == alignment.reduce == 1:
        _read_values(dataset, (rows, cols), asset, variable, out)
        return
    values = np.empty((rows.stop - rows.start, cols.stop - cols.start), variable.dtype)
    _read_values(dataset, (rows, cols), asset, variable, values)
    if alignment.reduce > 1:
        out[...] = warp.shrink(values, alignment.reduce, asset, variable)
    else:
        repeat_pixels(values, alignment.repeat, alignment.start(extent), out)


def _read_warped(
    dataset: rasterio.DatasetReader,
    geobox: GeoBox,
    extent: Extent,
    asset: Asset,
    variable: Variable,
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Read a part of the block by interpolation; also return where the file covers it."""
    factor = _reduction(dataset.transform, geobox, asset)
    a, b, c, d, e, f = dataset.transform[:6]
    coarse = Affine(a * factor, b * factor, c, d * factor, e * factor, f)
    height, width = (length / factor for length in dataset.shape)
    lattice = warp.lattice(crs_text(dataset.crs.to_wkt()), coarse, geobox)
    rows, cols = lattice.source(extent, (math.ceil(height), math.ceil(width)))
    size = (rows.stop - rows.start, cols.stop - cols.start)
    values = np.full((size[0] * factor, size[1] * factor), variable.fill_value, variable.dtype)
    window = tuple(
        slice(part.start * factor, min(part.stop * factor, length))
        for part, length in zip((rows, cols), dataset.shape, strict=True)
    )
    inner = values[: window[0].stop - window[0].start, : window[1].stop - window[1].start]
    if inner.size:
        _read_values(dataset, (window[0], window[1]), asset, variable, inner)
    if factor > 1:
        values = warp.shrink(values, factor, asset, variable)
    origin = rows.start, cols.start
    resampled = warp.resample(values, origin, lattice, extent, asset, variable)
    return resampled, warp.covered(lattice, (height, width), extent)


def _reduction(transform: Affine, geobox: GeoBox, asset: Asset) -> int:
    """Return how many file pixels to merge first, so that none is passed over."""
    if asset.resampling == "nearest":
        return 1
    file_px = math.sqrt(abs(transform.determinant))
    in_metres = geobox.crs is not None and geobox.crs.projected and file_px > 0.1
    return max(1, math.floor(geobox.affine.a / file_px + 0.01)) if in_metres else 1


def _read_values(
    dataset: rasterio.DatasetReader,
    window: Extent,
    asset: Asset,
    variable: Variable,
    out: NDArray[Any],
) -> None:
    """Read a window of a file into ``out`` as canonical values, the variable's fill where missing.

    Where GDAL's own conversion to int16 loses nothing, it saves a copy of the file's DN.
    """
    where = Window.from_slices(*window)
    _read_band(dataset, where, asset, variable, out)
    if asset.fill_bits is not None:
        band, bits = asset.fill_bits
        out[dataset.read(band, window=where) & bits != 0] = variable.fill_value


def _read_band(
    dataset: rasterio.DatasetReader,
    where: Window,
    asset: Asset,
    variable: Variable,
    out: NDArray[Any],
) -> None:
    if _fits_int16(dataset, asset):
        dataset.read(asset.index, window=where, out=out)
        # Without an offset a DN that GDAL had to limit is what it has to be.
        if not asset.offset_dn or out.max() < _INT16_MAX:
            _recode(out, asset, variable)
            return
    values = dataset.read(asset.index, window=where)
    out[...] = to_dn(values, asset)
    if asset.quantity is Quantity.CLASSES:
        _recode(out, asset, variable)


def _fits_int16(dataset: rasterio.DatasetReader, asset: Asset) -> bool:
    """Whether DN may be read as int16 at once and the offset added in place."""
    if asset.quantity is Quantity.CLASSES:
        return True
    return (
        asset.quantity is Quantity.REFLECTANCE
        and dataset.dtypes[0] in ("uint8", "uint16")
        and asset.scale == 1
        and -_INT16_MAX <= asset.offset_dn <= 0
        and (asset.nodata is None or 0 <= asset.nodata < _INT16_MAX)
    )


def _recode(out: NDArray[Any], asset: Asset, variable: Variable) -> None:
    """Add the offset, and put the variable's fill where the file has its nodata."""
    nodata = None if asset.nodata == variable.fill_value else asset.nodata
    if nodata is not None or asset.offset_dn:
        shift_and_fill(out, offset=asset.offset_dn, nodata=nodata, fill=variable.fill_value)


def _is_empty(extent: Extent) -> bool:
    return any(part.stop <= part.start for part in extent)
