"""Runs a suite on rows. The same rows and suite give the same bytes: nothing here knows a run or a clock."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.retraining import phrases
from include.retraining.expectations import CRITICAL, WARNING, Suite, columns_of, to_gx
from include.retraining.windows import Interval

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
EXAMPLES = 20
FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES}
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
VALUES = ("observed_value", "partial_unexpected_list", "partial_unexpected_counts", "details")
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


@dataclass(frozen=True)
class Validation:
    """A plain result for the store, and its Data Docs page."""

    result: dict[str, Any]
    html: str

    @property
    def outcome(self) -> str:
        """Return ``pass``, ``warn`` or ``fail``."""
        return str(self.result["outcome"])


def validate(frame: "pd.DataFrame", suite: Suite, about: About) -> Validation:
    """Run every expectation of a suite on rows.

    Parameters
    ----------
    frame : DataFrame
        The snapshot, or the labels.
    suite : Suite
        The half of the suite that belongs to it.
    about : About
        What the rows are.

    Returns
    -------
    Validation
        ``fail`` when a critical expectation does not hold, ``warn`` when only others of severity warning do not.
        An expectation that raises has failed.

    Raises
    ------
    SpecError
        Great Expectations refuses an expectation's arguments.
    """
    from include.retraining import data_docs

    found = [_kept(raw, about.masked) for raw in _run(frame, suite)]
    rows = [_row(expectation, raw, about) for expectation, raw in zip(suite.expectations, found, strict=True)]
    result = _result(rows, len(frame), suite, about)
    return Validation(result, data_docs.page(result, found))


def _run(frame: "pd.DataFrame", suite: Suite) -> list[dict[str, Any]]:
    """Return Great Expectations' own results as plain JSON, one per expectation and in the suite's order."""
    import great_expectations as gx
    from great_expectations.data_context.data_context.context_factory import set_context
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    built = to_gx(suite)
    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    quiet = DataContextConfig(store_backend_defaults=stores, progress_bars={"globally": False})
    try:
        context = gx.get_context(mode="ephemeral", project_config=quiet)
        asset = context.data_sources.add_pandas("store").add_dataframe_asset("rows")
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
        return _judge(batch, built)
    finally:
        set_context(None)  # the context is a global of GX's: the next validation must not see this one


def _judge(batch: Any, suite: Any) -> list[dict[str, Any]]:
    """Judge a suite at once, which shares its work, or one by one where something breaks beyond GX's own care."""
    try:
        together = [one.to_json_dict() for one in batch.validate(suite, result_format=FORMAT).results]
    except Exception:  # said again, and then told, by the expectation that raises it
        return [_judge_one(batch, expectation) for expectation in suite.expectations]
    found = {_identity(one["expectation_config"]): one for one in together}  # GX has an order of its own
    wanted = [(_identity(one.configuration.to_json_dict()), one) for one in suite.expectations]
    return [found.get(identity) or _judge_one(batch, one) for identity, one in wanted]


def _judge_one(batch: Any, expectation: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = batch.validate(expectation, result_format=FORMAT).to_json_dict()
    except Exception as error:  # whatever it is, an expectation that cannot be judged does not hold
        message = f"{type(error).__name__}: {error}"
        return {
            "success": False,
            "expectation_config": expectation.configuration.to_json_dict(),
            "result": {},
            "exception_info": {"raised_exception": True, "exception_message": message},
        }
    return found


def _identity(config: dict[str, Any]) -> str:
    kwargs = {name: value for name, value in config["kwargs"].items() if name != "batch_id"}
    return json.dumps([config["type"], kwargs, config["severity"], config.get("notes")], sort_keys=True)


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
        "result": phrases.tidy({name: raw["result"][name] for name in names if name in raw["result"]}),
        "exception_info": {
            "raised_exception": bool(message),
            "exception_message": told,
            "exception_traceback": "",
        },
    }


def _is_hidden(kind: str, kwargs: dict[str, Any], masked: frozenset[str]) -> bool:
    """Return whether an expectation looks into a masked column; one on the columns' names does not."""
    return kind not in WHOLE_TABLE and bool(masked & set(columns_of(kwargs)))


def _exception_message(info: dict[str, Any]) -> str:
    """Return the first message: GX gives one exception, or one per metric under the metric's id."""
    each = [info] if "raised_exception" in info else [found for found in info.values() if isinstance(found, dict)]
    messages = sorted(str(found.get("exception_message")) for found in each if found.get("raised_exception"))
    return messages[0] if messages else ""


def _row(expectation: dict[str, Any], raw: dict[str, Any], about: About) -> dict[str, Any]:
    counts, columns = raw["result"], columns_of(expectation["kwargs"])
    unexpected, total = counts.get("unexpected_count"), counts.get("element_count")
    return {
        "type": expectation["type"],
        "column": None if expectation["type"] in WHOLE_TABLE else ", ".join(map(phrases.visible, columns)) or None,
        "severity": expectation["severity"],
        "success": raw["success"],
        "limit": phrases.limit(raw),
        "observed": phrases.observed(raw, _is_hidden(expectation["type"], expectation["kwargs"], about.masked)),
        "unexpected_count": unexpected,
        "unexpected_ratio": round(unexpected / total, 6) if unexpected is not None and total else None,
        "examples": phrases.examples(counts.get("partial_unexpected_list") or [], EXAMPLES),
        "notes": raw["expectation_config"]["notes"],
    }


def _result(rows: list[dict[str, Any]], count: int, suite: Suite, about: About) -> dict[str, Any]:
    outcome = _outcome(rows)
    return {
        "format_version": FORMAT_VERSION,
        "model": about.model,
        "interval": {"start": about.interval.start.isoformat(), "end": about.interval.end.isoformat()},
        "timezone": about.timezone,
        "on": suite.on,
        "rows_sha256": about.rows_sha256,
        "suite_sha256": suite.sha256,
        "suite": suite.name,
        "rows": count,
        "outcome": outcome,
        "sentence": phrases.sentence(outcome, rows, count),
        "expectations": rows,
    }


def _outcome(rows: list[dict[str, Any]]) -> str:
    failed = {row["severity"] for row in rows if not row["success"]}
    if CRITICAL in failed:
        return FAIL
    return WARN if WARNING in failed else PASS
