"""Which rule decides an alert, and the sentence that says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cvlarray.alerts.route.rule import Rule

__all__ = ["Decision", "boundary_decides", "decide"]

Entry = Mapping[str, Any]


class Decision(NamedTuple):
    """What a rule made of an alert."""

    rule: Rule
    entry: Entry | None
    """Entry of the trail that matched; None for a rule that asks for none."""
    passed: tuple[str, ...]
    """Names of the rules that came first and didn't match."""

    def reasoning(self) -> dict[str, Any]:
        """Return the decision as a JSON mapping: rule, overlap, field values, and all in words."""
        keys = ("layer", "role", "code", "name", "category", "status", "licence", "share")
        more = ("area_m2", "ambiguous", "valid", "sha256")
        entry = self.entry or {}
        found = {key: entry[key] for key in (*keys, *more) if key in entry}
        return {
            "rule": self.rule.name,
            "priority": self.rule.priority.value,
            "queue": self.rule.queue.value,
            **found,
            "passed": list(self.passed),
            "text": self.text(),
        }

    def text(self) -> str:
        """Return the reason in words."""
        start = f"{self.rule.priority.value} by rule '{self.rule.name}'"
        if self.entry is None:
            return f"{start}: no rule before it matched"
        entry = self.entry
        names = [entry.get("category"), entry.get("name"), entry.get("code")]
        what = " ".join(f"'{text}'" for text in names if text) or "a feature"
        status = entry.get("status")
        meaning = f", status '{status}' ({entry.get('licence')})" if status else ""
        doubt = "; its border is within its own uncertainty" if entry["ambiguous"] else ""
        edition = f", edition of {entry['valid']}" if "valid" in entry else ""
        hectares = entry["area_m2"] / 10_000
        return (
            f"{start}: {100 * entry['share']:.3g} % ({hectares:.3g} ha) in {what} "
            f"of layer '{entry['layer']}'{edition}{meaning}{doubt}"
        )


def decide(trail: Sequence[Entry], class_name: str, rules: Sequence[Rule]) -> Decision:
    """Return the first rule that matches.

    Parameters
    ----------
    trail
        ``jurisdiction`` of an alert. Where several features match a rule, the first entry does:
        that of the largest share in its layer.
    class_name
        Class of the alert.
    rules
        In order; the last one must match every alert.

    Raises
    ------
    ValueError
        If no rule matches.
    """
    passed: list[str] = []
    for rule in rules:
        if not rule.classes or class_name in rule.classes:
            if not rule.needs_feature:
                return Decision(rule, None, tuple(passed))
            entry = next((entry for entry in trail if _matches(rule, entry)), None)
            if entry is not None:
                return Decision(rule, entry, tuple(passed))
        passed.append(rule.name)
    raise ValueError(f"the last rule must match every alert, got {rules[-1].name!r}")


def boundary_decides(trail: Sequence[Entry], class_name: str, rules: Sequence[Rule]) -> bool:
    """Return whether another place of a border, within its uncertainty, would change the decision.

    The alert is judged twice more: as if it lay wholly in every feature whose border is that near,
    and as if it lay in none of them.
    """
    if not any(entry["ambiguous"] for entry in trail):
        return False
    inside = [
        {**entry, "share": 1.0, "ambiguous": False} if entry["ambiguous"] else entry
        for entry in trail
    ]
    outside = [entry for entry in trail if not entry["ambiguous"]]
    outcomes = {
        (decision.rule.priority, decision.rule.queue)
        for decision in (decide(view, class_name, rules) for view in (trail, inside, outside))
    }
    return len(outcomes) > 1


def _matches(rule: Rule, entry: Entry) -> bool:
    asked = (
        (rule.roles, "role"),
        (rule.layers, "layer"),
        (rule.categories, "category"),
        (rule.codes, "code"),
        (rule.licences, "licence"),
    )
    if any(wanted and entry.get(key) not in wanted for wanted, key in asked):
        return False
    if rule.certain and entry["ambiguous"]:
        return False
    share, area_m2 = entry.get("share", 0.0), entry.get("area_m2", 0.0)
    enough = share >= rule.min_share or (rule.or_area_m2 is not None and area_m2 >= rule.or_area_m2)
    return bool(enough and share > 0)
