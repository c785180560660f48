"""The button of a task: where it leads, and that only tasks of ours have it."""

from types import SimpleNamespace

import pytest
from airflow.sdk import DAG, task

from include.retraining import links, steps
from include.retraining.links import DataDocsLink, DocumentedOperator


def leads_to(dag_id: str, run_id: str) -> str:
    return DataDocsLink().get_link(None, ti_key=SimpleNamespace(dag_id=dag_id, run_id=run_id))


def test_the_button_leads_to_the_tab_of_its_run():
    assert leads_to("retrain_flight_delays", "manual__1") == (
        "dags/retrain_flight_delays/runs/manual__1/plugin/retraining_run_data_docs"
    )


def test_the_address_is_below_airflows_own_wherever_that_is():
    assert not leads_to("retrain_flight_delays", "manual__1").startswith(("/", "http"))


@pytest.mark.parametrize(
    ("run_id", "written"),
    [
        ("scheduled__2013-02-09T05:00:00+00:00", "scheduled__2013-02-09T05%3A00%3A00%2B00%3A00"),
        ("by hand/../x?y#z", "by%20hand%2F..%2Fx%3Fy%23z"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
    ],
)
def test_a_run_id_is_one_part_of_the_address(run_id, written):
    assert leads_to("retrain_x", run_id).split("/") == [
        "dags",
        "retrain_x",
        "runs",
        written,
        "plugin",
        "retraining_run_data_docs",
    ]


def test_a_documented_task_is_an_ordinary_one_in_all_else():
    with DAG("toy", schedule=None):
        documented = links.with_data_docs(steps.validate_snapshot)({"model": "toy"}).operator
    with DAG("toy", schedule=None):
        ordinary = task(steps.validate_snapshot)({"model": "toy"}).operator
    assert isinstance(documented, DocumentedOperator)
    for name in ("task_id", "doc_md", "op_args", "python_callable", "operator_name", "ui_color", "inlets", "outlets"):
        assert getattr(documented, name) == getattr(ordinary, name), name
