"""All that a run knows of one alert, gathered from its workspace."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import pandas as pd
import pystac
import xarray as xr
from rasterio.io import MemoryFile

import cvlarray
from cvlarray.alerts.chips import choose_rendering
from cvlarray.alerts.deliver import AlertVersion
from cvlarray.alerts.index_chips import index_png
from cvlarray.alerts.latency import Latency
from cvlarray.alerts.package import Dossier, Picture, Reference, json_bytes, json_properties
from cvlarray.alerts.window import AlertWindow, alert_window
from cvlarray.catalog import load_items
from cvlarray.config.yaml12 import dump_yaml
from cvlarray.features import feature_cube
from cvlarray.names import NODATA_DN
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.quality import clear_mask
from cvlarray.pipeline.units import Stage
from cvlarray.sensors import Scene
from cvlarray.store import Ledger, open_raw

__all__ = ["DossierMaker"]

MOMENTS = ("before", "after")
TOLD_SECTIONS = (
    "name",
    "region",
    "grid",
    "search",
    "periods",
    "cube",
    "masking",
    "baseline",
    "monitor",
    "vectorize",
    "alerts",
)
"""Of the run's config, what its alerts depend on; where it runs and whom it tells is nobody's."""
DATES_IN_QUESTION = ("interval_start", "first_detected", "interval_end", "confirmed", "acquisition")


class DossierMaker:
    """Makes dossiers of one run's alerts.

    Parameters
    ----------
    context, ledger
        Of the run, whose alerts are made.
    latencies
        Their steps so far.
    """

    def __init__(
        self, context: RunContext, ledger: Ledger, latencies: Mapping[AlertVersion, Latency]
    ) -> None:
        self._context = context
        self._latencies = latencies
        self._made_at = max(row.written_at for row in ledger.rows(Stage.ALERTS))

    def __call__(self, alert: pd.Series) -> Dossier:
        """Return the dossier of a row of the alerts table that has a ``version``."""
        told = json_properties(alert.drop(["geometry", "version"]).to_dict())
        version = AlertVersion(str(alert["event_id"]), str(alert["version"]))
        window = alert_window(
            alert["geometry"], self._context.geobox, size_px=self._context.config.report.chip_px
        )
        dates = {
            moment: alert[f"{moment}_date"].date()
            for moment in MOMENTS
            if pd.notna(alert.get(f"{moment}_date"))
        }
        places = {moment: self._seen(window, date) for moment, date in dates.items()}
        scenes = self._scenes(alert, list(dates.values()))
        latency = self._latencies.get(version, Latency())
        url = self._context.config.delivery.verification_url
        return Dossier(
            properties=told,
            geometry=alert["geometry"],
            version=version.version,
            made_at=self._made_at,
            software=f"cvlarray {cvlarray.__version__}",
            model=self._model,
            pictures={
                **self._pictures(version.event_id, dates),
                **self._index_pictures(places, window, dates),
            },
            inputs={
                "run.yaml": self._config,
                "items.json": json_bytes([self._items[scene.id].to_dict() for scene in scenes]),
                **{f"{moment}.tif": _geotiff(place, window) for moment, place in places.items()},
            },
            references=(
                *(_scene_reference(scene, self._items[scene.id]) for scene in scenes),
                *_layer_references(told),
            ),
            latency={step: at for step, at in latency.texts().items() if step != "delivered"},
            verification_url=url.format(**version._asdict()) if url else None,
        )

    @cached_property
    def _cube(self) -> xr.Dataset:
        return open_raw(self._context.workspace.cube)

    @cached_property
    def _items(self) -> dict[str, pystac.Item]:
        return {item.id: item for item in load_items(self._context.workspace.items)}

    @cached_property
    def _config(self) -> bytes:
        return dump_yaml(
            self._context.config.model_dump(mode="json", include=set(TOLD_SECTIONS))
        ).encode()

    @property
    def _model(self) -> str:
        config = self._context.config
        detector = config.monitor.detector
        return (
            f"{detector.confirmed_by} beyond "
            f"{detector.threshold:g} standard deviations of each pixel's harmonic season, "
            f"{' and '.join(config.baseline.features)}"
        )

    def _seen(self, window: AlertWindow, date: dt.date) -> xr.Dataset:
        """Return what was seen of a window on a date, with a time of one."""
        n = int(np.flatnonzero(self._context.dates == np.datetime64(date, "D"))[0])
        pixels = self._cube.isel(time=[n], y=window.y, x=window.x)
        has_dates = [
            name for name, each in pixels.data_vars.items() if each.dims[-2:] == ("y", "x")
        ]
        return pixels[has_dates].load()

    def _pictures(self, event_id: str, dates: Mapping[str, dt.date]) -> dict[str, Picture]:
        rendering, _ = choose_rendering([str(name) for name in self._cube.data_vars])
        folder = self._context.workspace.chips
        paths = {moment: folder / f"{event_id}_{moment}.png" for moment in dates}
        return {
            moment: Picture(path.read_bytes(), dates[moment], rendering)
            for moment, path in paths.items()
            if path.exists()
        }

    def _index_pictures(
        self,
        places: Mapping[str, xr.Dataset],
        window: AlertWindow,
        dates: Mapping[str, dt.date],
    ) -> dict[str, Picture]:
        feature = self._context.config.baseline.features[0]
        pictures = {}
        for moment, place in places.items():
            values = feature_cube(place, clear_mask(place, self._context.config), [feature])
            png = index_png(values.to_numpy()[0, 0], window)
            pictures[f"index_{moment}"] = Picture(png, dates[moment], feature)
        return pictures

    def _scenes(self, alert: pd.Series, dates: Sequence[dt.date]) -> list[Scene]:
        """Return the scenes over an alert on the dates that say something of it."""
        days = {
            pd.Timestamp(alert[name]).date()
            for name in DATES_IN_QUESTION
            if name in alert and pd.notna(alert[name])
        }
        days |= set(dates)
        return [
            scene
            for scene in self._context.scenes
            if scene.solar_day in days and scene.footprint.intersects(alert["geometry"])
        ]


def _geotiff(place: xr.Dataset, window: AlertWindow) -> bytes:
    """Return the int16 bands of a place as a GeoTIFF, as stored: reflectance × 10,000."""
    bands = {
        str(name): each.to_numpy()[0]
        for name, each in place.data_vars.items()
        if each.dtype == np.int16 and each.ndim == 3
    }
    height, width = window.geobox.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            height=height,
            width=width,
            count=len(bands),
            dtype="int16",
            crs=str(window.geobox.crs),
            transform=window.geobox.affine,
            nodata=int(NODATA_DN),
            compress="deflate",
        ) as file:
            for number, (name, values) in enumerate(bands.items(), start=1):
                file.write(values, number)
                file.set_band_description(number, name)
        return bytes(memory.read())


def _scene_reference(scene: Scene, item: pystac.Item) -> Reference:
    """Return where a scene's files lie, with the checksums that its catalogue gives of them.

    Of files that are read in part nobody has the SHA-256; what was read of them is in the package.
    """
    checksums = {
        asset.href: asset.extra_fields["file:checksum"]
        for asset in item.assets.values()
        if "file:checksum" in asset.extra_fields
    }
    files = {}
    for band, asset in sorted(scene.assets.items()):
        files[f"href_{band}"] = asset.href
        if asset.href in checksums:
            files[f"checksum_{band}"] = str(checksums[asset.href])
    return Reference("scene", scene.id, None, {"datetime": scene.datetime.isoformat(), **files})


def _layer_references(told: Mapping[str, object]) -> list[Reference]:
    """Return the editions of the layers that the alert's trail names, each once."""
    trail = told.get("jurisdiction")
    entries = trail if isinstance(trail, list) else []
    found = {
        (entry["layer"], entry.get("sha256"), entry.get("valid", ""))
        for entry in entries
        if "layer" in entry
    }
    return [
        Reference("layer", layer, sha256, {"valid": valid} if valid else {})
        for layer, sha256, valid in sorted(found, key=str)
    ]
