"""A stored cube and a SegFormer for the measurements of inference; the weights are random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.inference import create_maps
from cvlarray.models import Model
from cvlarray.models.segformer import SegformerSize, build_segformer
from cvlarray.names import band
from cvlarray.store import create_store, write_region

BANDS = (
    "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16", "swir22",
)  # fmt: skip
CLASSES = ("intact_forest", "secondary_growth", "recent_clearing", "mine_pit", "tailings_pond")
DATE = np.array(["2025-07-03"], "datetime64[s]")
SHARD_PX, CHUNK_PX = 256, 128


def grid(size_px: int) -> GeoBox:
    """Return a square grid."""
    return GeoBox((size_px, size_px), Affine(10, 0, 500_010, 0, -10, 8_600_030), "EPSG:32719")


def write_cube(path: Path, size_px: int, bands: tuple[str, ...] = BANDS) -> None:
    """Write one date of smooth reflectance with holes."""
    create_store(
        path,
        geobox=grid(size_px),
        times=DATE,
        variables=[band(name, name) for name in bands],
        shard_px=SHARD_PX,
        chunk_px=CHUNK_PX,
        time_shard=1,
    )
    random = np.random.default_rng(1)
    coarse = random.integers(200, 5000, (len(bands), -(-size_px // 32), -(-size_px // 32)))
    layers = {}
    for name, values in zip(bands, coarse, strict=True):
        full = np.kron(values, np.ones((32, 32)))[:size_px, :size_px]
        full = (full + random.normal(0, 60, full.shape)).astype(np.int16)
        full[random.random(full.shape) < 0.01] = -32768
        layers[name] = (("time", "y", "x"), full[None])
    whole = slice(0, size_px)
    write_region(path, xr.Dataset(layers), y=whole, x=whole, time=slice(0, 1))


def new_maps(path: Path, model: Model, size_px: int) -> Path:
    """Make an empty store of a model's maps."""
    create_maps(
        path,
        model.spec,
        geobox=grid(size_px),
        times=DATE,
        shard_px=SHARD_PX,
        chunk_px=CHUNK_PX,
        made_by={"weights": model.spec.version},
    )
    return path


def untrained(size: SegformerSize, n_bands: int = len(BANDS)) -> torch.nn.Module:
    """Return a SegFormer of random weights whose statistics aren't those of a new one."""
    torch.manual_seed(1)
    network = build_segformer(size, n_bands=n_bands, n_classes=len(CLASSES))
    norm = network.decode_head.batch_norm
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    return network.eval()


class Network:
    """A network as a model, without a checkpoint."""

    def __init__(self, size: SegformerSize, bands: tuple[str, ...] = BANDS) -> None:
        from cvlarray.models.segformer import FoldedSegformer

        self.size, self.bands = size, bands
        self.network = FoldedSegformer(untrained(size, len(bands)))

    @property
    def spec(self):  # noqa: ANN201
        from cvlarray.models import Band, ModelSpec

        return ModelSpec(f"segformer-{self.size}", tuple(map(Band, self.bands)), CLASSES, 32, 32)

    def predict(self, chips, is_valid):  # noqa: ANN001, ANN201, ARG002
        with torch.inference_mode():
            logits = self.network((torch.from_numpy(chips) - 0.2) / 0.1)
            return torch.softmax(logits, 1).numpy()

    def __reduce__(self):  # noqa: ANN204
        return Network, (self.size, self.bands)
