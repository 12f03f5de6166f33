"""Zarr stores, the ledger of finished work, and the workspace that holds them."""

from cvlarray.store.append import n_shared_dates
from cvlarray.store.atomic import replacing, write_atomic
from cvlarray.store.fingerprint import input_hash
from cvlarray.store.layout import create_store
from cvlarray.store.ledger import Ledger, LedgerRow, StageSummary, UnitStatus
from cvlarray.store.location import StoreLocation
from cvlarray.store.place import StoreKind
from cvlarray.store.raw import open_raw
from cvlarray.store.region import OpenRegion, open_region, write_region
from cvlarray.store.workspace import Workspace

__all__ = [
    "Ledger",
    "LedgerRow",
    "OpenRegion",
    "StageSummary",
    "StoreKind",
    "StoreLocation",
    "UnitStatus",
    "Workspace",
    "create_store",
    "input_hash",
    "n_shared_dates",
    "open_raw",
    "open_region",
    "replacing",
    "write_atomic",
    "write_region",
]
