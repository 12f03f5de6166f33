"""One alert as a package of files, and several as one file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cvlarray.alerts.package.dossier import Dossier, json_bytes
from cvlarray.alerts.package.feature import (
    feature,
    feature_collection,
    geoparquet,
    item_collection,
    stac_item,
)
from cvlarray.alerts.package.tracks import gpx, kml
from cvlarray.alerts.route import PackageFormat

__all__ = ["Attachment", "collection", "package_files"]


class Attachment(NamedTuple):
    """A file that goes out."""

    name: str
    media_type: str
    content: bytes


_COLLECTIONS: dict[PackageFormat, tuple[str, str, Callable[[Sequence[Dossier]], bytes]]] = {
    PackageFormat.GEOJSON: (".geojson", "application/geo+json", feature_collection),
    PackageFormat.EVIDENCE: (".geojson", "application/geo+json", feature_collection),
    PackageFormat.GEOPARQUET: (".parquet", "application/vnd.apache.parquet", geoparquet),
    PackageFormat.KML: (".kml", "application/vnd.google-earth.kml+xml", kml),
    PackageFormat.GPX: (".gpx", "application/gpx+xml", gpx),
    PackageFormat.STAC: (".json", "application/geo+json", item_collection),
}


def collection(dossiers: Sequence[Dossier], form: PackageFormat, *, name: str) -> Attachment:
    """Return alerts as one file.

    Parameters
    ----------
    dossiers
        The alerts, in order.
    form
        Evidence is for one alert; several come as GeoJSON.
    name
        Of the file, without suffix.
    """
    suffix, media_type, write = _COLLECTIONS[form]
    return Attachment(f"{name}{suffix}", media_type, write(dossiers))


def package_files(dossier: Dossier, form: PackageFormat) -> dict[str, bytes]:
    """Return the files of one alert's package, by their path in it.

    The alert in the partner's form and as GeoJSON, the pictures, and a STAC Item that lists them.
    An evidence package holds more: `cvlarray.alerts.evidence.evidence_files`.
    """
    attachment = collection([dossier], form, name="alert")
    files = {
        "alert.geojson": json_bytes(feature(dossier)),
        **{f"chips/{name}.png": picture.png for name, picture in dossier.pictures.items()},
    }
    if form not in {PackageFormat.GEOJSON, PackageFormat.EVIDENCE, PackageFormat.STAC}:
        files[attachment.name] = attachment.content
    return {**files, "item.json": json_bytes(stac_item(dossier, files))}
