"""A store by its path, as nearly all are named, or by another place."""

from __future__ import annotations

from pathlib import Path

from cvlarray.store.folder import Folder
from cvlarray.store.place import Place

StoreLocation = Path | Place
"""A folder by its path, or another place."""


def place_of(location: StoreLocation) -> Place:
    """Return the place that a location names."""
    return Folder(location) if isinstance(location, Path) else location
