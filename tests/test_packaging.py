"""What a stranger's clone promises: licence, lock, extras, and nothing of the maker's machine."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import cvlarray

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
LOCK = (ROOT / "requirements.lock").read_text()

# Joined here so that this file doesn't contain them itself.
FOREIGN_WORDS = tuple(
    "".join(parts)
    for parts in [
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("pypi", ".org"),
        ("python", "hosted"),
        ("npm", "js"),
        ("conda.ana", "conda.org"),
    ]
)


UNLOCKED = {"torch"}
"""Declared by an extra, and brought by ``make models`` instead of the lock."""


def direct_requirements() -> dict[str, Requirement]:
    """Return every requirement that pyproject.toml names, by canonical name."""
    lines = [*PROJECT["dependencies"]]
    for extra in PROJECT["optional-dependencies"].values():
        lines += extra
    for group in PYPROJECT["dependency-groups"].values():
        lines += [line for line in group if isinstance(line, str)]
    requirements = map(Requirement, lines)
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def locked_versions() -> dict[str, list[Version]]:
    """Return the versions the lock holds; several where they differ by Python version."""
    versions: dict[str, list[Version]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([\w.+!-]+)", LOCK, flags=re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(Version(version))
    return versions


def test_installed_version_is_the_packages_own() -> None:
    assert importlib.metadata.version("cvlarray") == cvlarray.__version__


def test_licence_is_apache_2() -> None:
    licence = (ROOT / "LICENSE").read_text()
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in licence.splitlines()[1]
    assert "END OF TERMS AND CONDITIONS" in licence


def test_lock_satisfies_every_direct_requirement() -> None:
    locked = locked_versions()
    for name, requirement in direct_requirements().items():
        if name in UNLOCKED:
            continue
        assert name in locked, f"{name} is not in requirements.lock; run: make lock"
        for version in locked[name]:
            assert requirement.specifier.contains(version), f"{requirement} locked as {version}"


def test_lock_was_made_from_these_requirements() -> None:
    entries = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    direct = {
        canonicalize_name(entry.split("==")[0]) for entry in entries if "(pyproject.toml" in entry
    }
    assert direct == set(direct_requirements()) - UNLOCKED, "run: make lock"


def test_every_locked_package_has_a_hash() -> None:
    entries = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) > 50
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_torch_stays_out_of_the_lock() -> None:
    """Its build depends on the machine, and its CPU build comes from another place."""
    assert {"torch", "triton"} & set(locked_versions()) == set()
    assert not any(name.startswith("nvidia") for name in locked_versions())


def imported_modules() -> dict[str, set[str]]:
    """Return the top-level modules that the package imports, with the files that do."""
    found: dict[str, set[str]] = {}
    for file in ROOT.glob("cvlarray/**/*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Import(names=names):
                    modules = [alias.name for alias in names]
                case ast.ImportFrom(module=str(module), level=0):
                    modules = [module]
                case _:
                    continue
            for name in modules:
                found.setdefault(name.partition(".")[0], set()).add(file.name)
    return found


def test_what_is_imported_is_declared() -> None:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    declared = {canonicalize_name(Requirement(line).name) for group in groups for line in group}
    providers = importlib.metadata.packages_distributions()
    undeclared = {
        module: sorted(files)
        for module, files in imported_modules().items()
        if module not in sys.stdlib_module_names | {"cvlarray"} | UNLOCKED
        and not {canonicalize_name(name) for name in providers.get(module, ())} & declared
    }
    assert undeclared == {}


def test_extras_that_texts_name_exist() -> None:
    texts = [ROOT / "README.md", *ROOT.glob("cvlarray/**/*.py"), *ROOT.glob("cluster/*.md")]
    named = {
        extra.strip()
        for text in texts
        for group in re.findall(r"cvlarray\[([a-z, ]+)\]", text.read_text())
        for extra in group.split(",")
    }
    assert named <= set(PROJECT["optional-dependencies"])


def test_files_do_not_mention_the_makers_machine(
    require_component: Callable[[str, object, str], None],
) -> None:
    require_component("a git checkout", (ROOT / ".git").exists(), "git clone")
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = [
        f"{name}: {word}"
        for name in filter(None, listed.split("\0"))
        if (ROOT / name).is_file()
        for word in FOREIGN_WORDS
        if word.encode() in (ROOT / name).read_bytes()
    ]
    assert found == []


@pytest.mark.parametrize("name", ["pixi.toml", "Makefile", "README.md", ".ci/run"])
def test_the_ways_in_exist(name: str) -> None:
    assert (ROOT / name).stat().st_size > 0
