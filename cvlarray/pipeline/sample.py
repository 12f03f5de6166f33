"""Points of a run's map, drawn to be labelled: what they are sampled from, and what they show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from cvlarray.alerts import AlertSeries, read_alerts
from cvlarray.alerts.chips import (
    MIN_CLEAR_SHARE,
    choose_rendering,
    clear_shares,
    draw_pair,
    stack_bands,
)
from cvlarray.alerts.observability import pixels_inside, watched_areas
from cvlarray.alerts.seen import with_region
from cvlarray.alerts.statistics import STABLE, allocate, count_strata, draw_sample
from cvlarray.alerts.statistics.sampling import Block, StratumArray
from cvlarray.alerts.window import alert_window
from cvlarray.config import RunConfig
from cvlarray.errors import StoreError
from cvlarray.names import N_CLEAR
from cvlarray.pipeline.context import RunContext, grid_of, workspace_of
from cvlarray.pipeline.jurisdiction import read_layers
from cvlarray.pipeline.quality import clear_mask
from cvlarray.pipeline.report import series_of
from cvlarray.store import input_hash, open_raw, replacing
from cvlarray.vectorize import raster_blocks

__all__ = ["PointEvidence", "draw_points"]

MIN_PER_STRATUM = 50
NOT_SAMPLED = -1
DESIGN_LENGTH = 8


def draw_points(
    config: RunConfig, *, start: dt.date, end: dt.date, n_points: int, seed: int
) -> pd.DataFrame:
    """Draw the sample of a run's map, and write it for the verification page.

    The strata are the classes of the alerts confirmed in the period, and what of the region was
    seen and is no alert. What was never seen is no part of the map.

    Returns
    -------
    A row for each class: ``n_pixels`` of the map and ``n_points`` drawn. Beside the page's database
    lie then the points, in the random order in which they are labelled, and the mapped areas.

    Raises
    ------
    StoreError
        If the run has made no alerts yet.
    ValueError
        If the period ends before it starts, or nothing was seen.
    """
    if end < start:
        raise ValueError(f"a period must not end before it starts, got {start} to {end}")
    workspace = workspace_of(config)
    if not workspace.alerts_parquet.exists():
        raise StoreError(f"{workspace.path} has no alerts yet; make them with `cvlarray run`")
    strata = _Strata.of(config, read_alerts(workspace.alerts_parquet), start, end)
    counts = count_strata(strata.read, strata.blocks, len(strata.classes))
    n_pixels = counts.sum(axis=0)
    if not n_pixels.any():
        raise ValueError(f"nothing of the region was seen from {start} to {end}")
    wanted = _allocation(n_points, n_pixels)
    drawn = draw_sample(strata.read, strata.blocks, wanted, seed=seed)
    places = _Places.of(config)
    transform = strata.grid.affine
    col, row = drawn["col"].to_numpy() + 0.5, drawn["row"].to_numpy() + 0.5
    x = transform.a * col + transform.b * row + transform.c
    y = transform.d * col + transform.e * row + transform.f
    points = gpd.GeoSeries(gpd.points_from_xy(x, y), crs=str(strata.grid.crs))
    names = np.array(strata.classes, object)[drawn["stratum"].to_numpy()]
    table = drawn[["row", "col"]].assign(map_class=names)
    table["places"] = places.around(points)
    table["start"], table["end"] = str(start), str(end)
    table = table.sample(frac=1, random_state=seed, ignore_index=True)
    design = input_hash(str(start), str(end), seed, table[["row", "col"]].to_numpy().tolist())
    table.insert(
        0, "point_id", [f"{design[:DESIGN_LENGTH]}-{number:05d}" for number in range(len(table))]
    )
    areas = places.areas(strata)
    with replacing(workspace.sample_areas) as temporary:
        areas.to_parquet(temporary, index=False)
    with replacing(workspace.sample) as temporary:
        table.to_parquet(temporary, index=False)
    found = {"n_pixels": n_pixels, "n_points": wanted}
    return pd.DataFrame(found, index=pd.Index(strata.classes, name="class"))


def _allocation(n_points: int, n_pixels: npt.NDArray[np.int64]) -> list[int]:
    """Share the points among the strata, none more than it has pixels."""
    is_there = n_pixels > 0
    minimum = min(MIN_PER_STRATUM, n_points // int(is_there.sum()))
    shares = n_pixels[is_there] / n_pixels.sum()
    wanted = np.zeros(n_pixels.size, np.int64)
    wanted[is_there] = allocate(n_points, shares, minimum=minimum)
    return [int(n) for n in np.minimum(wanted, n_pixels)]


@dataclass(frozen=True)
class _Strata:
    """The map that is sampled, read block by block."""

    n_clear: xr.DataArray
    grid: GeoBox
    shapes: Sequence[tuple[BaseGeometry, int]]
    """Outlines of alerts in the CRS of the grid, and the number of their class."""
    watched: BaseGeometry
    classes: list[str]

    @classmethod
    def of(
        cls, config: RunConfig, alerts: gpd.GeoDataFrame, start: dt.date, end: dt.date
    ) -> _Strata:
        grid = grid_of(config)
        days = pd.to_datetime(alerts["confirmed"])
        stop = pd.Timestamp(end) + pd.Timedelta(days=1)
        inside = alerts[(days >= pd.Timestamp(start)) & (days < stop)]
        classes = [STABLE, *sorted(set(inside["class"].astype(str)) - {STABLE})]
        outlines = inside.geometry.to_crs(str(grid.crs))
        numbers = [classes.index(name) for name in inside["class"].astype(str)]
        region = gpd.GeoSeries([config.region.to_geometry()], crs=4326).to_crs(str(grid.crs))
        detections = open_raw(workspace_of(config).detections)
        shapes = list(zip(outlines, numbers, strict=True))
        return cls(detections[N_CLEAR.name], grid, shapes, region.iloc[0], classes)

    @cached_property
    def blocks(self) -> list[Block]:
        return list(raster_blocks(self.n_clear))

    @cached_property
    def _index(self) -> shapely.STRtree:
        return shapely.STRtree([outline for outline, _ in self.shapes])

    def read(self, y: slice, x: slice) -> StratumArray:
        """Return the number of each pixel's class, -1 outside the region and where never seen."""
        place = self.grid[y, x]
        seen = self.n_clear[y, x].to_numpy() > 0
        strata = np.where(seen & pixels_inside(self.watched, place), 0, NOT_SAMPLED)
        near = np.sort(self._index.query(place.extent.geom, predicate="intersects"))
        if near.size:
            painted = rasterize(
                [self.shapes[number] for number in near.tolist()],
                place.shape.yx,
                transform=place.affine,
                fill=0,
                dtype="int32",
            )
            strata[(painted > 0) & (strata == 0)] = painted[(painted > 0) & (strata == 0)]
        return strata


