"""What a YAML becomes: defaults, extends, overrides, paths, and the way back."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pydantic
import pytest
import shapely
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cvlarray.config import LocalCluster, SchedulerAddress, Threads, load_config
from cvlarray.errors import ConfigError
from cvlarray.features import bands_of
from cvlarray.kernels.detectors import Bayesian, Consecutive, Cusum, Ewma, Mosum
from cvlarray.masking import OBSCURING
from cvlarray.names import QualityFlag

Write = Callable[..., Path]


def test_what_is_left_out_gets_its_default(write: Write) -> None:
    config = load_config(write())
    assert config.grid.tile_px == 1024
    assert config.store.shard_px == 512
    assert config.cluster == LocalCluster()
    assert config.masking.obscuring_flags == OBSCURING
    assert config.monitor.detector.build() == Consecutive()


def test_a_config_cannot_be_changed(write: Write) -> None:
    config = load_config(write())
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        config.name = "y"
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        config.grid.tile_px = 512


class TestExtends:
    def test_mappings_are_merged_and_lists_replaced(self, write: Write, minimal: str) -> None:
        write(minimal.replace("EPSG:32719", "EPSG:32719, tile_px: 1024"), "base.yaml")
        config = load_config(
            write(
                "extends: base.yaml\nname: y\ngrid: {resolution_m: 20}\n"
                "cube: {bands: [nir, red, scl]}"
            )
        )
        assert (config.name, config.grid.resolution_m, config.grid.tile_px) == ("y", 20, 1024)
        assert config.cube.bands == ("nir", "red", "scl")

    def test_three_files_deep(self, write: Write, minimal: str) -> None:
        write(minimal, "a/base.yaml")
        write("extends: ../a/base.yaml\nname: middle\ngrid: {tile_px: 512}", "b/middle.yaml")
        config = load_config(write("extends: b/middle.yaml\nname: top"))
        assert (config.name, config.grid.tile_px) == ("top", 512)

    def test_alternatives_are_replaced_whole(self, write: Write, minimal: str) -> None:
        write(minimal + "cluster: {kind: local, n_workers: 3}\n", "base.yaml")
        text = "region: {geometry: {type: Polygon, coordinates: [[[0,0],[1,0],[1,1],[0,0]]]}}"
        config = load_config(
            write(f"extends: base.yaml\n{text}\ncluster: {{kind: threads, n_threads: 2}}")
        )
        assert config.region.bbox is None
        assert config.cluster == Threads(n_threads=2)

    def test_paths_are_relative_to_the_file_they_stand_in(self, write: Write, minimal: str) -> None:
        base = write(minimal, "bases/base.yaml")
        config = load_config(write("extends: bases/base.yaml\nname: y"))
        assert config.workspace == base.parent / "out"
        assert config.search.source == str(base.parent / "s/catalog.json")


class TestOverrides:
    def test_they_win_over_the_file(self, write: Write) -> None:
        config = load_config(write(), {"grid": {"tile_px": 512}, "cluster": "threads"})
        assert config.grid.tile_px == 512
        assert config.grid.crs == "EPSG:32719"
        assert config.cluster == Threads()

    def test_their_paths_are_relative_to_the_working_directory(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write(name="configs/run.yaml")
        monkeypatch.chdir(tmp_path)
        assert load_config(path, {"workspace": Path("here")}).workspace == tmp_path / "here"

    def test_they_leave_the_callers_values_alone(self, write: Write) -> None:
        overrides = {"workspace": "here", "grid": {"tile_px": 512}}
        load_config(write(), overrides)
        assert overrides == {"workspace": "here", "grid": {"tile_px": 512}}


class TestPaths:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("sub/../out", "{folder}/out"),
            ("/abs/out", "/abs/out"),
            ("~/out", "/home/someone/out"),
            ("$PLACE/out", "/data/out"),
            ("${PLACE}x", "/datax"),
            ("a$$b", "{folder}/a$b"),
        ],
    )
    def test_workspace(
        self,
        write: Write,
        minimal: str,
        monkeypatch: pytest.MonkeyPatch,
        text: str,
        expected: str,
    ) -> None:
        monkeypatch.setenv("HOME", "/home/someone")
        monkeypatch.setenv("PLACE", "/data")
        path = write(minimal.replace("workspace: out", f"workspace: {text}"))
        assert str(load_config(path).workspace) == expected.format(folder=path.parent)

    def test_a_url_stays_as_it_is(self, write: Write, minimal: str) -> None:
        url = "https://example.com/v1/$x?a=~/b"
        config = load_config(write(minimal.replace("s/catalog.json", f'"{url}"')))
        assert config.search.source == url

    def test_source_may_lie_in_the_workspace(self, write: Write, minimal: str) -> None:
        path = write(minimal.replace("s/catalog.json", '"{workspace}/items.parquet"'))
        assert load_config(path).search.source == str(path.parent / "out/items.parquet")
        moved = load_config(path, {"workspace": "/elsewhere"})
        assert moved.search.source == "/elsewhere/items.parquet"

    def test_layers_lie_beside_the_yaml_and_come_back_as_they_were(
        self, write: Write, minimal: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LAYERS", "official")
        files = {"name": "a", "role": "road", "source": {"path": ["$LAYERS/a.shp", "b $$1.shp"]}}
        one = {"name": "b", "role": "river", "source": {"path": "../c.gpkg"}}
        wfs = {"url": "https://example.org/wfs?x=$1", "typename": "t"}
        service = {"name": "c", "role": "river", "source": wfs}
        path = write(f"{minimal}layers: {json.dumps([files, one, service])}")
        config = load_config(path)
        folder = path.parent
        assert config.layers[0].source.path == (folder / "official/a.shp", folder / "b $1.shp")
        assert config.layers[1].source.path == (folder.parent / "c.gpkg",)
        assert config.layers[2].source.url == wfs["url"]
        again = folder / "again.yaml"
        again.write_text(config.to_yaml())
        assert load_config(again) == config


class TestMasking:
    def test_flags_are_named_and_no_observation_is_never_clear(
        self, write: Write, minimal: str
    ) -> None:
        text = minimal + "masking: {obscuring: [cloud, water]}\n"
        expected = QualityFlag.CLOUD | QualityFlag.WATER | QualityFlag.FILL
        assert load_config(write(text)).masking.obscuring_flags == expected


class TestFeatures:
    @pytest.mark.parametrize("feature", ["ndvi", "nbr", "ndmi"])
    def test_any_vegetation_index_tells_where_forest_stood(
        self, write: Write, minimal: str, feature: str
    ) -> None:
        text = minimal.replace("[red, nir, scl]", "[red, nir, swir16, swir22, scl]")
        config = load_config(write(f"{text}baseline: {{features: [{feature}]}}\n"))
        assert config.baseline.features == (feature,)

    def test_a_band_may_be_stood_in_for(self, write: Write, minimal: str) -> None:
        text = minimal.replace("[red, nir, scl]", "[red, nir08, swir16, scl]")
        config = load_config(write(text + "baseline: {features: [ndvi, ndmi]}\n"))
        cube = dict.fromkeys(config.cube.bands)
        assert bands_of(config.baseline.features, cube) == ("nir08", "red", "swir16")


class TestPeriods:
    def test_today_is_the_day_of_reading(self, write: Write, minimal: str) -> None:
        before = dt.datetime.now(dt.UTC).date()
        config = load_config(write(minimal.replace("2021-01-31", "today")))
        assert before <= config.periods.monitoring.end <= dt.datetime.now(dt.UTC).date()

    def test_a_year_of_history_is_enough(self, write: Write, minimal: str) -> None:
        text = minimal.replace("2015-08-01", "2017-09-01")
        assert load_config(write(text)).periods.history.start == dt.date(2017, 9, 1)
        with pytest.raises(
            ConfigError, match=r"periods.history: expected 365 days or more, got .364"
        ):
            load_config(write(text.replace("2017-09-01", "2017-09-02")))


class TestCluster:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("threads", Threads()),
            ("local", LocalCluster()),
            ("tcp://10.0.0.1:8786", SchedulerAddress(address="tcp://10.0.0.1:8786")),
            (
                "tls://dask.example.com:8786",
                SchedulerAddress(address="tls://dask.example.com:8786"),
            ),
            ("{kind: local, memory_limit: 4GiB}", LocalCluster(memory_limit="4GiB")),
        ],
    )
    def test_words_addresses_and_mappings(
        self, write: Write, minimal: str, text: str, expected: object
    ) -> None:
        assert load_config(write(f"{minimal}cluster: {text}\n")).cluster == expected
        if not text.startswith("{"):
            assert load_config(write(), {"cluster": text}).cluster == expected


class TestRegion:
    triangle = shapely.Polygon([(0, 0), (2, 0), (0, 2)])

    def region(self, write: Write, minimal: str, text: str) -> Any:
        return load_config(write(minimal.replace("bbox: [1, 2, 3, 4]", text))).region.to_geometry()

    def test_bbox(self, write: Write, minimal: str) -> None:
        region = self.region(write, minimal, "bbox: [-70.5, -13, -69, -12]")
        assert region.equals(shapely.box(-70.5, -13, -69, -12))

    @pytest.mark.parametrize(
        "geometry",
        [
            triangle,
            shapely.box(0, 0, 9, 9).difference(triangle.buffer(0.1).union(shapely.box(5, 5, 6, 6))),
            shapely.MultiPolygon([triangle, shapely.box(5, 5, 6, 6)]),
        ],
    )
    def test_geojson(self, write: Write, minimal: str, geometry: Any) -> None:
        region = self.region(write, minimal, f"geometry: {shapely.to_geojson(geometry)}")
        assert region.equals(geometry)
        assert region.geom_type == geometry.geom_type

    @pytest.mark.parametrize("name", ["r.geojson", "r.gpkg", "r.parquet"])
    def test_file_in_any_crs(self, write: Write, minimal: str, name: str, tmp_path: Path) -> None:
        box = shapely.box(-70, -13, -69, -12)
        parts = gpd.GeoSeries(
            [shapely.box(-70, -13, -69.5, -12), shapely.box(-69.5, -13, -69, -12)]
        )
        table = gpd.GeoDataFrame(geometry=parts.set_crs(4326).to_crs(32719))
        table.to_parquet(tmp_path / name) if name.endswith("parquet") else table.to_file(
            tmp_path / name
        )
        region = self.region(write, minimal, f"file: {name}")
        assert region.symmetric_difference(box).area < 1e-4 * box.area

    def test_file_without_polygons(self, write: Write, minimal: str, tmp_path: Path) -> None:
        points = gpd.GeoDataFrame(geometry=[shapely.Point(0, 0)], crs=4326)
        points.to_file(tmp_path / "p.gpkg")
        with pytest.raises(
            ConfigError, match=r"p\.gpkg: region\.file: expected polygons, got Point"
        ):
            self.region(write, minimal, "file: p.gpkg")

    def test_file_that_is_none(self, write: Write, minimal: str, tmp_path: Path) -> None:
        (tmp_path / "p.gpkg").write_text("<html>")
        with pytest.raises(
            ConfigError, match=r"p\.gpkg: region\.file: expected a vector file, got"
        ):
            self.region(write, minimal, "file: p.gpkg")

    def test_file_without_crs(self, write: Write, minimal: str, tmp_path: Path) -> None:
        gpd.GeoDataFrame(geometry=[self.triangle]).to_parquet(tmp_path / "p.parquet")
        with pytest.raises(ConfigError, match="expected a vector file with a CRS, got none"):
            self.region(write, minimal, "file: p.parquet")


class TestWayBack:
    """The filled-in config that a run writes reads back as the same config."""

    def test_every_key_is_explicit(self, write: Write) -> None:
        config = load_config(write())
        assert yaml.safe_load(config.to_yaml()) == config.model_dump(mode="json")

    texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)

    @pytest.mark.parametrize(
        "text",
        [
            "no",
            "1e3",
            "1.",
            "0o7",
            "0x1F",
            "2018-01-01",
            "~",
            "null",
            "1:30",
            "010",
            "$HOME",
            "# x",
        ],
    )
    def test_text_that_looks_like_something_else(self, write: Write, text: str) -> None:
        overrides = {"report": {"title": text}, "workspace": "/a/" + text.replace("$", "$$")}
        config = load_config(write(), overrides)
        assert (config.report.title, config.workspace) == (text, Path("/a", text))
        assert load_config(write(config.to_yaml(), "filled.yaml")) == config

    @given(
        title=st.none() | texts,
        folder=texts.map(lambda text: text.replace("/", "").strip(". ~{") or "x"),
        resolution=st.floats(0.5, 1000),
        anchor=st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)),
        cluster=st.sampled_from(["threads", "local", "tcp://a:1"]),
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    def test_round_trip(
        self,
        write: Write,
        title: str | None,
        folder: str,
        resolution: float,
        anchor: tuple[float, float],
        cluster: str,
    ) -> None:
        config = load_config(
            write(),
            {
                "report": {"title": title},
                "workspace": "/" + folder.replace("$", "$$"),
                "grid": {"resolution_m": resolution, "anchor_m": anchor},
                "cluster": cluster,
                "search": {"source": "{workspace}/catalog.json"},
            },
        )
        assert config.workspace == Path("/", folder)
        assert config.report.title == title
        assert load_config(write(config.to_yaml(), "filled.yaml")) == config

    def test_what_is_hashed_does_not_depend_on_spelling(self, write: Write, minimal: str) -> None:
        lines = minimal.splitlines(keepends=True)
        reordered = "".join([lines[3], *lines[:3], *lines[4:]]).replace(
            "[1, 2, 3, 4]", "[1.0, 2, 3e0, 4]"
        )
        assert reordered != minimal
        one, other = (
            load_config(write(text)).model_dump(mode="json") for text in (minimal, reordered)
        )
        assert json.dumps(one) == json.dumps(other)


@pytest.mark.parametrize("detector", [Consecutive(), Ewma(), Cusum(), Mosum(), Bayesian()])
def test_every_detector_by_its_kind_has_the_kernels_defaults(write, minimal, detector):
    kind = type(detector).__name__.lower()
    config = load_config(write(minimal + f"monitor: {{detector: {{kind: {kind}}}}}\n"))
    assert config.monitor.detector.build() == detector


def test_settings_of_a_detector(write, minimal):
    text = "monitor: {detector: {kind: mosum, window: 7, limit: 1.5, threshold: 2.0, cap: 4.0}}\n"
    config = load_config(write(minimal + text))
    assert config.monitor.detector.build() == Mosum(2.0, 7, 1.5, 4.0)
