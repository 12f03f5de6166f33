"""Terrain correction of a ground-range product: gamma0 on the grid of a DEM, by sarsen."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cvlarray.errors import MissingExtraError, ReadError
from cvlarray.radar.calibrate import beta0
from cvlarray.radar.noise import read_noise
from cvlarray.radar.orbit import read_orbit_file

if TYPE_CHECKING:
    from sarsen import Sentinel1SarProduct

CELLS = 3.0
"""Pixels of the product along the side of a cell in which the terrain's area is summed; sarsen's
default, right for a DEM as fine as the product or finer."""


CHUNK_PX, OVERLAP_PX = 1024, 128
"""Pixels of the DEM done at once, and how far slopes may reach from one chunk into the next."""


def gamma0_of_grd(
    safe: Path,
    polarisation: str,
    dem: xr.DataArray,
    *,
    orbit_file: Path | None = None,
    cells: float = CELLS,
) -> xr.DataArray:
    """Return terrain-corrected gamma0 of a Sentinel-1 GRD product.

    Parameters
    ----------
    safe
        Folder of the product (``S1A_IW_GRDH_….SAFE``).
    polarisation
        ``vv`` or ``vh``.
    dem
        Heights (y, x) [m] above the WGS 84 ellipsoid (Copernicus and SRTM are above a geoid: add
        its undulation first, or the image is displaced), float, north up, on a projected grid of
        the output's pixels, with a CRS (``rio.write_crs``).
    orbit_file
        Precise or restituted orbit; None takes the annotation's own.
    cells
        Pixels of the product along the side of a cell in which the terrain's area is summed; larger
        for a coarser DEM.

    Returns
    -------
    float32 (y, x) on the grid of ``dem``, linear power; NaN outside the swath. Lazy.

    Raises
    ------
    MissingExtraError
        If sarsen isn't installed.
    ReadError
        If the product lacks the polarisation, or a file of it or the orbit can't be read.
    """
    product = _product(safe, polarisation, orbit_file)
    try:
        from sarsen.apps import do_terrain_correction  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _missing(error) from error
    rising = dem.isel(y=slice(None, None, -1)).chunk(CHUNK_PX)
    corrected, _ = do_terrain_correction(
        product,
        rising.rename("dem"),
        correct_radiometry="gamma_bilinear",
        interp_method="linear",
        grouping_area_factor=(cells, cells),
        radiometry_bound=min(OVERLAP_PX, *rising.shape),
    )
    attrs = {
        "long_name": f"{polarisation.upper()} backscatter, gamma0, linear power",
        "units": "1",
        "orbit": "annotation" if orbit_file is None else orbit_file.name,
    }
    on_dem = corrected.astype(np.float32).drop_attrs().reindex_like(dem)
    return on_dem.transpose("y", "x").rename(polarisation).assign_attrs(attrs)


def _missing(error: ImportError) -> MissingExtraError:
    return MissingExtraError(
        f"terrain correction needs sarsen ({error}); pip install 'cvlarray[sar]'"
    )


def _product(safe: Path, polarisation: str, orbit_file: Path | None) -> Sentinel1SarProduct:
    """Return sarsen's view of a product, with our orbit and our beta0 in place of its own."""
    try:
        from sarsen import Sentinel1SarProduct  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _missing(error) from error

    class Product(Sentinel1SarProduct):
        """A product whose noise and borders are removed."""

        def __hash__(self) -> int:
            return hash((str(safe), polarisation, str(orbit_file)))

        @cached_property
        def _beta0(self) -> xr.DataArray:
            pattern = f"annotation/calibration/noise-*-{polarisation}-*.xml"
            found = sorted(safe.glob(pattern))
            if len(found) != 1:
                raise ReadError(f"{safe} has {len(found)} noise annotations of {polarisation}")
            noise = read_noise(found[0])
            return beta0(self.measurement["measurement"], self.calibration, noise)

        def beta_nought(  # type: ignore[override]  # sarsen's own is wrapped in a cache
            self, persist: bool = False
        ) -> xr.DataArray:
            return self._beta0.persist() if persist else self._beta0

        def state_vectors(self) -> xr.DataArray:
            if orbit_file is None:
                own: xr.DataArray = super().state_vectors()
                return own
            times = self.measurement["azimuth_time"].to_numpy()
            return read_orbit_file(orbit_file, times[0], times[-1])

    group = f"IW/{polarisation.upper()}"
    product = Product(str(safe), group)
    try:
        product.measurement  # noqa: B018 (opens it: what is wrong shows here)
    except (OSError, ValueError, KeyError) as error:
        raise ReadError(f"{safe} can't be read as {group}: {error}") from error
    return product
