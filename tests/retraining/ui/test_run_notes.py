"""Run notes: the decision stands on the run itself, written through Airflow's own API by whoever may edit runs."""

import json
import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from include.retraining import run_notes
from include.retraining.connections import Settings

MODEL, DAG_ID = "noted", "retrain_noted"
FOUND = {"answer": "keep", "sentences": ["Nothing is worse.", "It is young."]}
RUN_ID = "manual__2026-11-27T00:00:00+00:00"
PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def known(airflow_app) -> None:
    """Let Airflow know a DAG."""
    from airflow.models.dag import DagModel
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    with create_session() as session:
        session.merge(DagModel(dag_id=DAG_ID, bundle_name="dags-folder"))
    SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(DAG(DAG_ID, schedule=None)), "dags-folder")


@pytest.fixture
def noted(known) -> Iterator[object]:
    """Return a function that reads a run's note from Airflow's database."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunType

    with create_session() as session:
        run = DagRun(dag_id=DAG_ID, run_id=RUN_ID, run_type=DagRunType.MANUAL, run_after=datetime.now(UTC))
        session.add(run)

    def note() -> str | None:
        with create_session() as session:
            return session.query(DagRun).filter(DagRun.run_id == RUN_ID).one().note

    yield note
    with create_session() as session:
        session.delete(session.query(DagRun).filter(DagRun.run_id == RUN_ID).one())


@pytest.fixture
def users(airflow_app, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Let two people log in: one may edit runs, the other may look."""
    passwords = tmp_path / "passwords.json"
    passwords.write_text(json.dumps({"editor": PASSWORD, "viewer": PASSWORD}))
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "editor:op,viewer:viewer")
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(passwords))


@pytest.fixture
def write(airflow_app, users):
    """Return a function that writes the note as somebody, through Airflow's own application."""
    from fastapi.testclient import TestClient

    def as_user(login: str, password: str = PASSWORD, run_id: str = RUN_ID) -> None:
        settings = Settings("airflow_api", "http", login=login, password=password)
        with TestClient(airflow_app) as client:
            run_notes.write(client, settings, (DAG_ID, run_id), run_notes.text(FOUND))

    return as_user


def test_the_decision_becomes_the_note(noted, write):
    write("editor")
    assert noted() == "keep: Nothing is worse. It is young."


def test_written_again_it_stays_the_same(noted, write):
    write("editor")
    write("editor")
    assert noted() == "keep: Nothing is worse. It is young."


@pytest.mark.parametrize(
    ("who", "status"),
    [({"login": "viewer"}, 403), ({"login": "editor", "password": "wrong"}, 401), ({"login": "nobody"}, 401)],
    ids=["may only look", "wrong password", "unknown"],
)
def test_who_may_not_edit_runs_writes_nothing(noted, write, who, status):
    with pytest.raises(httpx.HTTPStatusError) as error:
        write(**who)
    assert error.value.response.status_code == status
    assert noted() is None


def test_a_run_that_airflow_does_not_know_is_an_error(write, noted):
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        write("editor", run_id="manual__never")


def test_without_the_connection_nothing_is_written_and_nothing_is_said(caplog, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_AIRFLOW_API", raising=False)
    with caplog.at_level(logging.WARNING, "include.retraining"):
        assert not run_notes.send(MODEL, RUN_ID, FOUND)
    assert caplog.messages == []


def connection(monkeypatch, **parts) -> None:
    known = {"conn_type": "http", "login": "admin", "password": PASSWORD, **parts}
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_API", json.dumps(known))


@pytest.mark.parametrize("host", ["127.0.0.1", "http://127.0.0.1"])
def test_an_api_that_does_not_answer_is_told_and_fails_nothing(caplog, monkeypatch, host):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    connection(monkeypatch, host=host, port=port)
    monkeypatch.setattr(run_notes, "TRIES", 2)
    with caplog.at_level(logging.WARNING, "include.retraining"):
        assert not run_notes.send(MODEL, RUN_ID, FOUND)
    (told,) = caplog.messages
    assert "The run has no note" in told
    assert "airflow_api" in told
    assert PASSWORD not in told


@pytest.mark.parametrize("host", ["", "http://", "ftp://127.0.0.1", "http://[", "a b"])
def test_a_connection_without_an_address_is_told_and_fails_nothing(caplog, monkeypatch, host):
    connection(monkeypatch, host=host)
    monkeypatch.setattr(run_notes, "TRIES", 1)
    with caplog.at_level(logging.WARNING, "include.retraining"):
        assert not run_notes.send(MODEL, RUN_ID, FOUND)
    assert "needs its address as host" in caplog.messages[0]


def test_a_connection_that_is_no_json_is_told(caplog, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_API", "{nothing")
    with caplog.at_level(logging.WARNING, "include.retraining"):
        assert not run_notes.send(MODEL, RUN_ID, FOUND)
    assert "is not valid JSON" in caplog.messages[0]


def test_a_long_decision_is_cut_where_airflow_would_refuse_it():
    told = run_notes.text({"answer": "retrain", "sentences": ["word " * 400]})
    assert len(told) == run_notes.LONGEST
    assert told.endswith("…")


@pytest.mark.parametrize(("status", "asked"), [(503, 3), (403, 1)])
def test_a_database_that_is_locked_is_tried_again_and_a_refusal_is_not(monkeypatch, status, asked):
    answers = [status, status, 200]
    seen = []

    def airflow(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(201, json={"access_token": "good"})
        seen.append(request.url.path)
        return httpx.Response(answers.pop(0), json={})

    monkeypatch.setattr(run_notes.time, "sleep", lambda _: None)
    with httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(airflow)) as client:
        written = (client, Settings("airflow_api", "http"), (DAG_ID, RUN_ID), "keep")
        if status == 503:
            run_notes.write_patiently(*written)
        else:
            with pytest.raises(httpx.HTTPStatusError):
                run_notes.write_patiently(*written)
    assert len(seen) == asked
