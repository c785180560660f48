"""Runs a suite on rows. The same rows and suite give the same bytes: nothing here knows a run or a clock."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.retraining import binding, phrases, quarantine
from include.retraining.binding import Bound, Earlier
from include.retraining.expectations import CRITICAL, WARNING, Suite, columns_of
from include.retraining.gx_engine import EXAMPLES, Raw, judge
from include.retraining.parted import Rows
from include.retraining.windows import Interval

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
PASS, WARN, FAIL = "pass", "warn", "fail"

# What is kept of a Great Expectations result. Row positions and tracebacks differ between machines or say nothing.
COUNTS = (
    "element_count",
    "unexpected_count",
    "unexpected_percent",
    "missing_count",
    "missing_percent",
    "unexpected_percent_total",
    "unexpected_percent_nonmissing",
)
VALUES = (
    "observed_value",
    "partial_unexpected_list",
    "partial_unexpected_counts",
    "partial_missing_list",
    "details",
)
# Their observed value is a count or a share, never a value of the column.
COUNTING = {
    "expect_column_proportion_of_non_null_values_to_be_between",
    "expect_column_proportion_of_unique_values_to_be_between",
    "expect_column_unique_value_count_to_be_between",
}
WHOLE_TABLE = {"expect_table_columns_to_match_set", "expect_table_columns_to_match_ordered_list"}


@dataclass(frozen=True)
class About:
    """What a validation is about. Nothing in it varies from run to run."""

    model: str
    interval: Interval
    rows_sha256: str
    masked: frozenset[str] = frozenset()
    """Columns whose values are never shown, only counted."""
    timezone: str = "UTC"
    """Where the interval's bounds are read off the clock."""
    earlier: tuple[Earlier, ...] = ()
    """What the same expectations showed on intervals before this one, oldest first."""
    quarantine_ratio: float = 0.0
    """Up to this share of rows that break critical expectations is set aside, and the rest judged again."""


@dataclass(frozen=True)
class Validation:
    """A plain result for the store, its Data Docs page, and the rows apart where some were set aside."""

    result: dict[str, Any]
    found: list[Raw]
    split: quarantine.Split | None = None

    @property
    def outcome(self) -> str:
        """Return ``pass``, ``warn`` or ``fail``."""
        return str(self.result["outcome"])

    @property
    def html(self) -> str:
        """Draw the page of Data Docs."""
        from include.retraining import data_docs

        return data_docs.page(self.result, self.found)


def validate(whole: Rows, suite: Suite, about: About, derived: "pd.DataFrame | None" = None) -> Validation:
    """Run every expectation of a suite on rows.

    Parameters
    ----------
    whole : DataFrame or Parted
        The snapshot, or the labels. What is found does not depend on how much of it is in memory at once.
    suite : Suite
        The half of the suite that belongs to it.
    about : About
        What the rows are, and what came before them.
    derived : DataFrame, optional
        Columns that were made for expectations on what needs two tables. Without it those are not judged.

    Returns
    -------
    Validation
        ``fail`` when a critical expectation does not hold, ``warn`` when only others of severity warning do not, or
        when rows were set aside. An expectation that raises has failed.

    Raises
    ------
    SpecError
        Great Expectations refuses an expectation's arguments.
    """
    bounds = binding.bind(suite, about.interval, about.timezone, about.earlier)
    found, rows = _judged(whole, derived, bounds, suite, about)
    ratio = about.quarantine_ratio
    split = quarantine.split(whole, _on_rows(suite, bounds), _rows_of(bounds, rows), ratio) if ratio else None
    if split is not None:
        again, rows_again = _judged(split.kept, derived, bounds, suite, about)
        if _outcome(rows_again) != FAIL:
            return Validation(_result(rows_again, len(split.kept), suite, about, split), again, split)
    return Validation(_result(rows, len(whole), suite, about), found)


def _judged(
    whole: Rows, derived: "pd.DataFrame | None", bounds: list[Bound], suite: Suite, about: About
) -> tuple[list[Raw], list[dict[str, Any]]]:
    """Return Great Expectations' results of what could be judged, and a plain row for every expectation."""
    tables = {False: whole, True: derived}
    raws: dict[int, Raw] = {}
    for is_derived, table in tables.items():
        here = [one for one in bounds if bool(one.expectation.get("derived")) == is_derived]
        if table is not None and here:
            found = judge(table, Suite(suite.name, tuple(one.expectation for one in here), suite.on))
            raws |= {id(one): _kept(raw, about.masked) for one, raw in zip(here, found, strict=True)}
    rows = [_row(one, raws.get(id(one)), about) for one in bounds]
    return [raws[id(one)] for one in bounds if id(one) in raws and not one.obstacle], rows


def _is_on_rows(bound: Bound) -> bool:
    return not (bound.obstacle or bound.expectation.get("derived"))


def _on_rows(suite: Suite, bounds: list[Bound]) -> Suite:
    return Suite(suite.name, tuple(one.expectation for one in bounds if _is_on_rows(one)), suite.on)


def _rows_of(bounds: list[Bound], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for one, row in zip(bounds, rows, strict=True) if _is_on_rows(one)]


