"""Rules that turn a jurisdiction into a priority and a queue; the paper's are the default."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from cvlarray.alerts.enrich import LicenceStatus, Role

__all__ = ["PAPER_RULES", "Priority", "Queue", "Rule"]

LEAST_AREA_M2 = 1000.0
"""Ten Sentinel-2 pixels: inside a park that counts, however small a part of the alert it is."""

LICENSED_SHARE = 0.9
"""An alert reaches a pixel or two beyond what it shows; more outside isn't covered by a licence."""


class Priority(StrEnum):
    """How soon somebody should look, from the most urgent."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    MONITORING = "monitoring"


class Queue(StrEnum):
    """Where an alert goes."""

    INBOX = "inbox"
    """Sent to the partner."""
    DIGEST = "digest"
    """Beyond the partner's capacity: in the summary, not sent on its own."""
    MONITORING = "monitoring"
    """Kept for trends; never reaches an inbox."""


class Rule(BaseModel):
    """One rule; every condition that is given must hold, for one and the same feature."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1, description="Name in the reasoning.")
    priority: Priority = Field(description="Priority of alerts that match.")
    queue: Queue = Field(default=Queue.INBOX, description="inbox, digest or monitoring.")
    roles: tuple[Role, ...] = Field(
        default=(), description="The feature's layer has one of these roles; none: any alert."
    )
    layers: tuple[str, ...] = Field(default=(), description="The feature is of these layers.")
    categories: tuple[str, ...] = Field(default=(), description="The feature is of this category.")
    codes: tuple[str, ...] = Field(default=(), description="The feature has one of these codes.")
    licences: tuple[LicenceStatus, ...] = Field(
        default=(), description="The concession's status means one of these."
    )
    classes: tuple[str, ...] = Field(
        default=(), description="The alert is of one of these classes."
    )
    min_share: float = Field(
        default=0.01, ge=0, le=1, description="Part of the alert in the feature at least, 0 to 1."
    )
    or_area_m2: float | None = Field(
        default=None,
        gt=0,
        le=1e12,
        description="Or this area, m², if that is less; null: the share decides.",
    )
    certain: bool = Field(
        default=False, description="Only if the boundary's own uncertainty doesn't decide."
    )

    @property
    def needs_feature(self) -> bool:
        """Whether the rule asks for a feature at all."""
        return bool(self.roles or self.layers or self.categories or self.codes or self.licences)


PAPER_RULES: tuple[Rule, ...] = (
    Rule(
        name="strict protection",
        roles=(Role.STRICT_PROTECTION,),
        or_area_m2=LEAST_AREA_M2,
        priority=Priority.HIGH,
    ),
    Rule(
        name="communal reserve",
        roles=(Role.COMMUNAL_RESERVE,),
        or_area_m2=LEAST_AREA_M2,
        priority=Priority.HIGH,
    ),
    Rule(name="buffer zone", roles=(Role.BUFFER_ZONE,), priority=Priority.MEDIUM),
    Rule(
        name="licensed concession",
        roles=(Role.CONCESSION,),
        licences=(LicenceStatus.LICENSED,),
        min_share=LICENSED_SHARE,
        certain=True,
        priority=Priority.MONITORING,
        queue=Queue.MONITORING,
    ),
    Rule(
        name="unlicensed or lapsed concession",
        roles=(Role.CONCESSION,),
        licences=(
            LicenceStatus.PENDING,
            LicenceStatus.LAPSED,
            LicenceStatus.OTHER,
            LicenceStatus.UNKNOWN,
        ),
        priority=Priority.MEDIUM,
    ),
    Rule(
        name="partly outside a licensed concession",
        roles=(Role.CONCESSION,),
        licences=(LicenceStatus.LICENSED,),
        priority=Priority.MEDIUM,
    ),
    Rule(name="indigenous territory", roles=(Role.INDIGENOUS_TERRITORY,), priority=Priority.MEDIUM),
    Rule(name="elsewhere", priority=Priority.LOW),
)
"""Stage M·05 and sections 6.2 and 7.1 of the paper: parks and communal reserves are high, buffer
zones and concessions without a licence medium, licensed ones are kept for trends.

Of our own are the last three, on which the paper is silent, and that licensed comes before
unlicensed: ground is granted anew while the register keeps the lapsed title beneath it. An alert
goes to the monitoring queue only where nothing speaks against it: nine tenths of it lie in licensed
ground, and no border is in doubt."""
