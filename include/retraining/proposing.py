"""Pure: stored snapshots and labels become a suite in Great Expectations' JSON that holds on what it learned from."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from include.retraining import learning, limits
from include.retraining.expectations import CRITICAL, LABELS, RECENT, WARNING, WEEKDAY
from include.retraining.labelling import KNOWN, UNKNOWN, VOID
from include.retraining.learning import Column, Expectation, Seen, counted, expectation, percent
from include.retraining.policies import PSEUDONYMISE
from include.retraining.spec import ModelSpec
from include.retraining.windows import Interval

Frames = Sequence[tuple[Interval, pd.DataFrame]]
WIDTH = 120
"""Of a line of a suite file, where its texts allow it."""
VOLUME_FACTOR = 3
"""A volume so many times smaller or larger than any seen is another table, or a join gone wrong."""


def propose(spec: ModelSpec, snapshots: Frames, labels: Frames) -> dict[str, Any]:
    """Return the content of a suite file.

    Parameters
    ----------
    spec : ModelSpec
    snapshots, labels : sequence of (Interval, DataFrame)
        Oldest first, each with the columns that the spec stores; at least one snapshot.

    Returns
    -------
    dict
        ``name``, ``expectations`` and ``meta``. Every critical expectation holds on every interval given.
    """
    found = [*_on_rows(spec, snapshots)]
    if labels:
        found += [{**one, "meta": {"on": LABELS, **one["meta"]}} for one in _on_labels(spec, labels)]
    return {"name": spec.name, "expectations": found, "meta": {"notes": _origin(spec, snapshots, labels)}}


def render(content: dict[str, Any]) -> str:
    """Return a suite file: JSON in short lines, as people write and review it."""
    return _laid(content, 0) + "\n"


def _laid(value: Any, depth: int, name: str = "") -> str:
    """Return JSON on one line where it fits and is not nested, else a dict by its fields and a list in full lines."""
    opening, flat = f"{json.dumps(name)}: " if name else "", json.dumps(value)
    held = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    is_nested = any(isinstance(one, dict) for one in held)
    if not held or (depth + len(opening) + len(flat) < WIDTH and not is_nested):
        return opening + flat
    if isinstance(value, dict):
        lines, ends = [_laid(one, depth + 2, key) for key, one in value.items()], "{}"
    else:
        lines, ends = _filled([_laid(one, depth + 2) for one in held], WIDTH - depth - 3), "[]"
    pad = "\n" + " " * (depth + 2)
    return opening + ends[0] + pad + f",{pad}".join(lines) + pad[:-2] + ends[1]


def _filled(texts: Sequence[str], width: int) -> list[str]:
    """Return values joined to lines of at most a width; one that has lines itself stands alone."""
    lines: list[str] = []
    for text in texts:
        if lines and "\n" not in text and len(lines[-1]) + 2 + len(text) <= width:
            lines[-1] += f", {text}"
        else:
            lines.append(text)
    return lines


def _origin(spec: ModelSpec, snapshots: Frames, labels: Frames) -> str:
    first, last = (learning.day(snapshots[place][0], spec.timezone) for place in (0, -1))
    rows = sum(len(frame) for _, frame in snapshots)
    learned = f"{counted(len(snapshots), 'interval')}, {first} to {last}, with {counted(rows, 'row')}"
    return f"Proposed from {learned}, and from the labels of {counted(len(labels), 'interval')}."


def _on_rows(spec: ModelSpec, frames: Frames) -> Iterator[Expectation]:
    seen, tables = _split(spec, frames)
    names = {"column_set": list(spec.stored), "exact_match": True}
    notes = f"{seen.opening}. A renamed, lost or added column means that the query or the warehouse has changed."
    yield expectation("expect_table_columns_to_match_set", names, CRITICAL, notes)
    yield from _volume(tables, seen)
    yield from _key(spec, tables, seen)
    for name in spec.stored:
        yield from _on_column(spec, _column(spec, name, tables), seen)


def _split(spec: ModelSpec, frames: Frames) -> tuple[Seen, list[pd.DataFrame]]:
    return Seen(tuple(interval for interval, _ in frames), spec.timezone), [frame for _, frame in frames]


def _column(spec: ModelSpec, name: str, tables: Sequence[pd.DataFrame]) -> Column:
    is_needed = name in {*spec.key_columns, spec.time_column}
    return Column(name, tuple(table[name] for table in tables), is_needed, spec.privacy.get(name) != PSEUDONYMISE)


def _volume(tables: Sequence[pd.DataFrame], seen: Seen) -> Iterator[Expectation]:
    kind, counts = "expect_table_row_count_to_be_between", [len(table) for table in tables]
    low, high = limits.outward(min(counts) / VOLUME_FACTOR, max(counts) * VOLUME_FACTOR)
    kwargs = {"min_value": max(1, int(low)), "max_value": int(high)}
    notes = f"{seen.opening}: {min(counts):,} to {counted(max(counts), 'row')}."
    yield expectation(kind, kwargs, CRITICAL, f"{notes} Far beyond that it is another table or a join gone wrong.")
    numbers = [float(count) for count in counts]
    found = learning.relation(numbers, seen, [WEEKDAY]) or learning.relation(numbers, seen, [RECENT])
    if found is not None:
        yield expectation(kind, {}, WARNING, **found)


def _key(spec: ModelSpec, tables: Sequence[pd.DataFrame], seen: Seen) -> Iterator[Expectation]:
    """Expect a unique key; where it was not, say so: nothing can be learned or judged until the query is mended."""
    key = list(spec.key_columns)
    doubled = sum(bool(table.duplicated(key).any()) for table in tables)
    notes = f"{seen.opening}: never twice. Labels are joined by this key."
    if doubled:
        notes = f"{seen.opening}: doubled in {doubled} of them. Labels are joined by this key: mend the query."
    severity = WARNING if doubled else CRITICAL
    if len(key) == 1:
        yield expectation("expect_column_values_to_be_unique", {"column": key[0]}, severity, notes)
    else:
        yield expectation("expect_compound_columns_to_be_unique", {"column_list": key}, severity, notes)


def _on_column(spec: ModelSpec, column: Column, seen: Seen) -> Iterator[Expectation]:
    yield from learning.types(column, seen)
    yield from learning.nulls(column, seen)
    if column.name in {*spec.numeric, *spec.observed} and column.is_number:
        yield from learning.ranges(column, seen)
        yield from learning.averages(column, seen)
    if column.is_text and column.is_shown:
        yield from learning.formats(column, seen)
        if column.name in spec.categorical:
            yield from learning.sets(column, seen)
            yield from learning.mixes(column, seen)


def _on_labels(spec: ModelSpec, frames: Frames) -> Iterator[Expectation]:
    seen, tables = _split(spec, frames)
    yield from _key(spec, tables, seen)
    notes = f"{KNOWN}, {VOID} (no label will ever come) or {UNKNOWN} (not yet)."
    kwargs = {"column": "status", "value_set": [KNOWN, VOID, UNKNOWN]}
    yield expectation("expect_column_values_to_be_in_set", kwargs, CRITICAL, notes)
    label = Column(spec.label, tuple(table[spec.label] for table in tables))
    yield from learning.nulls(label, seen)
    pooled = pd.concat(label.parts).dropna()
    if set(pooled.unique()) <= {0, 1}:
        yield from _flag(label, seen)
    elif label.is_text:
        yield from learning.sets(label, seen)
        yield from learning.mixes(label, seen)
    else:
        yield from learning.ranges(label, seen)
        yield from learning.averages(label, seen)


def _flag(label: Column, seen: Seen) -> Iterator[Expectation]:
    """Expect 0 and 1, about as often as before: around the median where that is telling, else half way to never."""
    kwargs = {"column": label.name, "value_set": [0, 1]}
    yield expectation("expect_column_values_to_be_in_set", kwargs, CRITICAL, f"{seen.opening}: nothing but 0 and 1.")
    found = list(learning.averages(label, seen))
    rates = [float(part.mean()) for part in label.parts if part.notna().any()]
    if found or not rates:
        yield from found
        return
    low, high = limits.outward(min(rates) / 2, (1 + max(rates)) / 2)
    limited = {"column": label.name, "min_value": max(low, 0), "max_value": min(high, 1)}
    notes = f"{seen.opening}: {percent(min(rates))} to {percent(max(rates))} of the labels were 1."
    yield expectation("expect_column_mean_to_be_between", limited, WARNING, notes)
