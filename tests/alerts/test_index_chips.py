"""Pictures of an index: fixed colours, the outline, grey where nothing was seen."""

from __future__ import annotations

import io

import numpy as np
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from PIL import Image

from cvlarray.alerts.index_chips import index_png
from cvlarray.alerts.window import alert_window
from cvlarray.grid import project
from cvlarray.names import NODATA_DN

GRID = GeoBox((64, 64), Affine(10, 0, 350_000, 0, -10, 8_560_000), "EPSG:32719")


def test_forest_ground_and_nothing():
    pit = shapely.box(350_280, 8_559_680, 350_360, 8_559_720)
    window = alert_window(project(pit, "EPSG:32719", "EPSG:4326"), GRID, size_px=64)
    values = np.full(window.geobox.shape, 9000, np.int16)
    values[window.is_inside] = 0
    values[:8] = NODATA_DN
    png = index_png(values, window)
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    factor = picture.shape[0] // 64
    forest, ground = picture[40 * factor, 4 * factor], picture[30 * factor, 32 * factor]
    unseen = picture[2 * factor, 32 * factor]
    assert forest[1] > forest[0] + 30
    assert ground[0] > ground[1] + 60
    assert np.ptp(unseen) < 8
    assert len(png) < 32_000
    outlined = (np.abs(picture - (255, 214, 10)).max(axis=2) < 4).sum()
    assert outlined > 2 * (8 + 4) * factor * 0.8
