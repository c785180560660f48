"""Pure: what one column showed in each interval becomes expectations, each with its evidence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from include.retraining import limits, relative
from include.retraining.binding import NEEDED
from include.retraining.expectations import CRITICAL, RECENT, WARNING, WEEKDAY
from include.retraining.windows import Interval

Expectation = dict[str, Any]
CLOSED_VALUES, MOST_VALUES = 12, 50
"""The most values of a set that is closed for good, and of any set."""
SETTLED = 7
"""So many intervals are needed before a set can count as closed."""
WIDEST_TOLERANCE, WIDEST_DIVERGENCE = 0.8, 0.5
"""Limits beyond these would let everything pass; within them a change of units still shows."""
FORMATS = {"[A-Z]": "capital letters", "[0-9]": "digits", "[0-9A-Z]": "capital letters or digits"}
FEWEST_FORMATTED = 10
"""A format is only seen in so many different values."""


@dataclass(frozen=True)
class Seen:
    """The intervals that are learned from, oldest first."""

    intervals: tuple[Interval, ...]
    timezone: str

    @property
    def opening(self) -> str:
        """Return how every piece of evidence begins."""
        return f"Seen in {counted(len(self.intervals), 'interval')}"

    def names(self, places: Sequence[int]) -> str:
        """Return some intervals by their local day."""
        return ", ".join(day(self.intervals[place], self.timezone) for place in places)


@dataclass(frozen=True)
class Column:
    """One column's values in every interval, oldest first."""

    name: str
    parts: tuple[pd.Series, ...]
    is_needed: bool = False
    """Whether a row without a value cannot be used: keys and the time column."""
    is_shown: bool = True
    """Whether its values may stand in a suite: those of a pseudonymised column may not."""

    @property
    def kinds(self) -> set[str | None]:
        """Return the types that Great Expectations sees; None stands for mixed and unknown ones."""
        return {_kind(part.dtype) for part in self.parts}

    @property
    def is_text(self) -> bool:
        """Return whether every interval holds texts."""
        return self.kinds == {"str"}

    @property
    def is_number(self) -> bool:
        """Return whether every interval holds numbers."""
        return all(str(kind).startswith(("int", "uint", "float")) for kind in self.kinds)

    @property
    def is_ever_empty(self) -> bool:
        """Return whether an interval holds no value at all."""
        return any(part.notna().sum() == 0 for part in self.parts)


def day(interval: Interval, timezone: str) -> str:
    """Return an interval by the local day, or by the minute where it is no day, that it begins on."""
    start = pd.Timestamp(interval.start).tz_convert(timezone)
    return start.strftime("%Y-%m-%d" if relative.is_daily([interval]) else "%Y-%m-%d %H:%M")


