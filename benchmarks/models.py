"""Inference: speed on the CPU, what Dask costs, tasks and memory that `plan` tells."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measure import ONE_THREAD, Worker, compare, run_command, wall_seconds
from benchmarks.registry import Measurement, UnavailableError, measures

ROOT = Path(__file__).parent.parent
WEIGHTS = ROOT / "cvlarray" / "models" / "weights"
PAIRS = 5


def faster_than_eager(side: str) -> Measurement:
    """Return how many times less CPU our side takes than transformers' eager fp32."""
    with (
        Worker(f"benchmarks.models_sides:{side}", env=ONE_THREAD) as ours,
        Worker("benchmarks.models_sides:eager", env=ONE_THREAD) as peer,
    ):
        both = compare(ours.cpu_per_unit, peer.cpu_per_unit, pairs=PAIRS)
    note = f"{both.note('a Mpx')}; one thread, windows of 512, 10 bands"
    return Measurement(both.ratio, "×", both.peer, both.ratio, note)


@measures("b3_cpu_exact")
def b3_cpu_exact() -> Measurement:
    """OpenVINO, folded, fp32."""
    return faster_than_eager("exact")


@measures("b3_cpu_bf16")
def b3_cpu_bf16() -> Measurement:
    """OpenVINO, folded, bf16."""
    measured = faster_than_eager("short")
    flags = Path("/proc/cpuinfo").read_text()
    has = [name for name in ("avx512_bf16", "amx_bf16") if f" {name}" in flags]
    note = f"{measured.note}; this CPU has {', '.join(has) or 'no bf16 at all'}"
    return Measurement(measured.value, "×", measured.baseline, measured.ratio, note)


@measures("b3_cpu_exact_disagreement")
def b3_cpu_exact_disagreement() -> Measurement:
    """Random weights, whose classes are nearer to each other than trained ones."""
    from benchmarks import models_sides as sides
    from cvlarray.models.openvino_runtime import OpenVinoRuntime

    is_valid = np.ones((sides.BATCH, sides.SIZE_PX, sides.SIZE_PX), np.bool_)
    ours, peer = sides.started(OpenVinoRuntime())(sides.chips(), is_valid), sides.eager_logits()
    differ = int((ours.argmax(1) != peer.argmax(1)).sum())
    note = (
        f"of {sides.N_PIXELS:,}; largest |Δlogit| {np.abs(ours - peer).max():.2g}, random weights"
    )
    return Measurement(differ, "px", note=note)


