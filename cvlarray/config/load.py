"""Read a run's YAML with what it extends, and say in one line what is wrong with it."""

from __future__ import annotations

import os
import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pydantic_core
from pydantic import BaseModel, ValidationError

from cvlarray.config.problem import arrived, expected_and_got, line, unknown_key
from cvlarray.config.run import RunConfig
from cvlarray.config.yaml_layer import Key, Layer, read_layer
from cvlarray.errors import ConfigError

EXTENDS = "extends"
PATH_KEYS: tuple[Key, ...] = (("workspace",), ("region", "file"), ("search", "source"))
"""Keys whose text is a path (or a URL, which stays as it is)."""
REPLACED_WHOLE = frozenset({"region", "cluster"})
"""Sections of alternatives: half of the one and half of the other would mean nothing."""
WORKSPACE = "{workspace}"


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
    layers = list(_with_bases(Path(path)))
    if overrides:
        values = pydantic_core.from_json(pydantic_core.to_json(dict(overrides)))
        layers.append(_with_absolute_paths(Layer("override", Path.cwd(), values)))
    merged: dict[str, Any] = {}
    origins: dict[Key, Layer] = {}
    for layer in layers:
        _merge(merged, layer.values, (), layer, origins)
    _fill_workspace(merged)
    try:
        return RunConfig.model_validate_json(pydantic_core.to_json(merged), strict=True)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        first = _first_problem(errors[0], merged, origins, str(path))
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise ConfigError(first + more) from error


def _with_bases(path: Path, seen: Sequence[Path] = ()) -> Iterator[Layer]:
    """Yield the layers that ``path`` extends, the outermost base first, then its own."""
    layer = read_layer(path)
    if EXTENDS in layer.values:
        chain = (*seen, path.resolve())
        base = _base_of(layer)
        if base.resolve() in chain:
            names = " -> ".join(step.name for step in (*chain, base))
            raise _refusal(layer, (EXTENDS,), "no cycle", names)
        yield from _with_bases(base, chain)
    yield _with_absolute_paths(layer)


def _base_of(layer: Layer) -> Path:
    """Take ``extends`` out of ``layer`` and return the file it names."""
    base = layer.values.pop(EXTENDS)
    if not isinstance(base, str) or not base:
        raise _refusal(layer, (EXTENDS,), "a YAML file", arrived(base))
    path = layer.folder / _expanded(base, layer, (EXTENDS,))
    if not path.is_file():
        raise _refusal(layer, (EXTENDS,), "a YAML file that exists", str(path))
    return path


def _refusal(layer: Layer, key: Key, expected: str, got: str) -> ConfigError:
    return ConfigError(line(layer.where(key), key, f"expected {expected}, got {got}"))


def _with_absolute_paths(layer: Layer) -> Layer:
    for key in PATH_KEYS:
        *sections, last = key
        values: Any = layer.values
        for section in sections:
            values = values.get(section) if isinstance(values, dict) else None
        if isinstance(values, dict) and isinstance(values.get(last), str):
            values[last] = _absolute(values[last], layer, key)
    return layer


def _absolute(text: str, layer: Layer, key: Key) -> str:
    """Return ``text`` as an absolute path; leave a URL and {workspace} as they are."""
    if not text or "://" in text:
        return text
    path = _expanded(text, layer, key)
    if path.startswith(WORKSPACE):
        return path
    return os.path.normpath(layer.folder / path)


def _expanded(text: str, layer: Layer, key: Key) -> str:
    """Return ``text`` with ``~`` and environment variables expanded."""
    variables = {name: value for name, value in os.environ.items() if value}
    try:
        return str(Path(string.Template(text).substitute(variables)).expanduser())
    except (KeyError, ValueError, RuntimeError) as error:
        reason = f"no variable {error.args[0]}" if isinstance(error, KeyError) else str(error)
        got = f"{arrived(text)}: {reason}"
        raise _refusal(layer, key, "a path whose variables are set", got) from error


def _merge(
    target: dict[str, Any],
    source: Mapping[str, Any],
    key: Key,
    layer: Layer,
    origins: dict[Key, Layer],
) -> None:
    """Lay ``source`` over ``target``: mappings are merged, everything else is replaced."""
    for name, value in source.items():
        inner = (*key, name)
        origins[inner] = layer
        is_merged = inner not in {(section,) for section in REPLACED_WHOLE}
        if is_merged and isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(target[name], value, inner, layer, origins)
        elif isinstance(value, dict):
            target[name] = {}
            _merge(target[name], value, inner, layer, origins)
        else:
            target[name] = value


def _fill_workspace(merged: dict[str, Any]) -> None:
    search, workspace = merged.get("search"), merged.get("workspace")
    if isinstance(search, dict) and isinstance(workspace, str):
        source = search.get("source")
        if isinstance(source, str):
            search["source"] = source.replace(WORKSPACE, workspace)


def _first_problem(
    error: pydantic_core.ErrorDetails,
    merged: Mapping[str, Any],
    origins: Mapping[Key, Layer],
    path: str,
) -> str:
    key = (*_written_key(error["loc"], merged), *_inner_key(error))
    fields = _fields(key[:-1], merged)
    if error["type"] == "extra_forbidden":
        text = unknown_key(str(key[-1]), list(fields))
    else:
        text = expected_and_got(error, fields.get(str(key[-1])) if key else None)
    place = next(
        (origins[key[:n]].where(key) for n in range(len(key), 0, -1) if key[:n] in origins), path
    )
    return line(place, key, text)


def _inner_key(error: pydantic_core.ErrorDetails) -> tuple[str, ...]:
    inner = error.get("ctx", {}).get("key", "") if error["type"] == "problem" else ""
    return tuple(inner.split(".")) if inner else ()


def _written_key(loc: Key, merged: Any) -> Key:
    """Return pydantic's location as far as it is written: without the kinds of a union."""
    key: list[str | int] = []
    value = merged
    for part in loc:
        if isinstance(value, dict):
            if part not in value and part in (value.get("kind"), value.get("type")):
                continue
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        else:
            break
        key.append(part)
    return tuple(key)


def _fields(key: Key, merged: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the known keys of the section at ``key`` with their descriptions."""
    model: type[BaseModel] = RunConfig
    value: Any = merged
    for part in key:
        value = value.get(part) if isinstance(value, dict) else None
        field = model.model_fields.get(str(part))
        models = list(_models(field.annotation)) if field else []
        if not models:
            return {}
        model = next((model for model in models if _is_chosen(model, value)), models[0])
    known = {name: field.description for name, field in model.model_fields.items()}
    return known if key else {EXTENDS: None, **known}


def _is_chosen(model: type[BaseModel], value: Any) -> bool:
    """Return whether ``value`` names ``model`` by its kind or its GeoJSON type."""
    tags = (name for name in ("kind", "type") if name in model.model_fields)
    return any(value.get(tag) == model.model_fields[tag].default for tag in tags if value)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in an annotation such as ``A | B | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
