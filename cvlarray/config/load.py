"""Read a run's YAML with what it extends, and say in one line what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pydantic_core
from pydantic import BaseModel, ValidationError

from cvlarray.config.explain import EXTENDS, explain
from cvlarray.config.paths import expanded, fill_workspace, make_paths_absolute
from cvlarray.config.problem import arrived
from cvlarray.config.run import RunConfig
from cvlarray.config.yaml_layer import Key, Layer, read_layer
from cvlarray.errors import ConfigError

Loaded = TypeVar("Loaded", bound=BaseModel)

REPLACED_WHOLE = frozenset({"region", "cluster"})
"""Sections of alternatives: half of the one and half of the other would mean nothing."""


def load_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """Read a run's config.

    Parameters
    ----------
    path
        YAML file. Relative paths in it are relative to its folder; ``~``, ``$NAME`` and
        ``${NAME}`` are expanded in paths, ``$$`` is a dollar sign.
    overrides
        Values that replace those of the file, nested as in the file; relative paths in it are
        relative to the working directory.

    Returns
    -------
    The filled-in config, all paths absolute.

    Raises
    ------
    ConfigError
        One line that names the file, the line, the key, what was expected and what arrived; if
        there are several problems, the first and the number of the others.
    """
    return load_as(RunConfig, path, overrides)


def load_as(
    model: type[Loaded], path: str | Path, overrides: Mapping[str, Any] | None = None
) -> Loaded:
    """Read a YAML file of any model; see `load_config`."""
    layers = list(_with_bases(Path(path)))
    if overrides:
        values = pydantic_core.from_json(pydantic_core.to_json(dict(overrides)))
        layers.append(Layer("override", Path.cwd(), values))
        make_paths_absolute(layers[-1])
    merged: dict[str, Any] = {}
    origins: dict[Key, Layer] = {}
    for layer in layers:
        _merge(merged, layer.values, (), layer, origins)
    fill_workspace(merged)
    try:
        return model.model_validate_json(pydantic_core.to_json(merged), strict=True)
    except ValidationError as error:
        raise ConfigError(explain(error, merged, origins, str(path), model)) from error


def _with_bases(path: Path, seen: Sequence[Path] = ()) -> Iterator[Layer]:
    """Yield the layers that ``path`` extends, the outermost base first, then its own."""
    layer = read_layer(path)
    if EXTENDS in layer.values:
        chain = (*seen, path.resolve())
        base = _base_of(layer)
        if base.resolve() in chain:
            names = " -> ".join(step.name for step in (*chain, base))
            raise layer.refusal((EXTENDS,), "no cycle", names)
        yield from _with_bases(base, chain)
    make_paths_absolute(layer)
    yield layer


def _base_of(layer: Layer) -> Path:
    """Take ``extends`` out of ``layer`` and return the file it names."""
    base = layer.values.pop(EXTENDS)
    if not isinstance(base, str) or not base:
        raise layer.refusal((EXTENDS,), "a YAML file", arrived(base))
    path = layer.folder / expanded(base, layer, (EXTENDS,))
    if not path.is_file():
        raise layer.refusal((EXTENDS,), "a YAML file that exists", str(path))
    return path


def _merge(
    target: dict[str, Any],
    source: Mapping[str, Any],
    key: Key,
    layer: Layer,
    origins: dict[Key, Layer],
) -> None:
    """Lay ``source`` over ``target``: mappings are merged, everything else is replaced."""
    for name, value in source.items():
        origins[(*key, name)] = layer
        if not isinstance(value, dict):
            target[name] = value
            continue
        is_replaced = not key and name in REPLACED_WHOLE
        if is_replaced or not isinstance(target.get(name), dict):
            target[name] = {}
        _merge(target[name], value, (*key, name), layer, origins)
