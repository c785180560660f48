"""Pure: what is expected of every snapshot and label although no suite says so. The spec can change or silence each."""

from collections.abc import Iterator
from typing import Any

from include.retraining.binding import PARAMETER
from include.retraining.expectations import LABELS, RECENT, SNAPSHOT, WEEKDAY, Suite
from include.retraining.policies import OFF
from include.retraining.spec import ModelSpec

NEW_ROW = "rows that the interval before did not have"
"""A derived column: 1 where a row is new, 0 where the interval before had it already under another time."""
TELLTALE = "features that tell the label"
"""A derived column: one row a feature, its name where it gives the label away."""


def complete(half: Suite, spec: ModelSpec) -> Suite:
    """Return a half of a suite with what is expected of every model; what it says itself is not said again."""
    said = [(one["type"], one["kwargs"]) for one in half.expectations]
    defaults = of_snapshot(spec) if half.on == SNAPSHOT else of_labels(spec)
    added = [one for one in defaults if (one["type"], one["kwargs"]) not in said]
    return Suite(half.name, (*half.expectations, *added), half.on)


def of_snapshot(spec: ModelSpec) -> Iterator[dict[str, Any]]:
    """Yield what is expected of every snapshot."""
    policy, time = spec.validation, spec.time_column
    inside = {"column": time, "min_value": {PARAMETER: "interval_start"}, "max_value": {PARAMETER: "interval_end"}}
    yield from _expected(
        policy.inside,
        "expect_column_values_to_be_between",
        {**inside, "strict_max": True},
        "Every row belongs to its data interval, the end excluded.",
    )
    yield from _unique(policy.unique, spec, "A doubled row would be learnt and judged twice.", SNAPSHOT)
    yield from _expected(
        policy.fresh,
        "expect_column_max_to_be_between",
        {"column": time, "min_value": {PARAMETER: f"interval_{policy.fresh_percent}"}},
        "The newest row is far from the interval's end: the delivery was cut short, or came too early.",
    )
    yield from _expected(
        policy.volume,
        "expect_table_row_count_to_be_between",
        {},
        "As many rows as on the same weekday before. Far fewer: part of a delivery is missing; far more: doubled.",
        relative_to=WEEKDAY,
        tolerance=policy.volume_tolerance,
    )
    yield from _expected(
        policy.repeated,
        "expect_column_mean_to_be_between",
        {"column": NEW_ROW, "max_value": 1},
        "As many rows are new as usual, times aside. Far fewer: the delivery of the interval before came again.",
        relative_to=RECENT,
        tolerance=0.5,
        derived=True,
    )


def of_labels(spec: ModelSpec) -> Iterator[dict[str, Any]]:
    """Yield what is expected of the labels of every interval."""
    yield from _unique(spec.validation.unique, spec, "One label for one row.", LABELS)
    yield from _expected(
        spec.validation.leakage,
        "expect_column_values_to_be_null",
        {"column": TELLTALE},
        "A feature that alone tells the label cannot have been known before it. Find where it comes from.",
        on=LABELS,
        derived=True,
    )


def _unique(severity: str, spec: ModelSpec, notes: str, on: str) -> Iterator[dict[str, Any]]:
    named = list(spec.key_columns)
    if len(named) == 1:
        yield from _expected(severity, "expect_column_values_to_be_unique", {"column": named[0]}, notes, on=on)
    else:
        yield from _expected(severity, "expect_compound_columns_to_be_unique", {"column_list": named}, notes, on=on)


def _expected(severity: str, kind: str, kwargs: dict[str, Any], notes: str, **more: Any) -> Iterator[dict[str, Any]]:
    if severity != OFF:
        named = {"type": kind, "kwargs": kwargs, "severity": severity, "notes": notes, "on": SNAPSHOT}
        yield {**named, "source": "default", **more}
