"""What a worker holds while it does a lease of a model."""

from __future__ import annotations

from cvlarray.config import RunConfig
from cvlarray.inference.block import STRIP_WINDOWS
from cvlarray.inference.lattice import Lattice
from cvlarray.models import Model
from cvlarray.models.checkpoint import WEIGHTS, read_card
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.models import checkpoint_of

__all__ = ["lease_bytes", "model_bytes"]

TORCH_BYTES = 400e6
"""A process that has torch and transformers loaded, beside one that hasn't."""

NETWORK_BYTES_PER_PIXEL = {
    "torch": {"small": 291, "b0": 313, "b1": 409, "deeper": 787},
    "openvino": {"small": 811, "b0": 715, "b1": 1100, "deeper": 2250},
}
"""Of activations, for each pixel that goes through at once, in float32 [bytes]; measured. Those
deeper than B1 are as wide as each other. OpenVINO's peak is at its first call, when it compiles."""

RULE_BYTES_PER_PIXEL = 300
"""The same of the spectral rule: indices, and distances to each class."""


def lease_bytes(context: RunContext, model: Model) -> float:
    """Return what a lease holds beside the model: strips, chips, activations and maps."""
    config, spec = context.config, model.spec
    models = config.models
    height, width = (min(models.lease_px, size) for size in context.geobox.shape)
    n_bands, n_classes = len(spec.bands), len(spec.classes)
    lattice = Lattice(models.window, models.overlap, spec.stride)
    strip_px = (STRIP_WINDOWS * lattice.step + lattice.overlap) * (width + lattice.overlap)
    # One strip is used, the next one is read band by band and put together.
    strips = strip_px * n_bands * (4 + 4 + 4 + 2)
    batch_px = models.batch_size * models.window**2
    chips = batch_px * (4 * 4 * n_bands + 3 * 4 * n_classes)
    maps = height * width * (1 + 4 + 1) + n_classes * lattice.window * width * 4
    return strips + chips + batch_px * _activation_bytes(config) + maps


def model_bytes(config: RunConfig) -> float:
    """Return what a process holds of the model, once, whatever it does with it."""
    folder = checkpoint_of(config)
    if folder is None:
        return 0
    # As read, and as put to work; a file of short numbers is half as large as either.
    return TORCH_BYTES + 3 * (folder / WEIGHTS).stat().st_size


def _activation_bytes(config: RunConfig) -> float:
    folder = checkpoint_of(config)
    if folder is None:
        return RULE_BYTES_PER_PIXEL
    by_size = NETWORK_BYTES_PER_PIXEL[config.models.runtime]
    of_size = by_size.get(read_card(folder).architecture.rpartition("-")[2], by_size["deeper"])
    return of_size / (2 if config.models.precision == "bfloat16" else 1)
