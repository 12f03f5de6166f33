"""From detected pixels to alerts: polygons with dates, areas, pictures and an identity."""

from cvlarray.alerts.build import ALERT_DTYPES, UNASSIGNED, build_alerts
from cvlarray.alerts.files import geojson, write_alerts
from cvlarray.alerts.identity import event_id
from cvlarray.alerts.series import AlertSeries

__all__ = [
    "ALERT_DTYPES",
    "UNASSIGNED",
    "AlertSeries",
    "build_alerts",
    "event_id",
    "geojson",
    "write_alerts",
]
