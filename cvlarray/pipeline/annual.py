"""The annual stage: yearly maps, areas, sites and what may be compared, of the whole region."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from rasterio.features import rasterize

import cvlarray
from cvlarray.alerts import write_alerts
from cvlarray.alerts.enrich import Role, Snapshot
from cvlarray.alerts.statistics import draw_block, keep_least
from cvlarray.annual import (
    Generation,
    Strata,
    areas_by_year,
    areas_with_intervals,
    count_agents,
    count_labels,
    event_years,
    generations_of,
    growth_curves,
    mines_among,
    rank_growth,
    reference_class,
    sample_sizes,
    shares_of,
    strata_of,
    yearly_differences,
)
from cvlarray.annual.files import write_yearly_maps
from cvlarray.annual.hindsight import N_AGENTS
from cvlarray.annual.sample import SAMPLE_COLUMNS
from cvlarray.errors import ConfigError
from cvlarray.grid import Tile, transformer
from cvlarray.pipeline.alerts import known_events
from cvlarray.pipeline.changes import years_of
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.jurisdiction import layer_editions, read_layers
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, input_hash, open_raw, write_atomic

logger = logging.getLogger(__name__)

MIN_CLEAR = 4
"""Clear observations in a year without which a change in it could not be confirmed, for detectors
that don't count them."""

DOMAINS = {
    Role.ADMIN_UNIT: ("department", "department"),
    Role.STRICT_PROTECTION: ("protected_area", "name"),
    Role.COMMUNAL_RESERVE: ("protected_area", "name"),
    Role.CONCESSION: ("concession_status", "licence"),
}
"""What areas are cut by, and the column that names the part, by role of a layer."""

Parts = dict[str, tuple[NDArray[np.int32], Sequence[str]]]


def annual_units(context: RunContext, ledger: Ledger) -> list[WorkUnit]:
    """Return the one unit of the yearly products."""
    config = context.config
    key = input_hash(
        cvlarray.__version__,
        ledger.done(Stage.CHANGES),
        ledger.done(Stage.ALERTS),
        layer_editions(config),
        config.reanalysis.model_dump(mode="json", exclude={"costs"}),
        _version(config.reanalysis.reference),
    )
    return [WorkUnit(Stage.ANNUAL, "all", key, 0, partial(make_annual, context))]


def make_annual(context: RunContext) -> UnitOutcome:
    """Write all that a reanalysis says of the region, into the workspace's ``annual`` folder."""
    config, folder = context.config, context.workspace.annual
    folder.mkdir(parents=True, exist_ok=True)
    changes = open_changes(context)
    snapshots, missing = read_layers(config.layers)
    years = years_of(config)
    made = _generations(context, snapshots)
    events = known_events(context)
    sums = _sum_tiles(context, changes, snapshots, events)
    areas = _areas(context, sums)
    areas["n_dates"] = areas["year"].map(_dates_by_year(context))
    areas["generation"] = areas["year"].map({year: made[year].name for year in years})
    write_atomic(folder / "areas.csv", areas.to_csv(index=False, float_format="%.4f"))
    write_atomic(folder / "sample.csv", sums.sample.to_csv(index=False, float_format="%.7g"))
    compared = _differences(areas, made)
    write_atomic(folder / "differences.csv", compared.to_csv(index=False, float_format="%.4f"))
    described = {str(year): asdict(one) | {"name": one.name} for year, one in made.items()}
    write_atomic(folder / "generations.json", json.dumps(described, indent=1))
    placed, sites, curve = _sites(context, snapshots, events.assign(**sums.shares))
    _draw(folder, areas, compared, sites, curve)
    write_yearly_maps(
        folder / "maps",
        changes,
        context.geobox,
        name=config.name,
        properties={year: {"cvlarray:generation": one.name} for year, one in made.items()},
    )
    written = [path for path in folder.rglob("*") if path.is_file()]
    return UnitOutcome(
        n_bytes_written=sum(path.stat().st_size for path in written),
        detail={
            "n_events": len(placed),
            "n_sites": len(sites),
            "missing_layers": [one._asdict() for one in missing],
            "years_without_data": [y for y, n in _dates_by_year(context).items() if not n],
        },
    )


def open_changes(context: RunContext) -> xr.Dataset:
    """Return the changes of all pixels, lazily, with years as numbers."""
    stored = open_raw(context.workspace.changes, chunks={"y": -1, "x": -1, "year": 1})
    return stored.assign_coords(year=[int(year) for year in stored["year"].to_numpy()])


@dataclass(frozen=True)
class _Sums:
    """What the tiles add up to."""

    areas: pd.DataFrame
    strata: Strata
    strata_ha: dict[tuple[str, str], NDArray[np.float64]]
    sample: pd.DataFrame
    shares: pd.DataFrame
    """Of each event, in hindsight: `cvlarray.annual.SHARES`."""


