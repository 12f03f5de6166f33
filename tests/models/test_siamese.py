"""The Siamese U-Net: what is masked never counts, and blocks equal the whole."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="make models")

from cvlarray.models.siamese import HALO, STRIDE, SiameseUnet  # noqa: E402


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SiameseUnet(n_bands=4, width=16).eval()


def run(network, before, after, seen):
    with torch.inference_mode():
        return network(before, after, seen)


def test_masked_pixels_never_contribute(network):
    before, after = torch.randn(2, 1, 4, 64, 64)
    seen = (torch.rand(1, 1, 64, 64) > 0.3).float()
    garbage = torch.where(seen.bool(), after, torch.full_like(after, 1e4))
    first = run(network, before, after, seen)
    assert torch.equal(first, run(network, before, garbage, seen))


def test_swapping_the_dates_changes_nothing(network):
    """The decoder sees how far features lie apart, not which came first."""
    before, after = torch.randn(2, 1, 4, 64, 64)
    seen = torch.ones(1, 1, 64, 64)
    assert torch.equal(run(network, before, after, seen), run(network, after, before, seen))


def test_a_block_with_its_halo_equals_the_whole(network):
    size, start = 256, 96
    before, after = torch.randn(2, 1, 4, size, size)
    seen = (torch.rand(1, 1, size, size) > 0.2).float()
    whole = run(network, before, after, seen)
    stop = start + 8 * STRIDE
    cut = (..., slice(start - HALO, stop + HALO), slice(start - HALO, stop + HALO))
    part = run(network, before[cut], after[cut], seen[cut])
    inner = (..., slice(HALO, -HALO), slice(HALO, -HALO))
    torch.testing.assert_close(part[inner], whole[..., start:stop, start:stop], rtol=0, atol=0)


def test_a_smaller_halo_is_not_enough(network):
    """The halo isn't larger than it need be."""
    size, halo = 160, HALO - STRIDE
    before, after = torch.randn(2, 1, 4, size, size)
    seen = torch.ones(1, 1, size, size)
    whole = run(network, before, after, seen)
    cut = (..., slice(80 - halo, 80 + halo), slice(80 - halo, 80 + halo))
    part = run(network, before[cut], after[cut], seen[cut])
    inner = part[..., halo - 8 : halo + 8, halo - 8 : halo + 8]
    assert not torch.equal(inner, whole[..., 72:88, 72:88])


def test_nothing_seen_gives_finite_numbers(network):
    nothing = torch.zeros(1, 4, 64, 64)
    logits = run(network, nothing, nothing, torch.zeros(1, 1, 64, 64))
    assert torch.isfinite(logits).all()


def test_a_width_that_would_depend_on_the_block_is_refused():
    with pytest.raises(ValueError, match="multiple of 8, got 12"):
        SiameseUnet(n_bands=4, width=12)
