"""Blocks against the whole: bytes, logits, and what a trained SegFormer loses."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.models_scenes import Network, new_maps, write_cube
from benchmarks.registry import Measurement, measures

SIZE_PX = 768
FEW_BANDS = ("green", "red", "nir", "swir16", "swir22")


@measures("unet_block_difference")
def unet_block_difference() -> Measurement:
    """Windows of 256 pixels that share 96, 48 on each side; the cells inside an image of 960²."""
    import torch

    from cvlarray.inference import Lattice
    from cvlarray.models.siamese import HALO, STRIDE, SiameseUnet

    torch.manual_seed(2)
    network = SiameseUnet(6, 16).eval()
    before, after = torch.randn(2, 1, 6, 960, 960)
    seen = (torch.rand(1, 1, 960, 960) > 0.1).float()
    lattice = Lattice(256, 2 * HALO, STRIDE)
    inside = slice(lattice.margin, lattice.margin + lattice.step)
    largest, n_pixels = 0.0, 0
    with torch.inference_mode():
        whole = network(before, after, seen)
        for row, col in np.ndindex(4, 4):
            window = (..., lattice.span(row + 1), lattice.span(col + 1))
            part = network(before[window], after[window], seen[window])[..., inside, inside]
            cell = (..., lattice.cell(row + 1), lattice.cell(col + 1))
            largest = max(largest, float((part - whole[cell]).abs().max()))
            n_pixels += part[0, 0].numel()
    note = f"{n_pixels:,} pixels, a tenth masked; halo {HALO}, stride {STRIDE}; random weights"
    return Measurement(largest, "logit", note=note)


@measures("result_difference")
def result_difference() -> Measurement:
    """B0 over a cube: chunks, leases of three sizes, two workers of which one is killed."""
    import torch

    from cvlarray.inference import infer
    from cvlarray.models.segformer import SegformerSize
    from cvlarray.store import open_raw

    torch.set_num_threads(1)
    model = Network(SegformerSize.B0, FEW_BANDS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cube(folder / "cube.zarr", SIZE_PX, FEW_BANDS)
        cube = open_raw(folder / "cube.zarr").isel(time=0)
        expected = as_bytes(infer(cube.compute(), model))
        lazy = infer(cube.chunk(y=300, x=500), model).compute(scheduler="synchronous")
        found = {"chunks of 300 × 500": as_bytes(lazy)}
        for size in (256, 512, 4096):
            store = new_maps(folder / f"{size}.zarr", model, SIZE_PX)
            for y, x in blocks(size):
                one_lease(folder / "cube.zarr", store, model, y, x)
            found[f"leases of {size}"] = stored_bytes(store)
        store = new_maps(folder / "killed.zarr", model, SIZE_PX)
        n_begun = on_two_workers(folder, store)
        found[f"a worker killed, {n_begun} leases begun of 9"] = stored_bytes(store)
    differ = {what: count(one, expected) for what, one in found.items()}
    note = f"of {len(expected):,}; {'; '.join(differ)}"
    return Measurement(max(differ.values()), "bytes", note=note)


def as_bytes(maps) -> bytes:  # noqa: ANN001
    """Return both maps."""
    return b"".join(maps[name].to_numpy().tobytes() for name in ("land_cover", "probability"))


def stored_bytes(store: Path) -> bytes:
    """Return both maps of a store's date."""
    from cvlarray.store import open_raw

    return as_bytes(open_raw(store).isel(time=0).compute(scheduler="synchronous"))


def count(found: bytes, expected: bytes) -> int:
    """Return how many bytes differ."""
    return int((np.frombuffer(found, np.uint8) != np.frombuffer(expected, np.uint8)).sum())


def blocks(size_px: int) -> Iterator[tuple[slice, slice]]:
    """Yield the leases of the cube."""
    from cvlarray.inference import superblocks

    return superblocks((SIZE_PX, SIZE_PX), shard_px=256, size_px=size_px)


def one_lease(cube: Path, store: Path, model: Network, y: slice, x: slice) -> None:
    """Do a lease."""
    from cvlarray.inference import Lease, Windows, run_lease
    from cvlarray.store import open_raw

    run_lease(open_raw(cube).isel(time=0), Lease(y, x, 0), store, model, Windows())


def begun_lease(folder: Path, store: Path, y: slice, x: slice) -> None:
    """Do one on a worker; the third that begins is killed at once, with its process."""
    import time

    import torch

    from cvlarray.models.segformer import SegformerSize

    torch.set_num_threads(1)
    (folder / f"begun-{y.start}-{x.start}-{time.monotonic_ns()}").touch()
    if len(list(folder.glob("begun-*"))) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    one_lease(folder / "cube.zarr", store, Network(SegformerSize.B0, FEW_BANDS), y, x)


def on_two_workers(folder: Path, store: Path) -> int:
    """Do all leases on a cluster that loses a worker; return how many were begun."""
    import distributed

    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as two,
        distributed.Client(two) as client,
    ):
        client.gather([client.submit(begun_lease, folder, store, y, x) for y, x in blocks(256)])
    return len(list(folder.glob("begun-*")))


@measures("segformer_block_disagreement")
def segformer_block_disagreement() -> Measurement:
    """A checkpoint that ships, on a simulated scene that it was not trained on."""
    from benchmarks.models_trained import blocks_and_whole

    found = blocks_and_whole()
    note = f"{found.note}; windows of 512, overlap 64, crop"
    return Measurement(100 * found.disagreement, "%", note=note)


@measures("segformer_block_accuracy_loss")
def segformer_block_accuracy_loss() -> Measurement:
    """The same, held against the simulated truth."""
    from benchmarks.models_trained import blocks_and_whole

    found = blocks_and_whole()
    loss = 100 * (found.whole_accuracy - found.blocks_accuracy)
    note = f"{found.note}; whole {found.whole_accuracy:.4f}, blocks {found.blocks_accuracy:.4f}"
    return Measurement(loss, "% points", found.whole_accuracy, note=note)
