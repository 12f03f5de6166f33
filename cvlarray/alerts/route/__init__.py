"""Which alert matters how much, why, and to whom it goes."""

from cvlarray.alerts.route.decide import Decision, decide
from cvlarray.alerts.route.deliveries import DELIVERY_DTYPES, concerns, deliver_to
from cvlarray.alerts.route.partner import PackageFormat, Partner, Tier
from cvlarray.alerts.route.routing import ROUTED_DTYPES, Routed, Routing, route
from cvlarray.alerts.route.rule import PAPER_RULES, Priority, Queue, Rule

__all__ = [
    "DELIVERY_DTYPES",
    "PAPER_RULES",
    "ROUTED_DTYPES",
    "Decision",
    "PackageFormat",
    "Partner",
    "Priority",
    "Queue",
    "Routed",
    "Routing",
    "Rule",
    "Tier",
    "concerns",
    "decide",
    "deliver_to",
    "route",
]
