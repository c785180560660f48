"""Metrics of parts become those of all rows, exactly; what cannot is computed on its columns, as a whole.

Three ways, each the cheapest that is exact: what Great Expectations finds in parts adds up; whether a value stands
twice is seen by the few rows whose hashes do; the rest (order, quantiles, frequencies) reads its columns alone.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from include.retraining import gx_metrics, parted
from include.retraining.gx_metrics import Found
from include.retraining.parted import Parted

if TYPE_CHECKING:
    Values = pd.Series[Any]

COUNT, FILTERED, EXAMPLES = "unexpected_count", "filtered_row_count", "unexpected_values"
PLACES, QUERY = "unexpected_index_list", "unexpected_index_query"
# What these find of a row depends on that row alone.
BY_ROW = {
    *(f"column_values.{one}" for one in ("nonnull", "null", "between", "in_set", "not_in_set", "of_type")),
    *(f"column_values.{one}" for one in ("match_regex", "not_match_regex", "match_regex_list", "in_type_list")),
    *(f"column_values.{one}" for one in ("not_match_regex_list", "match_strftime_format", "dateutil_parseable")),
    *(f"column_values.{one}" for one in ("json_parseable", "match_json_schema", "value_length.between")),
    "column_values.value_length.equals",
    *(f"column_pair_values.{one}" for one in ("a_greater_than_b", "equal", "in_set")),
    "multicolumn_sum.equal",
    "select_column_values.unique.within_record",
}
BY_HASH = {"column_values.unique", "compound_columns.unique"}
FULL: dict[str, Callable[[], Any]] = {f"column_values.nonnull.{COUNT}": int, f"column_values.nonnull.{EXAMPLES}": list}
"""What is found of a column that misses no value."""
MOST_EXAMPLES = 200
"""So many unexpected values Great Expectations keeps at most."""


def measured(rows: Parted, metrics: Iterable[Any], engine: Any) -> Found:
    """Return the values of metrics on all rows; those that raise are missing.

    Parameters
    ----------
    rows : Parted
    metrics : iterable of MetricConfiguration
    engine : RowsEngine
        What it holds is replaced; afterwards it holds a frame of the same columns without a row.
    """
    each = {one.id: one for one in metrics}
    found: Found = {key: told for key, one in each.items() if (told := _told(one, rows)) is not None}
    for columns, alike in _by_columns([one for key, one in each.items() if key not in found], rows).items():
        found |= _of_columns(rows, columns, alike, engine)
    gx_metrics.hand(engine, rows.none())
    return found


def _of_columns(rows: Parted, columns: Sequence[str], metrics: list[Any], engine: Any) -> Found:
    """Return metrics of the same columns: of all rows where these fit into memory, else each in its own way."""
    if len(rows) <= rows.rows_of(columns):
        return _on(rows.whole(columns), metrics, engine)
    found = _merged(rows, columns, [one for one in metrics if _merge(one)], engine)
    left = [one for one in metrics if one.id not in found]
    if hashed := [one for one in left if _is_by_hash(one)]:
        found |= _on(parted.doubled(rows, columns), hashed, engine)
    if rest := [one for one in left if not _is_by_hash(one)]:
        found |= _on(rows.whole(columns), rest, engine)
    return found


def columns_of(kwargs: dict[str, Any], columns: list[str]) -> list[str]:
    """Return the columns that the arguments of a metric or an expectation are about; all if they name none."""
    named = {str(kwargs[name]) for name in ("column", "column_A", "column_B") if kwargs.get(name)}
    named |= {str(name) for name in kwargs.get("column_list") or ()}
    condition = str(kwargs.get("row_condition") or "")
    return [name for name in columns if name in named or name in condition] or columns


def _told(metric: Any, rows: Parted) -> Any:
    """Return what the file says without a look at its rows, or None."""
    if metric.metric_name == "table.row_count":
        return None if metric.metric_domain_kwargs.get("row_condition") else len(rows)
    if metric.metric_name in FULL:
        column, condition = (metric.metric_domain_kwargs.get(name) for name in ("column", "row_condition"))
        is_full = not condition and column in rows.columns and rows.is_full(column)
        return FULL[metric.metric_name]() if is_full else None
    if metric.metric_name == "table.column_types":
        return [{"name": name, "type": kind} for name, kind in rows.none().dtypes.items()]
    return {"table.columns": rows.columns, "table.column_count": len(rows.columns)}.get(metric.metric_name)


def _merged(rows: Parted, columns: Sequence[str], metrics: list[Any], engine: Any) -> Found:
    """Return what adds up over the parts; what raises in one of them, or is of no kind that adds up, is left out."""
    if not metrics:
        return {}
    graph = gx_metrics.graph_of(engine, [one for one in metrics if one.metric_name not in SKETCHES])
    part_by_part = rows.parts(columns, rows.rows_of(columns))
    parts = list(
        map(lambda part: _of_part(part, metrics, graph, engine), part_by_part)
    )  # a loop would hold the last part
    return dict(chain.from_iterable(_added(one, parts) for one in metrics))


def _of_part(part: pd.DataFrame, metrics: list[Any], graph: Any, engine: Any) -> Found:
    gx_metrics.hand(engine, part)
    here = gx_metrics.resolve(graph)
    found = {one.id: here[one.id] for one in metrics if one.id in here} | _sketches(metrics, engine)
    gx_metrics.hand(engine, part.head(0))
    return found


def _sketches(metrics: list[Any], engine: Any) -> Found:
    found = {}
    for one in metrics:
        if one.metric_name in SKETCHES:
            values = engine.get_domain_records(one.metric_domain_kwargs)[one.metric_domain_kwargs["column"]]
            found[one.id] = SKETCHES[one.metric_name](values)
    return found


def _added(metric: Any, parts: list[Found]) -> Iterable[tuple[Any, Any]]:
    merge = _merge(metric)
    if merge and parts and all(metric.id in part for part in parts):
        try:
            yield metric.id, merge([part[metric.id] for part in parts])
        except (TypeError, ValueError):  # of no kind that adds up: computed on its column
            return


def _merge(metric: Any) -> Callable[[list[Any]], Any] | None:
    """Return how a metric's values of parts become its value of all rows, or None if they cannot."""
    has_condition = bool(metric.metric_domain_kwargs.get("row_condition"))
    if metric.metric_name in MERGES:
        return None if has_condition and metric.metric_name in SHARES else MERGES[metric.metric_name]
    base, _, suffix = metric.metric_name.rpartition(".")
    if suffix == EXAMPLES and base in BY_ROW:
        form = metric.metric_value_kwargs["result_format"]
        most = MOST_EXAMPLES if form["result_format"] == "COMPLETE" else form["partial_unexpected_count"]
        return lambda values: list(chain.from_iterable(values))[:most]
    if suffix == FILTERED and base in BY_ROW | BY_HASH:
        return sum
    return SUFFIXES.get(suffix) if base in BY_ROW else None


