"""From detected pixels to alerts: polygons with dates, areas, pictures and an identity."""

from cvlarray.alerts.build import ALERT_DTYPES, UNASSIGNED, build_alerts
from cvlarray.alerts.chips import (
    ChipPair,
    chip_files,
    choose_rendering,
    render_chips,
    write_chips,
)
from cvlarray.alerts.files import geojson, read_alerts, write_alerts
from cvlarray.alerts.gallery import render_gallery
from cvlarray.alerts.identity import event_id
from cvlarray.alerts.series import AlertSeries, alert_series

__all__ = [
    "ALERT_DTYPES",
    "UNASSIGNED",
    "AlertSeries",
    "ChipPair",
    "alert_series",
    "build_alerts",
    "chip_files",
    "choose_rendering",
    "event_id",
    "geojson",
    "read_alerts",
    "render_chips",
    "render_gallery",
    "write_alerts",
    "write_chips",
]
