"""Fixtures of a real STAC API."""

from tests.postgis_server import postgis_server as postgis_server  # noqa: PLC0414
