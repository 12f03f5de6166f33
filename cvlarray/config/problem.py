"""One line for one problem: where, what was expected, what arrived."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic_core import ErrorDetails, PydanticCustomError

MAX_ARRIVED_LENGTH = 60

# Pydantic's own words where "Input should be ..." would puzzle someone who writes YAML.
_EXPECTED = {
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
    "dict_type": "a mapping of keys",
    "mapping_type": "a mapping of keys",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "text",
    "path_type": "a path",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "too_short": "{min_length} values or more",
    "too_long": "{max_length} values or fewer",
    "string_too_short": "{min_length} characters or more",
    "string_too_long": "{max_length} characters or fewer",
    "union_tag_invalid": "{discriminator} to be one of {expected_tags}",
    "union_tag_not_found": "the key {discriminator}",
}


def problem(key: str, expected: str, got: object) -> PydanticCustomError:
    """Return the error of a check over several keys; ``key`` is relative to the model checked."""
    return PydanticCustomError(
        "problem", "{expected}", {"key": key, "expected": expected, "got": got}
    )


def expected_and_got(error: ErrorDetails, description: str | None) -> str:
    """Return "expected ..., got ..." for one pydantic error that is not an unknown key."""
    kind, context, got = error["type"], error.get("ctx", {}), error["input"]
    if kind == "problem":
        return f"expected {context['expected']}, got {arrived(context['got'])}"
    if kind == "value_error":
        return error["msg"].removeprefix("Value error, ")
    if kind == "missing":
        return f"expected {_as_phrase(description)}; got nothing"
    if kind == "string_pattern_mismatch":
        return f"expected {_as_phrase(description)}; got {arrived(got)}"
    if kind in {"literal_error", "enum"}:
        return f"expected {context['expected']}, got {arrived(got)}{_nearest_word(context, got)}"
    if kind == "union_tag_invalid":
        got = context["tag"]
    expected = _EXPECTED.get(kind, "{msg}").format_map({**context, "msg": error["msg"]})
    return f"expected {expected.removeprefix('Input should be ')}, got {arrived(got)}"


def _as_phrase(description: str | None) -> str:
    """Return a field's description as it goes on after "expected"."""
    if not description:
        return "a value"
    is_word = description[1:2].islower() or description[1:2] == " "
    return (description[0].lower() if is_word else description[0]) + description[1:].rstrip(".")


def unknown_key(key: str, known: Collection[str]) -> str:
    """Return "expected one of ..., got ...", with the nearest known key when one is near."""
    return f"unknown key, expected one of {', '.join(known)}, got {key}{_hint(key, known)}"


def _nearest_word(context: Mapping[str, Any], got: object) -> str:
    words = re.findall(r"'([^']*)'", context["expected"])
    return _hint(got, words) if isinstance(got, str) else ""


def _hint(word: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def arrived(value: object) -> str:
    """Return ``value`` as YAML in one short line."""
    if isinstance(value, Mapping) and value:
        return shortened("a mapping with " + ", ".join(map(str, value)))
    return shortened(json.dumps(value, ensure_ascii=False, default=str))


def shortened(text: str) -> str:
    """Return ``text`` in one line of at most `MAX_ARRIVED_LENGTH` characters."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_ARRIVED_LENGTH else line[: MAX_ARRIVED_LENGTH - 1] + "…"


def dotted(key: Collection[Any]) -> str:
    """Return ``grid.tile_px`` for ("grid", "tile_px")."""
    return ".".join(map(str, key))


def line(place: str, key: Collection[Any], text: str) -> str:
    """Return ``place: key: text``, without the key where the whole file is meant."""
    return ": ".join(filter(None, (place, dotted(key), text)))
