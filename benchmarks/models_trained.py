"""A checkpoint that ships, in blocks and as one forward, on a simulated scene held out from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.registry import UnavailableError

WEIGHTS = Path(__file__).parent.parent / "cvlarray" / "models" / "weights"
SIZE_PX = 1024


@dataclass(frozen=True)
class Comparison:
    """What blocks and the whole say of the same pixels."""

    disagreement: float
    """Share of the seen pixels with another class."""
    blocks_accuracy: float
    whole_accuracy: float
    note: str


def trained_segformer() -> Path:
    """Return the folder of a SegFormer that ships.

    Raises
    ------
    UnavailableError
        If there is none.
    """
    from cvlarray.models.checkpoint import read_card

    for path in sorted(WEIGHTS.glob("*/card.json")):
        card = read_card(path.parent)
        if card.architecture.startswith("segformer-") and card.output == "land_cover":
            return path.parent
    raise UnavailableError("no trained SegFormer ships yet")


@cache
def blocks_and_whole() -> Comparison:
    """Return the comparison on the first clear view of a held-out region."""
    from cvlarray.evaluation.land_cover import views_of
    from cvlarray.evaluation.regions import HeldOut
    from cvlarray.inference import NO_CLASS, infer
    from cvlarray.inference.inputs import model_bands
    from cvlarray.models import LAND_COVER
    from cvlarray.models.torch_model import load_model

    model = load_model(trained_segformer())
    names = [band.name for band in model.spec.bands]
    region = next(HeldOut(n_regions=2, size_px=SIZE_PX).regions())
    view = next(views_of(region, names, n_dates=1))
    blocks = infer(view.cube[names], model)[model.spec.output].to_numpy()
    bands = model_bands(view.cube, model.spec.bands).to_numpy()
    is_valid = np.isfinite(bands).all(axis=0)
    chips = np.where(is_valid, bands, np.float32(0))
    whole = model.predict(chips[None], is_valid[None])[0].argmax(axis=0)
    seen = blocks != NO_CLASS
    known = seen & (view.truth < len(LAND_COVER))
    return Comparison(
        disagreement=float((blocks != whole)[seen].mean()),
        blocks_accuracy=float((blocks == view.truth)[known].mean()),
        whole_accuracy=float((whole == view.truth)[known].mean()),
        note=f"{model.spec.name}, simulated {region.name}, {seen.sum():,} seen pixels",
    )
