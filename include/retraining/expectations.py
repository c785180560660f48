"""Pure: a suite file in Great Expectations' own JSON becomes a checked suite, and that a GX suite.

Great Expectations itself is imported only where a GX suite is built: every task checks suites, few run one.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.retraining import gx_door
from include.retraining.errors import SpecError

if TYPE_CHECKING:
    import great_expectations as gx

CRITICAL, WARNING, INFO = "critical", "warning", "info"
SEVERITIES = (CRITICAL, WARNING, INFO)
SNAPSHOT, LABELS = "snapshot", "labels"
FIELDS = {"id", "type", "kwargs", "severity", "meta", "notes", "description"}
RECENT, WEEKDAY, SEASON = "recent", "weekday", "season"
RELATIVES = (RECENT, WEEKDAY, SEASON)
"""What ``meta`` may compare with: the expectation's own numbers on all recent intervals, or on the same weekday."""

# What Great Expectations 1.24 can judge on rows alone: no SQL-only type, none that needs a second table.
TYPES = frozenset(
    [
        "expect_column_distinct_values_to_be_in_set",
        "expect_column_distinct_values_to_contain_set",
        "expect_column_distinct_values_to_equal_set",
        "expect_column_kl_divergence_to_be_less_than",
        "expect_column_max_to_be_between",
        "expect_column_mean_to_be_between",
        "expect_column_median_to_be_between",
        "expect_column_min_to_be_between",
        "expect_column_most_common_value_to_be_in_set",
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expect_column_pair_values_to_be_equal",
        "expect_column_pair_values_to_be_in_set",
        "expect_column_proportion_of_non_null_values_to_be_between",
        "expect_column_proportion_of_unique_values_to_be_between",
        "expect_column_quantile_values_to_be_between",
        "expect_column_stdev_to_be_between",
        "expect_column_sum_to_be_between",
        "expect_column_to_exist",
        "expect_column_unique_value_count_to_be_between",
        "expect_column_value_lengths_to_be_between",
        "expect_column_value_lengths_to_equal",
        "expect_column_value_z_scores_to_be_less_than",
        "expect_column_values_to_be_between",
        "expect_column_values_to_be_dateutil_parseable",
        "expect_column_values_to_be_decreasing",
        "expect_column_values_to_be_in_set",
        "expect_column_values_to_be_in_type_list",
        "expect_column_values_to_be_increasing",
        "expect_column_values_to_be_json_parseable",
        "expect_column_values_to_be_null",
        "expect_column_values_to_be_of_type",
        "expect_column_values_to_be_unique",
        "expect_column_values_to_match_json_schema",
        "expect_column_values_to_match_regex",
        "expect_column_values_to_match_regex_list",
        "expect_column_values_to_match_strftime_format",
        "expect_column_values_to_not_be_in_set",
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_not_match_regex",
        "expect_column_values_to_not_match_regex_list",
        "expect_compound_columns_to_be_unique",
        "expect_multicolumn_sum_to_equal",
        "expect_select_column_values_to_be_unique_within_record",
        "expect_table_column_count_to_be_between",
        "expect_table_column_count_to_equal",
        "expect_table_columns_to_match_ordered_list",
        "expect_table_columns_to_match_set",
        "expect_table_row_count_to_be_between",
        "expect_table_row_count_to_equal",
    ]
)
# Their observed value is one number, which limits of the past can be put around.
_STATISTICS = ("max", "mean", "median", "min", "stdev", "sum")
_COUNTED = ("proportion_of_non_null_values", "proportion_of_unique_values", "unique_value_count")
NUMBERED = frozenset(f"expect_column_{found}_to_be_between" for found in _STATISTICS + _COUNTED)
NUMBERED |= {"expect_table_row_count_to_be_between"}


