"""What a reanalysis of years makes of a run, and what computing costs."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cvlarray.config.section import Section


class CostsConfig(Section):
    """Prices, for the plan; 0 where nobody charges."""

    currency: str = Field(
        default="USD", pattern="^[A-Z]{3}$", description="Of all prices, three capitals."
    )
    core_hour: float = Field(
        default=0.04, ge=0, le=1000, description="Of an hour of one CPU core, 0 to 1000."
    )
    gpu_hour: float = Field(
        default=2.5, ge=0, le=1000, description="Of an hour of one GPU, 0 to 1000."
    )
    network_gb: float = Field(
        default=0.0, ge=0, le=1000, description="Of a GB read from the sources, 0 to 1000."
    )
    stored_gb_month: float = Field(
        default=0.023, ge=0, le=1000, description="Of a GB in the stores for a month, 0 to 1000."
    )


class ReanalysisConfig(Section):
    """What `cvlarray reanalyse` makes of the years that were watched."""

    recovery_observations: int = Field(
        default=3,
        ge=1,
        le=50,
        description="Clear observations inside the expected band, at times of the year at which "
        "the pixel had been outside, that make a recovery, 1 to 50.",
    )
    passing_days: int = Field(
        default=0,
        ge=0,
        le=3650,
        description="Changes that are over within so many days, and show in few observations, are "
        "smoke, haze or flood, and no disturbance; 0 to 3650, 365 for rainforest.",
    )
    site_gap_m: float = Field(
        default=100.0,
        ge=0,
        le=10000,
        description="Events nearer to each other are one site, whose growth is followed, m, 0 to "
        "10000.",
    )
    sampled_pixels: int = Field(
        default=50,
        ge=2,
        le=10000,
        description="Pixels to be looked at by people for each year and agent, 2 to 10000; six "
        "times as many beside changes, forty times in stable forest.",
    )
    reference: Path | None = Field(
        default=None,
        description="What people saw at the sampled pixels: a CSV with row, col, year (of the "
        "first disturbance, 0: none) and agent (clearing, mining). Relative to this YAML. null: "
        "areas come without estimates and intervals.",
    )
    costs: CostsConfig = Field(default=CostsConfig(), description="Prices, for the plan.")
