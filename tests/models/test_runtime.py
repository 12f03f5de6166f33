"""What runs a network: OpenVINO says what torch says; a device without memory does less at once."""

from __future__ import annotations

import copy
import logging
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="make models")
pytest.importorskip("transformers", reason="make models")

from cvlarray.errors import InferenceError  # noqa: E402
from cvlarray.models.openvino_runtime import OpenVinoRuntime  # noqa: E402
from cvlarray.models.runtime import Precision  # noqa: E402
from cvlarray.models.segformer import (  # noqa: E402
    FoldedSegformer,
    SegformerSize,
    build_segformer,
)
from cvlarray.models.torch_runtime import TorchRuntime  # noqa: E402


class Sum(torch.nn.Module):
    """Two classes by the sum of the bands; it remembers how many chips came at once."""

    def __init__(self, most_chips=99):
        super().__init__()
        self.most_chips = most_chips
        self.sizes = []

    def forward(self, chips, is_valid):
        self.sizes.append(len(chips))
        if len(chips) > self.most_chips:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")
        total = chips.sum(1) * is_valid
        return torch.stack([total, -total], 1)


class Segformer(torch.nn.Module):
    """With the two inputs that a runtime hands over."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        network = build_segformer(SegformerSize.B0, n_bands=5, n_classes=5)
        network.decode_head.batch_norm.running_mean.normal_()
        self.network = FoldedSegformer(network)

    def forward(self, chips, is_valid):
        return self.network(chips)


def chips(n_chips=8, size=16, seed=0):
    random = np.random.default_rng(seed)
    bands = random.standard_normal((n_chips, 5, size, size)).astype(np.float32)
    return bands, random.random((n_chips, size, size)) > 0.2


@pytest.mark.parametrize(
    ("most_chips", "sizes", "n_halved"), [(8, [8], 0), (3, [8, 4, 2, 2, 2, 2], 2)]
)
def test_a_device_without_memory_goes_on_with_half(most_chips, sizes, n_halved, caplog):
    network = Sum(most_chips)
    forward = TorchRuntime().start(network)
    bands, is_valid = chips()
    expected = bands.sum(1) * is_valid
    with caplog.at_level(logging.WARNING):
        found = forward(bands, is_valid)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-5)
    assert network.sizes == sizes
    said = [record.message for record in caplog.records]
    assert len(said) == n_halved
    assert all("ran out of memory with" in one for one in said)
    network.sizes.clear()
    forward(bands, is_valid)
    assert max(network.sizes) <= most_chips  # it doesn't try again what failed


def test_a_device_without_memory_for_one_window_says_so():
    with pytest.raises(InferenceError, match="no memory for a single window"):
        TorchRuntime().start(Sum(0))(*chips())


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(InferenceError, match="torch can't use the device cuda:99"):
        TorchRuntime("cuda:99").start(Segformer())


@pytest.fixture(scope="module")
def segformer():
    return Segformer().eval()


@pytest.fixture(scope="module")
def reference(segformer):
    return TorchRuntime().start(segformer)(*chips(4, 64))


def test_openvino_says_what_torch_says(segformer, reference):
    pytest.importorskip("openvino", reason="pip install 'cvlarray[openvino]'")
    found = OpenVinoRuntime().start(segformer)(*chips(4, 64))
    np.testing.assert_allclose(found, reference, atol=1e-5)
    np.testing.assert_array_equal(found.argmax(1), reference.argmax(1))


def test_short_numbers_say_nearly_the_same(segformer, reference):
    runtime = TorchRuntime(precision=Precision.BFLOAT16)
    found = runtime.start(copy.deepcopy(segformer))(*chips(4, 64))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference, atol=0.03 * np.abs(reference).max())
    assert (found != reference).any()


def test_runtimes_travel_and_compare_by_value():
    for runtime in (TorchRuntime("cuda:1"), OpenVinoRuntime(Precision.BFLOAT16, 2)):
        assert pickle.loads(pickle.dumps(runtime)) == runtime
        assert hash(runtime) == hash(pickle.loads(pickle.dumps(runtime)))