@dataclass(frozen=True)
class _Places:
    """The region and the features of the area layers."""

    features: gpd.GeoDataFrame

    @classmethod
    def of(cls, config: RunConfig) -> _Places:
        grid, region = grid_of(config), config.region.to_geometry()
        snapshots, _ = read_layers(config.layers)
        return cls(with_region(watched_areas(snapshots, grid, region), grid, region))

    def around(self, points: gpd.GeoSeries) -> list[list[int]]:
        """Return for each point the positions of the places that it lies in."""
        index = shapely.STRtree(self.features.geometry.to_numpy())
        point, place = index.query(points.to_numpy(), predicate="within")
        found: list[list[int]] = [[] for _ in range(len(points))]
        for number, where in zip(point.tolist(), place.tolist(), strict=True):
            found[number].append(where)
        return [sorted(where) for where in found]

    def areas(self, strata: _Strata) -> pd.DataFrame:
        """Return the mapped area of each class in each place."""
        n_classes = len(strata.classes)
        counts = np.zeros((len(self.features), n_classes), np.int64)
        index = shapely.STRtree(self.features.geometry.to_numpy())
        for y, x in strata.blocks:
            place = strata.grid[y, x]
            near = np.sort(index.query(place.extent.geom, predicate="intersects")).tolist()
            values = strata.read(y, x)
            for number in near:
                inside = pixels_inside(self.features.geometry.iloc[number], place)
                own = values[inside & (values >= 0)]
                counts[number] += np.bincount(own, minlength=n_classes)
        pixel_m2 = abs(strata.grid.affine.determinant)
        described = self.features[["layer", "code", "name"]].to_dict("records")
        return pd.DataFrame(
            [
                {
                    "place": number,
                    **described[number],
                    "map_class": name,
                    "area_m2": pixel_m2 * int(counts[number, k]),
                }
                for number in range(len(described))
                for k, name in enumerate(strata.classes)
            ]
        )


class PointEvidence:
    """What a run's cube shows at its sampled points.

    Parameters
    ----------
    context
        The run.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context

    def pictures(self, point_id: str) -> tuple[bytes | None, bytes | None]:
        """Return the place before the period and as it was seen last in it.

        Both are the clear date next to the period's start or end: nothing here knows the map.
        """
        point = self._point(point_id)
        if point is None:
            return None, None
        context = self._context
        cube = open_raw(context.workspace.cube)
        rendering, bands = choose_rendering([str(name) for name in cube.data_vars])
        window = alert_window(
            point["geometry"], context.geobox, size_px=context.config.report.chip_px
        )
        place = cube.isel(y=window.y, x=window.x)
        clear = clear_mask(place, context.config).transpose("time", "y", "x").to_numpy()
        is_seen = clear_shares(clear, window) >= MIN_CLEAR_SHARE
        dates = place["time"].to_numpy().astype("datetime64[D]")
        first, last = (np.datetime64(point[name], "D") for name in ("start", "end"))
        chosen = (
            _last(is_seen & (dates < first)),
            _last(is_seen & (dates >= first) & (dates <= last)),
        )
        shown = [None if i is None else stack_bands(place.isel(time=[i]), bands)[0] for i in chosen]
        days = [None if i is None else dates[i].item() for i in chosen]
        pair = draw_pair(shown, days, window, rendering)
        return pair.before_png, pair.after_png

    def series(self, point_id: str) -> AlertSeries | None:
        """Return the series of the pixel; in place of an alert's dates it has the period's."""
        point = self._point(point_id)
        return None if point is None else series_of(self._context, point)

    def _point(self, point_id: str) -> pd.Series | None:
        path = self._context.workspace.sample
        if not path.exists():
            return None
        rows = pd.read_parquet(path, filters=[("point_id", "==", point_id)])
        if rows.empty:
            return None
        row = rows.iloc[0]
        pixel = self._context.geobox[row["row"] : row["row"] + 1, row["col"] : row["col"] + 1]
        outline = gpd.GeoSeries([pixel.extent.geom], crs=str(pixel.crs)).to_crs(4326).iloc[0]
        return pd.Series(
            {
                "event_id": point_id,
                "geometry": outline,
                "start": row["start"],
                "end": row["end"],
                "first_detected": pd.Timestamp(row["start"]),
                "confirmed": pd.Timestamp(row["end"]),
            }
        )


def _last(is_there: npt.NDArray[np.bool_]) -> int | None:
    found = np.flatnonzero(is_there)
    return int(found[-1]) if found.size else None
