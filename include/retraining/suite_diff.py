"""Pure: two suites become what was added, removed and changed, in words."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from include.retraining import phrases
from include.retraining.expectations import Suite

Plain = dict[str, Any]
ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True)
class Difference:
    """One expectation that is not the same in both suites."""

    what: str
    """``added``, ``removed`` or ``changed``."""
    expectation: Plain
    """As it is now, or as it was when it was removed."""
    changes: tuple[tuple[str, Any, Any], ...] = ()
    """Field, old value, new value; None where there was or is none."""

    def row(self) -> Plain:
        """Return it as plain values."""
        one = self.expectation
        return {
            "what": self.what,
            "on": one["on"],
            "severity": one["severity"],
            "type": one["type"],
            "column": _column(one),
            "changes": [{"field": name, "old": old, "new": new} for name, old, new in self.changes],
        }


@dataclass(frozen=True)
class Diff:
    """What differs between two suites, in the order of the new one; what was removed comes last."""

    differences: tuple[Difference, ...]
    is_reordered: bool = False
    """Whether the same expectations only stand in another order, or under another name."""

    @property
    def sentence(self) -> str:
        """The whole in a sentence."""
        if self.differences:
            found = Counter(one.what for one in self.differences)
            return ", ".join(f"{found[what]} {what}" for what in (ADDED, REMOVED, CHANGED)) + "."
        if self.is_reordered:
            return "The same expectations under another name or in another order: every interval is validated anew."
        return "The two suites are the same."


def diff(old: Suite, new: Suite) -> Diff:
    """Return what differs; an expectation is the same one as long as its type, its column and its half are."""
    before, after = _grouped(old), _grouped(new)
    found = [pair for kind in {**after, **before} for pair in _of_group(before[kind], after[kind])]
    ordered = sorted(found, key=lambda pair: (pair[1].what == REMOVED, pair[0]))
    return Diff(tuple(one for _, one in ordered), not ordered and old.sha256 != new.sha256)


def table(found: Diff) -> list[Plain]:
    """Return the differences as the rows of a table for people."""
    return [
        {
            "what": one.what,
            "on": one.expectation["on"],
            "severity": one.expectation["severity"],
            "expectation": one.expectation["type"].removeprefix("expect_"),
            "column": _column(one.expectation),
            "in words": "; ".join(_words(*change) for change in one.changes) or _arguments(one.expectation),
        }
        for one in found.differences
    ]


def _grouped(suite: Suite) -> dict[tuple[str, ...], list[tuple[int, Plain]]]:
    groups: dict[tuple[str, ...], list[tuple[int, Plain]]] = defaultdict(list)
    for place, one in enumerate(suite.expectations):
        kwargs = one["kwargs"]
        named = (str(kwargs.get(name, "")) for name in ("column", "column_A", "column_B"))
        groups[(one["on"], one["type"], *named)].append((place, one))
    return groups


def _of_group(
    before: Sequence[tuple[int, Plain]], after: Sequence[tuple[int, Plain]]
) -> Iterator[tuple[int, Difference]]:
    """Yield places and what differs among expectations of one type on one column: equal ones find each other first."""
    left = [pair for pair in before if pair[1] not in [one for _, one in after]]
    new = [pair for pair in after if pair[1] not in [one for _, one in before]]
    for place, one in new:
        alike = next((pair for pair in left if pair[1]["severity"] == one["severity"]), left[0] if left else None)
        if alike is None:
            yield place, Difference(ADDED, one)
        else:
            left.remove(alike)
            yield place, Difference(CHANGED, one, tuple(_changes(alike[1], one)))
    yield from ((place, Difference(REMOVED, one)) for place, one in left)


def _changes(old: Plain, new: Plain) -> Iterator[tuple[str, Any, Any]]:
    """Yield each field or argument that differs, limits before severity before notes."""
    before, after = _fields(old), _fields(new)
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)


def _fields(one: Plain) -> Plain:
    own = {name: one[name] for name in ("relative_to", "tolerance", "severity", "notes") if name in one}
    return {**one["kwargs"], **own}


def _words(name: str, old: Any, new: Any) -> str:
    """Return one change as people say it.

    >>> _words("max_value", 1, 2), _words("value_set", ["a", "b"], ["a", "c"]), _words("mostly", None, 0.9)
    ('max_value 1 → 2', 'value_set: "c" added, "b" removed', 'mostly 0.9 added')
    """
    if isinstance(old, list) and isinstance(new, list):
        added, removed = [one for one in new if one not in old], [one for one in old if one not in new]
        parts = [
            f"{', '.join(map(_shown, some))} {what}" for some, what in ((added, ADDED), (removed, REMOVED)) if some
        ]
        return f"{name}: {', '.join(parts) or 'another order'}"
    if old is None or new is None:
        return f"{name} {_shown(new if old is None else old)} {ADDED if old is None else REMOVED}"
    return f"{name} {_shown(old)} → {_shown(new)}"


def _shown(value: Any) -> str:
    return phrases.visible(json.dumps(value, ensure_ascii=False), 80)


def _column(one: Plain) -> str | None:
    kwargs = one["kwargs"]
    return (
        ", ".join(phrases.visible(kwargs[name]) for name in ("column", "column_A", "column_B") if name in kwargs)
        or None
    )


def _arguments(one: Plain) -> str:
    fields = {name: held for name, held in _fields(one).items() if name not in {"column", "severity", "notes"}}
    return ", ".join(f"{name} {_shown(held)}" for name, held in fields.items())
