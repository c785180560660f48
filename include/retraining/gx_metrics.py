"""Great Expectations' metrics of some rows: what its expectations need to know, before any of them judges.

Its lower face is used, metrics over an execution engine. The upper one, a data context and a batch, hashes the whole
frame twice and draws progress bars (docs/decisions/0006-validation.md has the profile).
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from include.retraining import gx_door

if TYPE_CHECKING:
    import pandas as pd

ROWS = "rows"
COLUMNS = "columns"
"""Where the engine keeps, among the arguments of a domain, to which columns it is pruned."""
STATISTICS = {
    "column.mean": "mean",
    "column.median": "median",
    "column.min": "min",
    "column.max": "max",
    "column.standard_deviation": "std",
}
Wanted = dict[str, Any]
"""The metrics that an expectation needs, by name."""
Found = dict[Any, Any]
"""The values of metrics, by Great Expectations' own identifier, which says what of and with which arguments."""


def engine_of(frame: "pd.DataFrame") -> Any:
    """Return an engine that holds a frame."""
    gx_door.load()
    engine = _engine_class()(caching=False)
    hand(engine, frame)
    return engine


def hand(engine: Any, frame: "pd.DataFrame") -> None:
    """Let an engine hold another frame, of the same columns."""
    engine.load_batch_data(ROWS, frame)


def wanted(expectation: Any, engine: Any, form: Mapping[str, Any]) -> Wanted:
    """Return what an expectation needs to know for a form of result; raises whatever Great Expectations does."""
    asked = {"result_format": dict(form)}
    needed = expectation.get_validation_dependencies(execution_engine=engine, runtime_configuration=asked)
    return dict(needed.metric_configurations)


def graph_of(engine: Any, metrics: Iterable[Any]) -> Any:
    """Return the graph of metrics and of what they need in turn: what several need is computed once."""
    from great_expectations.validator.validation_graph import ValidationGraph

    graph = ValidationGraph(execution_engine=engine)
    for one in metrics:
        graph.build_metric_dependency_graph(metric_configuration=one)
    return graph


def resolve(graph: Any) -> Found:
    """Return the values of a graph's metrics on the frame that its engine holds; those that raise are missing."""
    found, _ = graph.resolve(show_progress_bars=False)
    return dict(found)


@contextlib.contextmanager
def remembering() -> Iterator[None]:
    """Let every expectation write its configuration once while the block runs; Great Expectations is in one thread.

    GX 1.24 writes it anew at every look at an argument, 70 times an expectation: more than half of the time of a
    validation of some hundred rows.
    """
    from great_expectations.expectations.expectation import Expectation

    plain, written = Expectation.configuration, dict[int, tuple[Any, Any]]()

    def configuration(self: Any) -> Any:
        if id(self) not in written:  # what is held keeps its id to itself
            written[id(self)] = (self, plain.fget(self))
        return written[id(self)][1]

    Expectation.configuration = property(configuration)
    try:
        yield
    finally:
        Expectation.configuration = plain


@cache
def _engine_class() -> Any:
    """Return GX's pandas engine with a few metrics of its own, which look at a column once.

    GX 1.24 asks every single value of a mean or a standard deviation whether it is a ``Decimal``: more than half of
    the time of a validation. The numbers of a snapshot are float64. It also copies a column to leave out what is
    missing, which pandas does by itself. GX finds an engine's metrics by its class's name.
    """
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.expectations.metrics import column_aggregate_metric_provider as aggregate

    class RowsEngine(PandasExecutionEngine):  # type: ignore[misc]
        """The pandas engine, showing an expectation its columns alone: GX copies all that it sees to drop nulls."""

        def get_compute_domain(self, domain_kwargs: Any, domain_type: Any, accessor_keys: Any = None) -> Any:
            data, compute, accessor = super().get_compute_domain(domain_kwargs, domain_type, accessor_keys)
            columns = _columns(accessor, data)
            if not columns or columns == list(data.columns):
                return data, compute, accessor
            return data[columns], {**compute, COLUMNS: columns}, accessor

        def get_domain_records(self, domain_kwargs: Any) -> Any:
            named = {name: value for name, value in domain_kwargs.items() if name != COLUMNS}
            data = super().get_domain_records(named)
            return data[domain_kwargs[COLUMNS]] if COLUMNS in domain_kwargs else data

    for statistic, method in STATISTICS.items():
        _register(aggregate, RowsEngine, statistic, method)
    return RowsEngine


def _register(aggregate: Any, engine: Any, statistic: str, method: str) -> None:
    """Make Great Expectations find a metric for an engine: pandas' own, which looks past missing values by itself."""

    def of(cls: Any, column: Any, **_: Any) -> Any:
        return getattr(column, method)()

    value = aggregate.column_aggregate_value(engine=engine, filter_column_isnull=False)
    type(f"_{method}", (aggregate.ColumnAggregateMetricProvider,), {"metric_name": statistic, "_pandas": value(of)})


def _columns(accessor: Mapping[str, Any], data: "pd.DataFrame") -> list[str]:
    """Return the columns that a domain is about; none if Great Expectations will say that one is not there."""
    single = [accessor[name] for name in ("column", "column_A", "column_B") if name in accessor]
    columns = list(dict.fromkeys([*single, *accessor.get("column_list", ())]))
    return columns if set(columns) <= set(data.columns) else []
