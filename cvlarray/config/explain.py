"""Say in one line what pydantic found: file, line, key, what was expected and what arrived."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cvlarray.config.problem import expected_and_got, line, unknown_key
from cvlarray.config.yaml_layer import Key, Layer

EXTENDS = "extends"
"""The one key that a file may have and the filled-in config has not."""
TAGS = ("kind", "type")
"""Keys that tell the members of a union apart."""


def explain(
    error: ValidationError,
    merged: Mapping[str, Any],
    origins: Mapping[Key, Layer],
    path: str,
    root: type[BaseModel],
) -> str:
    """Return one line on the first problem, and the number of the others.

    Parameters
    ----------
    error
        What pydantic found.
    merged
        The values it looked at.
    origins
        The layer each key comes from.
    path
        The file that was read, for what no layer says.
    root
        The model that the whole file is of.
    """
    errors = error.errors(include_url=False)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return _one_line(errors[0], merged, origins, path, root) + more


def _one_line(
    error: ErrorDetails,
    merged: Mapping[str, Any],
    origins: Mapping[Key, Layer],
    path: str,
    root: type[BaseModel],
) -> str:
    key = (*_written_key(error["loc"], merged), *_inner_key(error))
    fields = _fields(key[:-1], merged, root)
    if error["type"] == "extra_forbidden":
        text = unknown_key(str(key[-1]), list(fields))
    else:
        text = expected_and_got(error, fields.get(str(key[-1])) if key else None)
    place = next(
        (origins[key[:n]].where(key) for n in range(len(key), 0, -1) if key[:n] in origins), path
    )
    return line(place, key, text)


def _inner_key(error: ErrorDetails) -> tuple[str, ...]:
    inner = error.get("ctx", {}).get("key", "") if error["type"] == "problem" else ""
    return tuple(inner.split(".")) if inner else ()


def _written_key(loc: Key, merged: Any) -> Key:
    """Return pydantic's location as far as it is written: without the members of a union."""
    key: list[str | int] = []
    value = merged
    for position, part in enumerate(loc, start=1):
        if isinstance(value, dict):
            is_within = position < len(loc)  # what is missing is not written either, but comes last
            if part not in value and (is_within or part in map(value.get, TAGS)):
                continue
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        else:
            break
        key.append(part)
    return tuple(key)


def _fields(key: Key, merged: Mapping[str, Any], root: type[BaseModel]) -> dict[str, str | None]:
    """Return the known keys of the section at ``key`` with their descriptions."""
    model = root
    models: list[type[BaseModel]] = []
    value: Any = merged
    for part in key:
        if isinstance(part, int) and isinstance(value, list):
            value = value[part]
        else:
            value = value.get(part) if isinstance(value, dict) else None
            field = model.model_fields.get(str(part))
            models = list(_models(field.annotation)) if field else []
        if not models:
            return {}
        model = next((model for model in models if _is_chosen(model, value)), models[0])
    known = {name: field.description for name, field in model.model_fields.items()}
    return known if key else {EXTENDS: None, **known}


def _is_chosen(model: type[BaseModel], value: Any) -> bool:
    """Return whether ``value`` names ``model`` by its kind, its GeoJSON type, or its first key."""
    tags = [name for name in TAGS if name in model.model_fields]
    written = value if isinstance(value, dict) else {}
    if not tags:
        return next(iter(model.model_fields)) in written
    return any(written.get(tag) == model.model_fields[tag].default for tag in tags)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in an annotation such as ``A | B | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
