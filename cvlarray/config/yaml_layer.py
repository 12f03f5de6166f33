"""Read one YAML file: YAML 1.2 words only, duplicate keys refused, line numbers kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cvlarray.config.problem import arrived, line, shortened
from cvlarray.config.yaml12 import Yaml12Loader
from cvlarray.errors import ConfigError

Key = tuple[str | int, ...]


@dataclass(frozen=True)
class Layer:
    """One YAML file, or the overrides of the command line."""

    label: str
    """How messages name it."""
    folder: Path
    """Absolute; what its relative paths are relative to."""
    values: dict[str, Any]
    lines: Mapping[Key, int] = field(default_factory=dict)
    """1-based line of each key."""

    def where(self, key: Key) -> str:
        """Return ``file:line`` of ``key`` or of the innermost part of it that is written."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.lines:
                return f"{self.label}:{self.lines[key[:length]]}"
        return self.label

    def refusal(self, key: Key, expected: str, got: str) -> ConfigError:
        """Return the error that ``key`` holds something else than expected."""
        return ConfigError(line(self.where(key), key, f"expected {expected}, got {got}"))


_COLLECTION_TAGS = {
    yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG,
    yaml.resolver.BaseResolver.DEFAULT_SEQUENCE_TAG,
}


def read_layer(path: Path) -> Layer:
    """Read ``path``.

    Raises
    ------
    ConfigError
        If the file is missing, not text, not YAML, not one mapping, or holds a key twice.
    """
    label = str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"{label}: expected a YAML file, got no such file") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{label}: expected a YAML file, got a folder") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{label}: expected a readable YAML file in UTF-8, got: {error}"
        ) from error
    try:
        values, lines = _parse(text, label)
    except yaml.YAMLError as error:
        raise ConfigError(_syntax_error(error, label)) from error
    return Layer(label, path.absolute().parent, values, lines)


def _parse(text: str, label: str) -> tuple[dict[str, Any], dict[Key, int]]:
    loader = Yaml12Loader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            got = "an empty file" if node is None else arrived(_outline(node))
            raise ConfigError(f"{label}: expected a mapping of keys, got {got}")
        plain = _PlainValues(loader, label)
        return plain.value(node, ()), plain.lines
    finally:
        loader.dispose()


def _outline(node: yaml.Node) -> object:
    return node.value if isinstance(node, yaml.ScalarNode) else "a list"


class _PlainValues:
    """Turns YAML nodes into plain values and notes the line of each key."""

    def __init__(self, loader: Yaml12Loader, label: str) -> None:
        self.lines: dict[Key, int] = {}
        self._loader = loader
        self._label = label
        self._open: set[yaml.Node] = set()

    def value(self, node: yaml.Node, key: Key) -> Any:
        """Return the value of any node."""
        if isinstance(node, yaml.ScalarNode):
            return self._loader.construct_object(node)
        if node in self._open:
            raise self._refusal(
                node, key, "a value that doesn't contain itself", "an endless anchor"
            )
        if node.tag not in _COLLECTION_TAGS:
            raise self._refusal(node, key, "a plain value", f"the tag {node.tag}")
        self._open.add(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, key)
            return [self.value(item, (*key, index)) for index, item in enumerate(node.value)]
        finally:
            self._open.discard(node)

    def mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        """Return a mapping's values; refuse keys that are not text or come twice."""
        values: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = self.value(name_node, key)
            if not isinstance(name, str):
                raise self._refusal(name_node, key, "keys that are text", arrived(name))
            inner = (*key, name)
            if name in values:
                got = f"it again after line {self.lines[inner]}"
                raise self._refusal(name_node, inner, "each key once", got)
            self.lines[inner] = name_node.start_mark.line + 1
            values[name] = self.value(value_node, inner)
        return values

    def _refusal(self, node: yaml.Node, key: Key, expected: str, got: str) -> ConfigError:
        place = f"{self._label}:{node.start_mark.line + 1}"
        return ConfigError(line(place, key, f"expected {expected}, got {got}"))


def _syntax_error(error: yaml.YAMLError, label: str) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"{label}: expected YAML, got: {shortened(str(error))}"
    mark = error.problem_mark or error.context_mark
    place = f"{label}:{mark.line + 1}" if mark else label
    words = ", ".join(filter(None, (error.context, error.problem)))
    return f"{place}: expected YAML, got a syntax error: {words}"
