"""How a run tells change from season, and what it makes of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from cvlarray.baseline.forest import LOWEST_PEAK
from cvlarray.config.problem import problem
from cvlarray.config.section import Section
from cvlarray.config.words import OneOf
from cvlarray.features import FEATURES
from cvlarray.kernels.detectors import Consecutive
from cvlarray.masking import CLEAR_SCL_CLASSES
from cvlarray.names import SCL

SCL_VALUES = dict(zip(SCL.attrs["flag_meanings"].split(), SCL.attrs["flag_values"], strict=True))
"""Sentinel-2's scene classes by name."""

SclClass = Annotated[str, OneOf(name for name, value in SCL_VALUES.items() if value)]
FeatureName = Annotated[str, OneOf(FEATURES)]


class MaskingConfig(Section):
    """Which observations count as clear."""

    clear_classes: tuple[SclClass, ...] = Field(
        default=tuple(name for name, value in SCL_VALUES.items() if value in CLEAR_SCL_CLASSES),
        min_length=1,
        description="SCL classes that count as clear, by name: "
        + ", ".join(f"{name} ({value})" for name, value in SCL_VALUES.items() if value)
        + ".",
    )

    @property
    def clear_values(self) -> frozenset[int]:
        """SCL values of the clear classes."""
        return frozenset(SCL_VALUES[name] for name in self.clear_classes)


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
        "2 + 2 × harmonic_order coefficients; null: twice the coefficients.",
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

    threshold_z: float = Field(
        default=Consecutive().threshold,
        gt=0,
        le=50,
        description="Residual that flags an observation, standard deviations, above 0, up to 50.",
    )
    consecutive: int = Field(
        default=Consecutive().count,
        ge=1,
        le=50,
        description="Flagged clear observations in a row that confirm, 1 to 50.",
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
