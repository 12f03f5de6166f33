"""The JSON schema that lets editors complete and check a run's YAML."""

from __future__ import annotations

from typing import Any

from cvlarray.config.run import RunConfig


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) of a run's YAML.

    Nothing is required in it, since a file may leave to the one it extends whatever it likes;
    `load_config` checks the whole.
    """
    schema: dict[str, Any] = _without_noise(RunConfig.model_json_schema())
    extends = {
        "type": "string",
        "minLength": 1,
        "description": "YAML file to start from, relative to this one; mappings are merged, "
        "lists, region and cluster are replaced.",
    }
    schema["properties"] = {"extends": extends, **schema["properties"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _without_noise(node: Any) -> Any:
    """Return ``node`` without what is required, and without titles, which only repeat the keys."""
    if isinstance(node, dict):
        return {
            key: _without_noise(value) for key, value in node.items() if not _is_noise(key, value)
        }
    return [_without_noise(item) for item in node] if isinstance(node, list) else node


def _is_noise(key: str, value: Any) -> bool:
    # A property may itself be named title: then its value is a schema, no text.
    return (key == "required" and isinstance(value, list)) or (
        key == "title" and isinstance(value, str)
    )
