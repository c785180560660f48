"""Great Expectations judges rows here and nowhere else: expectations in, its own results as plain JSON out."""

from typing import Any

from include.retraining import gx_metrics, merging
from include.retraining.expectations import Suite, to_gx
from include.retraining.gx_metrics import Found
from include.retraining.parted import Parted, Rows

EXAMPLES = 20
BRIEF = {"result_format": "BASIC", "partial_unexpected_count": EXAMPLES}
"""Enough for what holds: the observed value, or how many rows do not fit."""
TELLING = {"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES, "return_unexpected_index_query": False}
WHOLE = {"result_format": "COMPLETE", "return_unexpected_index_query": False}
Raw = dict[str, Any]
"""A result of Great Expectations as plain JSON."""


def judge(rows: Rows, suite: Suite) -> list[Raw]:
    """Return Great Expectations' results, one per expectation and in the suite's order.

    Parameters
    ----------
    rows : DataFrame or Parted
        What is found does not depend on which.
    suite : Suite
        All of its limits are known: nothing is relative to earlier intervals any more.

    Raises
    ------
    SpecError
        Great Expectations refuses arguments; the message names every refused expectation.
    """
    return _judged(rows, suite, BRIEF)


def unexpected_rows(rows: Rows, suite: Suite) -> list[list[int]]:
    """Return, for each expectation on single rows, which rows by position do not hold."""
    counted = rows if isinstance(rows, Parted) else rows.reset_index(drop=True)
    found = _judged(counted, suite, WHOLE)
    return [[int(place) for place in raw["result"].get("unexpected_index_list") or []] for raw in found]


def _judged(rows: Rows, suite: Suite, form: dict[str, Any]) -> list[Raw]:
    """Judge all at once, which shares work, and one by one what breaks beyond GX's own care."""
    asked = to_gx(suite).expectations
    engine = gx_metrics.engine_of(rows.none() if isinstance(rows, Parted) else rows)
    with gx_metrics.remembering():
        wanted = [_wanted(one, engine, form) for one in asked]
        metrics = [metric for each in wanted for metric in each.values()]
        found = _measured(rows, metrics, engine)
        raws = [_raw(one, engine, found, form) for one in asked]
    return [raw or _alone(rows, one) for raw, one in zip(raws, asked, strict=True)]


def _measured(rows: Rows, metrics: list[Any], engine: Any) -> Found:
    try:
        if isinstance(rows, Parted):
            return merging.measured(rows, metrics, engine)
        return gx_metrics.resolve(gx_metrics.graph_of(engine, metrics))
    except Exception:  # said again, and then told, by the expectation that raises it
        return {}


def _wanted(expectation: Any, engine: Any, form: dict[str, Any]) -> gx_metrics.Wanted:
    try:
        return gx_metrics.wanted(expectation, engine, form)
    except Exception:  # the same
        return {}


def _raw(expectation: Any, engine: Any, found: Found, form: dict[str, Any]) -> Raw | None:
    """Return what Great Expectations makes of metrics: in brief if it holds, else with the commonest values."""
    try:
        raw = _result(expectation, engine, found, form)
        if raw["success"] or form is not BRIEF:
            return raw
        brief, telling = (gx_metrics.wanted(expectation, engine, one) for one in (BRIEF, TELLING))
        known = {one.id: found[brief[name].id] if name in brief else None for name, one in telling.items()}
        return _result(expectation, engine, known, TELLING)
    except Exception:  # the same
        return None


def _result(expectation: Any, engine: Any, found: Found, form: dict[str, Any]) -> Raw:
    asked = {"result_format": dict(form)}
    result = expectation.metrics_validate(metrics=found, execution_engine=engine, runtime_configuration=asked)
    return dict(result.to_json_dict())


def _alone(rows: Rows, expectation: Any) -> Raw:
    """Judge one expectation as Great Expectations does by itself, with its own words for what it raises."""
    from great_expectations.validator.validator import Validator

    configuration = expectation.configuration
    if isinstance(rows, Parted):
        rows = rows.whole(merging.columns_of(configuration.kwargs, rows.columns))
    try:
        validator = Validator(execution_engine=gx_metrics.engine_of(rows))
        validator.metrics_calculator.show_progress_bars = False
        (found,) = validator.graph_validate([configuration], runtime_configuration={"result_format": TELLING})
        return dict(found.to_json_dict())
    except Exception as error:  # whatever it is, an expectation that cannot be judged does not hold
        message = f"{type(error).__name__}: {error}"
        return {
            "success": False,
            "expectation_config": configuration.to_json_dict(),
            "result": {},
            "exception_info": {"raised_exception": True, "exception_message": message},
        }
