"""The state of a run's watch: its stores, and each tile's log of the dates taken into it.

There are two stores. The state of a tile is in one of them; an update reads that, writes the
other, and last replaces the tile's log, which says which one holds. Broken off before that, nothing
has happened; done twice, it gives the same.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from cvlarray.config import RunConfig
from cvlarray.errors import StoreError
from cvlarray.grid import Tile
from cvlarray.kernels.evidence import N_KEPT
from cvlarray.kernels.season import coefficient_names, moment_names
from cvlarray.names import STATE_VARIABLES
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.ingested import DateInput
from cvlarray.pipeline.run_store import create_run_store
from cvlarray.store import (
    StoreLocation,
    Workspace,
    open_raw,
    write_atomic,
    write_region,
)


@dataclass(frozen=True)
class StateLog:
    """What the state of a tile consists of."""

    basis: str
    """Hash of the settings and the baseline that the watch started from."""
    attrs: Mapping[str, Any]
    """Attributes of the state: its time axis and detector."""
    place: int = 1
    """Which of the two stores holds it."""
    dates: tuple[DateInput, ...] = ()
    """What was taken in, in order."""
    unjudged: tuple[str, ...] = ()
    """Dates on which too little forest was seen to judge them."""

    def goes_on_with(self, basis: str, wanted: Sequence[DateInput]) -> bool:
        """Return whether the wanted dates begin with those taken in."""
        return self.basis == basis and self.dates == tuple(wanted[: len(self.dates)])

    @property
    def last_date(self) -> str | None:
        """The last date taken in."""
        return self.dates[-1][0] if self.dates else None


def create_states(context: RunContext) -> None:
    """Make the stores of the state, or check that those there are this run's.

    All of the state follows from cube and baseline: one of another layout in the workspace's own
    folder, or without its logs, is made anew.
    """
    workspace = context.workspace
    if not all(place.exists() for place in (*workspace.states, workspace.state_logs)):
        _forget(workspace.state_logs)
    for place in workspace.states:
        try:
            _create(place, context)
        except StoreError:
            if not isinstance(place, Path):
                raise
            _forget(workspace.state_logs)
            _forget(place)
            _create(place, context)
    workspace.state_logs.mkdir(exist_ok=True)


def state_bytes(config: RunConfig) -> int:
    """Return the bytes of one pixel's state, not compressed."""
    lengths = {dim: len(names) for dim, names in _labels(config).items()}
    return sum(
        np.dtype(variable.dtype).itemsize * math.prod(lengths.get(dim, 1) for dim in variable.dims)
        for variable in STATE_VARIABLES
    )


def _labels(config: RunConfig) -> dict[str, Sequence[str]]:
    """Return the names along each dim of the state beside y and x."""
    order = config.baseline.harmonic_order
    detector = config.monitor.detector.build()
    return {
        "feature": config.baseline.features,
        "coefficient": coefficient_names(order),
        "moment": moment_names(order),
        "remembered": [str(number) for number in range(detector.n_remembered)],
        "kept": [str(number) for number in range(N_KEPT)],
    }


def _create(place: StoreLocation, context: RunContext) -> None:
    create_run_store(place, context, STATE_VARIABLES, coords=_labels(context.config))


def _forget(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def read_log(workspace: Workspace, tile: Tile) -> StateLog | None:
    """Return a tile's log, None if it has no state yet."""
    try:
        content = json.loads(_log_file(workspace, tile).read_text())
    except FileNotFoundError:
        return None
    dates = tuple((date, identity) for date, identity in content.pop("dates"))
    return StateLog(**{**content, "dates": dates, "unjudged": tuple(content["unjudged"])})


def read_state(workspace: Workspace, tile: Tile, log: StateLog) -> xr.Dataset:
    """Return the state of a tile, as its log says."""
    stored = open_raw(workspace.states[log.place]).isel(y=tile.y, x=tile.x)
    state = stored.compute(scheduler="synchronous")
    state.attrs = dict(log.attrs)
    return state


def write_state(
    workspace: Workspace, tile: Tile, log: StateLog, state: xr.Dataset
) -> tuple[StateLog, int]:
    """Write a tile's next state beside the one that holds.

    Returns
    -------
    Its log, to be written last, and the bytes written.
    """
    after = replace(log, attrs=state.attrs, place=1 - log.place)
    stored = state[[variable.name for variable in STATE_VARIABLES]]
    n_written = write_region(workspace.states[after.place], stored, y=tile.y, x=tile.x)
    return after, n_written


def write_log(workspace: Workspace, tile: Tile, log: StateLog) -> None:
    """Replace a tile's log: from now on it is the state that holds."""
    write_atomic(_log_file(workspace, tile), json.dumps(asdict(log)))


def _log_file(workspace: Workspace, tile: Tile) -> Path:
    return workspace.state_logs / f"{tile.name}.json"