@dataclass(frozen=True)
class Suite:
    """A checked suite. Each expectation has ``type``, ``kwargs``, ``severity``, ``notes`` and ``on``.

    One that is relative to earlier intervals has ``relative_to`` and ``tolerance`` too, and no limits of its own.
    """

    name: str
    expectations: tuple[dict[str, Any], ...]
    on: str = "snapshot and labels"

    @property
    def sha256(self) -> str:
        """Return the digest of its canonical form: layout and key order of the file do not count."""
        content = {"name": self.name, "on": self.on, "expectations": self.expectations}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def load(path: Path) -> Suite:
    """Return the suite in a file.

    Raises
    ------
    SpecError
        It is missing, is not JSON, or holds mistakes; the message names every one.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"Suite {path} cannot be read: {error.strerror}. Give a suite file in the spec.") from None
    except ValueError as error:
        raise SpecError(f"Suite {path} is not valid JSON: {error}. Mend that file.") from None
    return parse(content, path.name)


def parse(content: Any, source: str) -> Suite:
    """Return the suite that a suite file holds; raises SpecError naming every mistake and the file."""
    _refuse(source, _content_mistakes(content))
    return Suite(content["name"], tuple(_plain(expectation) for expectation in content["expectations"]))


def check(suite: Suite, columns: Iterable[str]) -> None:
    """Raise one SpecError that names every expectation on a column that is not stored.

    Parameters
    ----------
    suite : Suite
        The snapshot's or the labels' half.
    columns : iterable of str
        The columns that the spec stores in that frame.
    """
    known = set(columns)
    _refuse(
        f"{suite.name} on the {suite.on}",
        [
            f"{_place(number, expectation)}: column {column!r} is not stored, expected one of {sorted(known)}."
            for number, expectation in enumerate(suite.expectations, 1)
            for column in columns_of(expectation["kwargs"])
            if column not in known
        ],
    )


def for_snapshot(suite: Suite) -> Suite:
    """Return the expectations on the snapshot."""
    return _half(suite, SNAPSHOT)


def for_labels(suite: Suite) -> Suite:
    """Return the expectations on the labels: those whose ``meta`` says ``"on": "labels"``."""
    return _half(suite, LABELS)


def columns_of(kwargs: dict[str, Any]) -> list[str]:
    """Return the columns that an expectation's arguments name, in their order."""
    single = [kwargs[name] for name in ("column", "column_A", "column_B") if name in kwargs]
    lists = [kwargs[name] for name in ("column_list", "column_set") if isinstance(kwargs.get(name), list | tuple)]
    several = [column for found in lists for column in found]
    return [str(column) for column in single + several]


def to_gx(suite: Suite) -> "gx.ExpectationSuite":
    """Return Great Expectations' own suite, in the same order.

    Raises
    ------
    SpecError
        Great Expectations refuses arguments; the message names every refused expectation.
    """
    loaded = gx_door.load()
    built, mistakes = [], []
    for number, expectation in enumerate(suite.expectations, 1):
        try:
            built.append(_expectation(expectation))
        except Exception as error:  # pydantic, GX and value errors alike: each is the suite's mistake
            mistakes.append(f"{_place(number, expectation)}: {' '.join(str(error).split())}.")
    _refuse(suite.name, mistakes)
    found: gx.ExpectationSuite = loaded.ExpectationSuite(name=suite.name, expectations=built)
    return found


def _expectation(expectation: dict[str, Any]) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    return ExpectationConfiguration(
        type=expectation["type"],
        kwargs=expectation["kwargs"],
        severity=expectation["severity"],
        notes=expectation["notes"] or None,
    ).to_domain_obj()


def _half(suite: Suite, on: str) -> Suite:
    return Suite(suite.name, tuple(found for found in suite.expectations if found["on"] == on), on)


def _plain(expectation: dict[str, Any]) -> dict[str, Any]:
    meta = expectation.get("meta") or {}
    notes = expectation.get("notes") or meta.get("notes") or ""
    relative = {name: meta[name] for name in ("relative_to", "tolerance") if meta.get(name) is not None}
    return {
        "type": expectation["type"],
        "kwargs": expectation["kwargs"],
        "severity": expectation.get("severity", CRITICAL),
        "notes": notes if isinstance(notes, str) else " ".join(map(str, notes)),
        "on": meta.get("on", SNAPSHOT),
        **relative,  # only where given: the digest of every other suite stays what it was
    }


