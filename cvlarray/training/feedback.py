"""Reviewers' verdicts as label chips: what they settled is labelled, all around it is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import odc.geo.xr  # noqa: F401 (gives xarray its geobox)
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from cvlarray.models.change import CHANGE_CLASSES
from cvlarray.models.model import Band
from cvlarray.training.chips import NO_LABEL, Chip, ChipKind, LabelSource

__all__ = ["FeedbackChips", "JoinedChips"]


@dataclass(frozen=True)
class FeedbackChips:
    """A chip around each verdict, on the first date that shows what was judged.

    A confirmed alert is changed, or of its class where the classes have it; a dismissed one is
    unchanged. Pixels outside have no label.
    """

    labels: gpd.GeoDataFrame
    """As ``cvlarray labels`` writes it: the standing verdicts of the 90 days before a moment."""
    images: xr.Dataset
    """The kind's bands (time, y, x), metric, on the grid of the other chips."""
    chip_kind: ChipKind

    @property
    def crs(self) -> str:
        """Of the images."""
        return str(self._geobox.crs)

    def chips(self) -> Iterator[Chip]:
        """Yield them in the order of the events."""
        placed = self.labels.sort_values("event_id").to_crs(self.crs)
        days = self.images["time"].to_numpy()
        for verdict in placed.to_dict("records"):
            value = self._value(verdict)
            date = int(np.searchsorted(days, np.datetime64(verdict["interval_end"])))
            window = self._window(verdict["geometry"])
            if value is None or date == len(days) or window is None:
                continue
            geobox = self._geobox[window]
            label = rasterize(
                [(verdict["geometry"], value)],
                out_shape=geobox.shape,
                transform=geobox.affine,
                fill=NO_LABEL,
                dtype="uint8",
                all_touched=True,
            )
            facts = {
                "scene": f"feedback-{verdict['event_id']}",
                "date": pd.Timestamp(days[date]).date().isoformat(),
                "label_source": "feedback",
            }
            annotators = len(self.chip_kind.annotators)
            yield Chip(
                self._image(date, window),
                np.repeat(label[np.newaxis], annotators, axis=0),
                shapely.box(*geobox.boundingbox.bbox),
                facts,
            )

    @property
    def _geobox(self) -> GeoBox:
        geobox: GeoBox = self.images.odc.geobox
        return geobox

    def _value(self, verdict: Mapping[str, Any]) -> int | None:
        """Return the label of a verdict, None where the classes have no word for it."""
        classes = self.chip_kind.classes
        if classes == CHANGE_CLASSES:
            return int(verdict["is_change"])
        name = verdict["class"]
        return classes.index(name) if verdict["is_change"] and name in classes else None

    def _window(self, shape: shapely.Polygon) -> tuple[slice, slice] | None:
        """Return the chip around a polygon's centre, pushed into the images; None if outside."""
        side = self.chip_kind.size_px
        geobox = self._geobox
        height, width = (int(size) for size in geobox.shape)
        col, row = ~geobox.affine * (shape.centroid.x, shape.centroid.y)
        if not (0 <= row < height and 0 <= col < width) or min(height, width) < side:
            return None
        top = int(np.clip(round(row) - side // 2, 0, height - side))
        left = int(np.clip(round(col) - side // 2, 0, width - side))
        return slice(top, top + side), slice(left, left + side)

    def _image(self, date: int, window: tuple[slice, slice]) -> NDArray[Any]:
        chosen = self.images.isel(time=date, y=window[0], x=window[1])
        bands: tuple[Band, ...] = self.chip_kind.bands
        return np.stack([chosen[band.name].to_numpy() for band in bands])


@dataclass(frozen=True)
class JoinedChips:
    """The chips of one source, then those of another of the same kind."""

    first: LabelSource
    second: LabelSource

    @property
    def chip_kind(self) -> ChipKind:
        """That of the first."""
        return self.first.chip_kind

    @property
    def crs(self) -> str:
        """That of the first."""
        return self.first.crs

    def chips(self) -> Iterator[Chip]:
        """Yield all chips; footprints in the CRS of the first."""
        yield from self.first.chips()
        for chip in self.second.chips():
            moved = gpd.GeoSeries([chip.footprint], crs=self.second.crs).to_crs(self.crs).iloc[0]
            yield Chip(chip.image, chip.label, moved, chip.facts)
