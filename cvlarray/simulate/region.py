"""A simulated region on disk: scenes as COGs and STAC Items, and their truth beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pystac
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from cvlarray.names import NO_DATE
from cvlarray.simulate.acquisitions import REPROCESSED, Acquisitions, Pass
from cvlarray.simulate.arrays import landsat_grid
from cvlarray.simulate.cog import Layer, write_cog, write_item
from cvlarray.simulate.history import event_table
from cvlarray.simulate.item import Product
from cvlarray.simulate.items import (
    RADAR_NODATA,
    landsat_file,
    landsat_json,
    radar_file,
    radar_json,
)
from cvlarray.simulate.landcover import NO_TRUTH, LandCover, Sky
from cvlarray.simulate.landsat import view_landsat
from cvlarray.simulate.landscape import Landscape
from cvlarray.simulate.pixels import Pixels, pixels_of
from cvlarray.simulate.radar import view_sentinel1
from cvlarray.simulate.randomness import generator
from cvlarray.simulate.scene import write_catalog, write_scene
from cvlarray.simulate.season import day_number
from cvlarray.simulate.sentinel2 import SENTINEL2_BANDS, view_sentinel2
from cvlarray.simulate.switches import Switches
from cvlarray.simulate.tiles import Tile, tiles_of
from cvlarray.simulate.truth import changes_between, land_cover_of
from cvlarray.store import write_atomic
from cvlarray.store.atomic import make_folder

Layers = Mapping[str, NDArray[Any]]

BLOCK_PX = 1020
"""Side of the blocks in which a scene is drawn [pixels of 10 m]; a multiple of 60."""


def simulate_region(
    folder: Path,
    landscape: Landscape,
    acquisitions: Acquisitions,
    *,
    switches: Switches | None = None,
    n_threads: int = 2,
    on_scene: Callable[[str], None] | None = None,
) -> Path:
    """Write the scenes of a landscape, their catalog and their truth.

    Beside the catalog, in ``truth/``: ``events.parquet`` (see `history.event_table`),
    ``land_cover/<date>.tif`` for every day with a pass, ``changes/`` over the landscape's period
    (`truth.Changes`, a file each), ``sky/<item id>.tif`` (`landcover.Sky`) for optical scenes, and
    ``landscape.json``, which says what was simulated.

    Parameters
    ----------
    folder
        Made if missing; scenes of the same name are replaced.
    landscape
        What is seen.
    acquisitions
        By whom and when.
    switches
        Effects to simulate; all if None.
    n_threads
        Blocks drawn at a time. A block takes about 100 MB.
    on_scene
        Called with the id of each scene when it is written.

    Returns
    -------
    Path of ``catalog.json``, which is written last.

    Raises
    ------
    ValueError
        If nothing is acquired, or tile sizes are odd.
    StoreError
        If a file can't be written.
    """
    switches = switches or Switches()
    with ThreadPoolExecutor(n_threads) as pool:
        artist = _Artist(folder, landscape, acquisitions, switches, pool)
        items = []
        for item in artist.scenes():
            items.append(item)
            if on_scene is not None:
                on_scene(item.id)
        artist.write_truth()
    return write_catalog(folder, items)


@dataclass(frozen=True)
class _Artist:
    """Draws and writes; what the functions below have in common."""

    folder: Path
    landscape: Landscape
    acquisitions: Acquisitions
    switches: Switches
    pool: Executor

    def scenes(self) -> Iterator[pystac.Item]:
        """Write every scene."""
        done = self.acquisitions
        tiles = tiles_of(self.landscape, done.tile_px, done.overlap_px)
        for at in done.sentinel2:
            for tile in tiles:
                yield from self._sentinel2(at, tile)
        for at in done.sentinel1:
            yield self._sentinel1(at)
        grid = landsat_grid(self.landscape)
        for at in done.landsat:
            yield self._landsat(at, grid)

    def write_truth(self) -> None:
        """Write what doesn't belong to a single scene."""
        landscape, done = self.landscape, self.acquisitions
        truth = self.folder / "truth"
        natural = self.switches.natural_disturbance
        make_folder(truth)
        event_table(landscape, natural=natural).to_parquet(truth / "events.parquet")
        for date in sorted({at.date for at in (*done.sentinel2, *done.sentinel1, *done.landsat)}):

            def draw(pixels: Pixels, date: Any = date) -> Layers:
                return {"": land_cover_of(landscape, pixels, date, self.switches)}

            cover = self._drawn(draw, landscape.pixels, {"": (np.uint8, 1)})[""]
            self._write_classes(f"land_cover/{date}", cover, landscape.geobox)
        self._write_changes()
        write_atomic(truth / "landscape.json", json.dumps(self._description(), indent=1))

    def _write_changes(self) -> None:
        """Write what has changed over the landscape's period."""
        landscape = self.landscape

        def draw(pixels: Pixels) -> Layers:
            changes = changes_between(
                landscape, pixels, landscape.start, landscape.end, self.switches
            )
            return changes._asdict()

        forms = {
            "from_class": (np.uint8, 1),
            "to_class": (np.uint8, 1),
            "first_changed": (np.int32, 1),
        }
        layers = self._drawn(draw, landscape.pixels, forms)
        for name in ("from_class", "to_class"):
            self._write_classes(f"changes/{name}", layers[name], landscape.geobox)
        days = Layer(layers["first_changed"], landscape.geobox, int(NO_DATE), is_classes=True)
        write_cog(self.folder / "truth" / "changes" / "first_changed.tif", days)

    def _sentinel2(self, at: Pass, tile: Tile) -> Iterator[pystac.Item]:
        """Write the scene of a tile, and its reprocessing if there is one."""
        day = day_number(at.date)
        draw = generator(self.landscape.seed, "duplicate", day, tile.name)
        versions = [at]
        if draw.uniform() < self.acquisitions.duplicate_share:
            versions.append(
                replace(at, processing_baseline=max(REPROCESSED, at.processing_baseline))
            )
        for number, version in enumerate(versions):
            yield self._sentinel2_version(version, tile, number)

    def _sentinel2_version(self, at: Pass, tile: Tile, number: int) -> pystac.Item:
        """Write one processing of a scene."""
        product = Product(
            self.acquisitions.collection, at.platform, tile.name, at.processing_baseline
        )

        def draw(pixels: Pixels) -> Layers:
            view = view_sentinel2(
                self.landscape, at, pixels, tile=tile.name, switches=self.switches,
                dn_offset=1000 if product.offset_is_in_dn else 0,
            )  # fmt: skip
            return {**view.bands, "scl": view.scl, "sky": view.sky}

        forms: dict[str, tuple[Any, int]] = {
            name: (np.uint16, metres // 10) for name, metres in SENTINEL2_BANDS.items()
        }
        layers = self._drawn(
            draw, tile.pixels, forms | {"scl": (np.uint8, 2), "sky": (np.uint8, 2)}
        )
        satellite = f"S{at.platform[-2:].upper()}"
        item_id = f"{satellite}_{tile.name}_{at.date:%Y%m%d}_{number}_L2A"
        self._write_classes(f"sky/{item_id}", layers.pop("sky"), tile.geobox.zoom_out(2))
        return write_scene(
            self.folder,
            item_id=item_id,
            datetime=at.moment(self.landscape.longitude_latitude[0]),
            scl=layers.pop("scl"),
            bands=layers,
            geobox=tile.geobox,
            product=product,
        )

    def _sentinel1(self, at: Pass) -> pystac.Item:
        """Write a radar scene."""

        def draw(pixels: Pixels) -> Layers:
            return view_sentinel1(self.landscape, at, pixels, self.switches)._asdict()

        forms = {"vv": (np.float32, 1), "vh": (np.float32, 1)}
        layers = self._drawn(draw, self.landscape.pixels, forms)
        geobox = self.landscape.geobox
        raw = radar_json(at, self.landscape.longitude_latitude[0], geobox)
        files = {
            radar_file(name): Layer(values, geobox, RADAR_NODATA) for name, values in layers.items()
        }
        return write_item(self.folder, raw, files)

    def _landsat(self, at: Pass, geobox: GeoBox) -> pystac.Item:
        """Write a Landsat scene."""

        def draw(pixels: Pixels) -> Layers:
            view = view_landsat(self.landscape, at, pixels, self.switches)
            return {**view.bands, "qa_pixel": view.qa_pixel, "sky": view.sky}

        names = ("coastal", "blue", "green", "red", "nir08", "swir16", "swir22", "qa_pixel")
        forms: dict[str, tuple[Any, int]] = dict.fromkeys(names, (np.uint16, 1))
        pixels = pixels_of(geobox, 30.0, origin=(15.0, 15.0))
        layers = self._drawn(draw, pixels, forms | {"sky": (np.uint8, 1)})
        sky = layers.pop("sky")
        raw = landsat_json(at, self.landscape.longitude_latitude[0], geobox, layers["qa_pixel"])
        self._write_classes(f"sky/{raw['id']}", sky, geobox)
        files = {
            landsat_file(name): Layer(
                values, geobox, 1 if name == "qa_pixel" else 0, is_classes=name == "qa_pixel"
            )
            for name, values in layers.items()
        }
        return write_item(self.folder, raw, files)

    def _drawn(
        self,
        draw: Callable[[Pixels], Layers],
        pixels: Pixels,
        forms: Mapping[str, tuple[Any, int]],
    ) -> dict[str, NDArray[Any]]:
        """Draw a window block by block; ``forms`` are dtype and coarseness of its layers."""
        whole = {
            name: np.empty((pixels.shape[0] // coarse, pixels.shape[1] // coarse), dtype)
            for name, (dtype, coarse) in forms.items()
        }

        def put(block: Pixels) -> None:
            rows, cols = block.within(pixels)
            for name, values in draw(block).items():
                k = forms[name][1]
                place = (
                    slice(rows.start // k, rows.stop // k),
                    slice(cols.start // k, cols.stop // k),
                )
                whole[name][place] = values

        for _ in self.pool.map(put, _blocks(pixels)):
            pass
        return whole

    def _write_classes(self, name: str, values: NDArray[np.uint8], geobox: GeoBox) -> None:
        """Write a map of the truth."""
        path = self.folder / "truth" / f"{name}.tif"
        make_folder(path.parent)
        write_cog(path, Layer(values, geobox, NO_TRUTH, is_classes=True))

    def _description(self) -> dict[str, Any]:
        """Return what was simulated."""
        landscape, done = self.landscape, self.acquisitions
        return {
            "seed": landscape.seed,
            "crs": str(landscape.geobox.crs),
            "transform": list(landscape.geobox.affine[:6]),
            "shape": list(landscape.geobox.shape),
            "start": str(landscape.start),
            "end": str(landscape.end),
            "land_use": asdict(landscape.land_use),
            "switches": asdict(self.switches),
            "collection": done.collection,
            "passes": {
                "sentinel-2": len(done.sentinel2),
                "sentinel-1": len(done.sentinel1),
                "landsat": len(done.landsat),
            },
            "land_cover_classes": {cover.name.lower(): cover.value for cover in LandCover},
            "sky_classes": {sky.name.lower(): sky.value for sky in Sky},
        }


def _blocks(pixels: Pixels) -> Sequence[Pixels]:
    """Return the blocks of a window."""
    return [
        Pixels(
            pixels.row0 + row, pixels.col0 + col,
            (min(BLOCK_PX, pixels.shape[0] - row), min(BLOCK_PX, pixels.shape[1] - col)),
            pixels.size_m, pixels.origin,
        )
        for row in range(0, pixels.shape[0], BLOCK_PX)
        for col in range(0, pixels.shape[1], BLOCK_PX)
    ]  # fmt: skip
