"""A process that does a lease as a work unit does it: `python -m benchmarks.models_memory rule`."""

from __future__ import annotations

import sys
import tempfile
from functools import cache
from pathlib import Path

import yaml

from benchmarks.models_scenes import BANDS, CHUNK_PX, SHARD_PX, grid, new_maps, write_cube
from cvlarray.cluster import InlineExecutor
from cvlarray.config import RunConfig, load_config
from cvlarray.grid import outline
from cvlarray.inference import Lease, run_lease
from cvlarray.pipeline.context import RunContext, workspace_of
from cvlarray.pipeline.lease_memory import lease_bytes, model_bytes
from cvlarray.pipeline.models import checkpoint_of, land_cover_model, prepare, windows_of
from cvlarray.pipeline.plan import WORKER_BYTES
from cvlarray.store import open_raw

SIZE_PX = 2048
KINDS = ("rule", "torch", "openvino")
ROOT = Path(__file__).parent.parent / ".bench" / "models"
WEIGHTS = Path(__file__).parent.parent / "cvlarray" / "models" / "weights" / "land-cover-small"


@cache
def settings(kind: str) -> RunConfig:
    """Return a run over one lease; its cube is made at first."""
    folder = ROOT / kind
    folder.mkdir(parents=True, exist_ok=True)
    west, south, east, north = outline(grid(SIZE_PX).pad(-1)).bounds
    checkpoint = None if kind == "rule" else str(WEIGHTS)
    config = {
        "name": "lease",
        "workspace": str(folder / "workspace"),
        "region": {"bbox": [west, south, east, north]},
        "grid": {"crs": "EPSG:32719", "resolution_m": 10, "tile_px": SHARD_PX},
        "search": {"source": "https://example.org"},
        "periods": {
            "history": {"start": "2020-01-01", "end": "2024-12-31"},
            "monitoring": {"start": "2025-01-01", "end": "2025-12-31"},
        },
        "cube": {"bands": list(BANDS)},
        "store": {"shard_px": SHARD_PX, "chunk_px": CHUNK_PX},
        "models": {
            "land_cover": {"checkpoint": checkpoint},
            "runtime": "torch" if kind == "rule" else kind,
        },
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    if not (ROOT / "cube.zarr").exists():
        write_cube(ROOT / "cube.zarr", SIZE_PX)
    return load_config(path)


def predicted_bytes(kind: str) -> float:
    """Return what `plan` takes for a worker that does one lease."""
    config = settings(kind)
    model = land_cover_model(config)
    assert model is not None
    context = RunContext(config, workspace_of(config), ())
    return WORKER_BYTES + model_bytes(config) + lease_bytes(context, model)


def main() -> None:
    """Do the lease in a worker of its own, as a run does."""
    config = settings(sys.argv[1])
    model = land_cover_model(config)
    assert model is not None
    prepare(model, checkpoint_of(config), InlineExecutor(), config)
    whole = slice(0, SIZE_PX)
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        store = new_maps(Path(folder) / "maps.zarr", model, SIZE_PX)
        cube = open_raw(ROOT / "cube.zarr").isel(time=0)
        run_lease(cube, Lease(whole, whole, 0), store, model, windows_of(config))


if __name__ == "__main__":
    main()
