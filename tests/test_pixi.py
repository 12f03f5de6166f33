"""pixi isn't run here: its manifest is held to its schema, pyproject.toml and the Makefile."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
PIXI = tomllib.loads((ROOT / "pixi.toml").read_text())
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()

CONDA_NAMES = {
    "dask": "dask-core",
    "prometheus-client": "prometheus_client",
    "matplotlib": "matplotlib-base",
}
"""Where conda-forge has the library alone under another name than the package index."""


def requirements(lines: list[Any]) -> dict[str, str]:
    """Return the version rule of each requirement by its conda name; other groups are left out."""
    parsed = [Requirement(line) for line in lines if isinstance(line, str)]
    return {CONDA_NAMES.get(r.name, r.name): str(r.specifier) or "*" for r in parsed}


def pixi_dependencies(table: dict[str, Any]) -> dict[str, str]:
    """Return the version rule of each conda and package index dependency of one table."""
    both = {**table.get("dependencies", {}), **table.get("pypi-dependencies", {})}
    return {name: rule for name, rule in both.items() if isinstance(rule, str)}


def tasks() -> dict[str, dict[str, Any]]:
    """Return every task of every feature."""
    return {
        name: task
        for feature in PIXI["feature"].values()
        for name, task in feature.get("tasks", {}).items()
    }


def make_commands() -> set[str]:
    """Return the commands of the Makefile as they read inside an activated environment."""
    variables = dict(re.findall(r"^(\w+) [:?]?= (.*)$", MAKEFILE, flags=re.MULTILINE))
    commands = set()
    for line in re.findall(r"^\t@(.*)$", MAKEFILE, flags=re.MULTILINE):
        plain = re.sub(r"\$\(VENV\)/bin/", "", line).replace("$(PY)", "python")
        plain = plain.replace("$(DEMO_WORKSPACE)", variables["DEMO_WORKSPACE"])
        commands.add(re.sub(r"\s*\$\(.*$", "", plain))
    return commands


def test_manifest_fits_the_published_schema(external_data: Path) -> None:
    schema = json.loads((external_data / "pixi-schema.json").read_text())
    errors = jsonschema.Draft7Validator(schema).iter_errors(PIXI)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_features_are_the_ones_promised() -> None:
    assert set(PIXI["feature"]) == {"cpu", "gpu", "test", "lint", "bench"}


def test_environments_only_combine_features_that_exist() -> None:
    for name, features in PIXI["environments"].items():
        assert isinstance(features, list), f"{name} does more than combine features"
        assert set(features) <= set(PIXI["feature"])
    used = {feature for features in PIXI["environments"].values() for feature in features}
    assert used == set(PIXI["feature"])


def test_platforms_of_features_exist_and_cuda_is_one_by_name() -> None:
    platforms = PIXI["workspace"]["platforms"]
    named = {p["name"]: p for p in platforms if isinstance(p, dict)}
    known = {p for p in platforms if isinstance(p, str)} | set(named)
    for feature in PIXI["feature"].values():
        assert set(feature.get("platforms", [])) <= known
        assert "system-requirements" not in feature
    assert all("cuda" in named[name] for name in PIXI["feature"]["gpu"]["platforms"])


def test_every_task_is_described_and_depends_on_tasks_that_exist() -> None:
    for name, task in tasks().items():
        assert task["description"], name
        assert set(task.get("depends-on", [])) <= set(tasks())


def test_tasks_call_the_commands_of_the_makefile() -> None:
    commands = {task["cmd"] for task in tasks().values() if "cmd" in task}
    assert commands
    assert commands <= make_commands()


def test_lint_task_runs_all_that_make_lint_runs() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, flags=re.MULTILINE)
    assert recipe
    in_make = re.findall(r"^\t@\$\(VENV\)/bin/(.*)$", recipe[1], flags=re.MULTILINE)
    in_pixi = [tasks()[name]["cmd"] for name in tasks()["lint"]["depends-on"]]
    assert in_pixi == in_make


def test_core_dependencies_agree() -> None:
    in_pixi = pixi_dependencies(PIXI)
    assert in_pixi.pop("python") == PYPROJECT["project"]["requires-python"]
    assert in_pixi == requirements(PYPROJECT["project"]["dependencies"])


@pytest.mark.parametrize(
    ("feature", "extras"),
    [
        ("test", sorted(set(PYPROJECT["project"]["optional-dependencies"]) - {"models"})),
        ("lint", []),
    ],
)
def test_feature_has_its_group_and_extras(feature: str, extras: list[str]) -> None:
    lines = [*PYPROJECT["dependency-groups"][feature]]
    for extra in extras:
        lines += PYPROJECT["project"]["optional-dependencies"][extra]
    assert pixi_dependencies(PIXI["feature"][feature]) == requirements(lines)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_models_run_on_either_device(device: str) -> None:
    extra = requirements(PYPROJECT["project"]["optional-dependencies"]["models"])
    extra[f"pytorch-{device}"] = extra.pop("torch")
    in_pixi = pixi_dependencies(PIXI["feature"][device])
    in_pixi.pop("cuda-version", None)
    rules = {name: SpecifierSet(rule) for name, rule in in_pixi.items()}
    assert rules == {name: SpecifierSet(rule) for name, rule in extra.items()}


def test_every_extra_is_in_an_environment() -> None:
    all_names = set().union(*(pixi_dependencies(f) for f in PIXI["feature"].values()))
    extras = dict(PYPROJECT["project"]["optional-dependencies"])
    del extras["models"]  # conda-forge calls torch after its device; see above
    for extra in extras.values():
        assert set(requirements(extra)) <= all_names
