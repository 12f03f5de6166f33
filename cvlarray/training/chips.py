"""Label chips on disk: images and labels as Zarr, one row a chip as GeoParquet.

A set is a folder. ``chips.zarr`` holds ``image`` (chip, band, y, x) and ``label`` (annotator, chip,
y, x); ``chips.parquet`` says where and when each chip is, and who labelled it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

import geopandas as gpd
import numpy as np
import shapely
import zarr
import zarr.errors
from numpy.typing import NDArray

from cvlarray.errors import StoreError
from cvlarray.models.model import Band, BoolArray, FloatArray
from cvlarray.names import DN_PER_REFLECTANCE, NODATA_DN
from cvlarray.store.atomic import make_folder, replacing

__all__ = ["NO_LABEL", "Chip", "ChipKind", "ChipSet", "LabelSource", "read_chips", "write_chips"]

NO_LABEL = 255
"""Fill of labels: nobody said what is there, or it is none of the classes."""

IMAGES, TABLE = "chips.zarr", "chips.parquet"
_CHIPS_A_WRITE = 32


@dataclass(frozen=True)
class ChipKind:
    """What all chips of a set have in common."""

    bands: tuple[Band, ...]
    classes: tuple[str, ...]
    annotators: tuple[str, ...]
    """Who labelled, in the order of the labels' first axis."""
    source: str
    """``simulated`` where nobody ever saw the place; ``annotated`` or ``feedback`` otherwise."""
    licence: str = "Apache-2.0"
    size_px: int = 256
    """Side of a chip."""


@dataclass(frozen=True)
class Chip:
    """One chip."""

    image: NDArray[Any]
    """(band, y, x): int16 of reflectance × 10,000, or float32 [dB]; missing where not seen."""
    label: NDArray[np.uint8]
    """(annotator, y, x): place in the classes, `NO_LABEL` where there is none."""
    footprint: shapely.Polygon
    """In the set's CRS."""
    facts: Mapping[str, Any]
    """Columns of the table: ``scene``, ``date`` and whatever else is known."""


class LabelSource(Protocol):
    """Yields chips of one kind."""

    @property
    def chip_kind(self) -> ChipKind:
        """What its chips have in common."""

    @property
    def crs(self) -> str:
        """Of the footprints; metric."""

    def chips(self) -> Iterator[Chip]:
        """Yield them, the same ones in the same order each time."""


