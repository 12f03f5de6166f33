"""A run's stores: on its grid, cut into shards as its YAML says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvlarray.names import Variable
from cvlarray.pipeline.context import RunContext
from cvlarray.store import StoreLocation, create_store


def create_run_store(
    place: StoreLocation,
    context: RunContext,
    variables: Sequence[Variable],
    *,
    times: NDArray[np.datetime64] | None = None,
    coords: Mapping[str, Sequence[str]] | None = None,
    attrs: Mapping[str, Any] | None = None,
    n_kept_dates: int | None = None,
) -> None:
    """Make a store, or check that the one there is this run's.

    Raises
    ------
    StoreError
        If the store there was made by another config; it names the difference.
    """
    store = context.config.store
    create_store(
        place,
        geobox=context.geobox,
        times=times,
        variables=variables,
        shard_px=store.shard_px,
        chunk_px=store.chunk_px,
        time_shard=store.time_shard,
        coords=coords,
        attrs=attrs,
        n_kept_dates=n_kept_dates,
    )
