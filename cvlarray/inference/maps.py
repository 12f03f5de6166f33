"""What a model's maps are called and how they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from cvlarray.inference.rows import NO_CLASS
from cvlarray.models.model import ModelSpec
from cvlarray.names import Variable
from cvlarray.store import StoreLocation, create_store

__all__ = ["PROBABILITY", "create_maps", "map_variables"]

PROBABILITY = "probability"


def map_variables(spec: ModelSpec) -> tuple[Variable, Variable]:
    """Return the class map (uint8) and the probability of the class (float32), (time, y, x)."""
    flags = {
        "long_name": spec.output.replace("_", " "),
        "flag_values": list(range(len(spec.classes))),
        "flag_meanings": " ".join(spec.classes),
        "source": spec.name,
    }
    described = {"long_name": f"probability of {spec.output}", "units": "1"}
    dims = ("time", "y", "x")
    return (
        Variable(spec.output, dims, "uint8", NO_CLASS, flags),
        Variable(PROBABILITY, dims, "float32", np.float32("nan"), described),
    )


def create_maps(  # noqa: PLR0913 (what `create_store` takes)
    path: StoreLocation,
    spec: ModelSpec,
    *,
    geobox: GeoBox,
    times: npt.ArrayLike,
    shard_px: int,
    chunk_px: int,
    made_by: Mapping[str, Any],
    n_kept_dates: int | None = None,
) -> None:
    """Make the store of a model's maps, or make sure that the one there is the same.

    Each date has its own shards.

    Parameters
    ----------
    path
        Of the store.
    spec
        Of the model.
    geobox, times, shard_px, chunk_px, n_kept_dates
        See `cvlarray.store.create_store`.
    made_by
        All else that decides the maps, as JSON: the weights' hash, windows, precision.

    Raises
    ------
    StoreError
        If the store there holds the maps of another model; it names the difference.
    """
    create_store(
        path,
        geobox=geobox,
        times=times,
        variables=map_variables(spec),
        shard_px=shard_px,
        chunk_px=chunk_px,
        time_shard=1,
        n_kept_dates=n_kept_dates,
        fingerprint={"model": spec.name, "classes": list(spec.classes), **made_by},
    )