@measures("local_cluster_speed")
def local_cluster_speed() -> Measurement:
    """One worker and one bare process take turns at the same leases of B0."""
    import dask
    import distributed

    from benchmarks import models_sides as sides
    from cvlarray.cluster.settings import WORKER_ENVIRONMENT, dask_settings
    from cvlarray.models.segformer import SegformerSize

    (ROOT / ".bench").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, dask.config.set(dask_settings()):
        folder = Path(name)
        model = sides.Network(SegformerSize.B0)
        sides.write_cube(folder / "cube.zarr", sides.LEASE_CUBE_PX)
        sides.new_maps(folder / "maps.zarr", model, sides.LEASE_CUBE_PX)
        with (
            Worker("benchmarks.models_sides:bare_loop", env=WORKER_ENVIRONMENT) as bare,
            distributed.LocalCluster(
                n_workers=1, threads_per_worker=1, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            work = partial(on_worker, client, folder)
            work()
            both = compare(partial(wall_seconds, work), bare.wall_per_unit, pairs=PAIRS)
    low, high = both.spread
    note = f"wall, {both.pairs} pairs {low:.3g}-{high:.3g}; 4 leases of {sides.LEASE_PX}² px, B0"
    return Measurement(both.ratio, "×", both.peer, both.ratio, note)


def on_worker(client, folder: Path) -> None:  # noqa: ANN001
    """Run the leases on a cluster."""
    from benchmarks import models_sides as sides
    from cvlarray.inference import superblocks

    blocks = superblocks((sides.LEASE_CUBE_PX,) * 2, shard_px=256, size_px=sides.LEASE_PX)
    futures = [client.submit(one_lease, folder, y, x, pure=False) for y, x in blocks]
    client.gather(futures)


def one_lease(folder: Path, y: slice, x: slice) -> None:
    """Do one of them; the model is made once a process."""
    from cvlarray.inference import Lease, Windows, run_lease
    from cvlarray.store import open_raw

    run_lease(
        open_raw(folder / "cube.zarr").isel(time=0),
        Lease(y, x, 0),
        folder / "maps.zarr",
        kept_model(),
        Windows(),
    )


def kept_model(kept: list = []):  # noqa: ANN201, B006 (kept on purpose)
    """Return this process's model."""
    import torch

    from benchmarks.models_scenes import Network
    from cvlarray.models.segformer import SegformerSize

    if not kept:
        torch.set_num_threads(1)
        kept.append(Network(SegformerSize.B0))
    return kept[0]


@measures("tasks_853_mpx")
def tasks_853_mpx() -> Measurement:
    """What `plan` counts for a date of a square region, and of the department's real outline."""
    from cvlarray.config import load_config
    from cvlarray.cube import Day
    from cvlarray.inference import superblocks
    from cvlarray.pipeline.context import RunContext, workspace_of
    from cvlarray.pipeline.segment import leases

    config = load_config(ROOT / "configs" / "madre_de_dios.yaml", {"models": {"land_cover": {}}})
    start = config.periods.monitoring.start
    context = RunContext(config, workspace_of(config), (Day(start, ()),))
    real = len(list(leases(context)))
    edge = round(math.sqrt(853e6))
    square = len(list(superblocks((edge, edge), shard_px=config.store.shard_px)))
    height, width = context.geobox.shape
    box = height * width / 1e6
    note = f"a square; Madre de Dios itself, whose box is {box:,.0f} Mpx, takes {real}"
    return Measurement(square, "tasks", note=note)


@measures("checkpoint_size")
def checkpoint_size() -> Measurement:
    """Weights and card together."""
    folders = [path.parent for path in WEIGHTS.glob("*/card.json")]
    if not folders:
        raise UnavailableError("no checkpoint ships yet")
    sizes = {
        folder.name: sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        for folder in folders
    }
    note = ", ".join(f"{name} {size:.2f}" for name, size in sorted(sizes.items()))
    return Measurement(max(sizes.values()), "MB", note=note)


@measures("plan_memory_error")
def plan_memory_error() -> Measurement:
    """Largest of a lease by the rule, and by the small SegFormer with torch and with OpenVINO."""
    import sys

    from benchmarks.models_memory import KINDS, predicted_bytes

    errors = {}
    for kind in KINDS:
        used = run_command([sys.executable, "-m", "benchmarks.models_memory", kind])
        predicted = predicted_bytes(kind)
        errors[kind] = 100 * (predicted / used.peak_rss_bytes - 1)
    note = ", ".join(f"{kind} {error:+.0f} %" for kind, error in errors.items())
    return Measurement(max(map(abs, errors.values())), "%", note=note)


@measures("simulate_tile")
def simulate_tile() -> Measurement:
    """CPU time over two cores, as others use the machine too; processes start included."""
    import sys

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "cvlarray.cli", "simulate", folder, "--size-px", "10980"]
        dates = ["--start", "2025-07-01", "--end", "2025-07-05", "--sensor", "sentinel-2"]
        used = run_command([*command, *dates])
        n_scenes = len(list(Path(folder).rglob("B02.tif"))) or 1
    note = f"{used.cpu_s:.0f} CPU-s over 2 cores for {n_scenes} date(s), {used.wall_s:.0f} s wall"
    return Measurement(used.cpu_s / 2 / n_scenes, "s", note=note)


def on_h200(work: Callable[[Path], float]) -> float:
    """Run where there is an H200."""
    import torch

    if not torch.cuda.is_available() or "H200" not in torch.cuda.get_device_name():
        raise UnavailableError("no H200 here")
    with tempfile.TemporaryDirectory() as folder:
        return work(Path(folder))


def tile_on_gpu(folder: Path) -> float:
    """Return the seconds that one tile takes from store to store, after one that warms up."""
    from benchmarks import models_sides as sides
    from cvlarray.inference import Lease, Windows, run_lease
    from cvlarray.models.runtime import Precision
    from cvlarray.models.segformer import SegformerSize
    from cvlarray.models.torch_runtime import TorchRuntime
    from cvlarray.store import open_raw

    model = sides.Network(SegformerSize.B3)
    forward = sides.started(TorchRuntime("cuda", Precision.BFLOAT16))
    model.predict = lambda chips, is_valid: softmax(forward(chips, is_valid))
    sides.write_cube(folder / "cube.zarr", 10_980)
    store = sides.new_maps(folder / "maps.zarr", model, 10_980)
    lease = Lease(slice(0, 10_980), slice(0, 10_980), 0)
    work = partial(
        run_lease,
        open_raw(folder / "cube.zarr").isel(time=0),
        lease,
        store,
        model,
        Windows(batch_size=16),
    )
    work()
    return wall_seconds(work)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities over axis 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@measures("h200_tile")
def h200_tile() -> Measurement:
    """A lease of the whole tile."""
    return Measurement(on_h200(tile_on_gpu), "s")


@measures("h200_speed")
def h200_speed() -> Measurement:
    """The same as a rate."""
    return Measurement(10_980**2 / on_h200(tile_on_gpu) / 1e9, "Gpx/s")
