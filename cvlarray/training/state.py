"""Where a training stands: one file that is whole or absent, and never a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from cvlarray.errors import CheckpointError
from cvlarray.store.atomic import write_atomic

__all__ = ["Position", "load_state", "save_state"]


@dataclass
class Position:
    """How far a training has come."""

    training: str
    """Hash of the recipe and the chips."""
    step: int = 0
    """Steps done."""
    best_score: float = -1.0
    best_step: int = 0
    n_worse: int = 0
    """Validations since the best."""


def save_state(
    path: Path,
    position: Position,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: Mapping[str, Tensor],
) -> None:
    """Write all that a training goes on from.

    Raises
    ------
    StoreError
        If it can't be written. The former state is as it was.
    """
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    for number, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{slot}": value for slot, value in slots.items()}
    whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_atomic(path, save(whole, {"position": json.dumps(asdict(position))}))


def load_state(
    path: Path, training: str, network: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[Position, dict[str, Tensor]]:
    """Put network and optimiser where they were; return the position and the best weights so far.

    Raises
    ------
    CheckpointError
        If the file can't be read, or is of another training.
    """
    try:
        with safe_open(path, framework="pt") as file:
            position = Position(**json.loads(file.metadata()["position"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is no state of a training ({error}); remove it to begin anew"
        ) from error
    if position.training != training:
        raise CheckpointError(
            f"{path} is of another recipe or other chips: choose another workspace, or remove it "
            "to begin anew"
        )
    network.load_state_dict(_under("network.", tensors))
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in _under("optimizer.", tensors).items():
        number, slot = name.split(".", 1)
        slots.setdefault(int(number), {})[slot] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": slots, "param_groups": groups})
    return position, _under("best.", tensors)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
