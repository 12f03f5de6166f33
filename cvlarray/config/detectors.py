"""The sequential tests a run can watch with."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cvlarray.config.problem import problem
from cvlarray.config.section import Section
from cvlarray.kernels.detectors import Bayesian, Consecutive, Cusum, Detector, Ewma, Mosum

Threshold = Annotated[float, Field(gt=0, le=50)]
Cap = Annotated[float, Field(gt=0, le=100)]
THRESHOLD = "Residual that flags an observation, standard deviations, above 0, up to 50."
CAP = "Residuals count as no larger, standard deviations, above 0, up to 100."


class ConsecutiveConfig(Section):
    """So many flagged clear observations in a row."""

    kind: Literal["consecutive"] = Field(default="consecutive", description="Always consecutive.")
    threshold: Threshold = Field(default=Consecutive.threshold, description=THRESHOLD)
    count: int = Field(
        default=Consecutive.count,
        ge=1,
        le=50,
        description="Flagged clear observations in a row that confirm, 1 to 50.",
    )

    def build(self) -> Detector:
        """Return the test."""
        return Consecutive(self.threshold, self.count)

    @property
    def confirmed_by(self) -> str:
        """What confirms, in words."""
        return f"{self.count} clear observations in a row"


class EwmaConfig(Section):
    """An exponentially weighted mean of the residuals."""

    kind: Literal["ewma"] = Field(default="ewma", description="Always ewma.")
    threshold: Threshold = Field(default=Ewma.threshold, description=THRESHOLD)
    weight: float = Field(
        default=Ewma.weight, gt=0, le=1, description="Of the newest observation, above 0, up to 1."
    )
    limit: float = Field(
        default=Ewma.limit,
        gt=0,
        le=100,
        description="What the mean may reach, its own standard deviations, above 0, up to 100.",
    )
    cap: Cap = Field(default=Ewma.cap, description=CAP)

    def build(self) -> Detector:
        """Return the test."""
        return Ewma(self.threshold, self.weight, self.limit, self.cap)

    @property
    def confirmed_by(self) -> str:
        """What confirms, in words."""
        return f"a weighted mean beyond {self.limit:g} of its standard deviations"


class CusumConfig(Section):
    """The sum of what the residuals have beyond an allowance."""

    kind: Literal["cusum"] = Field(default="cusum", description="Always cusum.")
    threshold: Threshold = Field(default=Cusum.threshold, description=THRESHOLD)
    allowance: float = Field(
        default=Cusum.allowance,
        ge=0,
        le=50,
        description="What a residual may be without adding, standard deviations, 0 to 50.",
    )
    limit: float = Field(
        default=Cusum.limit,
        gt=0,
        le=1000,
        description="What the sum may reach, standard deviations, above 0, up to 1000.",
    )
    cap: Cap = Field(default=Cusum.cap, description=CAP)

    def build(self) -> Detector:
        """Return the test."""
        return Cusum(self.threshold, self.allowance, self.limit, self.cap)

    @property
    def confirmed_by(self) -> str:
        """What confirms, in words."""
        return f"an excess over {self.allowance:g} that adds up to {self.limit:g}"


class MosumConfig(Section):
    """The mean of the last clear observations."""

    kind: Literal["mosum"] = Field(default="mosum", description="Always mosum.")
    threshold: Threshold = Field(default=Mosum.threshold, description=THRESHOLD)
    window: int = Field(
        default=Mosum.window, ge=1, le=50, description="Clear observations of a mean, 1 to 50."
    )
    limit: float = Field(
        default=Mosum.limit,
        gt=0,
        le=50,
        description="What the mean may be, standard deviations, above 0, up to 50.",
    )
    cap: Cap = Field(default=Mosum.cap, description=CAP)

    def build(self) -> Detector:
        """Return the test."""
        return Mosum(self.threshold, self.window, self.limit, self.cap)

    @property
    def confirmed_by(self) -> str:
        """What confirms, in words."""
        return f"a mean of {self.window} clear observations beyond {self.limit:g}"


class BayesianConfig(Section):
    """The probability of a change, updated by each observation."""

    kind: Literal["bayesian"] = Field(default="bayesian", description="Always bayesian.")
    threshold: Threshold = Field(default=Bayesian.threshold, description=THRESHOLD)
    prior: float = Field(
        default=Bayesian.prior,
        gt=0,
        le=0.999,
        description="Probability before any observation, above 0, up to 0.999.",
    )
    probability: float = Field(
        default=Bayesian.probability,
        gt=0,
        le=0.999,
        description="Probability that confirms, above the prior, up to 0.999.",
    )

    @model_validator(mode="after")
    def _can_rise(self) -> Self:
        if self.probability <= self.prior:
            raise problem("probability", f"more than prior = {self.prior:g}", self.probability)
        return self

    def build(self) -> Detector:
        """Return the test."""
        return Bayesian(self.threshold, self.prior, self.probability)

    @property
    def confirmed_by(self) -> str:
        """What confirms, in words."""
        return f"a probability beyond {self.probability:g}"


DetectorConfig = Annotated[
    ConsecutiveConfig | EwmaConfig | CusumConfig | MosumConfig | BayesianConfig,
    Field(discriminator="kind"),
]