def _sum_tiles(
    context: RunContext,
    changes: xr.Dataset,
    snapshots: Sequence[Snapshot],
    events: gpd.GeoDataFrame,
) -> _Sums:
    """Go through the tiles, one in memory at a time."""
    config = context.config
    pixel_m2 = config.grid.resolution_m**2
    min_clear = int(getattr(config.monitor.detector, "count", MIN_CLEAR))
    strata = Strata(tuple(years_of(config)))
    wanted = sample_sizes(strata, config.reanalysis.sampled_pixels)
    tables, drawn = [], []
    outlines = events.geometry.to_crs(context.geobox.crs)
    by_event = np.zeros((len(events), N_AGENTS), np.int64)
    strata_ha: dict[tuple[str, str], NDArray[np.float64]] = {}
    stored = open_raw(context.workspace.changes)
    for number, tile in enumerate(context.tiles):
        block = stored.isel(y=tile.y, x=tile.x).compute(scheduler="synchronous")
        block = block.assign_coords(year=changes["year"])
        by_event += count_agents(block, outlines, tile.geobox)
        parts = _parts(tile, snapshots)
        tables.append(areas_by_year(block, parts, pixel_m2=pixel_m2, min_clear=min_clear))
        stratum, _ = strata_of(block)
        for domain, name, inside in _each_part(parts, stratum.shape):
            n_pixels = np.bincount(stratum[inside & (stratum >= 0)], minlength=strata.size)
            known = strata_ha.get((domain, name), np.zeros(strata.size))
            strata_ha[domain, name] = known + n_pixels * pixel_m2 / 1e4
        found = draw_block(stratum, wanted, seed=number)
        drawn.append(found.assign(row=found["row"] + tile.y.start, col=found["col"] + tile.x.start))
    areas = pd.concat(tables).groupby(
        ["year", "agent", "domain", "name"], as_index=False, sort=False
    )
    sample = keep_least(pd.concat(drawn, ignore_index=True), wanted)
    placed, shares = _placed(sample, context), shares_of(by_event, events.index)
    return _Sums(areas.sum(), strata, strata_ha, placed, shares)


def _each_part(
    parts: Parts, shape: tuple[int, ...]
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    yield "region", "", np.ones(shape, bool)
    for domain, (number, names) in parts.items():
        for place, name in enumerate(names):
            yield domain, name, number == place


def _parts(tile: Tile, snapshots: Sequence[Snapshot]) -> Parts:
    """Return which part of each domain a tile's pixels lie in; of overlapping ones the last."""
    parts: Parts = {}
    for snapshot in snapshots:
        if snapshot.layer.role not in DOMAINS:
            continue
        domain, column = DOMAINS[snapshot.layer.role]
        features = snapshot.features.to_crs(tile.geobox.crs)
        named = features[column].fillna(features["name"]).fillna("unnamed").astype(str)
        number, names = parts.get(domain, (np.full(tile.geobox.shape, -1, np.int32), ()))
        every = list(dict.fromkeys([*names, *named]))
        shapes = [
            (geometry, every.index(name))
            for geometry, name in zip(features.geometry, named, strict=True)
            if not geometry.is_empty
        ]
        if shapes:
            transform = tile.geobox.affine
            number = rasterize(shapes, out=number.copy(), transform=transform)
        parts[domain] = number, every
    return parts


def _placed(sample: pd.DataFrame, context: RunContext) -> pd.DataFrame:
    """Return the sample as a table to be filled in."""
    affine = context.geobox.affine
    x = affine.c + affine.a * (sample["col"].to_numpy() + 0.5)
    y = affine.f + affine.e * (sample["row"].to_numpy() + 0.5)
    longitude, latitude = transformer(str(context.geobox.crs), "EPSG:4326")(x, y)
    placed = sample.assign(x=x, y=y, longitude=longitude, latitude=latitude, year="", agent="")
    return placed[list(SAMPLE_COLUMNS)]


def _areas(context: RunContext, sums: _Sums) -> pd.DataFrame:
    """Return the areas; with estimates and intervals if people have looked at the sample."""
    path = context.config.reanalysis.reference
    size = sums.strata.size
    if path is None:
        nobody = np.zeros((size, size), np.int64)
        return areas_with_intervals(sums.areas, {}, nobody, sums.strata)
    labels = read_reference(path)
    joined = sums.sample[["row", "col", "stratum"]].merge(labels, on=["row", "col"])
    if len(joined) < len(sums.sample):
        raise ConfigError(
            f"reanalysis.reference: {path} must have the {len(sums.sample)} pixels of "
            f"{context.workspace.annual / 'sample.csv'}, it has {len(joined)} of them; fill in "
            "year and agent there, and name that file"
        )
    seen = reference_class(joined["year"].tolist(), joined["agent"].tolist(), sums.strata)
    counts = count_labels(joined["stratum"].to_numpy(), seen, sums.strata)
    return areas_with_intervals(sums.areas, sums.strata_ha, counts, sums.strata)


def read_reference(path: Path) -> pd.DataFrame:
    """Return what people saw at sampled pixels.

    Raises
    ------
    ConfigError
        If the file can't be read, lacks a column or holds something else.
    """
    try:
        table = pd.read_csv(path, usecols=["row", "col", "year", "agent"], dtype={"agent": str})
        table["agent"] = table["agent"].fillna("")
        table = table.astype({"row": int, "col": int, "year": int})
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"reanalysis.reference: {path} must be a CSV with whole numbers in row, col and year, "
            f"and with agent; {error}"
        ) from error
    wrong = table[(table["year"] > 0) & ~table["agent"].isin(["clearing", "mining"])]
    if len(wrong):
        raise ConfigError(
            f"reanalysis.reference: agent must be clearing or mining, got "
            f"{wrong['agent'].iloc[0]!r} in line {wrong.index[0] + 2} of {path}"
        )
    return table


