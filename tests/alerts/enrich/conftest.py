from tests.postgis_server import bare_database as bare_database  # noqa: PLC0414
from tests.postgis_server import postgis_database as postgis_database  # noqa: PLC0414
from tests.postgis_server import postgis_server as postgis_server  # noqa: PLC0414
from tests.postgis_server import postgis_template as postgis_template  # noqa: PLC0414
