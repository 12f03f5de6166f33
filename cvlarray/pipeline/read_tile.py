"""What ingest reads of a tile: its bands one after the other, then what hides the ground."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import xarray as xr
from odc.geo.geobox import GeoBox

from cvlarray.config import RunConfig
from cvlarray.cube import Day, Loader, UnreadAsset, block_dataset, read_bands
from cvlarray.masking import QualityProvider
from cvlarray.names import QUALITY, READ_STATUS, Variable
from cvlarray.pipeline.offsets import SAMPLED, offset_verdicts, sample
from cvlarray.pipeline.quality import find_quality, halo_px


@dataclass(frozen=True)
class TilePart:
    """One variable of a tile."""

    pixels: xr.Dataset
    """(time, y, x), of one variable."""
    unread: Sequence[UnreadAsset] = ()
    """What could not be read; with the last part."""
    offsets: Mapping[str, str] = field(default_factory=dict)
    """What the pixels say of the BOA offset, by date; with the last part."""


@dataclass(frozen=True)
class TileReader:
    """How a run reads: the same for every tile."""

    config: RunConfig
    variables: tuple[Variable, ...]
    """What is read from files, and ``read_status``."""
    provider: QualityProvider
    loader: Loader

    def __call__(self, geobox: GeoBox, days: Sequence[Day]) -> Iterator[TilePart]:
        """Yield the variables one at a time, ``quality`` last.

        Only what the mask needs is kept until then: a part's pixels are another's as soon as the
        next is asked for. Where a file is broken all come once more, as in `read_bands`.
        """
        halo = halo_px(self.config)
        around = geobox.pad(halo) if halo else geobox
        inner = {dim: slice(halo, -halo) if halo else slice(None) for dim in ("y", "x")}
        known = {variable.name: variable for variable in self.variables}
        held: dict[str, xr.DataArray] = {}
        samples: dict[str, xr.DataArray] = {}
        for block in read_bands(days, around, self.variables, self.loader):
            (name,) = block.arrays
            wide = block_dataset(block, days, around, [known[name]])
            pixels = wide.isel(inner)
            if name in self.provider.bands:
                held[name] = wide[name].copy()
            if name in SAMPLED:
                samples[name] = sample(pixels[name]).copy()
            yield TilePart(pixels)
        held[READ_STATUS.name] = wide[READ_STATUS.name]  # it came last
        quality = find_quality(xr.Dataset(held), days, self.provider, self.config)
        yield TilePart(
            quality.to_dataset(name=QUALITY.name).isel(inner),
            block.unread,
            offset_verdicts(xr.Dataset(samples), days),
        )
