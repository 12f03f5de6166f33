"""SegFormer, folded: the same answers as transformers' own."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="make models")
transformers = pytest.importorskip("transformers", reason="make models")

from cvlarray.models.segformer import (  # noqa: E402
    FoldedSegformer,
    SegformerSize,
    build_segformer,
)


@pytest.fixture(scope="module")
def trained():
    """A small network whose statistics aren't those of a new one."""
    torch.manual_seed(1)
    network = build_segformer(SegformerSize.B0, n_bands=5, n_classes=5)
    norm = network.decode_head.batch_norm
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    return network.eval()


def test_folding_changes_nothing_but_the_work(trained):
    chips = torch.randn(2, 5, 128, 96)
    with torch.inference_mode():
        small = trained(chips).logits
        expected = torch.nn.functional.interpolate(
            small, size=chips.shape[-2:], mode="bilinear", align_corners=False
        )
        got = FoldedSegformer(trained)(chips)
    assert float((got - expected).abs().max()) < 1e-4 * float(expected.abs().max())
    assert torch.equal(got.argmax(1), expected.argmax(1))


@pytest.mark.parametrize(
    ("size", "millions"),
    # Table 1 of Xie et al. 2021: encoder and decoder, three bands, the 150 classes of ADE20K.
    [("b0", 3.8), ("b1", 13.7), ("b2", 27.5), ("b3", 47.3), ("b4", 64.1), ("b5", 84.7)],
)
def test_sizes_are_the_papers(size, millions):
    with torch.device("meta"):
        network = build_segformer(SegformerSize(size), n_bands=3, n_classes=150)
    n_weights = sum(one.numel() for one in network.parameters())
    assert n_weights / 1e6 == pytest.approx(millions, rel=0.02)


def test_the_small_one_sees_every_second_pixel_and_folds_alike():
    torch.manual_seed(2)
    network = build_segformer(SegformerSize.SMALL, n_bands=10, n_classes=5).eval()
    chips = torch.randn(1, 10, 64, 96)
    with torch.inference_mode():
        small = network(chips).logits
        assert small.shape == (1, 5, 32, 48)
        expected = torch.nn.functional.interpolate(small, scale_factor=2.0, mode="bilinear")
        got = FoldedSegformer(network)(chips)
    assert float((got - expected).abs().max()) < 1e-4 * float(expected.abs().max())
    assert sum(one.numel() for one in network.parameters()) < 1e6
