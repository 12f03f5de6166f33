"""Small sets of chips whose labels can be learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from cvlarray.models.model import Band
from cvlarray.names import NODATA_DN
from cvlarray.training.chips import Chip, ChipKind

KIND = ChipKind(
    (Band("red"), Band("nir")), ("forest", "bare"), ("one", "two"), "annotated", size_px=64
)


@dataclass(frozen=True)
class Squares:
    """Bright squares on dark ground, clouds over some; the second annotator misses some."""

    n_chips: int = 16
    chip_kind: ChipKind = KIND
    crs: str = "EPSG:32719"

    def chips(self):
        random = np.random.default_rng(5)
        for number in range(self.n_chips):
            label = np.zeros((2, 64, 64), np.uint8)
            for _ in range(4):
                row, col = random.integers(0, 48, 2)
                label[:, row : row + 16, col : col + 16] = 1
            label[1, :8] = 255
            dark = np.stack([np.full((64, 64), 300), np.full((64, 64), 3000)])
            bright = np.stack([np.full((64, 64), 1500), np.full((64, 64), 2000)])
            image = np.where(label[0] == 1, bright, dark) + random.normal(0, 100, (2, 64, 64))
            image = image.astype(np.int16)
            image[:, 40:50, 10:20] = NODATA_DN
            left = 300_000 + number * 8000
            outline = shapely.box(left, 8_000_000, left + 640, 8_000_640)
            yield Chip(image, label, outline, {"scene": f"s{number}", "date": "2020-01-01"})
