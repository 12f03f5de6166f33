"""Where an alert lies: protected areas, concessions, territories, roads, rivers and districts."""

from cvlarray.alerts.enrich.backend import Backend
from cvlarray.alerts.enrich.changes import CHANGE_COLUMNS, Change, jurisdiction_changes
from cvlarray.alerts.enrich.enrichment import ENRICHED_DTYPES, enrich
from cvlarray.alerts.enrich.facts import FACT_COLUMNS, relate
from cvlarray.alerts.enrich.geopandas_backend import GeoPandasBackend
from cvlarray.alerts.enrich.layer import (
    Columns,
    FileSource,
    Layer,
    LayerError,
    MatchWindow,
    Reader,
    Relation,
    Role,
    TableSource,
    WfsSource,
)
from cvlarray.alerts.enrich.postgis_backend import PostgisBackend
from cvlarray.alerts.enrich.postgis_schema import SchemaError
from cvlarray.alerts.enrich.reuse import enrich_changed, enriched_at
from cvlarray.alerts.enrich.snapshot import Snapshot, load_layer, take_snapshot
from cvlarray.alerts.enrich.status import LicenceStatus, licence_status

__all__ = [
    "CHANGE_COLUMNS",
    "ENRICHED_DTYPES",
    "FACT_COLUMNS",
    "Backend",
    "Change",
    "Columns",
    "FileSource",
    "GeoPandasBackend",
    "Layer",
    "LayerError",
    "LicenceStatus",
    "MatchWindow",
    "PostgisBackend",
    "Reader",
    "Relation",
    "Role",
    "SchemaError",
    "Snapshot",
    "TableSource",
    "WfsSource",
    "enrich",
    "enrich_changed",
    "enriched_at",
    "jurisdiction_changes",
    "licence_status",
    "load_layer",
    "relate",
    "take_snapshot",
]
