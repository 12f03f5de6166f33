"""Which models look at the cube, and how they are run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from cvlarray.config.problem import problem
from cvlarray.config.section import Section


class LandCoverConfig(Section):
    """Land cover of every clear pixel on every date watched, which says what alerts show."""

    checkpoint: Path | None = Field(
        default=None,
        description="Folder of a checkpoint that every worker sees, relative to this YAML; null: "
        "the spectral rule, which needs no training.",
    )


class RadarConfig(Section):
    """Changes that Sentinel-1 shows where clouds hide most of a tile (`masking.max_masked_share`).

    They become alerts that a person must look at, beside those of optical images.
    """

    checkpoint: Path | None = Field(
        default=None,
        description="Folder of a checkpoint that every worker sees, relative to this YAML; null: "
        "the radar rule, which needs no training.",
    )
    source: str | None = Field(
        default=None,
        min_length=1,
        description="Catalogue of Sentinel-1, as search.source; null: that one.",
    )
    collection: str = Field(
        default="sentinel-1-rtc",
        description="STAC collection of terrain-corrected gamma0.",
    )
    history_days: int = Field(
        default=365,
        ge=90,
        le=1826,
        description="Days before the monitoring period that say what is usual, 90 to 1826.",
    )


class ModelsConfig(Section):
    """Models over the cube, and how they are run."""

    land_cover: LandCoverConfig | None = Field(
        default=None, description="Land cover of the dates watched; null: none, no stage."
    )
    radar: RadarConfig | None = Field(
        default=None, description="Changes by Sentinel-1; null: none, no stage."
    )
    runtime: Literal["torch", "openvino"] = Field(
        default="torch",
        description="What runs checkpoints: torch, or openvino (an extra), which takes a fraction "
        "of its time on a CPU.",
    )
    device: str = Field(
        default="cpu",
        pattern=r"^(cpu|cuda(:\d+)?)$",
        description="Of torch: cpu, cuda or cuda:1. With cuda, leases go to workers that offer "
        "Dask's resource GPU.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="Of the numbers that networks multiply."
    )
    window: int = Field(
        default=512,
        ge=32,
        le=4096,
        description="Edge of the square that a model sees at once, pixels, 32 to 4096.",
    )
    overlap: int = Field(
        default=64, ge=0, le=2048, description="What neighbouring squares share, pixels, 0 to 2048."
    )
    batch_size: int = Field(
        default=4, ge=1, le=1024, description="Squares that go through together, 1 to 1024."
    )
    lease_px: int = Field(
        default=4096,
        ge=16,
        le=32_768,
        description="Edge of what one task does of a date, pixels, 16 to 32768; it is rounded down "
        "to whole shards.",
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.overlap >= self.window:
            raise problem("overlap", f"less than window = {self.window}", self.overlap)
        if self.runtime == "openvino" and self.device != "cpu":
            raise problem("device", "cpu, with runtime = openvino", self.device)
        return self