@dataclass(frozen=True)
class ChipSet:
    """A set that lies on disk; chips are read one by one."""

    folder: Path
    kind: ChipKind
    table: gpd.GeoDataFrame
    """A row a chip, in order: ``chip``, ``scene``, ``date``, ..., ``geometry``."""
    sha256: str
    """Of all images and labels, and of what they mean."""

    def __len__(self) -> int:
        return len(self.table)

    def images(self, chips: Sequence[int] | NDArray[np.int64]) -> tuple[FloatArray, BoolArray]:
        """Return images and where they are valid.

        Images are (chip, band, y, x) in the bands' units, 0 where missing; valid (chip, y, x) is
        where every band was seen.
        """
        stored = np.stack([self._array("image")[int(chip)] for chip in chips])
        if stored.dtype == np.int16:
            is_valid = (stored != NODATA_DN).all(axis=1)
            values = stored.astype(np.float32) / np.float32(DN_PER_REFLECTANCE)
        else:
            is_valid = np.isfinite(stored).all(axis=1)
            values = stored
        return np.where(is_valid[:, np.newaxis], values, np.float32(0)), is_valid

    def labels(self, chips: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return labels (chip, annotator, y, x)."""
        return np.stack([self._array("label")[:, int(chip)] for chip in chips])

    def _array(self, name: str) -> Any:
        return zarr.open_array(self.folder / IMAGES, path=name, mode="r")


def write_chips(folder: Path, source: LabelSource) -> ChipSet:
    """Write all chips of a source; the set is there as a whole or not at all.

    Parameters
    ----------
    folder
        Must not exist.
    source
        What to write.

    Raises
    ------
    StoreError
        If it can't be written.
    ValueError
        If the source has no chip, or one isn't of its kind.
    """
    kind = source.chip_kind
    rows: list[dict[str, Any]] = []
    digest = hashlib.sha256(json.dumps(_meaning(kind), sort_keys=True).encode())
    make_folder(folder.parent)
    with replacing(folder) as partial:
        partial.mkdir()
        chips = source.chips()
        first = next(chips, None)
        if first is None:
            raise ValueError(f"there is no chip to write into {folder}")
        group = _create(partial / IMAGES, kind, first.image.dtype)
        every = chain([first], chips)
        while batch := list(islice(every, _CHIPS_A_WRITE)):
            _append(group, batch, kind)
            for chip in batch:
                digest.update(np.ascontiguousarray(chip.image).tobytes())
                digest.update(np.ascontiguousarray(chip.label).tobytes())
                rows.append(_row(len(rows), chip, kind))
        table = gpd.GeoDataFrame(rows, geometry="geometry", crs=source.crs)
        table.to_parquet(partial / TABLE)
        group.attrs["sha256"] = digest.hexdigest()
    return read_chips(folder)


def read_chips(folder: Path) -> ChipSet:
    """Return a set of chips.

    Raises
    ------
    StoreError
        If the folder is none, or a part of it is missing.
    """
    try:
        group = zarr.open_group(folder / IMAGES, mode="r")
        attrs = dict(group.attrs)
        table = gpd.read_parquet(folder / TABLE)
        shape = zarr.open_array(folder / IMAGES, path="image", mode="r").shape
        kind = _kind(attrs)
        sha256 = str(attrs["sha256"])
    except (OSError, KeyError, ValueError, zarr.errors.BaseZarrError) as error:
        raise StoreError(
            f"{folder} is no set of label chips: {error}; one is a folder with {IMAGES} and {TABLE}"
        ) from error
    if shape[0] != len(table):
        raise StoreError(f"{folder} has {shape[0]} chips and {len(table)} rows: make it anew")
    return ChipSet(folder, kind, table, sha256)


def _create(path: Path, kind: ChipKind, dtype: np.dtype[Any]) -> zarr.Group:
    side, n_bands, n_annotators = kind.size_px, len(kind.bands), len(kind.annotators)
    group = zarr.create_group(path, attributes={"Conventions": "CF-1.11", **_meaning(kind)})
    fill = NODATA_DN if dtype == np.int16 else np.float32("nan")
    scale = {"scale_factor": 1 / DN_PER_REFLECTANCE} if dtype == np.int16 else {}
    group.create_array(
        "image",
        shape=(0, n_bands, side, side),
        chunks=(1, n_bands, side, side),
        dtype=dtype,
        fill_value=fill,
        dimension_names=("chip", "band", "y", "x"),
        attributes={"long_name": "what was seen", **scale},
    )
    group.create_array(
        "label",
        shape=(n_annotators, 0, side, side),
        chunks=(n_annotators, 1, side, side),
        dtype="uint8",
        fill_value=NO_LABEL,
        dimension_names=("annotator", "chip", "y", "x"),
        attributes={
            "long_name": f"what is there ({kind.source})",
            "flag_values": list(range(len(kind.classes))),
            "flag_meanings": " ".join(kind.classes),
        },
    )
    return group


def _append(group: zarr.Group, batch: Sequence[Chip], kind: ChipKind) -> None:
    images: Any = group["image"]
    labels: Any = group["label"]
    expected = (len(kind.bands), kind.size_px, kind.size_px)
    for chip in batch:
        if chip.image.shape != expected or chip.image.dtype != images.dtype:
            raise ValueError(
                f"chips of this set are {images.dtype} {expected}, got {chip.image.dtype} "
                f"{chip.image.shape}"
            )
    images.append(np.stack([chip.image for chip in batch]), axis=0)
    labels.append(np.stack([chip.label for chip in batch], axis=1), axis=1)


def _row(number: int, chip: Chip, kind: ChipKind) -> dict[str, Any]:
    facts = {"label_source": kind.source, **chip.facts}
    return {"chip": number, **facts, "geometry": chip.footprint}


def _meaning(kind: ChipKind) -> dict[str, Any]:
    return {
        "bands": [band.name for band in kind.bands],
        "units": [band.units for band in kind.bands],
        "classes": list(kind.classes),
        "annotators": list(kind.annotators),
        "label_source": kind.source,
        "licence": kind.licence,
        "size_px": kind.size_px,
    }


def _kind(attrs: Mapping[str, Any]) -> ChipKind:
    return ChipKind(
        bands=tuple(map(Band, attrs["bands"], attrs["units"])),
        classes=tuple(attrs["classes"]),
        annotators=tuple(attrs["annotators"]),
        source=attrs["label_source"],
        licence=attrs["licence"],
        size_px=attrs["size_px"],
    )
