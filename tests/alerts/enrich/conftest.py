from tests.alerts.postgis_server import postgis_database as postgis_database  # noqa: PLC0414
from tests.alerts.postgis_server import postgis_server as postgis_server  # noqa: PLC0414
