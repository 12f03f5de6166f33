"""SegFormer for any set of bands, with its head folded to the low resolutions.

Xie et al. (2021), SegFormer: simple and efficient design for semantic segmentation with
transformers, NeurIPS, arXiv:2105.15203. The encoder is that of `transformers`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from transformers import SegformerForSemanticSegmentation

__all__ = ["STRIDE", "FoldedSegformer", "SegformerSize", "build_segformer"]

STRIDE = 32
"""The deepest stage sees pixels in blocks of 32."""


class SegformerSize(StrEnum):
    """The published sizes, from 3.7 to 82 million weights, and one that a CPU can train."""

    SMALL = "small"
    """0.8 million weights that a CPU can train. Its first stage sees pixels in blocks of 2 instead
    of 4: a pit or pond is a few pixels of 10 m wide, and the best map of 40 m that there can be
    loses a third of its IoU at the edges."""
    B0 = "b0"
    B1 = "b1"
    B2 = "b2"
    B3 = "b3"
    B4 = "b4"
    B5 = "b5"


_DEPTHS = {
    SegformerSize.SMALL: (1, 2, 2, 2),
    SegformerSize.B0: (2, 2, 2, 2),
    SegformerSize.B1: (2, 2, 2, 2),
    SegformerSize.B2: (3, 4, 6, 3),
    SegformerSize.B3: (3, 4, 18, 3),
    SegformerSize.B4: (3, 8, 27, 3),
    SegformerSize.B5: (3, 6, 40, 3),
}
"""Blocks of the four stages (table 6 of the paper)."""

_WIDTHS = {
    SegformerSize.SMALL: ((16, 32, 64, 128), 64),
    SegformerSize.B0: ((32, 64, 160, 256), 256),
    SegformerSize.B1: ((64, 128, 320, 512), 256),
}
"""Channels of the four stages, and of the head; those not named have as many as B2."""


def build_segformer(
    size: SegformerSize, *, n_bands: int, n_classes: int
) -> SegformerForSemanticSegmentation:
    """Return an untrained SegFormer.

    Parameters
    ----------
    size
        A published one, or the small one.
    n_bands
        Bands of its input.
    n_classes
        Classes of its output.
    """
    from transformers import (  # noqa: PLC0415 (takes seconds)
        SegformerConfig,
        SegformerForSemanticSegmentation,
    )

    widths, head_width = _WIDTHS.get(size, ((64, 128, 320, 512), 768))
    is_fine = size == SegformerSize.SMALL
    config = SegformerConfig(
        strides=[2, 4, 2, 2] if is_fine else [4, 2, 2, 2],
        patch_sizes=[3, 7, 3, 3] if is_fine else [7, 3, 3, 3],
        sr_ratios=[16, 4, 2, 1] if is_fine else [8, 4, 2, 1],
        num_channels=n_bands,
        num_labels=n_classes,
        depths=list(_DEPTHS[size]),
        hidden_sizes=list(widths),
        decoder_hidden_size=head_width,
    )
    return SegformerForSemanticSegmentation(config)


class FoldedSegformer(nn.Module):
    """A trained SegFormer that gives the same logits for half the work.

    The head projects four stages to one width, enlarges them, and mixes them by a 1×1 convolution
    with batch normalisation. Enlarging is linear and the same for each channel, so mixing may come
    first, at each stage's own resolution, and be one matrix with the projection before it.

    Parameters
    ----------
    trained
        What `build_segformer` returned, trained; it is put into evaluation mode.
    """

    def __init__(self, trained: SegformerForSemanticSegmentation) -> None:
        super().__init__()
        trained.eval()
        self.encoder = trained.segformer
        head = trained.decode_head
        norm = head.batch_norm
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        width = head.linear_fuse.out_channels
        # The stages are put together from the deepest to the first.
        mixing = head.linear_fuse.weight[:, :, 0, 0].split(width, dim=1)[::-1]
        self.mixed = nn.ModuleList(
            _folded(gain[:, None] * mix, projection.proj)
            for mix, projection in zip(mixing, head.linear_projections, strict=True)
        )
        self.bias = nn.Parameter((norm.bias - gain * norm.running_mean)[:, None, None].detach())
        self.classifier = head.classifier
        self.requires_grad_(False)

    def forward(self, chips: Tensor) -> Tensor:
        """Return logits (chip, class, y, x) at the size of the chips (chip, band, y, x)."""
        stages = []
        hidden = chips
        for stage in self.encoder.stages:
            hidden = stage(hidden)
            stages.append(hidden)
        total = self.bias
        for mix, features in zip(self.mixed, stages, strict=True):
            total = total + _enlarged(mix(features), stages[0].shape[-2:])
        return _enlarged(self.classifier(torch.relu(total)), chips.shape[-2:])


def _folded(mix: Tensor, projection: nn.Linear) -> nn.Conv2d:
    """Return one 1×1 convolution for a projection and the mixing after it."""
    folded = nn.Conv2d(projection.in_features, mix.shape[0], kernel_size=1)
    folded.weight.data = (mix @ projection.weight)[:, :, None, None].detach().clone()
    folded.bias.data = (mix @ projection.bias).detach().clone()
    return folded


def _enlarged(features: Tensor, size: torch.Size | tuple[int, ...]) -> Tensor:
    return functional.interpolate(features, size=tuple(size), mode="bilinear", align_corners=False)
