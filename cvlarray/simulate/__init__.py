"""Scenes with a known content, written as real COGs and STAC Items."""

from cvlarray.simulate.item import Product
from cvlarray.simulate.scene import write_catalog, write_scene

__all__ = ["Product", "write_catalog", "write_scene"]
