"""A condition on Items in CQL2, evaluated here for every source alike, and by APIs that can."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cql2

from cvlarray.catalog.raw import RawItem, one_line
from cvlarray.errors import SearchError

ITEM_FIELDS = frozenset({"id", "collection", "geometry", "datetime"})
"""What every API knows of an Item besides its properties."""


@dataclass(frozen=True)
class Condition:
    """A CQL2 expression in its text form, such as ``"eo:cloud_cover" <= 60 AND platform = 'x'``.

    A property that an Item lacks makes a comparison neither true nor false, as in SQL, and the
    Item doesn't match; ``IS NULL`` asks for it.
    """

    text: str

    def __post_init__(self) -> None:
        """Refuse what is no CQL2.

        Raises
        ------
        SearchError
            If the text can't be parsed, or is no condition.
        """
        if not isinstance(self.as_json, dict):
            raise SearchError(f"expected a condition in CQL2 text, got {self.text!r}")

    @cached_property
    def _expression(self) -> cql2.Expr:
        try:
            return cql2.Expr(self.text)
        except Exception as error:  # the library has no class of its own
            raise SearchError(
                f"expected a condition in CQL2 text, got {self.text!r}: {one_line(error)}"
            ) from error

    @cached_property
    def as_json(self) -> Any:
        """The expression as CQL2 JSON."""
        return self._expression.to_json()

    @cached_property
    def properties(self) -> frozenset[str]:
        """Names of the properties it asks for."""
        return frozenset(_properties(self.as_json))

    def matches(self, item: RawItem) -> bool:
        """Return whether it is true of an Item."""
        try:
            return bool(self._expression.matches(dict(item)))
        except Exception as error:
            if "reduce" in str(error):  # unknown: the Item lacks a property
                return False
            raise SearchError(f"{self.text!r} can't be evaluated: {one_line(error)}") from error

    def is_known_to(self, queryables: Collection[str]) -> bool:
        """Return whether an API that declares these properties can evaluate it."""
        return self.properties <= ITEM_FIELDS | set(queryables)


def at_most_cloudy(max_cloud_cover: float) -> Condition:
    """Return the condition of a cloud cover in percent; Items that state none (SAR) pass."""
    return Condition(f'"eo:cloud_cover" <= {max_cloud_cover:.10g} OR "eo:cloud_cover" IS NULL')


def _properties(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("property"), str):
            yield node["property"]
        for part in node.values():
            yield from _properties(part)
    elif isinstance(node, list | tuple):
        for part in node:
            yield from _properties(part)