def _kept(raw: dict[str, Any], masked: frozenset[str]) -> dict[str, Any]:
    """Return what is shown and stored of one result: no tracebacks, no row positions, no masked values."""
    config = raw["expectation_config"]
    kwargs = {name: value for name, value in config["kwargs"].items() if name != "batch_id"}
    hidden = _is_hidden(config["type"], kwargs, masked)
    names = COUNTS if hidden and config["type"] not in COUNTING else COUNTS + VALUES[: 1 if hidden else None]
    message = _exception_message(raw.get("exception_info") or {})
    notes = phrases.visible(config.get("notes") or "", phrases.LONGEST_SENTENCE)
    told = phrases.visible("It raised an error." if hidden and message else message, phrases.LONGEST_SENTENCE)
    return {
        "success": bool(raw["success"]) and not message,
        "expectation_config": {**config, "kwargs": phrases.tidy(kwargs), "meta": {}, "notes": notes},
        "result": phrases.tidy({name: _ordered(name, raw["result"][name]) for name in names if name in raw["result"]}),
        "exception_info": {
            "raised_exception": bool(message),
            "exception_message": told,
            "exception_traceback": "",
        },
    }


def _ordered(name: str, value: Any) -> Any:
    """Return a value of a result; GX lists what a set lacks in an order that differs from process to process."""
    return sorted(value, key=str) if name == "partial_missing_list" else value


def _is_hidden(kind: str, kwargs: dict[str, Any], masked: frozenset[str]) -> bool:
    """Return whether an expectation looks into a masked column; one on the columns' names does not."""
    return kind not in WHOLE_TABLE and bool(masked & set(columns_of(kwargs)))


def _exception_message(info: dict[str, Any]) -> str:
    """Return the first message: GX gives one exception, or one per metric under the metric's id."""
    each = [info] if "raised_exception" in info else [found for found in info.values() if isinstance(found, dict)]
    messages = sorted(str(found.get("exception_message")) for found in each if found.get("raised_exception"))
    return messages[0] if messages else ""


def _row(bound: Bound, raw: Raw | None, about: About) -> dict[str, Any]:
    """Return one expectation and what was found, in plain values and words."""
    expectation = bound.expectation
    kind, columns = expectation["type"], columns_of(expectation["kwargs"])
    about_it = {
        "id": bound.id,
        "type": kind,
        "column": None if kind in WHOLE_TABLE else ", ".join(map(phrases.visible, columns)) or None,
        "severity": expectation["severity"],
        "source": expectation.get("source", "suite"),
        "notes": phrases.visible(expectation["notes"], phrases.LONGEST_SENTENCE),
        "judged": raw is not None and not bound.obstacle,
    }
    found = _findings(bound, raw, _is_hidden(kind, expectation["kwargs"], about.masked)) if raw else {}
    return {**about_it, **(found if about_it["judged"] else _unjudged(bound, found.get("number")))}


def _unjudged(bound: Bound, number: float | None) -> dict[str, Any]:
    """Return what is told of an expectation that was at most measured: it does not fail."""
    obstacle = bound.obstacle or "not judged: there is no interval before to compare with"
    told: dict[str, Any] = {
        "limit": phrases.open_limit(bound.expectation),
        "observed": obstacle,
        "examples": [],
        "number": number,
    }
    return {"success": True, **told, **dict.fromkeys(("unexpected_count", "unexpected_ratio", "low", "high"))}


def _findings(bound: Bound, raw: Raw, is_hidden: bool) -> dict[str, Any]:
    counts, kwargs = raw["result"], bound.expectation["kwargs"]
    unexpected, total = counts.get("unexpected_count"), counts.get("element_count")
    ratio = round(unexpected / total, 6) if unexpected is not None and total else None
    observed = counts.get("observed_value")
    is_number = isinstance(observed, int | float) and not isinstance(observed, bool)
    limits = (kwargs.get("min_value"), kwargs.get("max_value", kwargs.get("threshold")))
    low, high = limits if is_number else (None, None)
    if not is_number and ratio is not None:
        high = round(1 - kwargs.get("mostly", 1), 9)
    told = _of_derived(bound, counts) or (phrases.limit(raw), phrases.observed(raw, is_hidden))
    return {
        "success": raw["success"],
        "limit": told[0] + (f" ({bound.usual})" if bound.usual else ""),
        "observed": told[1],
        "unexpected_count": unexpected,
        "unexpected_ratio": ratio,
        "number": float(observed) if is_number else ratio,
        "low": _limit(low),
        "high": _limit(high),
        "examples": phrases.examples(counts.get("partial_unexpected_list") or [], EXAMPLES),
    }


def _of_derived(bound: Bound, counts: dict[str, Any]) -> tuple[str, str] | None:
    """Return the words for a derived column that names what should not be there: its values are no data."""
    named = counts.get("partial_unexpected_list") or []
    is_naming = bound.expectation.get("derived") and bound.expectation["type"] == "expect_column_values_to_be_null"
    return ("there must be none", ", ".join(phrases.examples(named, EXAMPLES)) or "none") if is_naming else None


def _limit(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _result(
    rows: list[dict[str, Any]],
    judged: int,
    suite: Suite,
    about: About,
    split: quarantine.Split | None = None,
) -> dict[str, Any]:
    outcome, many = _outcome(rows), len(split.aside) if split else 0
    share = {"rows": many, "ratio": round(many / (judged + many), 6)} if split else {}
    return {
        "format_version": FORMAT_VERSION,
        "model": about.model,
        "interval": {"start": about.interval.start.isoformat(), "end": about.interval.end.isoformat()},
        "timezone": about.timezone,
        "on": suite.on,
        "rows_sha256": about.rows_sha256,
        "suite_sha256": suite.sha256,
        "suite": suite.name,
        "rows": judged,
        "outcome": WARN if split and outcome == PASS else outcome,
        "sentence": phrases.sentence(outcome, rows, judged) + phrases.aside(many, judged + many),
        "expectations": rows,
        **({"quarantined": share} if split else {}),
    }


def _outcome(rows: list[dict[str, Any]]) -> str:
    failed = {row["severity"] for row in rows if not row["success"]}
    if CRITICAL in failed:
        return FAIL
    return WARN if WARNING in failed else PASS
