"""Every architecture by its name: to train, and to run.

All networks are called alike: normalised chips (chip, band, y, x) and where they are valid
(chip, y, x) in, logits (chip, class, y, x) out.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cvlarray.models import sar, segformer, siamese
from cvlarray.models.card import Architecture
from cvlarray.models.change import CHANGE_ROLES
from cvlarray.models.sar import SarUnet
from cvlarray.models.segformer import FoldedSegformer, SegformerSize, build_segformer
from cvlarray.models.siamese import SiameseUnet

__all__ = ["Reach", "build_network", "reach_of", "ready_to_run"]


class Reach(NamedTuple):
    """How an architecture looks at its neighbourhood [pixels]."""

    stride: int
    halo: int


def reach_of(architecture: Architecture) -> Reach:
    """Return stride and halo."""
    if architecture.startswith("segformer-"):
        return Reach(segformer.STRIDE, segformer.STRIDE)
    part = sar if architecture.startswith("sar-") else siamese
    return Reach(part.STRIDE, part.HALO)


def build_network(architecture: Architecture, *, n_bands: int, n_classes: int) -> nn.Module:
    """Return an untrained network.

    Parameters
    ----------
    architecture
        Its name on the card.
    n_bands
        Bands of its input; `cvlarray.models.change.change_bands` for two dates.
    n_classes
        Classes of its output.

    Raises
    ------
    ValueError
        If the architecture has no such bands or classes.
    """
    kind, _, size = architecture.partition("-")
    if kind == "segformer":
        return _Segformer(SegformerSize(size), n_bands, n_classes)
    if n_classes != 2:
        raise ValueError(f"{architecture} tells two classes apart, got {n_classes}")
    width = int(size.rpartition("-")[2])
    return _Radar(n_bands, width) if kind == "sar" else _SeasonalChange(n_bands, width)


def ready_to_run(network: nn.Module) -> nn.Module:
    """Return a trained network in evaluation mode; a SegFormer is folded."""
    network.eval()
    if isinstance(network, _Segformer):
        return _Folded(network.trained).requires_grad_(False)
    return network.requires_grad_(False)


class _Segformer(nn.Module):
    """A SegFormer with its logits at the size of its chips; what is masked is 0 on the way in."""

    def __init__(self, size: SegformerSize, n_bands: int, n_classes: int) -> None:
        super().__init__()
        self.trained = build_segformer(size, n_bands=n_bands, n_classes=n_classes)

    def forward(self, chips: Tensor, is_valid: Tensor) -> Tensor:  # noqa: ARG002 (as all networks)
        logits: Tensor = functional.interpolate(
            self.trained(chips).logits, size=chips.shape[-2:], mode="bilinear", align_corners=False
        )
        return logits


class _Folded(nn.Module):
    def __init__(self, trained: nn.Module) -> None:
        super().__init__()
        self.network = FoldedSegformer(trained)

    def forward(self, chips: Tensor, is_valid: Tensor) -> Tensor:  # noqa: ARG002 (as all networks)
        logits: Tensor = self.network(chips)
        return logits


class _SeasonalChange(nn.Module):
    """Two dates, each as it looks and as far as it is from its season."""

    def __init__(self, n_bands: int, width: int) -> None:
        super().__init__()
        if n_bands % len(CHANGE_ROLES):
            raise ValueError(
                f"a change model takes each band as {', '.join(CHANGE_ROLES)}, got {n_bands} bands"
            )
        self.n_bands = n_bands // len(CHANGE_ROLES)
        self.siamese = SiameseUnet(2 * self.n_bands, width)

    def forward(self, chips: Tensor, is_valid: Tensor) -> Tensor:
        before, expected_before, after, expected_after = chips.split(self.n_bands, dim=1)
        seen = is_valid[:, None].to(chips.dtype)
        logits: Tensor = self.siamese(
            torch.cat([before, before - expected_before], dim=1),
            torch.cat([after, after - expected_after], dim=1),
            seen,
        )
        return logits


class _Radar(nn.Module):
    """One date of radar."""

    def __init__(self, n_bands: int, width: int) -> None:
        super().__init__()
        self.unet = SarUnet(n_bands, width)

    def forward(self, chips: Tensor, is_valid: Tensor) -> Tensor:
        logits: Tensor = self.unet(chips, is_valid[:, None].to(chips.dtype))
        return logits
