"""Events: changes with a name, a history and a lineage."""

from cvlarray.alerts.events.advance import EventRules
from cvlarray.alerts.events.observed import OBSERVED, SENSORS, Acquisition, by_acquisition
from cvlarray.alerts.events.read import read_events, read_versions
from cvlarray.alerts.events.state import Change, State
from cvlarray.alerts.events.store import EventStore
from cvlarray.alerts.events.version import EVENT_DTYPES

__all__ = [
    "EVENT_DTYPES",
    "OBSERVED",
    "SENSORS",
    "Acquisition",
    "Change",
    "EventRules",
    "EventStore",
    "State",
    "by_acquisition",
    "read_events",
    "read_versions",
]
