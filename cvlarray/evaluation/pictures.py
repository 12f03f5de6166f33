"""Pictures of a view: as it looks, what is there, and what a model says."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvlarray.evaluation.land_cover import View, classified
from cvlarray.evaluation.results import Picture
from cvlarray.models import Model
from cvlarray.names import DN_PER_REFLECTANCE, NODATA_DN
from cvlarray.simulate.landcover import COLOURS, LandCover

__all__ = ["class_picture", "colour_of", "data_uri", "picture_of"]

_BRIGHTEST = 0.3
"""Reflectance that is drawn white."""
_UNSEEN = (236, 236, 236)
_SHOWN_BANDS = ("swir16", "nir", "red")


def picture_of(view: View, model: Model) -> Picture:
    """Return a view beside its truth and what a model says of it."""
    said = classified(view, model)[model.spec.output].to_numpy()
    names = [name for name in _SHOWN_BANDS if name in view.cube]
    shown = np.stack([view.cube[name].to_numpy() for name in names], axis=-1)
    is_seen = (shown != NODATA_DN).all(axis=-1)
    light = np.clip(shown / DN_PER_REFLECTANCE / _BRIGHTEST, 0, 1) ** 0.7 * 255
    colour = np.where(is_seen[..., None], light, _UNSEEN).astype(np.uint8)
    if colour.shape[-1] != 3:
        colour = np.repeat(colour[..., :1], 3, axis=-1)
    title = f"{view.region.name}, {view.date}, {view.region.group}"
    return Picture(title, colour, view.truth, said)


def class_picture(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return classes (y, x) in the colours of the simulator's truth, (y, x, 3)."""
    table = np.full((256, 3), _UNSEEN, np.uint8)
    for cover in LandCover:
        table[cover] = colour_of(cover)
    return table[classes]


def colour_of(cover: LandCover) -> tuple[int, int, int]:
    """Return red, green and blue of a class."""
    text = COLOURS[cover]
    red, green, blue = (int(text[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def data_uri(image: NDArray[np.uint8]) -> str:
    """Return a picture (y, x, 3) as a PNG inside an address."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
