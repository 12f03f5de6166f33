"""What every stage of a run needs: its settings, its grid, its scenes and dates."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from cvlarray.config import LocalCluster, RunConfig, Threads
from cvlarray.cube import Day
from cvlarray.cube.block import widened
from cvlarray.grid import Tile, outlines, region_geobox, tiles
from cvlarray.sensors import Scene
from cvlarray.store import StoreKind, Workspace


@dataclass(frozen=True)
class DateBlock:
    """Consecutive dates that are stored together."""

    start: int
    """Index of the first day along the cube's time."""
    days: tuple[Day, ...]

    @property
    def time(self) -> slice:
        """Where the days lie along the cube's time."""
        return slice(self.start, self.start + len(self.days))


@dataclass(frozen=True)
class RunContext:
    """One run: what was asked for, and what the search found."""

    config: RunConfig
    workspace: Workspace
    days: tuple[Day, ...]
    """The time slices of the history and the monitoring period, in order."""

    @cached_property
    def geobox(self) -> GeoBox:
        """The run's pixel grid."""
        return grid_of(self.config)

    @cached_property
    def tiles(self) -> list[Tile]:
        """The run's tiles that the region touches, row by row."""
        region = self.config.region.to_geometry()
        shapely.prepare(region)
        every = tiles(self.geobox, self.config.grid.tile_px)
        touched = shapely.intersects(region, outlines([tile.geobox for tile in every]))
        return [tile for tile, is_touched in zip(every, touched, strict=True) if is_touched]

    @cached_property
    def dates(self) -> NDArray[np.datetime64]:
        """Solar days with at least one scene, datetime64[D], increasing."""
        return np.array([day.date for day in self.days], "datetime64[D]")

    @cached_property
    def scenes(self) -> list[Scene]:
        """Every scene of the run, by day."""
        return [scene for day in self.days for scene in day.scenes]

    @cached_property
    def days_over(self) -> list[tuple[Day, ...]]:
        """For each tile the days, with those of their scenes that may have pixels on it.

        Tiles over which the same scenes lie share one tuple.
        """
        stops = np.cumsum([len(day.scenes) for day in self.days])
        known: dict[bytes, tuple[Day, ...]] = {}
        found = []
        for over in self._scenes_over():
            if over.tobytes() not in known:
                known[over.tobytes()] = tuple(
                    Day(day.date, tuple(self.scenes[index] for index in part))
                    for day, part in zip(
                        self.days, np.split(over, np.searchsorted(over, stops[:-1])), strict=True
                    )
                )
            found.append(known[over.tobytes()])
        return found

    def _scenes_over(self) -> Iterator[NDArray[np.intp]]:
        """Yield the places of the scenes whose footprints touch each tile, in order."""
        # Scenes of one track have one footprint, which is looked at once.
        outlines_of = {id(scene.footprint): scene.footprint for scene in self.scenes}
        place = {key: number for number, key in enumerate(outlines_of)}
        footprint = np.array([place[id(scene.footprint)] for scene in self.scenes])
        tree = shapely.STRtree(list(outlines_of.values()))
        is_over = np.zeros(len(outlines_of), bool)
        for edge in outlines([tile.geobox for tile in self.tiles]):
            is_over[:] = False
            is_over[tree.query(widened(edge), predicate="intersects")] = True
            yield np.flatnonzero(is_over[footprint])

    @property
    def history(self) -> slice:
        """The history's dates along the cube's time."""
        return self._period(self.config.periods.history.start, self.config.periods.history.end)

    @property
    def monitoring(self) -> slice:
        """The monitoring period's dates along the cube's time."""
        period = self.config.periods.monitoring
        return self._period(period.start, period.end)

    def date_blocks(self) -> Iterator[DateBlock]:
        """Yield the blocks of dates that make the shards of the cube."""
        n_dates = self.config.cube.time_block
        for start in range(0, len(self.days), n_dates):
            yield DateBlock(start, self.days[start : start + n_dates])

    def _period(self, start: object, end: object) -> slice:
        first, last = np.datetime64(str(start), "D"), np.datetime64(str(end), "D")
        return slice(
            int(np.searchsorted(self.dates, first)),
            int(np.searchsorted(self.dates, last, side="right")),
        )


def workspace_of(config: RunConfig) -> Workspace:
    """Return the workspace that ``config`` describes, and where its stores lie."""
    return Workspace(config.workspace, config.store.url, StoreKind(config.store.kind))


def grid_of(config: RunConfig) -> GeoBox:
    """Return the pixel grid that ``config`` describes."""
    grid = config.grid
    return region_geobox(
        config.region.to_geometry(),
        crs=grid.crs,
        resolution_m=grid.resolution_m,
        anchor_m=grid.anchor_m,
    )


def threads_of_a_worker(config: RunConfig) -> int:
    """Return how many units a worker process runs at once."""
    if isinstance(config.cluster, Threads):
        return config.cluster.n_threads or os.cpu_count() or 1
    if isinstance(config.cluster, LocalCluster):
        return config.cluster.threads_per_worker or 1
    return 1
