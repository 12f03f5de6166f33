"""OpenVINO on the CPU: the same logits as torch's in a third of its time (extra ``openvino``)."""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cvlarray.errors import MissingExtraError
from cvlarray.models.model import BoolArray, FloatArray
from cvlarray.models.runtime import Forward, Precision

__all__ = ["OpenVinoRuntime"]


@dataclass(frozen=True)
class OpenVinoRuntime:
    """OpenVINO, one thread a call: what comes out doesn't depend on how many work."""

    precision: Precision = Precision.FLOAT32
    n_streams: int = 1
    """Calls that run at the same time in a process."""

    def start(self, network: nn.Module) -> Forward:
        """Return a network at work; it is compiled at its first call for each shape of chips.

        Raises
        ------
        MissingExtraError
            If OpenVINO isn't installed.
        """
        try:
            import openvino  # noqa: PLC0415 (an extra)
        except ImportError as error:
            raise MissingExtraError(
                "models.runtime: openvino needs `pip install 'cvlarray[openvino]'`; torch, the "
                "other one, gives the same classes more slowly"
            ) from error
        return OpenVinoForward(network, openvino, self)


class OpenVinoForward:
    """A network that OpenVINO has compiled, for each shape it was asked for."""

    def __init__(self, network: nn.Module, openvino: Any, runtime: OpenVinoRuntime) -> None:
        self.network = network
        self.openvino = openvino
        self.runtime = runtime
        self._compiled: dict[tuple[int, ...], Any] = {}
        self._own = threading.local()
        self._alone = threading.Lock()

    def __call__(self, chips: FloatArray, is_valid: BoolArray) -> FloatArray:
        """Return logits."""
        request = self._request(chips.shape)
        # The network's inputs, as far as it has a use for them, in their order.
        inputs = [chips, is_valid][: len(request.model_inputs)]
        found: FloatArray = request.infer(inputs)[0].copy()
        return found

    def _request(self, shape: tuple[int, ...]) -> Any:
        """Return this thread's own buffers."""
        own: dict[tuple[int, ...], Any] = self._own.__dict__.setdefault("requests", {})
        if shape not in own:
            with self._alone:
                if shape not in self._compiled:
                    self._compiled[shape] = self._compile(shape)
            own[shape] = self._compiled[shape].create_infer_request()
        return own[shape]

    def _compile(self, shape: tuple[int, ...]) -> Any:
        example = torch.zeros(shape), torch.ones((shape[0], *shape[2:]), dtype=torch.bool)
        with warnings.catch_warnings(), torch.inference_mode():
            # Tracing fixes what Python decides by the shape; here it is the shape that will come.
            warnings.simplefilter("ignore")
            model = self.openvino.convert_model(
                self.network,
                example_input=example,
                input=[(list(one.shape)) for one in example],
            )
        settings = {
            "INFERENCE_PRECISION_HINT": (
                "bf16" if self.runtime.precision is Precision.BFLOAT16 else "f32"
            ),
            "INFERENCE_NUM_THREADS": self.runtime.n_streams,
            "NUM_STREAMS": self.runtime.n_streams,
        }
        return self.openvino.Core().compile_model(model, "CPU", settings)
