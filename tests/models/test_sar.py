"""The radar U-Net: what is masked never counts, and blocks equal the whole."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="make models")

from cvlarray.models.sar import HALO, STRIDE, SarUnet  # noqa: E402


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SarUnet(n_bands=5, width=16).eval()


def run(network, chips, seen):
    with torch.inference_mode():
        return network(chips, seen)


def test_masked_pixels_never_contribute(network):
    chips = torch.randn(1, 5, 64, 64)
    seen = (torch.rand(1, 1, 64, 64) > 0.3).float()
    garbage = torch.where(seen.bool(), chips, torch.full_like(chips, 1e4))
    assert torch.equal(run(network, chips, seen), run(network, garbage, seen))


@pytest.mark.parametrize(("halo", "is_enough"), [(HALO, True), (HALO - STRIDE, False)])
def test_a_block_with_its_halo_equals_the_whole_and_with_less_does_not(network, halo, is_enough):
    start, stop = 64, 64 + 16 * STRIDE
    chips, seen = torch.randn(1, 5, 192, 192), torch.ones(1, 1, 192, 192)
    whole = run(network, chips, seen)
    cut = (..., slice(start - halo, stop + halo), slice(start - halo, stop + halo))
    part = run(network, chips[cut], seen[cut])[..., halo:-halo, halo:-halo]
    assert torch.equal(part, whole[..., start:stop, start:stop]) == is_enough


def test_nothing_seen_gives_finite_numbers(network):
    assert torch.isfinite(run(network, torch.zeros(1, 5, 64, 64), torch.zeros(1, 1, 64, 64))).all()
