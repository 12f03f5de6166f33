"""One edition of a layer, pinned: the same features and the same hash whenever it is read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import geopandas as gpd

from cvlarray.alerts.enrich.clean import clean_features
from cvlarray.alerts.enrich.layer import Layer, LayerError
from cvlarray.alerts.enrich.read import read_source

__all__ = ["Snapshot", "load_layer", "take_snapshot"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A layer as it was read."""

    layer: Layer
    features: gpd.GeoDataFrame
    """`cvlarray.alerts.enrich.clean.FEATURE_DTYPES` and geometry (EPSG:4326)."""
    sha256: str
    """Of the source; see `cvlarray.alerts.enrich.read.read_source`."""

    @property
    def key(self) -> str:
        """Hash of the source and of how it was declared: equal keys have equal features."""
        declared = self.layer.model_dump_json(exclude={"sha256"})
        return hashlib.sha256(f"{self.sha256}\n{declared}".encode()).hexdigest()


def take_snapshot(layer: Layer) -> Snapshot:
    """Read a layer, repair it, and pin it by the hash of its source.

    Raises
    ------
    LayerError
        If the source can't be read or used, or isn't the edition that ``layer.sha256`` names.
    MissingExtraError
        If a PostGIS table is to be read without psycopg.
    """
    raw = read_source(layer)
    if layer.sha256 is not None and raw.sha256 != layer.sha256:
        raise LayerError(
            f"layer {layer.name!r} must have SHA-256 {layer.sha256}, its source has {raw.sha256}; "
            "declare the new edition, with its valid date"
        )
    return Snapshot(layer, clean_features(raw.frames, layer), raw.sha256)


def load_layer(layer: Layer) -> gpd.GeoDataFrame:
    """Return the features of a layer; see `take_snapshot`."""
    return take_snapshot(layer).features