def _content_mistakes(content: Any) -> Iterator[str]:
    if not isinstance(content, dict) or not isinstance(content.get("expectations"), list):
        yield 'expected an object with "name" and a list "expectations", as Great Expectations writes it.'
        return
    if not isinstance(content.get("name"), str) or not content["name"].strip():
        yield f"name: found {content.get('name')!r}, expected a word."
    if not content["expectations"]:
        yield "expectations: empty, expected at least one."
    for number, expectation in enumerate(content["expectations"], 1):
        place = _place(number, expectation)
        yield from (f"{place}: {mistake}" for mistake in _expectation_mistakes(expectation))
    forms = Counter(json.dumps(expectation, sort_keys=True) for expectation in content["expectations"])
    yield from (f"the same expectation stands {count} times: {form:.200}" for form, count in forms.items() if count > 1)


def _expectation_mistakes(expectation: Any) -> Iterator[str]:
    if not isinstance(expectation, dict):
        yield f"found {expectation!r:.80}, expected an object with type, kwargs, severity and meta."
        return
    if unknown := sorted(set(expectation) - FIELDS):
        yield f"unknown fields {unknown}, expected some of {sorted(FIELDS)}."
    if not _is_one_of(expectation.get("type"), TYPES):
        yield f"unknown type {expectation.get('type')!r}, expected one that Great Expectations 1.24 runs on rows."
    if not isinstance(expectation.get("kwargs"), dict):
        yield f"kwargs: found {expectation.get('kwargs')!r:.80}, expected an object."
    if not _is_one_of(expectation.get("severity", CRITICAL), SEVERITIES):
        yield f"severity: found {expectation['severity']!r}, expected one of {list(SEVERITIES)}."
    yield from _meta_mistakes(expectation)


def _meta_mistakes(expectation: dict[str, Any]) -> Iterator[str]:
    meta = expectation.get("meta") or {}
    if not isinstance(meta, dict) or meta.get("on", SNAPSHOT) not in (SNAPSHOT, LABELS):
        yield f"meta: found {meta!r:.80}, expected an object whose `on` is {SNAPSHOT!r} or {LABELS!r}."
        return
    notes = expectation.get("notes") or meta.get("notes") or ""
    if not isinstance(notes, str | list):
        yield f"notes: found {notes!r:.80}, expected text, or a list of texts."
    if meta.get("relative_to") is not None or meta.get("tolerance") is not None:
        yield from _relative_mistakes(expectation, meta)


def _relative_mistakes(expectation: dict[str, Any], meta: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with limits that earlier intervals give: a share around the median of their numbers."""
    tolerance, kwargs = meta.get("tolerance"), expectation.get("kwargs")
    if not _is_one_of(meta.get("relative_to"), RELATIVES):
        yield f"meta.relative_to: found {meta.get('relative_to')!r:.80}, expected one of {list(RELATIVES)}."
    if isinstance(tolerance, bool) or not (isinstance(tolerance, int | float) and 0 < tolerance <= 1):
        yield f"meta.tolerance: found {tolerance!r:.80}, expected a share of the median above 0 and at most 1."
    if not _is_one_of(expectation.get("type"), NUMBERED):
        known = ", ".join(sorted(NUMBERED))
        yield f"meta.relative_to: {expectation.get('type')} observes no single number, expected one of {known}."
    given = [name for name in ("min_value", "max_value") if isinstance(kwargs, dict) and kwargs.get(name) is not None]
    if given:
        yield f"kwargs: found {given} beside meta.relative_to, which takes its limits from earlier intervals. Keep one."


def _is_one_of(value: Any, names: Container[str]) -> bool:
    return isinstance(value, str) and value in names


def _place(number: int, expectation: Any) -> str:
    if not isinstance(expectation, dict):
        return f"expectation {number}"
    kwargs = expectation.get("kwargs")
    columns = ", ".join(columns_of(kwargs)) if isinstance(kwargs, dict) else ""
    return f"expectation {number} ({expectation.get('type')}{' on ' + columns if columns else ''})"


def _refuse(source: str, mistakes: Iterable[str]) -> None:
    listed = list(mistakes)
    if listed:
        lines = "\n".join(f"  - {mistake}" for mistake in listed)
        raise SpecError(f"Suite {source} has {len(listed)} mistake(s):\n{lines}")
