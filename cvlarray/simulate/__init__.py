"""An invented rainforest whose every change is known, and scenes of it as real files.

`Landscape` says what and where, `Calendar` and `Acquisitions` who looks and when, `Switches` what
trouble there is. `simulate_region` writes COGs and STAC Items; `sentinel2_cube`, `sentinel1_cube`,
`landsat_cube` and `truth_cube` draw the same pixels lazily, without files.
"""

from cvlarray.simulate.acquisitions import Acquisitions, Calendar, Pass, Sensor
from cvlarray.simulate.arrays import (
    landsat_cube,
    landsat_grid,
    sentinel1_cube,
    sentinel2_cube,
    truth_cube,
)
from cvlarray.simulate.history import event_table
from cvlarray.simulate.item import Product
from cvlarray.simulate.landcover import LandCover, Sky
from cvlarray.simulate.landscape import Landscape, LandUse
from cvlarray.simulate.quicklook import quicklook
from cvlarray.simulate.region import simulate_region
from cvlarray.simulate.scene import write_catalog, write_scene
from cvlarray.simulate.switches import Switches
from cvlarray.simulate.tiles import Tile, tiles_of
from cvlarray.simulate.truth import Changes, changes_between, land_cover_of

__all__ = [
    "Acquisitions",
    "Calendar",
    "Changes",
    "LandCover",
    "LandUse",
    "Landscape",
    "Pass",
    "Product",
    "Sensor",
    "Sky",
    "Switches",
    "Tile",
    "changes_between",
    "event_table",
    "land_cover_of",
    "landsat_cube",
    "landsat_grid",
    "quicklook",
    "sentinel1_cube",
    "sentinel2_cube",
    "simulate_region",
    "tiles_of",
    "truth_cube",
    "write_catalog",
    "write_scene",
]
