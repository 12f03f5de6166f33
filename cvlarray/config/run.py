"""The config of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from cvlarray.alerts.enrich import Layer
from cvlarray.alerts.route import PackageFormat, Routing
from cvlarray.config.cluster import ClusterConfig, LocalCluster
from cvlarray.config.delivery import DeliveryConfig
from cvlarray.config.detection import (
    AlertsConfig,
    BaselineConfig,
    EnrichmentConfig,
    EventsConfig,
    MaskingConfig,
    MonitorConfig,
    NormalizeConfig,
    ReportConfig,
    VectorizeConfig,
)
from cvlarray.config.detectors import ConsecutiveConfig
from cvlarray.config.inputs import CubeConfig, GridConfig, PeriodsConfig, SearchConfig, StoreConfig
from cvlarray.config.models import ModelsConfig
from cvlarray.config.paths import escape_paths
from cvlarray.config.problem import problem
from cvlarray.config.reanalysis import ReanalysisConfig
from cvlarray.config.region import RegionConfig
from cvlarray.config.section import Section
from cvlarray.config.yaml12 import dump_yaml
from cvlarray.features import FEATURES, STAND_INS


class RunConfig(Section):
    """All that decides what a run computes."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="Name of the run: up to 64 of a-z, 0-9, _ and -.",
    )
    workspace: Path = Field(
        description="Folder of everything the run writes. Relative to this YAML."
    )
    region: RegionConfig = Field(description="Where to look.")
    grid: GridConfig = Field(description="The pixel grid.")
    search: SearchConfig = Field(description="Which items to read.")
    periods: PeriodsConfig = Field(description="History and monitoring period.")
    cube: CubeConfig = Field(description="How items become a cube.")
    store: StoreConfig = Field(default=StoreConfig(), description="Layout of the Zarr stores.")
    masking: MaskingConfig = Field(default=MaskingConfig(), description="What counts as clear.")
    normalize: NormalizeConfig = Field(
        default=NormalizeConfig(), description="What scenes as a whole are off by."
    )
    baseline: BaselineConfig = Field(
        default=BaselineConfig(), description="Seasonal expectation of each pixel."
    )
    monitor: MonitorConfig = Field(default=MonitorConfig(), description="Sequential test.")
    models: ModelsConfig = Field(default=ModelsConfig(), description="Models over the cube.")
    vectorize: VectorizeConfig = Field(default=VectorizeConfig(), description="Pixels to polygons.")
    events: EventsConfig = Field(default=EventsConfig(), description="Polygons to events.")
    alerts: AlertsConfig = Field(default=AlertsConfig(), description="Alerts.")
    layers: tuple[Layer, ...] = Field(
        default=(), description="Official layers that alerts are held against, in any order."
    )
    enrichment: EnrichmentConfig = Field(
        default=EnrichmentConfig(), description="Who holds alerts against the layers."
    )
    routing: Routing = Field(
        default=Routing(), description="Which alert is how urgent, and who receives it."
    )
    delivery: DeliveryConfig = Field(
        default=DeliveryConfig(), description="How partners are told; only by `cvlarray deliver`."
    )
    report: ReportConfig = Field(default=ReportConfig(), description="HTML report.")
    reanalysis: ReanalysisConfig = Field(
        default=ReanalysisConfig(),
        description="What `cvlarray reanalyse` makes of the years watched.",
    )
    cluster: ClusterConfig = Field(
        default=LocalCluster(),
        description="Where the work is done: threads, local, cuda, slurm, a scheduler's address "
        "(tcp://host:port), or a mapping with one of these kinds, kubernetes or gateway.",
    )

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        if self.grid.tile_px % self.store.shard_px:
            expected = f"a multiple of store.shard_px = {self.store.shard_px}"
            raise problem("grid.tile_px", expected, self.grid.tile_px)
        if self.cube.time_block % self.store.time_shard:
            expected = f"a multiple of store.time_shard = {self.store.time_shard}"
            raise problem("cube.time_block", expected, self.cube.time_block)
        detector = self.monitor.detector
        if isinstance(detector, ConsecutiveConfig) and self.events.pending > detector.count:
            expected = f"at most monitor.detector.count = {detector.count}"
            raise problem("events.pending", expected, self.events.pending)
        self._check_layers()
        self._check_bands()
        self._check_delivery()
        return self

    def _check_delivery(self) -> None:
        partners = {partner.name: partner for partner in self.routing.partners}
        for number, channel in enumerate(self.delivery.channels):
            if channel.partner not in partners:
                expected = f"one of routing.partners ({', '.join(partners) or 'none'})"
                raise problem(f"delivery.channels.{number}.partner", expected, channel.partner)
            form = partners[channel.partner].form
            if form is PackageFormat.EVIDENCE and self.delivery.signing is None:
                expected = f"who signs the evidence packages of {channel.partner}"
                raise problem("delivery.signing", expected, None)

    def _check_layers(self) -> None:
        names = [layer.name for layer in self.layers]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise problem("layers", "layers with names of their own", f"{repeated[0]} twice")

    def _check_bands(self) -> None:
        bands = self.cube.bands
        wanted = [band for name in self.baseline.features for band in FEATURES[name].bands]
        missing = [band for band in wanted if not {band, STAND_INS.get(band)} & set(bands)]
        if missing:
            expected = f"{', '.join(dict.fromkeys(missing))} too, for baseline.features"
            raise problem("cube.bands", expected, list(bands))
        absent = [band for band in ("red", "nir") if band not in bands]
        if self.normalize.enabled and absent:
            expected = f"{', '.join(absent)} too, for normalize"
            raise problem("cube.bands", expected, list(bands))
        if self.masking.provider in {"fmask", "both"} and not {"blue", "green", "red"} & set(bands):
            expected = f"blue, green or red too, for masking.provider = {self.masking.provider}"
            raise problem("cube.bands", expected, list(bands))

    def to_yaml(self) -> str:
        """Return the filled-in config: every key explicit, every path absolute."""
        values = self.model_dump(mode="json")
        escape_paths(values)
        return dump_yaml(values)
