"""Sides of the comparisons of inference, each in a process of its own."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

from benchmarks.models_scenes import Network, new_maps, untrained, write_cube
from benchmarks.worker import Work
from cvlarray.models.openvino_runtime import OpenVinoRuntime
from cvlarray.models.runtime import Precision, Runtime
from cvlarray.models.segformer import FoldedSegformer, SegformerSize
from cvlarray.models.torch_runtime import TorchRuntime

SIZE_PX, BATCH = 512, 2
N_PIXELS = BATCH * SIZE_PX**2
LEASE_CUBE_PX, LEASE_PX = 1024, 512


class TwoInputs(torch.nn.Module):
    """A network with what a runtime hands over."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, chips: torch.Tensor, is_valid: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        return self.network(chips)


def chips() -> np.ndarray:
    """Return the same normalised chips for every side."""
    return np.random.default_rng(0).standard_normal((BATCH, 10, SIZE_PX, SIZE_PX), np.float32)


def eager_logits() -> np.ndarray:
    """Return what transformers' own SegFormer says, at the size of the chips."""
    torch.set_num_threads(1)
    network = untrained(SegformerSize.B3)
    with torch.inference_mode():
        small = network(torch.from_numpy(chips())).logits
        size = SIZE_PX, SIZE_PX
        return torch.nn.functional.interpolate(small, size=size, mode="bilinear").numpy()


def eager() -> Work:
    """Transformers, eager, fp32, one thread."""
    torch.set_num_threads(1)
    network, given = untrained(SegformerSize.B3), torch.from_numpy(chips())

    def work() -> None:
        with torch.inference_mode():
            small = network(given).logits
            torch.nn.functional.interpolate(small, size=(SIZE_PX, SIZE_PX), mode="bilinear")

    return work, N_PIXELS / 1e6


def started(runtime: Runtime):  # noqa: ANN201
    """Return the folded B3 at work."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    return runtime.start(TwoInputs(FoldedSegformer(untrained(SegformerSize.B3))))


def _side(runtime: Runtime) -> Work:
    forward, given = started(runtime), chips()
    is_valid = np.ones((BATCH, SIZE_PX, SIZE_PX), np.bool_)
    return lambda: forward(given, is_valid), N_PIXELS / 1e6


def folded() -> Work:
    """Torch, folded."""
    return _side(TorchRuntime())


def exact() -> Work:
    """OpenVINO, folded, fp32."""
    return _side(OpenVinoRuntime())


def short() -> Work:
    """OpenVINO, folded, bf16."""
    return _side(OpenVinoRuntime(Precision.BFLOAT16))


def bare_loop() -> Work:
    """The leases of a cube, one after the other, in this process."""
    from cvlarray.inference import Lease, Windows, run_lease, superblocks
    from cvlarray.store import open_raw

    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp(dir=Path(__file__).parent.parent / ".bench"))
    model = Network(SegformerSize.B0)
    cube = folder / "cube.zarr"
    write_cube(cube, LEASE_CUBE_PX)
    store = new_maps(folder / "maps.zarr", model, LEASE_CUBE_PX)

    def work() -> None:
        for y, x in superblocks((LEASE_CUBE_PX, LEASE_CUBE_PX), shard_px=256, size_px=LEASE_PX):
            run_lease(open_raw(cube).isel(time=0), Lease(y, x, 0), store, model, Windows())

    return work, 1
