"""The button "Data Docs", as Airflow's own API tells the UI of it after a real run."""

import uuid

import pytest
from airflow.sdk import DAG, task

from include.retraining import links


@pytest.fixture(scope="module")
def ran(airflow_app) -> str:
    """Run a DAG with an ordinary task, one that publishes and one that is refused; return the run's id."""
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    with DAG("retrain_other", schedule=None) as dag:

        def publish() -> str:
            return "published"

        def refuse(found: str) -> None:
            raise ValueError(f"{found}, then refused")

        @task
        def ordinary() -> None: ...

        ordinary() >> links.with_data_docs(refuse)(links.with_data_docs(publish)())
    SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), "dags-folder")
    run = dag.test(run_conf={"token": uuid.uuid4().hex})
    assert {one.task_id: str(one.state) for one in run.get_task_instances()} == {
        "ordinary": "success",
        "publish": "success",
        "refuse": "failed",
    }
    return run.run_id


def buttons(client, run_id: str, task_id: str) -> dict[str, str]:
    path = f"/api/v2/dags/retrain_other/dagRuns/{run_id}/taskInstances/{task_id}/links"
    answer = client("admin").get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["extra_links"]


@pytest.mark.parametrize("task_id", ["publish", "refuse"])
def test_a_task_that_publishes_has_the_button_whether_it_held_or_not(client, ran, task_id):
    (address,) = buttons(client, ran, task_id).values()
    assert address.startswith("dags/retrain_other/runs/manual__")
    assert address.endswith("/plugin/retraining_run_data_docs")
    assert client("admin").get(f"/{address}").status_code == 200


def test_other_peoples_tasks_have_none(client, ran):
    assert buttons(client, ran, "ordinary") == {}


def test_nothing_is_stored_for_it(client, ran):
    path = f"/api/v2/dags/retrain_other/dagRuns/{ran}/taskInstances/publish/xcomEntries"
    assert [one["key"] for one in client("admin").get(path).json()["xcom_entries"]] == ["return_value"]


def test_airflow_may_live_below_a_path(airflow_app, ran):
    """An address without a slash before it follows the base that Airflow's start page names."""
    from fastapi.testclient import TestClient

    html = TestClient(airflow_app, root_path="/airflow").get("/airflow/dags/retrain_other").text
    assert '<base href="/airflow/" />' in html