def counted(count: int, noun: str) -> str:
    """Return a count and its noun.

    >>> counted(1, "interval"), counted(28, "interval")
    ('1 interval', '28 intervals')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def percent(share: float) -> str:
    """Return a share as people read it.

    >>> percent(0.0123), percent(1)
    ('1.2 %', '100.0 %')
    """
    return f"{100 * share:.1f} %"


def expectation(kind: str, kwargs: dict[str, Any], severity: str, notes: str, **meta: Any) -> Expectation:
    """Return one expectation as a suite file holds it."""
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": {**meta, "notes": notes}}


def plain(number: float) -> float:
    """Return a whole number without its point.

    >>> plain(3.0), plain(0.5)
    (3, 0.5)
    """
    return int(number) if float(number).is_integer() else float(number)


def types(column: Column, seen: Seen) -> Iterator[Expectation]:
    """Expect the type of every interval; types that differ say nothing."""
    kind, *others = column.kinds
    if kind is not None and not others:
        kwargs = {"column": column.name, "type_": kind}
        yield expectation("expect_column_values_to_be_of_type", kwargs, CRITICAL, f"{seen.opening}: always {kind}.")


def _kind(dtype: Any) -> str | None:
    """Return the name by which Great Expectations 1.24 knows a pandas 3 type; None for mixed and unknown ones."""
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "Timestamp"
    if isinstance(dtype, pd.StringDtype):
        return "str"
    name = "datetime64" if dtype.kind == "M" else str(dtype)
    return name if dtype.kind in "Mbif" and not isinstance(dtype, pd.api.extensions.ExtensionDtype) else None


def nulls(column: Column, seen: Seen) -> Iterator[Expectation]:
    """Expect values where there always were; else as large a share of them as there was, less a margin."""
    shares = [float(part.isna().mean()) for part in column.parts]
    if not any(shares):
        severity, why = (CRITICAL, " No row can be used without it.") if column.is_needed else (WARNING, "")
        notes = f"{seen.opening}: never null.{why}"
        yield expectation("expect_column_values_to_not_be_null", {"column": column.name}, severity, notes)
        return
    found = limits.spread(shares, 1.5, 0.02)
    if found is not None and found.limit < 1:
        notes = f"{seen.opening}: {percent(min(shares))} to {percent(found.worst)} null{_but(found, seen)}."
        kwargs = {"column": column.name, "min_value": round(1 - found.limit, 2), "max_value": 1}
        yield expectation("expect_column_proportion_of_non_null_values_to_be_between", kwargs, WARNING, notes)


def ranges(column: Column, seen: Seen) -> Iterator[Expectation]:
    """Expect numbers around their robust quantiles."""
    found = limits.number_range(column.parts)
    if found is None:
        return
    least, most = (f"{getattr(pd.concat(column.parts), name)():g}" for name in ("min", "max"))
    worst = f", in the worst of them {percent(found.outside)} outside these limits" if found.outside else ""
    kwargs = {"column": column.name, "min_value": plain(found.low), "max_value": plain(found.high)}
    kwargs |= {"mostly": found.mostly} if found.mostly else {}
    notes = f"{seen.opening}: {least} to {most}{worst}."
    yield expectation("expect_column_values_to_be_between", kwargs, WARNING, notes)


def sets(column: Column, seen: Seen) -> Iterator[Expectation]:
    """Expect known values: each of them where the set is closed, else a warning that names new ones."""
    each = [set(part.dropna()) for part in column.parts]
    known = sorted(set().union(*each))
    if not 0 < len(known) <= MOST_VALUES:
        return
    kwargs = {"column": column.name, "value_set": known}
    always = len(set(known).intersection(*each))
    many = "all" if always == len(known) else str(always or "none")
    evidence = f"{seen.opening}: {counted(len(known), 'value')}, {many} of them every time"
    if is_closed(each):
        notes = f"{evidence}; none was new in the second half."
        yield expectation("expect_column_values_to_be_in_set", kwargs, CRITICAL, notes)
    else:
        notes = f"{evidence}. A new value may be real: the model has not learned from it."
        yield expectation("expect_column_distinct_values_to_be_in_set", kwargs, WARNING, notes)


def is_closed(each: Sequence[set[Any]]) -> bool:
    """Return whether both halves of the intervals hold all values, which are few and not seen by chance."""
    known, half = set().union(*each), len(each) // 2
    halves = [set().union(*each[:half]), set().union(*each[half:])]
    often = all(sum(value in values for values in each) >= 3 for value in known)
    return len(each) >= SETTLED and len(known) <= CLOSED_VALUES and halves == [known, known] and often


def formats(column: Column, seen: Seen) -> Iterator[Expectation]:
    """Expect codes that all have one length and one alphabet, and only those."""
    known = pd.Series(pd.concat([pd.Series(part.dropna().unique()) for part in column.parts]).unique())
    lengths = set(known.str.len()) if len(known) >= FEWEST_FORMATTED else set()
    if len(lengths) != 1 or not 1 <= (length := int(lengths.pop())) <= 16:
        return
    for letters, words in FORMATS.items():
        regex = f"^{letters}{{{length}}}$"
        if known.str.fullmatch(regex[1:-1]).all():
            notes = f"{seen.opening}: each of {counted(len(known), 'value')} is {length} {words}."
            yield expectation(
                "expect_column_values_to_match_regex", {"column": column.name, "regex": regex}, WARNING, notes
            )
            return


def mixes(column: Column, seen: Seen) -> Iterator[Expectation]:
    """Expect the mix of values seen so far, with a limit that the intervals keep among themselves."""
    counts = [part.value_counts() for part in column.parts]
    known = set().union(*(found.index for found in counts))
    if not 2 <= len(known) <= MOST_VALUES or column.is_ever_empty or len(counts) <= NEEDED:
        return
    everything = pd.concat(counts).groupby(level=0).sum()
    expected = limits.shares(everything)
    others = [limits.shares(left) for one in counts if len(left := _without(everything, one))]
    if len(others) < len(counts):
        return
    apart = [
        max(limits.divergence(one, expected), limits.divergence(one, other))
        for one, other in zip(counts, others, strict=True)
    ]
    found = limits.spread(apart, 1.5, 0.01)
    if found is None or found.limit > WIDEST_DIVERGENCE:
        return
    partition = {"values": list(expected), "weights": list(expected.values())}
    kwargs = {"column": column.name, "partition_object": partition, "threshold": found.limit}
    notes = f"{seen.opening}: each at most {found.worst:.3f} from the mix of the others{_but(found, seen)}."
    kwargs |= {"tail_weight_holdout": limits.HOLDOUT}
    yield expectation("expect_column_kl_divergence_to_be_less_than", kwargs, WARNING, notes)


def _without(everything: pd.Series, one: pd.Series) -> pd.Series:
    left = everything.sub(one, fill_value=0)
    return left[left > 0]


def averages(column: Column, seen: Seen) -> Iterator[Expectation]:
    """Expect the mean of other intervals, of the same weekday where that tells more."""
    wanted = {"type": "expect_column_mean_to_be_between", "kwargs": {"column": column.name}}
    numbers = [relative.number(part.to_frame(column.name), wanted) for part in column.parts]
    found = relation(numbers, seen, (RECENT, WEEKDAY))
    if found is not None:
        yield expectation(**{"kind": wanted["type"], "kwargs": wanted["kwargs"], "severity": WARNING, **found})


def relation(numbers: Sequence[float | None], seen: Seen, choices: Sequence[str]) -> dict[str, Any] | None:
    """Return the tightest relative limits that hold: ``relative_to``, ``tolerance`` and ``notes``; None if none do."""
    best: tuple[limits.Spread, str] | None = None
    for choice in choices:
        found = _tolerance(numbers, seen, choice)
        if found is not None and found.limit <= WIDEST_TOLERANCE and (best is None or found.limit < best[0].limit):
            best = found, choice
    if best is None:
        return None
    spread, choice = best
    of = "others of its weekday" if choice == WEEKDAY else "others"
    notes = f"{seen.opening}: each within {percent(spread.worst)} of the median of the {of}{_but(spread, seen)}."
    return {"relative_to": choice, "tolerance": spread.limit, "notes": notes}


def _tolerance(numbers: Sequence[float | None], seen: Seen, choice: str) -> limits.Spread | None:
    """Return how far each interval's number lies from those of others, all of them and only the earlier ones."""
    values = [number for number in numbers if number is not None]
    if len(values) < len(numbers) or (choice == WEEKDAY and not relative.is_daily(seen.intervals)):
        return None
    groups = [relative.group(one, choice, seen.timezone) for one in seen.intervals]
    apart = []
    for place, number in enumerate(values):
        same = [(at, other) for at, other in enumerate(values) if at != place and groups[at] == groups[place]]
        told = [relative.deviation(number, [other for _, other in same])]
        told += [relative.deviation(number, [other for at, other in same if at < place])]
        apart.append(max((one for one in told if one is not None), default=None))
    if 2 * sum(one is not None for one in apart) < len(apart):
        return None
    return limits.spread(apart, 1.25, 0.05)


def _but(spread: limits.Spread, seen: Seen) -> str:
    return f", but not {seen.names(spread.outliers)}" if spread.outliers else ""