def _is_by_hash(metric: Any) -> bool:
    base = metric.metric_name.rpartition(".")[0]
    return base in BY_HASH and not metric.metric_domain_kwargs.get("row_condition")


def _by_columns(metrics: list[Any], rows: Parted) -> dict[tuple[str, ...], list[Any]]:
    grouped: dict[tuple[str, ...], list[Any]] = {}
    for one in metrics:
        grouped.setdefault(tuple(columns_of(one.metric_domain_kwargs, rows.columns)), []).append(one)
    return grouped


def _on(frame: pd.DataFrame, metrics: list[Any], engine: Any) -> Found:
    """Return metrics of one frame, which the engine lets go of afterwards."""
    gx_metrics.hand(engine, frame)
    here = gx_metrics.resolve(gx_metrics.graph_of(engine, metrics))
    gx_metrics.hand(engine, frame.head(0))
    return {one.id: here[one.id] for one in metrics if one.id in here}


def _moments(values: "Values") -> tuple[int, float, float]:
    """Return how many values there are, their mean, and the sum of squares around it."""
    found = values.dropna().to_numpy()
    if found.dtype.kind not in "fiu":
        return 0, 0.0, 0.0
    mean = float(found.mean()) if len(found) else 0.0
    return len(found), mean, float(np.square(found - mean).sum())


def _together(parts: list[tuple[int, float, float]]) -> tuple[int, float, float]:
    """Return the moments of all (Chan, Golub and LeVeque, 1979); raises ValueError where there are no finite ones."""
    many = sum(count for count, _, _ in parts)
    mean = math.fsum(count * mean for count, mean, _ in parts) / max(many, 1)
    squares = math.fsum(squares + count * (one - mean) ** 2 for count, one, squares in parts)
    if not many or not math.isfinite(squares):
        raise ValueError("no finite numbers")
    return many, mean, squares


def _deviation(parts: list[tuple[int, float, float]]) -> float:
    many, _, squares = _together(parts)
    if many < 2:
        raise ValueError("no deviation of one number")
    return math.sqrt(squares / (many - 1))


def _extreme(choose: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    return lambda values: choose([one for one in values if not pd.isna(one)])


def _sum(values: list[Any]) -> Any:
    whole = all(isinstance(one, int | np.integer) for one in values)
    return sum(int(one) for one in values) if whole else math.fsum(values)


def _distinct(values: "Values") -> tuple["Values", int]:
    there = values.dropna()
    return there.drop_duplicates(), len(there)


def _count_distinct(parts: list[tuple["Values", int]]) -> int:
    return int(pd.concat([one for one, _ in parts]).nunique())


def _unique_share(parts: list[tuple["Values", int]]) -> float:
    there = sum(many for _, many in parts)
    return _count_distinct(parts) / there if there else 0


def _there(values: "Values") -> tuple[int, int]:
    return int(values.notna().sum()), len(values)


def _there_share(parts: list[tuple[int, int]]) -> float:
    rows = sum(many for _, many in parts)
    return sum(there for there, _ in parts) / rows if rows else 0


SUFFIXES: dict[str, Callable[[list[Any]], Any]] = {
    COUNT: sum,
    PLACES: lambda values: list(chain.from_iterable(values)),
    QUERY: lambda _: None,
}
# What is kept of a column's part where Great Expectations' own number of it does not add up.
SKETCHES: dict[str, Callable[["Values"], Any]] = {
    "column.mean": _moments,
    "column.standard_deviation": _moments,
    "column.distinct_values.count": _distinct,
    "column.unique_proportion": _distinct,
    "column.non_null_proportion": _there,
}
MERGES: dict[str, Callable[[list[Any]], Any]] = {
    "table.row_count": sum,
    "column.min": _extreme(min),
    "column.max": _extreme(max),
    "column.sum": _sum,
    "column.mean": lambda parts: _together(parts)[1],
    "column.standard_deviation": _deviation,
    "column.distinct_values.count": _count_distinct,
    "column.unique_proportion": _unique_share,
    "column.non_null_proportion": _there_share,
}
SHARES = {"column.unique_proportion", "column.non_null_proportion"}
"""Great Expectations has reasons of its own for what these are a share of, if only some rows are asked for."""
