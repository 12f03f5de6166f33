"""From enriched alerts to priorities and deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import geopandas as gpd
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cvlarray.alerts.route.decide import boundary_decides, decide
from cvlarray.alerts.route.deliveries import deliver_to
from cvlarray.alerts.route.partner import Partner
from cvlarray.alerts.route.rule import PAPER_RULES, Rule

__all__ = ["ROUTED_DTYPES", "Routed", "Routing", "route"]

ROUTED_DTYPES = {
    "priority": "string",
    "queue": "string",
    "rule": "string",
    "needs_review": "bool",
    "reasoning": "object",
}
"""Columns that `route` sets."""

NEEDED = (
    "event_id",
    "class",
    "confidence",
    "area_m2",
    "jurisdiction",
    "distance_to_road_m",
    "distance_to_river_m",
)


class Routing(BaseModel):
    """Rules in order, and the partners."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[Rule, ...] = Field(
        default=PAPER_RULES, min_length=1, description="The first that matches decides."
    )
    partners: tuple[Partner, ...] = Field(default=(), description="Who receives alerts.")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        last = self.rules[-1]
        if last.needs_feature or last.classes:
            raise ValueError(f"the last rule must match every alert, got {last.name!r}")
        for kind, names in (
            ("rules", [rule.name for rule in self.rules]),
            ("partners", [partner.name for partner in self.partners]),
        ):
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise ValueError(f"{kind} must have names of their own, got {repeated} twice")
        return self


class Routed(NamedTuple):
    """Alerts that know their priority, and who receives them."""

    alerts: gpd.GeoDataFrame
    """With `ROUTED_DTYPES`."""
    deliveries: pd.DataFrame
    """`cvlarray.alerts.route.deliveries.DELIVERY_DTYPES`."""

    @property
    def unclaimed(self) -> list[str]:
        """Alerts that no partner receives in any queue."""
        claimed = set(self.deliveries["event_id"])
        return [event_id for event_id in self.alerts["event_id"] if event_id not in claimed]


def route(alerts: gpd.GeoDataFrame, routing: Routing | None = None) -> Routed:
    """Give each alert a priority, a queue and its reasons, and each partner its alerts.

    Parameters
    ----------
    alerts
        Alerts from `cvlarray.alerts.enrich.enrich`.
    routing
        Rules and partners; by default the paper's rules and no partner.

    Returns
    -------
    The alerts with ``priority``, ``queue``, the name of the ``rule`` that decided, ``needs_review``
    (another place of a border, within its own uncertainty, would change priority or queue),
    and ``reasoning``, a JSON mapping with the rule, overlap, field values and the reason in words;
    and the deliveries.

    Raises
    ------
    ValueError
        If the alerts aren't enriched.
    """
    routing = routing or Routing()
    missing = [name for name in NEEDED if name not in alerts]
    if missing:
        raise ValueError(f"alerts must be enriched before they are routed, columns {missing} lack")
    routed = _prioritised(alerts, routing.rules)
    return Routed(routed, deliver_to(routing.partners, routed))


def _prioritised(alerts: gpd.GeoDataFrame, rules: Sequence[Rule]) -> gpd.GeoDataFrame:
    cases = list(zip(alerts["jurisdiction"], alerts["class"], strict=True))
    decisions = [decide(trail, class_name, rules) for trail, class_name in cases]
    columns = pd.DataFrame(
        {
            "priority": [decision.rule.priority.value for decision in decisions],
            "queue": [decision.rule.queue.value for decision in decisions],
            "rule": [decision.rule.name for decision in decisions],
            "needs_review": [
                boundary_decides(trail, class_name, rules) for trail, class_name in cases
            ],
            "reasoning": pd.Series(
                [decision.reasoning() for decision in decisions], dtype=object, index=alerts.index
            ),
        },
        index=alerts.index,
    ).astype({name: dtype for name, dtype in ROUTED_DTYPES.items() if dtype != "object"})
    return alerts.assign(**columns)
