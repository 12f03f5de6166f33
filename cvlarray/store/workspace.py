"""The folder of one run: where everything lies, and the lock that keeps a second run out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cvlarray.store.bucket import Bucket
from cvlarray.store.claim import claim_prefix
from cvlarray.store.location import StoreLocation
from cvlarray.store.lock import exclusive_lock
from cvlarray.store.place import StoreKind
from cvlarray.store.repository import Repository


@dataclass(frozen=True)
class Workspace:
    """Paths of a run. Nothing is made or read by naming them."""

    path: Path
    """The folder."""
    store_url: str | None = None
    """Prefix of a bucket in which the stores lie; None: in the folder."""
    store_kind: StoreKind = StoreKind.ZARR
    """What keeps the stores' shards."""

    @property
    def run_yaml(self) -> Path:
        """The run's configuration with every default filled in."""
        return self.path / "run.yaml"

    @property
    def items(self) -> Path:
        """The STAC items found, as stac-geoparquet."""
        return self.path / "items.parquet"

    @property
    def ledger(self) -> Path:
        """The ledger of finished units, SQLite."""
        return self.path / "ledger.db"

    @property
    def cube(self) -> StoreLocation:
        """Reflectance and quality bands (time, y, x), Zarr."""
        return self._store("cube")

    @property
    def corrections(self) -> Path:
        """Folder of the tables of what scenes are off by."""
        return self.path / "corrections"

    @property
    def prior(self) -> Path:
        """What the seasons of the region's steady forest have in common, JSON."""
        return self.path / "prior.json"

    @property
    def baseline(self) -> StoreLocation:
        """Seasonal model of every pixel, Zarr."""
        return self._store("baseline")

    @property
    def states(self) -> tuple[StoreLocation, StoreLocation]:
        """What watching goes on from, for every pixel, Zarr: what is and what will be next.

        A tile's log says which of them holds its state; it is never changed in place.
        """
        return self._store("state"), self._store("state_next")

    @property
    def state_logs(self) -> Path:
        """Folder of the logs: which dates each tile's state has taken in."""
        return self.path / "state_logs"

    @property
    def detections(self) -> StoreLocation:
        """Dates and strength of the change in every pixel, Zarr."""
        return self._store("detections")

    @property
    def changes(self) -> StoreLocation:
        """What became of every pixel in all years, Zarr; only of a reanalysis."""
        return self._store("changes")

    @property
    def calibration(self) -> Path:
        """What one tile took to compute, JSON."""
        return self.path / "calibration.json"

    @property
    def plan(self) -> Path:
        """What a reanalysis was to take before it was begun, JSON."""
        return self.path / "plan.json"

    @property
    def annual(self) -> Path:
        """Folder of the yearly maps, areas and sites of a reanalysis."""
        return self.path / "annual"

    @property
    def sightings(self) -> Path:
        """Folder of what each date says of the pixels that may have changed, a file a tile."""
        return self.path / "sightings"

    @property
    def land_cover(self) -> StoreLocation:
        """Land cover of every date watched (time, y, x), Zarr."""
        return self._store("land_cover")

    @property
    def radar_items(self) -> Path:
        """The items of Sentinel-1 that the run works with, stac-geoparquet."""
        return self.path / "radar_items.parquet"

    @property
    def radar(self) -> StoreLocation:
        """What radar says of every pixel, at last and on every date watched, Zarr."""
        return self._store("radar")

    @property
    def radar_sightings(self) -> Path:
        """Folder of the changes that radar alone was asked for, a file a tile."""
        return self.path / "radar_sightings"

    @property
    def fused(self) -> StoreLocation:
        """What optical and radar say together on every date watched, Zarr."""
        return self._store("fused")

    @property
    def alerts(self) -> Path:
        """Folder of the alerts."""
        return self.path / "alerts"

    @property
    def alerts_geojson(self) -> Path:
        """The alerts in EPSG:4326."""
        return self.alerts / "alerts.geojson"

    @property
    def alerts_parquet(self) -> Path:
        """The alerts as GeoParquet."""
        return self.alerts / "alerts.parquet"

    @property
    def deliveries(self) -> Path:
        """Which alert is for which partner, Parquet."""
        return self.alerts / "deliveries.parquet"

    @property
    def enrichment(self) -> Path:
        """Where each alert lies, when that was found out, and from what, Parquet."""
        return self.alerts / "enrichment.parquet"

    @property
    def jurisdiction_changes(self) -> Path:
        """What new editions of the layers changed for alerts, CSV that only grows."""
        return self.alerts / "jurisdiction_changes.csv"

    @property
    def blindness(self) -> Path:
        """How long each jurisdiction went unseen, CSV."""
        return self.alerts / "days_blind.csv"

    @property
    def events(self) -> Path:
        """All versions of all events, a GeoPackage."""
        return self.alerts / "events.gpkg"

    @property
    def chips(self) -> Path:
        """Folder of the pictures before and after each alert."""
        return self.alerts / "chips"

    @property
    def latency_parquet(self) -> Path:
        """When each version of each alert reached each step."""
        return self.alerts / "latency.parquet"

    @property
    def outbox(self) -> Path:
        """What was and is to be delivered, SQLite; the contents lie in a folder beside it."""
        return self.path / "outbox.db"

    @property
    def report(self) -> Path:
        """Folder of the report."""
        return self.path / "report"

    @property
    def report_html(self) -> Path:
        """The report, one self-contained page."""
        return self.report / "index.html"

    @property
    def run_page(self) -> Path:
        """How the runs went, one self-contained page."""
        return self.report / "run.html"

    @property
    def coverage(self) -> Path:
        """Folder of the tables and the picture of how much was seen."""
        return self.path / "coverage"

    @property
    def review(self) -> Path:
        """Folder of the verification page: its database, and its key if it keeps one."""
        return self.path / "review"

    @property
    def sample(self) -> Path:
        """Points of the map that are labelled to know how accurate it is, Parquet."""
        return self.review / "sample.parquet"

    @property
    def sample_areas(self) -> Path:
        """What the sample's map classes cover in each jurisdiction, Parquet."""
        return self.review / "sample_areas.parquet"

    @property
    def logs(self) -> Path:
        """Folder of the log files."""
        return self.path / "logs"

    @property
    def metrics(self) -> Path:
        """The last run in numbers, for Prometheus."""
        return self.logs / "metrics.prom"

    @property
    def failures(self) -> Path:
        """Units that failed, JSON lines that only grow."""
        return self.logs / "failures.jsonl"

    @property
    def dask_reports(self) -> Path:
        """Folder of what Dask saw of the last runs, a page each."""
        return self.logs / "dask"

    @property
    def lock_file(self) -> Path:
        """The file that a run holds locked; it says who."""
        return self.path / ".lock"

    def _store(self, name: str) -> StoreLocation:
        root = self.store_url or str(self.path)
        if self.store_kind is StoreKind.ICECHUNK:
            return Repository(f"{root}/{name}.icechunk")
        return Bucket(f"{root}/{name}.zarr") if self.store_url else self.path / f"{name}.zarr"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the workspace for this process alone; the folder is made if absent.

        The system drops the lock when the process ends, however it ends. Stores in a bucket are
        this workspace's from then on.

        Raises
        ------
        WorkspaceBusyError
            If it is held already, by another process or by this one, or if the prefix in the bucket
            is another workspace's.
        StoreError
            If the folder can't be written.
        """
        advice = "wait until that run ends, or give this one another workspace"
        with exclusive_lock(self.lock_file, advice):
            if self.store_url is not None:
                claim_prefix(self.store_url, self.path / ".run")
            yield
