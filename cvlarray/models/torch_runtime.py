"""Torch on the CPU, the reference, or on a CUDA device."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cvlarray.errors import InferenceError
from cvlarray.models.model import BoolArray, FloatArray
from cvlarray.models.runtime import Forward, Precision

__all__ = ["TorchRuntime"]

logger = logging.getLogger(__name__)

_DTYPES = {Precision.FLOAT32: torch.float32, Precision.BFLOAT16: torch.bfloat16}


@dataclass(frozen=True)
class TorchRuntime:
    """Torch on a device, such as ``cpu`` or ``cuda:0``."""

    device: str = "cpu"
    precision: Precision = Precision.FLOAT32

    def start(self, network: nn.Module) -> Forward:
        """Return a network at work on the device.

        Raises
        ------
        InferenceError
            If the device isn't there.
        """
        try:
            placed = network.to(
                self.device, _DTYPES[self.precision], memory_format=torch.channels_last
            )
        except (AssertionError, RuntimeError) as error:  # built without CUDA; no such device
            raise InferenceError(
                f"torch can't use the device {self.device}: {error}; choose cpu, or install a "
                "build of torch that has it"
            ) from error
        return TorchForward(placed, torch.device(self.device), _DTYPES[self.precision])


class TorchForward:
    """A network on a device, and how many chips its memory holds at once."""

    def __init__(self, network: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
        self.network = network
        self.device = device
        self.dtype = dtype
        self.most_chips: int | None = None
        """None until the memory ran out."""
        self._alone = threading.Lock()

    def __call__(self, chips: FloatArray, is_valid: BoolArray) -> FloatArray:
        """Return logits; with as many chips at once as the device's memory holds.

        Raises
        ------
        InferenceError
            If it doesn't hold a single one.
        """
        with torch.inference_mode():
            ready, seen = torch.from_numpy(chips), torch.from_numpy(is_valid)
            logits: FloatArray = self._in_parts(ready, seen).numpy()
        return logits

    def _in_parts(self, chips: Tensor, is_valid: Tensor) -> Tensor:
        n_chips = len(chips)
        while True:
            size = min(n_chips, self.most_chips or n_chips)
            try:
                parts = [
                    self._once(chips[n : n + size], is_valid[n : n + size])
                    for n in range(0, n_chips, size)
                ]
            except torch.OutOfMemoryError as error:
                self._take_fewer(size, error)
            else:
                return torch.cat(parts)

    def _once(self, chips: Tensor, is_valid: Tensor) -> Tensor:
        on_device = chips.to(self.device, self.dtype, memory_format=torch.channels_last)
        logits: Tensor = self.network(on_device, is_valid.to(self.device))
        return logits.to("cpu", torch.float32)

    def _take_fewer(self, size: int, error: torch.OutOfMemoryError) -> None:
        """Halve what goes through together, for this and all later calls."""
        if size == 1:
            raise InferenceError(
                f"{self.device} has no memory for a single window: {error}; choose a smaller "
                "window or a smaller model"
            ) from error
        with self._alone:
            self.most_chips = min(self.most_chips or size, size // 2)
        logger.warning(
            "%s ran out of memory with %d windows at once; going on with %d",
            self.device,
            size,
            self.most_chips,
        )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
