"""Write every unit of a small store as a stage does; `test_commit` runs it and kills it.

As a program it reads what to do from stdin, a JSON line each, forks a process that does it, and
prints its id; after another line, its exit code. Forked processes need not import anything.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray import names
from cvlarray.errors import StoreError
from cvlarray.store import (
    Ledger,
    LedgerRow,
    Workspace,
    create_store,
    input_hash,
    open_raw,
    write_region,
)

EDGE, DATES = 288, 6
SHARD = {"time": 3, "y": 96, "x": 96}
VARIABLES = (names.band("red", "red"), names.SCL)
STAGE = "ingest"
FAILED = 3

Region = dict[str, slice]


def units() -> Iterator[tuple[str, Region]]:
    """Yield the key and the region of each unit."""
    for t in range(0, DATES, SHARD["time"]):
        for y in range(0, EDGE, SHARD["y"]):
            for x in range(0, EDGE, SHARD["x"]):
                starts = {"time": t, "y": y, "x": x}
                region = {dim: slice(start, start + SHARD[dim]) for dim, start in starts.items()}
                yield f"t{t}y{y}x{x}", region


def values(unit: str, version: str) -> xr.Dataset:
    """Return what a unit holds, as a function of its key and of the version of its inputs."""
    rng = np.random.default_rng(int(input_hash(unit, version)[:8], 16))
    shape = tuple(SHARD.values())
    bits = {v.name: rng.bytes(math.prod(shape) * np.dtype(v.dtype).itemsize) for v in VARIABLES}
    drawn = {v.name: np.frombuffer(bits[v.name], v.dtype).reshape(shape) for v in VARIABLES}
    return xr.Dataset({name: (tuple(SHARD), array) for name, array in drawn.items()})


def create(workspace: Workspace) -> None:
    create_store(
        workspace.cube,
        geobox=GeoBox((EDGE, EDGE), Affine(10, 0, 0, 0, -10, 0), "EPSG:32719"),
        times=np.arange(DATES).astype("datetime64[D]"),
        variables=VARIABLES,
        shard_px=SHARD["y"],
        chunk_px=SHARD["y"] // 2,
        time_shard=SHARD["time"],
    )


def run(workspace: Workspace, version: str) -> None:
    """Do what is not done: forget, write, record."""
    with workspace.lock():
        create(workspace)
        with Ledger(workspace.ledger) as ledger:
            done = ledger.done(STAGE)
            stale = {u: r for u, r in units() if done.get(u) != input_hash(u, version)}
            ledger.forget(STAGE, stale)
            for unit, region in stale.items():
                written = write_region(workspace.cube, values(unit, version), **region)
                ledger.record(
                    LedgerRow(STAGE, unit, input_hash(unit, version), bytes_written=written)
                )


def wrong_units(workspace: Workspace, versions: tuple[str, ...]) -> list[str]:
    """Return the units that the ledger calls done and that are not what their row says."""
    cube = open_raw(workspace.cube).load()
    regions = dict(units())
    with Ledger(workspace.ledger) as ledger:
        done = ledger.done(STAGE)
    wrong = []
    for unit, found in done.items():
        (version,) = (v for v in versions if input_hash(unit, v) == found)
        stored = cube[[v.name for v in VARIABLES]].isel(regions[unit]).drop_vars(cube.coords)
        if not stored.equals(values(unit, version)):
            wrong.append(unit)
    return wrong


def work(folder: str, version: str, file_size: int) -> int:
    """Run, with no file larger than `file_size` bytes unless that is 0; return an exit code."""
    if file_size:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, resource.RLIM_INFINITY))
    try:
        run(Workspace(Path(folder)), version)
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        return FAILED
    return 0


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(work(*json.loads(line)))
        _say(child)
        sys.stdin.readline()  # until it is asked for, the child's number stays its own
        _say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
