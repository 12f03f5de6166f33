"""What all ways of sending have in common in the YAML."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ChannelSettings", "Variable"]

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""Name of an environment variable."""


class ChannelSettings(BaseModel):
    """One way to one partner."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True
    )

    is_public: ClassVar[bool] = False
    """Whether anybody may read what is sent, so that no link in it may let its bearer in."""

    partner: str = Field(min_length=1, description="Name of the partner in routing.partners.")
    name: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="Name among the partner's channels, up to 64 of a-z, 0-9, _ and -; it is part "
        "of what keeps an alert from being sent twice: leave it as it is. null: the kind.",
    )

    @property
    def destination(self) -> str:
        """Name of partner and channel together."""
        return f"{self.partner}/{self.name or self.kind}"  # type: ignore[attr-defined]
