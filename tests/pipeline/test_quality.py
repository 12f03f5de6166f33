"""What a run makes of masks: flags, halos, the share that needs SAR, and offsets that are wrong."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pystac
import pytest
import xarray as xr
import yaml
from shapely.geometry import mapping
from typer.testing import CliRunner

from cvlarray.cli.app import app
from cvlarray.cluster import executor
from cvlarray.config import load_config
from cvlarray.errors import ConfigError
from cvlarray.grid import outline
from cvlarray.masking import FmaskQuality, SclQuality, drop_specks, grow_flags
from cvlarray.names import NODATA_DN, QUALITY, READ, QualityFlag
from cvlarray.pipeline import Stage, run_pipeline
from cvlarray.pipeline.progress import LogProgress
from cvlarray.pipeline.quality import quality_provider
from cvlarray.sensors import read_item
from cvlarray.simulate import write_catalog
from cvlarray.simulate.cog import Layer, write_item
from cvlarray.store import Ledger, Workspace, open_raw
from tests.pipeline.forest import DATES, GEOBOX, run_settings
from tests.test_sensors import s1_item

TILE_PX = 32


def ingested(path) -> tuple[xr.Dataset, Workspace]:
    """Run the ingest of a config and return the cube."""
    config = load_config(path)
    with executor(config.cluster) as workers:
        run_pipeline(config, workers, LogProgress(), last=Stage.INGEST)
    workspace = Workspace(config.workspace)
    return open_raw(workspace.cube).compute(), workspace


@pytest.fixture(scope="module")
def forest(forest_source, tmp_path_factory) -> tuple[xr.Dataset, Workspace]:
    folder = tmp_path_factory.mktemp("quality")
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(run_settings(forest_source, folder / "workspace")))
    return ingested(path)


def test_flags_of_the_scene_classes_are_a_cf_variable_of_the_cube(forest):
    cube, workspace = forest
    flags = {4: 0, 9: QualityFlag.CLOUD}  # the forest's scenes are vegetation and cloud
    expected = np.vectorize(flags.get)(cube["scl"].to_numpy())
    np.testing.assert_array_equal(cube["quality"], expected)
    plain = xr.open_zarr(workspace.cube)["quality"]
    assert plain.attrs["flag_masks"] == QUALITY.attrs["flag_masks"] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert plain.attrs["flag_meanings"].split()[:2] == ["cloud", "shadow"]


def test_dates_with_more_than_sixty_percent_masked_need_sar(forest):
    cube, workspace = forest
    is_cloud = cube["scl"].to_numpy() == 9
    for number, tile in enumerate(cube["tile"].to_numpy()):
        row, column = int(tile[1:4]), int(tile[5:8])
        part = is_cloud[
            :, row * TILE_PX : (row + 1) * TILE_PX, column * TILE_PX : (column + 1) * TILE_PX
        ]
        share = part.mean(axis=(1, 2))
        np.testing.assert_allclose(cube["masked_share"][:, number], share, atol=1e-6)
        np.testing.assert_array_equal(cube["needs_sar"][:, number], share > 0.6)
        with Ledger(workspace.ledger) as ledger:
            rows = [r for r in ledger.rows(Stage.INGEST) if r.unit.startswith(f"{tile}/")]
        in_ledger = sorted(day for r in rows for day in r.detail["needs_sar"])
        assert in_ledger == [str(d) for d, s in zip(DATES, share, strict=True) if s > 0.6]
    assert cube["needs_sar"].any()
    assert not cube["needs_sar"].all()


def test_growing_and_dropping_do_not_see_tiles(forest, forest_source, write_config):
    cube, _ = forest
    settings = {"grow_px": 5, "min_object_px": 60}
    lean = {"bands": ["red", "nir"]}
    shaped, _ = ingested(write_config(forest_source, "shaped", masking=settings, cube=lean))
    # Clouds of 12 × 12 px that a tile's border cuts in two, of which one half may be small.
    expected = grow_flags(drop_specks(SclQuality()(cube[["scl"]]), 60), 5)
    np.testing.assert_array_equal(shaped["quality"], expected)
    np.testing.assert_array_equal(shaped["red"], cube["red"])
    assert (shaped["quality"] != cube["quality"]).any()
    assert "scl" not in shaped  # read for the mask, not kept


def test_clouds_by_their_bands_or_by_the_scene_classes(forest, forest_source, write_config):
    cube, _ = forest
    either, _ = ingested(write_config(forest_source, "either", masking={"provider": "both"}))
    own = FmaskQuality(("red", "nir"))
    expected = np.empty(cube["scl"].shape, np.uint8)
    for row, column in np.ndindex(2, 2):
        part = {
            "y": slice(row * TILE_PX, (row + 1) * TILE_PX),
            "x": slice(column * TILE_PX, (column + 1) * TILE_PX),
        }
        tile = cube[["red", "nir", "scl"]].isel(part)
        expected[:, part["y"], part["x"]] = own(tile) | SclQuality()(tile)
    np.testing.assert_array_equal(either["quality"], expected)
    assert (expected != cube["quality"].to_numpy()).any()


def test_masks_of_landsat_are_its_own_flags(tmp_path, write_config):
    clear, cloud, shadow, water = 21824, 22280, 23888, 21952  # USGS, LSDS-1619, table 6-3
    qa = np.full(GEOBOX.shape, clear, np.uint16)
    qa[:10], qa[10:20], qa[20:30], qa[30:34] = cloud, shadow, water, 1
    radsat = np.zeros(GEOBOX.shape, np.uint16)
    radsat[40:44] = 1 << 3  # band 4, red
    items = [landsat_item(tmp_path / "source", date, qa, radsat) for date in DATES[:40:3]]
    write_catalog(tmp_path / "source", items)
    path = write_config(
        tmp_path / "source",
        search={"source": str(tmp_path / "source/catalog.json"), "collections": ["landsat-c2-l2"]},
        cube={"bands": ["red", "nir08"]},
        periods={
            "history": {"start": "2018-01-01", "end": "2018-12-31"},
            "monitoring": {"start": "2019-01-01", "end": "2019-12-31"},
        },
    )
    cube, _ = ingested(path)
    expected = np.zeros(GEOBOX.shape, np.uint8)
    expected[:10], expected[10:20] = QualityFlag.CLOUD, QualityFlag.SHADOW
    expected[20:30], expected[30:34] = QualityFlag.WATER, QualityFlag.FILL
    expected[40:44] = QualityFlag.SATURATED
    for layer in cube["quality"].to_numpy():
        np.testing.assert_array_equal(layer, expected)
    assert cube["masked_share"].dtype == np.float32
    assert (cube["read_status"] == READ).all()
    # DN 8000 × 0.275 - 2000
    assert set(np.unique(cube["red"])) == {200}


def landsat_item(folder, date, qa, radsat) -> pystac.Item:
    """Write a Landsat scene of even DN."""
    dn = np.full(GEOBOX.shape, 8000, np.uint16)
    layers = {
        "red.TIF": Layer(dn, GEOBOX, 0),
        "nir08.TIF": Layer(dn, GEOBOX, 0),
        "qa_pixel.TIF": Layer(qa, GEOBOX, 1, is_classes=True),
        "qa_radsat.TIF": Layer(radsat, GEOBOX, None, is_classes=True),
    }
    place = outline(GEOBOX)
    raw = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"LC09_L2SP_002068_{date:%Y%m%d}_02_T1",
        "collection": "landsat-c2-l2",
        "geometry": mapping(place),
        "bbox": list(place.bounds),
        "properties": {
            "datetime": f"{date}T14:50:00Z",
            "platform": "landsat-9",
            "proj:epsg": 32719,
            "landsat:wrs_path": "002",
            "landsat:wrs_row": "068",
        },
        "links": [],
        "assets": {name.removesuffix(".TIF"): {"href": f"./{name}"} for name in layers},
    }
    return write_item(folder, raw, layers)


def test_radar_alone_is_refused_for_its_lack_of_a_mask(forest_source, write_config):
    config = load_config(write_config(forest_source))
    with pytest.raises(ConfigError, match="sentinel-1 brings no mask of its own"):
        quality_provider(config, [read_item(s1_item())])


def test_a_catalogue_that_is_wrong_about_the_offset_is_found_out(source, write_config, caplog):
    """Baseline 04.00, made before the provider subtracted, flag false: the rule says -1000."""
    for path in source.glob("*/*/S2A_19LDF_*.json"):
        item = json.loads(path.read_text())
        item["properties"] |= {
            "s2:processing_baseline": "04.00",
            "s2:generation_time": "2022-02-01T00:00:00Z",
            "earthsearch:boa_offset_applied": False,
        }
        path.write_text(json.dumps(item))
    cube, workspace = ingested(write_config(source))
    seen = cube["red"].where(cube["red"] != NODATA_DN)
    assert float(seen.median()) == pytest.approx(-700, abs=30)
    (line,) = [r.message for r in caplog.records if "contradict" in r.message]
    assert "sentinel-2-l2a/earth-search, baseline 04.00" in line
    with Ledger(workspace.ledger) as ledger:
        verdicts = [v for r in ledger.rows(Stage.INGEST) for v in r.detail["boa_offset"].values()]
    assert set(verdicts) == {"contradicts"}


def test_a_right_offset_agrees(forest):
    _, workspace = forest
    with Ledger(workspace.ledger) as ledger:
        verdicts = [v for r in ledger.rows(Stage.INGEST) for v in r.detail["boa_offset"].values()]
    assert set(verdicts) == {"agrees"}


def test_tables_and_picture_of_what_was_seen(forest):
    cube, workspace = forest
    result = CliRunner().invoke(app, ["coverage", str(workspace.run_yaml)])
    assert result.exit_code == 0
    folder = workspace.coverage
    months = np.genfromtxt(folder / "months.csv", delimiter=",", names=True, dtype=None)
    june = months[[str(start).startswith("2018-06") for start in months["start"]]][0]
    dates = [date for date in DATES if (date.year, date.month) == (2018, 6)]
    at = [dt.date(2018, 1, 5) + dt.timedelta(days=12 * i) in dates for i in range(len(DATES))]
    needs = cube["needs_sar"].to_numpy()[at]
    assert june["n_dates"] == len(dates)
    assert june["clear_tile_dates"] == pytest.approx((~needs).mean(), abs=1e-4)
    assert (folder / "coverage.png").read_bytes().startswith(b"\x89PNG")
