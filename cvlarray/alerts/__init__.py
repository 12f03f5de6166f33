"""From detected pixels to alerts: polygons with dates, areas, pictures and an identity."""

from cvlarray.alerts.series import AlertSeries

__all__ = ["AlertSeries"]
