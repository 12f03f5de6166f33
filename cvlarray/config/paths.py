"""Paths in a run's YAML: relative to their file, with variables, absolute once read."""

from __future__ import annotations

import os
import string
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cvlarray.config.problem import arrived
from cvlarray.config.yaml_layer import Key, Layer

PATH_KEYS: tuple[tuple[str, ...], ...] = (
    ("workspace",),
    ("region", "file"),
    ("search", "source"),
    ("models", "land_cover", "checkpoint"),
    ("models", "radar", "checkpoint"),
    ("models", "radar", "source"),
    ("layers", "*", "source", "path"),
    ("delivery", "channels", "*", "path"),
    ("cluster", "manifest"),
    ("cluster", "log_directory"),
    ("reanalysis", "reference"),
    ("feedback", "labels"),
    ("feedback", "images"),
)
"""Keys whose text, or list of texts, is a path (or a URL, which stays as it is); * is every item of
a list."""
WORKSPACE = "{workspace}"


def make_paths_absolute(layer: Layer) -> None:
    """Make the paths in ``layer`` absolute; a URL and {workspace} stay as they are.

    Raises
    ------
    ConfigError
        If a variable in a path is not set, or the user of ``~user`` doesn't exist.
    """
    for key in PATH_KEYS:
        _replace_text(layer.values, key, partial(_absolute, layer=layer, key=key))


def fill_workspace(values: dict[str, Any]) -> None:
    """Put the workspace in place of {workspace}."""
    workspace = values.get("workspace")
    if isinstance(workspace, str):
        for key in PATH_KEYS[1:]:
            _replace_text(values, key, lambda text: text.replace(WORKSPACE, workspace))


def escape_paths(values: dict[str, Any]) -> None:
    """Write dollar signs in paths so that they are read back as they are."""
    for key in PATH_KEYS:
        _replace_text(values, key, lambda text: text if is_url(text) else text.replace("$", "$$"))


def is_url(text: str) -> bool:
    """Return whether ``text`` names something by URL rather than by path."""
    return "://" in text


def expanded(text: str, layer: Layer, key: Key) -> str:
    """Return ``text`` with ``~`` and environment variables expanded.

    Raises
    ------
    ConfigError
        If a variable is not set, or the user of ``~user`` doesn't exist.
    """
    variables = {name: value for name, value in os.environ.items() if value}
    try:
        return str(Path(string.Template(text).substitute(variables)).expanduser())
    except (KeyError, ValueError, RuntimeError) as error:
        reason = f"no variable {error.args[0]}" if isinstance(error, KeyError) else str(error)
        got = f"{arrived(text)}: {reason}"
        raise layer.refusal(key, "a path whose variables are set", got) from error


def _absolute(text: str, layer: Layer, key: Key) -> str:
    if not text or is_url(text):
        return text
    path = expanded(text, layer, key)
    return path if path.startswith(WORKSPACE) else os.path.normpath(layer.folder / path)


def _replace_text(values: Any, key: tuple[str, ...], change: Callable[[str], str]) -> None:
    section, *rest = key
    if section == "*":
        for item in values if isinstance(values, list) else ():
            _replace_text(item, tuple(rest), change)
    elif isinstance(values, dict) and section in values:
        if rest:
            _replace_text(values[section], tuple(rest), change)
        else:
            values[section] = _changed(values[section], change)


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_changed(item, change) for item in value]
    return change(value) if isinstance(value, str) else value
