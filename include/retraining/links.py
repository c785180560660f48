"""Door: the button of a task that leads to its page inside Airflow.

Airflow 3.3 asks a plugin's link in the API server whenever a task is looked at: nothing is stored, and the button is
there while the task runs, after it was killed, and for runs of long ago. A link on every ``@task``, or a global one,
would put an empty heading on other people's tasks; so the task has an operator of its own: ``@task`` by another name.
"""

from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import quote

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import BaseOperatorLink
from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory

RUN_TAB = "retraining_run_data_docs"
"""Under which name the plugin puts Data Docs on a run's page."""


class DocumentedOperator(DecoratedOperator, PythonOperator):  # type: ignore[misc]
    """What ``@task`` makes of a function, for a task that publishes Data Docs."""

    custom_operator_name = "@task"

    def __init__(self, *, python_callable: Callable[..., Any], op_args: Any, op_kwargs: Any, **kwargs: Any) -> None:
        given = {"python_callable": python_callable, "op_args": op_args, "op_kwargs": op_kwargs}
        super().__init__(kwargs_to_upstream=given, **given, **kwargs)


class DataDocsLink(BaseOperatorLink):  # type: ignore[misc]
    """The button "Data Docs", which opens the tab of the task's run."""

    name = "Data Docs"
    operators: ClassVar[list[type]] = [DocumentedOperator]

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return an address below Airflow's own, wherever that is: its pages name their base."""
        parts = ("dags", ti_key.dag_id, "runs", ti_key.run_id, "plugin", RUN_TAB)
        return "/".join(quote(part, safe="") for part in parts)


def with_data_docs(step: Callable[..., Any]) -> Any:
    """Return a step as a task that has the button."""
    return task_decorator_factory(step, decorated_operator_class=DocumentedOperator)
