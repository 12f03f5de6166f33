"""How a run tells change from season, and what it makes of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from cvlarray.baseline.forest import LOWEST_PEAK
from cvlarray.config.detectors import ConsecutiveConfig, DetectorConfig
from cvlarray.config.problem import problem
from cvlarray.config.section import Section
from cvlarray.config.words import OneOf
from cvlarray.features import FEATURES
from cvlarray.masking import MAX_MASKED_SHARE, OBSCURING
from cvlarray.masking.shape import MAX_RADIUS_PX
from cvlarray.names import QualityFlag
from cvlarray.normalize import LEAST_DEVIATION

FLAG_NAMES = tuple(str(flag.name).lower() for flag in QualityFlag if flag is not QualityFlag.FILL)
"""Reasons for which a pixel may be unfit, but for having no observation at all."""

FlagName = Annotated[str, OneOf(FLAG_NAMES)]
FeatureName = Annotated[str, OneOf(FEATURES)]


class MaskingConfig(Section):
    """Which observations count as clear."""

    provider: Literal["native", "fmask", "both", "ukis"] = Field(
        default="native",
        description="Whose mask: native (the sensor's own: SCL, QA_PIXEL, UDM2); fmask, from those "
        "of the bands blue, green, red, nir or nir08, swir16 and swir22 that the cube has, tile by "
        "tile; both, what either says; or ukis, a network (an extra) that reads the first four in "
        "any case, and swir16 and swir22 if the cube has them.",
    )
    obscuring: tuple[FlagName, ...] = Field(
        default=tuple(name for name in FLAG_NAMES if QualityFlag[name.upper()] in OBSCURING),
        min_length=1,
        description="Flags that make a pixel not clear, out of " + ", ".join(FLAG_NAMES) + ".",
    )
    grow_px: int = Field(
        default=0,
        ge=0,
        le=MAX_RADIUS_PX,
        description=f"Spread cloud and shadow by this distance, pixels, 0 to {MAX_RADIUS_PX}; each "
        "tile is then read with as many pixels more around.",
    )
    min_object_px: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Drop clouds and shadows of fewer pixels, 1 to 256; read with as many more "
        "around.",
    )
    max_masked_share: float = Field(
        default=MAX_MASKED_SHARE,
        ge=0,
        le=1,
        description="A tile-date of which more is masked is left to SAR (needs_sar), 0 to 1.",
    )

    @property
    def obscuring_flags(self) -> QualityFlag:
        """What must be absent for a pixel to be clear; no observation always."""
        flags = QualityFlag.FILL
        for name in self.obscuring:
            flags |= QualityFlag[name.upper()]
        return flags


class NormalizeConfig(Section):
    """Gain and offset that atmospheric correction left, by scene, band and tile."""

    enabled: bool = Field(
        default=False,
        description="Take them off before the season is fitted and watched. The cube keeps what "
        "was read.",
    )
    seasonal: bool = Field(
        default=False,
        description="Hold scenes against each pixel's season in the history instead of against its "
        "median there, which suits forest only that is green all year. Needs a history that the "
        "season can be fitted to.",
    )
    least_deviation: float = Field(
        default=LEAST_DEVIATION,
        ge=0,
        le=1,
        description="Scenes that are off by a smaller share of their reflectance are left alone, "
        "0 to 1.",
    )


class BaselineConfig(Section):
    """The seasonal expectation of each pixel."""

    features: tuple[FeatureName, ...] = Field(
        default=("ndvi", "red"),
        min_length=1,
        description="Indices and bands that are watched together, one of ndvi, nbr and ndmi or "
        "more: "
        + "; ".join(f"{name}, {feature.long_name}" for name, feature in FEATURES.items())
        + ".",
    )
    harmonic_order: int = Field(
        default=2, ge=0, le=4, description="Annual harmonics beside level and trend, 0 to 4."
    )
    min_observations: int | None = Field(
        default=None,
        ge=3,
        le=10000,
        description="Clear observations a pixel needs in the history, 3 to 10000 and more than the "
        "2 + 2 × harmonic_order coefficients; null: twice the coefficients, with a regional prior "
        "one.",
    )
    regional_prior: bool = Field(
        default=False,
        description="Draw the season of a pixel to what the region's steady forest has in common, "
        "the more the less often it was seen: for regions under lasting cloud. Where forest is "
        "seen often and differs from place to place, it costs sharpness.",
    )
    stable_history_significance: float | None = Field(
        default=None,
        gt=0,
        le=0.5,
        description="Take as normal only what follows the last break of a pixel's history, found "
        "with this probability of cutting a stable one, above 0, up to 0.5; null: all of it.",
    )

    @field_validator("features")
    @classmethod
    def _tells_forest(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise problem("", "each feature once", list(value))
        if not set(value) & set(LOWEST_PEAK):
            expected = f"one of {', '.join(LOWEST_PEAK)} too, to tell where forest stood"
            raise problem("", expected, list(value))
        return value

    @model_validator(mode="after")
    def _has_enough_observations(self) -> Self:
        n_coefficients = 2 + 2 * self.harmonic_order
        if self.min_observations is not None and self.min_observations <= n_coefficients:
            expected = f"more than the model's {n_coefficients} coefficients"
            raise problem("min_observations", expected, self.min_observations)
        return self


class MonitorConfig(Section):
    """The sequential test on the residuals."""

    detector: DetectorConfig = Field(
        default=ConsecutiveConfig(),
        description="Sequential test: consecutive, ewma, cusum, mosum or bayesian, each with its "
        "own settings.",
    )
    min_confidence: float = Field(
        default=0.5, ge=0, le=1, description="Least confidence of a detection that is kept, 0 to 1."
    )


class VectorizeConfig(Section):
    """From flagged pixels to polygons."""

    min_area_m2: float = Field(
        default=500.0, ge=0, le=1e9, description="Leave out smaller polygons, m², 0 to 1e9."
    )
    connectivity: Literal[4, 8] = Field(
        default=4, description="Neighbours of a pixel that join it: 4 (edges) or 8 (corners too)."
    )
    simplify_tolerance_m: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="Simplify outlines, neighbours together so that no gap arises: corners go "
        "whose triangle is smaller than this value squared, m, above 0, up to 1000; areas stay "
        "those of the pixels. null: outlines follow the pixels that were seen to change.",
    )


class EventsConfig(Section):
    """From polygons of many dates to events."""

    pending: int = Field(
        default=2,
        ge=1,
        le=50,
        description="Flagged clear observations in a row from which a change is pending, 1 to 50 "
        "and at most the count of monitor.detector.",
    )
    max_gap_days: int = Field(
        default=120,
        ge=0,
        le=3660,
        description="Neighbouring pixels first flagged further apart are different events, days, "
        "0 to 3660.",
    )


class EnrichmentConfig(Section):
    """How alerts are held against the layers."""

    database: str | None = Field(
        default=None,
        description="libpq connection string of a PostGIS server that measures, empty for PGHOST, "
        "PGUSER and so on; null: GeoPandas, in memory.",
    )


class AlertsConfig(Section):
    """What an alert says beside its geometry and dates."""

    class_name: str = Field(
        default="recent_clearing",
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Class of all alerts until a model tells classes apart.",
    )


class ReportConfig(Section):
    """The HTML report."""

    title: str | None = Field(
        default=None,
        max_length=200,
        description="Heading, up to 200 characters; null: the run's name.",
    )
    n_alerts_shown: int = Field(
        default=24,
        ge=0,
        le=1000,
        description="Alerts with pictures and series, largest first, 0 to 1000.",
    )
    chip_px: int = Field(
        default=64,
        ge=16,
        le=1024,
        description="Edge of a before/after picture, pixels, 16 to 1024.",
    )
