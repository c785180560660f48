"""Whole runs of retrain_flight_delays whose warehouse or store fails: tried again or not, told once, nothing moved."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.processes import free_port
from include.retraining import connections
from include.retraining.registry import Registry
from include.retraining.retries import RETRIES
from tests.conftest import SECRET, connection_env
from tests.retraining.desks import objects
from tests.run.conftest import SECOND, load_dag

pytestmark = [pytest.mark.run, pytest.mark.filterwarnings("ignore")]
TRIES = RETRIES["retries"] + 1


@pytest.fixture(autouse=True)
def pseudonyms(monkeypatch: pytest.MonkeyPatch) -> None:
    key = connections.Settings("pseudonyms", "generic", login="key-1", password=SECRET)
    monkeypatch.setenv("AIRFLOW_CONN_PSEUDONYMS", connection_env(key))


def trigger() -> tuple[str, dict[str, tuple[str, int]]]:
    """Run the DAG for one day, without a wait between tries; return its state, and each task's state and tries."""
    dag = load_dag()
    for task in dag.tasks:
        task.retry_delay, task.retry_exponential_backoff = timedelta(0), 0
    run = dag.test(logical_date=datetime(2013, 1, 28, 5, tzinfo=UTC))
    return str(run.state), {one.task_id: (str(one.state), one.try_number) for one in run.get_task_instances()}


def moved(desk: Registry, before: dict[str, bytes]) -> dict[str, bytes]:
    """Return what is not as it was, apart from the run's own record."""
    after = {key: data for key, data in objects(desk.store).items() if not key.startswith("flight_delays/runs/")}
    return {key: data for key, data in (after.items() ^ before.items())}


def test_a_warehouse_that_is_gone_is_asked_five_times_then_the_run_fails_and_nothing_has_moved(
    desk: Registry, messages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = connections.Settings("warehouse", "sqlite", host=str(tmp_path / "gone.sqlite"))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection_env(gone))
    before = objects(desk.store)
    state, tasks = trigger()
    assert (state, TRIES) == ("failed", 5)
    assert tasks["pull_snapshot"] == ("failed", TRIES)
    assert tasks["report"] == ("success", 1)
    assert tasks["validate_snapshot"][0] == tasks["promote"][0] == "upstream_failed"
    (line,) = messages.read_text().splitlines()
    assert line.startswith("error: flight_delays 20130127T050000Z--20130128T050000Z: failed. Failed in pull_snapshot. ")
    assert f"Champion: {SECOND}." in line
    assert (moved(desk, before), desk.head().version) == ({}, SECOND)
    (record,) = (json.loads(data) for key, data in objects(desk.store).items() if "/record-" in key)
    report = record["sections"]["report"]
    assert (report["champion"], report["champion_from"]) == (SECOND, "20240102T000000Z")
    assert (report["answer"], report["as_of"], report["base"]) == ("failed", None, None)


def test_a_damaged_promotion_log_is_told_and_nobody_is_called_champion(
    desk: Registry, messages: Path, warehouse_settings: connections.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection_env(warehouse_settings))
    (last,) = (key for key in objects(desk.store) if "/promotions/" in key and key.endswith("2.json"))
    desk.store.put(last, b"{}")
    before = objects(desk.store)
    state, tasks = trigger()
    assert (state, tasks["pull_snapshot"]) == ("failed", ("failed", 1))
    (line,) = messages.read_text().splitlines()
    assert "Champion: unknown." in line
    assert moved(desk, before) == {}


@pytest.mark.parametrize("wrong", ["gone", "wrong credentials"])
def test_a_store_that_does_not_answer_is_asked_five_times_and_one_that_refuses_once(
    desk: Registry,
    messages: Path,
    warehouse_settings: connections.Settings,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection_env(warehouse_settings))
    before, store = objects(desk.store), json.loads(os.environ["AIRFLOW_CONN_STORE"])
    changed: dict[str, Any] = {"password": "not the secret"}
    if wrong == "gone":
        changed = {"extra": {**store["extra"], "endpoint_url": f"http://127.0.0.1:{free_port()}", "timeout_s": 1}}
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps({**store, **changed}))
    state, tasks = trigger()
    tries = TRIES if wrong == "gone" else 1
    assert (state, tasks["pull_snapshot"], tasks["report"]) == ("failed", ("failed", tries), ("failed", tries))
    (line,) = messages.read_text().splitlines()
    assert "Failed in pull_snapshot, and no record could be written: " in line
    assert ("no answer from bucket" if wrong == "gone" else "refused the credentials") in line
    assert "Champion: unknown." in line
    assert (objects(desk.store), desk.head().version) == (before, SECOND)
