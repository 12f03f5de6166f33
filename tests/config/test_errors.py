"""Each mistake gives one line: file, line, key, what was expected, what arrived."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvlarray.config import load_config
from cvlarray.errors import ConfigError

Write = Callable[..., Path]

BOX = "bbox: [1, 2, 3, 4]"
CRS = "crs: EPSG:32719"
BANDS = "[red, nir, scl]"


def message(path: Path, overrides: dict[str, Any] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    text = str(caught.value)
    assert "\n" not in text
    return text


def mistakes() -> dict[tuple[str, str], str]:
    """Return what to replace by what in the minimal run, and the message it must give."""
    return {
        # unknown keys, with the nearest known one
        (CRS, f"{CRS}, tile_pix: 3"): "4: grid.tile_pix: unknown key, expected one of crs, "
        "resolution_m, anchor_m, tile_px, got tile_pix; did you mean tile_px?",
        (
            "name: x",
            "name: x\nclustr: local",
        ): "2: clustr: unknown key, expected one of extends, name, workspace, region, grid, "
        "search, periods, cube, store, masking, normalize, baseline, monitor, models, vectorize, "
        "events, alerts, layers, enrichment, routing, delivery, report, reanalysis, cluster, got "
        "clustr; "
        "did you mean cluster?",
        (
            "name: x",
            "name: x\ncluster: {kind: local, n_worker: 3}",
        ): "2: cluster.n_worker: unknown key, "
        "expected one of kind, n_workers, threads_per_worker, memory_limit, dashboard_address, "
        "got n_worker; did you mean n_workers?",
        (BOX, "zzz: 1, bbox: [1, 2, 3, 4]"): "3: region.zzz: unknown key, expected one of bbox, "
        "geometry, file, got zzz",
        # layers and rules, which are lists
        (
            "name: x",
            "name: x\nlayers: [{name: a, role: raod, source: {path: a.gpkg}}]",
        ): "2: layers.0.role: expected 'strict_protection', 'communal_reserve', 'buffer_zone', "
        "'concession', 'indigenous_territory', 'road', 'river', 'admin_unit' or "
        "'external_alerts', got \"raod\"; did you mean road?",
        (
            "name: x",
            "name: x\nlayers:\n- {name: a, role: road, source: {table: a, geom: g}}",
        ): "3: layers.0.source.geom: unknown key, expected one of table, schema_name, geometry, "
        "database, got geom; did you mean geometry?",
        (
            "name: x",
            "name: x\nlayers: [{name: a, role: road, source: {}}]",
        ): "2: layers.0.source.path: expected path, or list of paths, each in its own CRS. "
        "Relative to the YAML; got nothing",
        (
            "name: x",
            "name: x\nlayers: [{name: a, role: external_alerts, source: {path: a}}]",
        ): "2: layers.0: external alerts need columns.date: undated ones match nothing",
        (
            "name: x",
            "name: x\nrouting: {rules: [{name: parks, priority: high, roles: [road]}]}",
        ): "2: routing: the last rule must match every alert, got 'parks'",
        (
            "name: x",
            "name: x\nrouting: {partners: [{name: a, tier: academic, area: x}]}",
        ): "2: routing.partners.0.area: an area is WKT or a GeoJSON geometry: ParseException: "
        "Unknown type: 'X'",
        # delivery
        (
            "name: x",
            "name: x\ndelivery: {channels: [{kind: directory, partner: ranger, path: a}]}",
        ): '2: delivery.channels.0.partner: expected one of routing.partners (none), got "ranger"',
        (
            "name: x",
            "name: x\nrouting: {partners: [{name: a, tier: government}]}\n"
            "delivery: {channels: [{kind: directory, partner: a, path: a}]}",
        ): "3: delivery.signing: expected who signs the evidence packages of a, got null",
        (
            "name: x",
            "name: x\ndelivery: {channels: [{kind: webhook, partner: a, secret_env: S, "
            "url: 'https://me:hunter2@example.org'}]}",
        ): "2: delivery.channels.0.url: expected a URL without user and password; name a variable "
        "for them",
        (
            "name: x",
            "name: x\ndelivery: {channels: [{kind: mail, partner: a, password: hunter2, "
            "to: a@b.org, sender: a@b.org, host: h}]}",
        ): "2: delivery.channels.0.password: unknown key, expected one of partner, name, kind, to, "
        "sender, host, port, encryption, user_env, password_env, timeout_s, got password; did you "
        "mean password_env?",
        (
            "name: x",
            "name: x\nevents: {pending: 5}",
        ): "2: events.pending: expected at most monitor.detector.count = 4, got 5",
        # types
        (CRS, f"{CRS}, tile_px: true"): "4: grid.tile_px: expected a whole number, got true",
        (CRS, f"{CRS}, tile_px: '512'"): '4: grid.tile_px: expected a whole number, got "512"',
        (CRS, f"{CRS}, tile_px: 512.0"): "4: grid.tile_px: expected a whole number, got 512.0",
        (CRS, f"{CRS}, tile_px: 0512"): '4: grid.tile_px: expected a whole number, got "0512"',
        (CRS, f"{CRS}, tile_px:"): "4: grid.tile_px: expected a whole number, got null",
        (CRS, f"{CRS}, resolution_m: yes"): '4: grid.resolution_m: expected a number, got "yes"',
        (
            CRS,
            f"{CRS}, resolution_m: .inf",
        ): "4: grid.resolution_m: expected a finite number, got Infinity",
        (CRS, f"{CRS}, anchor_m: [1]"): "4: grid.anchor_m.1: expected a value; got nothing",
        (
            CRS,
            f"{CRS}, anchor_m: [1, 2, 3]",
        ): "4: grid.anchor_m: expected 2 values or fewer, got [1, 2, 3]",
        (CRS, f"{CRS}, anchor_m: [1, a]"): '4: grid.anchor_m.1: expected a number, got "a"',
        (
            "{crs: EPSG:32719}",
            "EPSG:32719",
        ): '4: grid: expected a mapping of keys, got "EPSG:32719"',
        (BANDS, "red"): '9: cube.bands: expected a list, got "red"',
        ("name: x", "name: 1"): "1: name: expected text, got 1",
        (
            "name: x",
            "name: 1_000 m",
        ): '1: name: expected name of the run: up to 64 of a-z, 0-9, _ and -; got "1_000 m"',
        # ranges
        (CRS, f"{CRS}, tile_px: 0"): "4: grid.tile_px: expected 16 or more, got 0",
        (
            CRS,
            f"{CRS}, resolution_m: 1e4",
        ): "4: grid.resolution_m: expected 1000.0 or less, got 10000.0",
        (BANDS, "[]"): "9: cube.bands: expected 1 values or more, got []",
        (BANDS, "[red, nri, scl]"): "9: cube.bands.1: expected 'coastal', 'blue', 'green', 'red', "
        "'rededge1', 'rededge2', 'rededge3', 'nir', 'nir08', 'nir09', 'swir16', 'swir22', 'scl', "
        "'qa_pixel', 'qa_radsat', 'green_i', 'yellow', 'udm2_clear', 'udm2_snow', 'udm2_shadow', "
        "'udm2_haze_light', 'udm2_haze_heavy', 'udm2_cloud', 'udm2_confidence', 'udm2_unusable', "
        "'vv' or 'vh', "
        'got "nri"; did you mean nir?',
        # missing
        (CRS, ""): "4: grid.crs: expected projected CRS in metres, such as EPSG:32719; got nothing",
        ("grid: {crs: EPSG:32719}\n", ""): " grid: expected the pixel grid; got nothing",
        # CRS
        (
            CRS,
            "crs: EPSG:4326",
        ): '4: grid.crs: expected a projected CRS in metres such as EPSG:32719, got "EPSG:4326"',
        (
            CRS,
            "crs: EPSG:2263",
        ): '4: grid.crs: expected a projected CRS in metres such as EPSG:32719, got "EPSG:2263"',
        (CRS, "crs: utm19"): '4: grid.crs: expected a CRS such as EPSG:32719, got "utm19"',
        # region
        (
            BOX,
            "bbox: [3, 2, 1, 4]",
        ): "3: region.bbox: expected west < east (split a region that crosses "
        "the antimeridian), got [3.0, 2.0, 1.0, 4.0]",
        (
            BOX,
            "bbox: [1, 4, 3, 2]",
        ): "3: region.bbox: expected south < north, got [1.0, 4.0, 3.0, 2.0]",
        (BOX, "bbox: [1, 2, 181, 4]"): "3: region.bbox.2: expected 180.0 or less, got 181",
        (BOX, "bbox: [1, -91, 3, 4]"): "3: region.bbox.1: expected -90.0 or more, got -91",
        (BOX, ""): '3: region: expected exactly one of bbox, geometry and file, got "none of them"',
        (
            BOX,
            f"{BOX}, file: r.gpkg",
        ): '3: region: expected exactly one of bbox, geometry and file, got "bbox and file"',
        (
            BOX,
            "geometry: {type: Point, coordinates: [0, 0]}",
        ): "3: region.geometry: expected 'type' to be "
        "one of 'Polygon', 'MultiPolygon', got \"Point\"",
        (BOX, "geometry: {type: Polygon, coordinates: [[[0,0],[1,1],[0,1],[1,0],[0,0]]]}"): "3: "
        'region.geometry.coordinates: expected a valid polygon, got "Self-intersection[0.5 0.5]"',
        (BOX, "geometry: {type: Polygon, coordinates: [[[0,0],[1,1],[0,1],[1,0]]]}"): "3: "
        "region.geometry.coordinates: expected a ring that ends where it starts, at [0.0, 0.0], "
        "got [1.0, 0.0]",
        (BOX, "geometry: {type: Polygon, coordinates: [[[0,0],[1,1],[2,2],[0,0]]]}"): "3: "
        'region.geometry.coordinates: expected a valid polygon, got "Self-intersection[1 1]"',
        # dates
        ("2018-08-31", "2018-02-30"): "7: periods.history.end: expected a valid date in the format "
        'YYYY-MM-DD, day value is outside expected range, got "2018-02-30"',
        ("2018-08-31", "20180831"): "7: periods.history.end: expected a valid date, got 20180831",
        (
            "2018-08-31",
            "2014-08-31",
        ): '7: periods.history.end: expected a date after start = 2015-08-01, got "2014-08-31"',
        ("2021-01-31", "2018-09-01"): "8: periods.monitoring.end: expected a date after start = "
        '2018-09-01, got "2018-09-01"',
        (
            "2021-01-31",
            "tomorrow",
        ): '8: periods.monitoring.end: expected a date YYYY-MM-DD, or today, got "tomorrow"',
        (
            "2021-01-31",
            "20210131",
        ): "8: periods.monitoring.end: expected a valid date, got 20210131",
        (
            "2018-09-01",
            "2018-08-31",
        ): "8: periods.monitoring.start: expected a date after history.end = "
        '2018-08-31, got "2018-08-31"',
        # sections that must agree
        (
            CRS,
            f"{CRS}, tile_px: 1000",
        ): "4: grid.tile_px: expected a multiple of store.shard_px = 512, got 1000",
        ("name: x", "name: x\nstore: {chunk_px: 100}"): "2: store.shard_px: expected a multiple of "
        "chunk_px = 100, got 512",
        (BANDS, f"{BANDS}, time_block: 25"): "9: cube.time_block: expected a multiple of "
        "store.time_shard = 24, got 25",
        (
            BANDS,
            "[red, scl]",
        ): '9: cube.bands: expected nir too, for baseline.features, got ["red", "scl"]',
        (
            f"cube: {{bands: {BANDS}}}",
            "cube: {bands: [nir, swir22]}\nbaseline: {features: [nbr]}\nmasking: {provider: fmask}",
        ): "9: cube.bands: expected blue, green or red too, for masking.provider = fmask, got "
        '["nir", "swir22"]',
        (
            BANDS,
            "[red, red, scl]",
        ): '9: cube.bands: expected each band once, got ["red", "red", "scl"]',
        ("name: x", "name: x\nbaseline: {harmonic_order: 4, min_observations: 10}"): "2: "
        "baseline.min_observations: expected more than the model's 10 coefficients, got 10",
        (
            "name: x",
            "name: x\nbaseline: {features: [red]}",
        ): "2: baseline.features: expected one of ndvi, nbr, ndmi too, to tell where forest "
        'stood, got ["red"]',
        # cluster
        (
            "name: x",
            "name: x\ncluster: dask",
        ): "2: cluster: expected 'kind' to be one of 'threads', 'local', 'scheduler', 'cuda', "
        "'slurm', 'kubernetes', 'gateway', got \"dask\"",
        ("name: x", "name: x\ncluster: tcp://host"): "2: cluster: expected where the work is done: "
        "threads, local, cuda, slurm, a scheduler's address (tcp://host:port), or a mapping with "
        'one of these kinds, kubernetes or gateway; got "tcp://host"',
        ("name: x", "name: x\ncluster: 4"): "2: cluster: expected a mapping of keys, got 4",
        (
            "name: x",
            "name: x\ncluster: {n_workers: 4}",
        ): "2: cluster: expected the key 'kind', got a mapping with n_workers",
        # paths
        ("workspace: out", "workspace: $NO_SUCH_PLACE/out"): "2: workspace: expected a path whose "
        'variables are set, got "$NO_SUCH_PLACE/out": no variable NO_SUCH_PLACE',
        (
            "workspace: out",
            "workspace: a$/out",
        ): "2: workspace: expected a path whose variables are set, "
        'got "a$/out": Invalid placeholder in string: line 1, col 2',
        # YAML
        (
            "{crs: EPSG:32719}",
            "{crs: EPSG:32719",
        ): "5: expected YAML, got a syntax error: while parsing a "
        "flow mapping, expected ',' or '}', but got ':'",
        (
            "name: x",
            "\tname: x",
        ): "1: expected YAML, got a syntax error: while scanning for the next "
        "token, found character '\\t' that cannot start any token",
        (
            "name: x",
            "name: x\nname: y",
        ): "2: name: expected each key once, got it again after line 1",
        (CRS, f"{CRS}, {CRS}"): "4: grid.crs: expected each key once, got it again after line 4",
        ("name: x", "name: x\n1: y"): "2: expected keys that are text, got 1",
        ("name: x", "name: &a [*a]"): "1: name.0: expected a value that doesn't contain itself, "
        "got an endless anchor",
        ("grid: {", "grid: !!python/object:os.x {"): "4: grid: expected a plain value, got the tag "
        "tag:yaml.org,2002:python/object:os.x",
        (
            "name: x",
            "name: !!python/name:os.system",
        ): "1: expected YAML, got a syntax error: could not "
        "determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system'",
    }


@pytest.mark.parametrize(("edit", "expected"), mistakes().items(), ids=[b for _, b in mistakes()])
def test_one_line(write: Write, minimal: str, edit: tuple[str, str], expected: str) -> None:
    assert edit[0] in minimal
    path = write(minimal.replace(*edit))
    assert message(path) == f"{path}:{expected}"


def test_the_other_problems_are_counted(write: Write, minimal: str) -> None:
    path = write(minimal.replace(CRS, f"{CRS}, tile_px: 0, resolution_m: 0") + "store: {x: 1}\n")
    assert message(path) == f"{path}:4: grid.resolution_m: expected 0.5 or more, got 0 (and 2 more)"


def test_a_long_value_is_cut(write: Write, minimal: str) -> None:
    path = write(minimal.replace("name: x", "name: " + "X" * 500))
    assert len(message(path)) < len(str(path)) + 160


@pytest.mark.parametrize(
    ("text", "got"),
    [("", "an empty file"), ("- a", '"a list"'), ("a", '"a"'), ("# x", "an empty file")],
)
def test_a_file_that_is_no_mapping(write: Write, text: str, got: str) -> None:
    path = write(text)
    assert message(path) == f"{path}: expected a mapping of keys, got {got}"


def test_a_file_that_cannot_be_read(write: Write, tmp_path: Path) -> None:
    assert (
        message(tmp_path / "no.yaml")
        == f"{tmp_path}/no.yaml: expected a YAML file, got no such file"
    )
    assert message(tmp_path) == f"{tmp_path}: expected a YAML file, got a folder"
    (tmp_path / "latin.yaml").write_bytes("name: ñ".encode("latin-1"))
    assert "latin.yaml: expected a readable YAML file in UTF-8, got: " in message(
        tmp_path / "latin.yaml"
    )
    (tmp_path / "binary.yaml").write_bytes(b"\x00\x01")
    assert "binary.yaml: expected YAML, got: unacceptable character" in message(
        tmp_path / "binary.yaml"
    )


def test_words_that_yaml_1_1_turns_into_something_else_are_text(write: Write, minimal: str) -> None:
    assert load_config(write(minimal.replace("name: x", "name: no"))).name == "no"
    text = minimal + "report: {title: 12:30:00}\n"
    assert load_config(write(text)).report.title == "12:30:00"
    text = minimal + "monitor: {detector: {kind: ewma, threshold: 3e0}}\n"
    assert load_config(write(text)).monitor.detector.threshold == 3.0


class TestOrigin:
    """With `extends`, the file named is the one in which the key stands."""

    def test_of_a_key_in_the_base(self, write: Write, minimal: str) -> None:
        base = write(minimal.replace(CRS, f"{CRS}, tile_px: 0"), "base.yaml")
        path = write("extends: base.yaml\nname: y\ngrid: {resolution_m: 20}")
        assert message(path) == f"{base}:4: grid.tile_px: expected 16 or more, got 0"

    def test_of_a_key_that_is_set_again(self, write: Write, minimal: str) -> None:
        write(minimal, "base.yaml")
        path = write("extends: base.yaml\nname: y\ngrid:\n  tile_px: 0")
        assert message(path) == f"{path}:4: grid.tile_px: expected 16 or more, got 0"

    def test_of_an_override(self, write: Write) -> None:
        expected = "override: grid.tile_px: expected 16 or more, got 0"
        assert message(write(), {"grid": {"tile_px": 0}}) == expected

    def test_of_a_cycle(self, write: Write) -> None:
        write("extends: b.yaml", "a.yaml")
        path = write("extends: a.yaml", "b.yaml")
        expected = "a.yaml:1: extends: expected no cycle, got b.yaml -> a.yaml -> b.yaml"
        assert message(path) == f"{path.parent}/{expected}"

    def test_of_a_base_that_is_missing(self, write: Write) -> None:
        path = write("extends: no.yaml")
        expected = f"expected a YAML file that exists, got {path.parent}/no.yaml"
        assert message(path) == f"{path}:1: extends: {expected}"
        path = write("extends: [a.yaml]")
        assert re.search(r':1: extends: expected a YAML file, got \["a.yaml"\]$', message(path))
