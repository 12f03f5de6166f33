"""The forms in which an alert leaves: GeoJSON, STAC Item, GeoParquet, KML, GPX, folder or ZIP."""

from cvlarray.alerts.package.archive import read_package, write_folder, zip_bytes
from cvlarray.alerts.package.dossier import Dossier, Picture, Reference, json_bytes
from cvlarray.alerts.package.feature import feature, feature_collection, stac_item
from cvlarray.alerts.package.forms import Attachment, collection, package_files
from cvlarray.alerts.package.tracks import summary_line
from cvlarray.alerts.package.values import json_properties

__all__ = [
    "Attachment",
    "Dossier",
    "Picture",
    "Reference",
    "collection",
    "feature",
    "feature_collection",
    "json_bytes",
    "json_properties",
    "package_files",
    "read_package",
    "stac_item",
    "summary_line",
    "write_folder",
    "zip_bytes",
]