def _generations(context: RunContext, snapshots: Sequence[Snapshot]) -> dict[int, Generation]:
    config = context.config
    decides = (config.masking, config.normalize, config.baseline, config.monitor, config.grid)
    return generations_of(
        context.scenes,
        years_of(config),
        software=cvlarray.__version__,
        model=input_hash(*(part.model_dump(mode="json") for part in decides))[:12],
        layers={one.layer.name: one.sha256 for one in snapshots},
    )


def _differences(areas: pd.DataFrame, made: dict[int, Generation]) -> pd.DataFrame:
    """Return each agent's yearly differences over the region, guarded."""
    whole = areas[areas["domain"] == "region"]
    tables = []
    for agent, table in whole.groupby("agent", sort=False):
        best = table["estimated_ha"].fillna(table["mapped_ha"])
        values = dict(zip(table["year"].tolist(), best.tolist(), strict=True))
        tables.append(yearly_differences(values, made).assign(agent=agent))
    compared = pd.concat(tables, ignore_index=True)
    for note in sorted({note for note in compared["note"] if note}):
        logger.warning("areas %s", note)
    return compared


def _sites(
    context: RunContext, snapshots: Sequence[Snapshot], events: gpd.GeoDataFrame
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, pd.DataFrame]:
    """Write the events with their lineage, and the sites of mines by how they grow."""
    config, folder = context.config, context.workspace.annual
    rivers = [one.features for one in snapshots if one.layer.role is Role.RIVER]
    crs, mines = str(context.geobox.crs), mines_among(events)
    placed, curve = growth_curves(mines, crs=crs, within_m=config.reanalysis.site_gap_m)
    river = gpd.GeoDataFrame(pd.concat(rivers)) if rivers else None
    sites = rank_growth(placed, curve, rivers=river)
    sited = events.join(placed.set_index("event_id")["site"], on="event_id")
    table = sited.assign(year=event_years(sited)).astype({"site": "Int64"}).to_crs(4326)
    write_alerts(table, folder / "events.geojson", folder / "events.parquet")
    write_alerts(sites.to_crs(4326), folder / "sites.geojson", folder / "sites.parquet")
    write_atomic(folder / "growth.csv", curve.to_csv(float_format="%.4f"))
    return table, sites, curve


def _draw(
    folder: Path,
    areas: pd.DataFrame,
    compared: pd.DataFrame,
    sites: gpd.GeoDataFrame,
    curve: pd.DataFrame,
) -> None:
    from cvlarray.annual.pictures import areas_figure, sites_figure, to_png  # noqa: PLC0415

    comparable = dict(
        zip(compared["year"].tolist(), compared["is_comparable"].tolist(), strict=True)
    )
    whole = areas[areas["domain"] == "region"]
    write_atomic(folder / "areas.png", to_png(areas_figure(whole, comparable)))
    write_atomic(folder / "sites.png", to_png(sites_figure(sites, curve)))


def _dates_by_year(context: RunContext) -> dict[int, int]:
    """Return how many dates there are in each year that was watched."""
    counts = Counter(day.date.year for day in context.days[context.monitoring])
    return {year: counts.get(year, 0) for year in years_of(context.config)}


def _version(path: Path | None) -> Any:
    if path is None or not path.exists():
        return None
    return path.stat().st_size, path.stat().st_mtime_ns
