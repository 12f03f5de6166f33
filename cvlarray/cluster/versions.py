"""Which versions a machine has of what a result's bytes depend on."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import distributed

import cvlarray

PACKAGES = ("dask", "distributed", "numpy", "numba", "zarr", "numcodecs", "rasterio", "xarray")
"""Beside cvlarray itself and Python."""


def installed() -> dict[str, str]:
    """Return the versions of this process, by package; absent packages are left out."""
    found = {"cvlarray": cvlarray.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Return where two processes differ, such as ``numba 0.66.0 instead of 0.68.1``."""
    return ", ".join(
        f"{package} {theirs.get(package, 'absent')} instead of {wanted}"
        for package, wanted in ours.items()
        if theirs.get(package) != wanted
    )


def scheduler_difference(client: distributed.Client) -> str:
    """Return where the scheduler differs from this process; it may do without cvlarray."""
    ours = installed()
    every: Any = client.get_versions(packages=["cvlarray"])
    versions = every["scheduler"]["packages"]
    has_cvlarray = versions["cvlarray"] is not None
    compared = ["dask", "distributed", *(["cvlarray"] if has_cvlarray else [])]
    return difference({package: ours[package] for package in compared}, versions)
