"""YAML 1.2 as editors read it, and text that YAML 1.1 and 1.2 both read the same.

PyYAML follows YAML 1.1, where ``no`` is false, ``2018-02-30`` an exception, ``1:30`` ninety,
``010`` eight and ``1e-3`` text. Here only true and false are booleans, dates stay text for the
models to read, and a number with a leading zero is text.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

_CORE_SCHEMA = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
)


class Yaml12Loader(yaml.SafeLoader):
    """Reads plain values by YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own)


class _QuotingDumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or 1.2 would read as something else."""


for _tag, _pattern, _first in _CORE_SCHEMA:
    for _reader in (Yaml12Loader, _QuotingDumper):
        _reader.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first
        )


def dump_yaml(values: dict[str, Any]) -> str:
    """Return ``values`` as YAML, keys in their order."""
    return yaml.dump(values, Dumper=_QuotingDumper, sort_keys=False, allow_unicode=True)
