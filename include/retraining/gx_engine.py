"""Great Expectations judges rows here and nowhere else: expectations in, its own results as plain JSON out.

Its lower face is used, a ``Validator`` over an execution engine. The upper one, a data context and a batch, hashes the
whole frame twice and draws progress bars (docs/decisions/0006-validation.md has the profile).
"""

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from include.retraining.expectations import Suite, to_gx

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 20
BRIEF = {"result_format": "BASIC", "partial_unexpected_count": EXAMPLES}
"""Enough for what holds: the observed value, or how many rows do not fit."""
TELLING = {"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES}
WHOLE = {"result_format": "COMPLETE"}
ROWS = "rows"
Raw = dict[str, Any]
"""A result of Great Expectations as plain JSON."""


def judge(frame: "pd.DataFrame", suite: Suite) -> list[Raw]:
    """Return Great Expectations' results, one per expectation and in the suite's order.

    Parameters
    ----------
    frame : DataFrame
    suite : Suite
        All of its limits are known: nothing is relative to earlier intervals any more.

    Raises
    ------
    SpecError
        Great Expectations refuses arguments; the message names every refused expectation.
    """
    configurations = [one.configuration for one in to_gx(suite).expectations]
    found = _judged(frame, configurations, BRIEF)
    broken = [place for place, raw in enumerate(found) if not raw["success"]]
    told = _judged(frame, [configurations[place] for place in broken], TELLING)
    for place, raw in zip(broken, told, strict=True):
        found[place] = raw
    return found


def unexpected_rows(frame: "pd.DataFrame", suite: Suite) -> list[list[int]]:
    """Return, for each expectation on single rows, which rows by position do not hold."""
    configurations = [one.configuration for one in to_gx(suite).expectations]
    found = _judged(frame.reset_index(drop=True), configurations, WHOLE)
    return [[int(place) for place in raw["result"].get("unexpected_index_list") or []] for raw in found]


def _judged(frame: "pd.DataFrame", configurations: list[Any], form: dict[str, Any]) -> list[Raw]:
    """Judge all at once, which shares work, or one by one where something breaks beyond GX's own care."""
    if not configurations:
        return []
    validator = _validator(frame)
    try:
        together = _results(validator, configurations, form)
    except Exception:  # said again, and then told, by the expectation that raises it
        return [_judged_alone(validator, one, form) for one in configurations]
    found = {_identity(one["expectation_config"]): one for one in together}  # GX has an order of its own
    wanted = [(_identity(one.to_json_dict()), one) for one in configurations]
    return [found.get(identity) or _judged_alone(validator, one, form) for identity, one in wanted]


def _judged_alone(validator: Any, configuration: Any, form: dict[str, Any]) -> Raw:
    try:
        return _results(validator, [configuration], form)[0]
    except Exception as error:  # whatever it is, an expectation that cannot be judged does not hold
        message = f"{type(error).__name__}: {error}"
        return {
            "success": False,
            "expectation_config": configuration.to_json_dict(),
            "result": {},
            "exception_info": {"raised_exception": True, "exception_message": message},
        }


def _results(validator: Any, configurations: list[Any], form: dict[str, Any]) -> list[Raw]:
    found = validator.graph_validate(configurations=configurations, runtime_configuration={"result_format": form})
    return [one.to_json_dict() for one in found]


def _identity(config: dict[str, Any]) -> str:
    kwargs = {name: value for name, value in config["kwargs"].items() if name != "batch_id"}
    return json.dumps([config["type"], kwargs, config["severity"], config.get("notes")], sort_keys=True)


def _validator(frame: "pd.DataFrame") -> Any:
    from great_expectations.validator.validator import Validator

    engine = _engine_class()()
    engine.load_batch_data(ROWS, frame)
    validator = Validator(execution_engine=engine)
    validator.metrics_calculator.show_progress_bars = False
    return validator


@cache
def _engine_class() -> Any:
    """Return GX's pandas engine with two metrics of its own, which look at a column once.

    GX 1.24 asks every single value of a mean or a standard deviation whether it is a ``Decimal``: more than half of
    the time of a validation. The numbers of a snapshot are float64. GX finds an engine's metrics by its class's name.
    """
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.expectations.metrics.column_aggregate_metric_provider import (
        ColumnAggregateMetricProvider,
        column_aggregate_value,
    )

    class RowsEngine(PandasExecutionEngine):  # type: ignore[misc]
        """The pandas engine under a name of our own."""

    class _Mean(ColumnAggregateMetricProvider):  # type: ignore[misc]
        metric_name = "column.mean"

        @column_aggregate_value(engine=RowsEngine)  # type: ignore[untyped-decorator]
        def _pandas(cls, column: Any, **_: Any) -> Any:  # noqa: N805 - GX calls it with the class
            return column.mean()

    class _StandardDeviation(ColumnAggregateMetricProvider):  # type: ignore[misc]
        metric_name = "column.standard_deviation"

        @column_aggregate_value(engine=RowsEngine)  # type: ignore[untyped-decorator]
        def _pandas(cls, column: Any, **_: Any) -> Any:  # noqa: N805 - GX calls it with the class
            return column.std()

    return RowsEngine
