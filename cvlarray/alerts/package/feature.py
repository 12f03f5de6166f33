"""An alert as GeoJSON, STAC Item and GeoParquet."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from cvlarray.alerts.package.dossier import Dossier, json_bytes

__all__ = [
    "COLLECTION",
    "STAC_VERSION",
    "feature",
    "feature_collection",
    "geoparquet",
    "item_collection",
    "item_name",
    "item_of",
    "midnight",
    "stac_item",
]

STAC_VERSION = "1.1.0"
FILE_EXTENSION = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
SHA256_MULTIHASH = "1220"
"""What the multihash of STAC's ``file:checksum`` begins with: SHA-256, 32 bytes."""

COLLECTION = "cvlarray-alerts"

MEDIA_TYPES = {
    ".csv": "text/csv",
    ".geojson": "application/geo+json",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".tif": "image/tiff; application=geotiff",
    ".yaml": "application/yaml",
}


def feature(dossier: Dossier) -> dict[str, Any]:
    """Return the alert as a GeoJSON feature (RFC 7946)."""
    about = {
        "version": dossier.version,
        "made_at": dossier.made_at.isoformat(),
        "software": dossier.software,
        "model": dossier.model,
        "verification_url": dossier.verification_url,
        "latency": dict(dossier.latency),
        "layers": [
            {"name": source.name, "sha256": source.sha256, **source.detail}
            for source in dossier.references
            if source.kind == "layer"
        ],
    }
    return {
        "type": "Feature",
        "id": dossier.event_id,
        "geometry": shapely.geometry.mapping(shapely.orient_polygons(dossier.geometry)),
        "properties": {**dossier.properties, **about},
    }


def feature_collection(dossiers: Iterable[Dossier]) -> bytes:
    """Return alerts as a GeoJSON feature collection."""
    features = [feature(dossier) for dossier in dossiers]
    return json_bytes({"type": "FeatureCollection", "features": features})


def geoparquet(dossiers: Sequence[Dossier]) -> bytes:
    """Return alerts as a GeoParquet table; nested properties become JSON text."""
    records = [feature(dossier)["properties"] for dossier in dossiers]
    table = gpd.GeoDataFrame(
        pd.DataFrame([{name: _flat(value) for name, value in row.items()} for row in records]),
        geometry=[dossier.geometry for dossier in dossiers],
        crs="EPSG:4326",
    )
    file = io.BytesIO()
    table.to_parquet(file, index=False)
    return file.getvalue()


def stac_item(dossier: Dossier, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the alert as a STAC Item whose assets are the files, by their path beside it."""
    assets = {
        path.replace("/", "_"): _asset(path, content) for path, content in sorted(files.items())
    }
    return item_of(feature(dossier), assets, collection_href="./collection.json")


def item_of(
    told: Mapping[str, Any], assets: Mapping[str, Any], *, collection_href: str
) -> dict[str, Any]:
    """Return an alert's GeoJSON feature as a STAC Item."""
    properties = told["properties"]
    first = properties.get("interval_start") or properties.get("first_detected")
    last = properties.get("confirmed") or properties.get("first_detected")
    link = {"rel": "collection", "href": collection_href, "type": "application/json"}
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [FILE_EXTENSION],
        "id": item_name(told),
        "collection": COLLECTION,
        "bbox": [round(bound, 7) for bound in shapely.geometry.shape(told["geometry"]).bounds],
        "geometry": told["geometry"],
        "properties": {
            **properties,
            "title": f"{properties.get('class', 'change')} {told['id']}",
            "datetime": midnight(properties.get("first_detected")),
            "start_datetime": midnight(first),
            "end_datetime": midnight(last),
            "created": properties["made_at"],
        },
        "links": [link],
        "assets": dict(assets),
    }


def item_name(told: Mapping[str, Any]) -> str:
    """Return the name of an alert's version from its GeoJSON feature."""
    return f"{told['id']}_v{told['properties']['version']}"


def midnight(date: str | None) -> str | None:
    """Return the start of an ISO date (UTC), as STAC writes times."""
    return f"{date[:10]}T00:00:00Z" if date else None


def item_collection(dossiers: Iterable[Dossier]) -> bytes:
    """Return alerts as a STAC ItemCollection without assets."""
    return json_bytes(
        {"type": "FeatureCollection", "features": [stac_item(each, {}) for each in dossiers]}
    )


def _asset(path: str, content: bytes) -> dict[str, Any]:
    suffix = path[path.rfind(".") :]
    return {
        "href": f"./{path}",
        "type": MEDIA_TYPES.get(suffix, "application/octet-stream"),
        "roles": ["overview" if suffix == ".png" else "data"],
        "file:size": len(content),
        "file:checksum": SHA256_MULTIHASH + sha256(content).hexdigest(),
    }


def _flat(value: Any) -> Any:
    return json_bytes(value).decode().strip() if isinstance(value, dict | list) else value
