"""The client of Airflow's REST API against a server that answers as Airflow does, at its worst."""

import json
import threading
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from demo import api
from demo.api import Api, Refused
from demo.processes import ServiceError, free_port

FIRST, LAST = date(2013, 1, 27), date(2013, 2, 10)
LOCKED = (503, {"detail": "Database is locked."})


class Airflow(BaseHTTPRequestHandler):
    """Answers each route from a list, the last answer again and again."""

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        route = f"{self.command} {urlsplit(self.path).path.removeprefix('/api/v2')}"
        self.server.asked.append((route, body))
        self.server.queries.append(urlsplit(self.path).query)
        if route == "POST /auth/token":
            status, content = (201, {"access_token": "good"}) if body["password"] == "right" else (401, {})
        elif self.headers.get("Authorization") != "Bearer good":
            status, content = 401, {}
        else:
            answers = self.server.answers[route]
            status, content = answers.pop(0) if len(answers) > 1 else answers[0]
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 - the names that http.server calls

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(api.time, "sleep", lambda _: None)
    found = ThreadingHTTPServer(("127.0.0.1", 0), Airflow)
    found.daemon_threads, found.asked, found.answers, found.queries = True, [], {}, []
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def client(server):
    found = Api(f"http://127.0.0.1:{server.server_port}", "admin", "right")
    yield found
    found._client.close()


def routes(server):
    return [route for route, _ in server.asked if route != "POST /auth/token"]


def test_it_logs_in_when_it_has_to(server, client):
    server.answers["GET /importErrors"] = [(200, {"import_errors": []})]
    assert client.import_errors() == client.import_errors() == []
    assert [route for route, _ in server.asked].count("POST /auth/token") == 1


def test_wrong_password_is_told(server):
    stranger = Api(f"http://127.0.0.1:{server.server_port}", "admin", "wrong")
    with pytest.raises(ServiceError, match="Airflow refused the log-in of admin"):
        stranger.import_errors()
    stranger._client.close()


def test_import_errors_name_file_and_reason(server, client):
    error = {"filename": "retrain.py", "stack_trace": "Traceback …\nNameError: name 'x' is not defined\n"}
    server.answers["GET /importErrors"] = [(200, {"import_errors": [error]})]
    assert client.import_errors() == ["retrain.py: NameError: name 'x' is not defined"]


def test_backfill_is_created_again_after_a_lock_and_the_half_made_one_cancelled(server, client):
    server.answers = {
        "POST /backfills": [LOCKED, LOCKED, (200, {})],
        "GET /backfills": [
            (200, {"backfills": [{"id": 7, "completed_at": None}, {"id": 6, "completed_at": "2026-11-23"}]}),
            (200, {"backfills": []}),
        ],
        "PUT /backfills/7/cancel": [(200, {})],
    }
    client.backfill("dag", FIRST, LAST)
    assert routes(server) == [
        "POST /backfills",  # without a token
        "POST /backfills",
        "GET /backfills",
        "PUT /backfills/7/cancel",
        "POST /backfills",
        "GET /backfills",
        "POST /backfills",
    ]
    asked = server.asked[-1][1]
    assert (asked["from_date"], asked["to_date"]) == ("2013-01-27T05:00:00+00:00", "2013-02-10T05:00:00+00:00")
    assert (asked["max_active_runs"], asked["reprocess_behavior"]) == (1, "failed")


def test_a_database_that_stays_locked_is_told(server, client):
    server.answers = {"POST /backfills": [LOCKED], "GET /backfills": [(200, {"backfills": []})]}
    with pytest.raises(Refused, match=r"503 to POST /backfills: .*Database is locked"):
        client.backfill("dag", FIRST, LAST)


def test_other_refusals_are_not_repeated(server, client):
    server.answers["POST /backfills"] = [(409, {"detail": "There is already a running backfill"})]
    with pytest.raises(Refused, match=r"409 to POST /backfills: .*already a running backfill"):
        client.backfill("dag", FIRST, LAST)
    assert len(routes(server)) == 2


def test_what_is_safe_to_repeat_is_repeated(server, client):
    server.answers["PATCH /dags/dag"] = [(500, {}), (500, {}), (200, {})]
    client.unpause("dag")
    assert server.asked[-1] == ("PATCH /dags/dag", {"is_paused": False})


def run(identifier, logical_date, state="success"):
    times = {"start_date": "2026-11-23T10:00:00Z", "end_date": "2026-11-23T10:00:20.5Z"}
    return {"dag_run_id": identifier, "logical_date": logical_date, "state": state, **times}


def test_runs_are_those_of_the_days_and_pages_are_followed(server, client):
    pages = [
        [run("backfill__1", "2013-01-27T05:00:00Z"), run("manual__1", "2013-01-27T17:30:00Z", "failed")],
        [run("backfill__2", "2013-03-11T04:00:00Z")],
    ]
    server.answers["GET /dags/dag/dagRuns"] = [(200, {"dag_runs": page, "total_entries": 3}) for page in pages]
    found = client.runs("dag", FIRST, LAST)
    assert [(one.day, one.run_id, one.seconds) for one in found] == [
        (date(2013, 1, 27), "backfill__1", 20.5),
        (date(2013, 3, 11), "backfill__2", 20.5),
    ]


def test_runs_of_the_schedule_that_failed_since_a_moment_are_listed(server, client):
    server.answers["GET /dags/dag/dagRuns"] = [(200, {"dag_runs": [run("scheduled__2026", "2026-11-22T05:00:00Z")]})]
    began = datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert client.failed_on_schedule("dag", began) == ["scheduled__2026"]
    assert parse_qs(server.queries[-1]) == {
        "run_type": ["scheduled"],
        "state": ["failed"],
        "start_date_gte": ["2026-11-23T09:00:00+00:00"],
        "limit": ["100"],
    }


def test_tasks_are_told_in_the_order_in_which_they_ended(server, client):
    def task(task_id, state, ended, map_index=-1, rendered=None):
        times = {"end_date": ended, "duration": 2.0}
        return {"task_id": task_id, "state": state, "map_index": map_index, "rendered_map_index": rendered, **times}

    tasks = [
        task("train_candidate", "success", "10:03", 1, "hist_gradient_boosting"),
        task("train_candidate", "failed", "10:02", 0),
        task("pull_snapshot", "success", "10:01"),
        task("promote", "skipped", "10:04"),
        task("report", None, None),
    ]
    server.answers["GET /dags/dag/dagRuns/run/taskInstances"] = [(200, {"task_instances": tasks})]
    found = client.tasks("dag", "run")
    assert [(one.verb, one.state) for one in found] == [
        ("pull", "success"),
        ("train(0)", "failed"),
        ("train(hist_gradient_boosting)", "success"),
    ]


def test_silence_is_told(monkeypatch):
    monkeypatch.setattr(api.time, "sleep", lambda _: None)
    nobody = Api(f"http://127.0.0.1:{free_port()}", "admin", "right")
    assert not nobody.is_healthy()
    with pytest.raises(ServiceError, match=r"Airflow does not answer GET /importErrors: ConnectError"):
        nobody.import_errors()
    nobody._client.close()


def test_runs_without_a_note_are_named(server, client):
    runs = [{"dag_run_id": "told", "note": "keep: Nothing is worse."}, {"dag_run_id": "silent", "note": None}]
    server.answers["GET /dags/dag/dagRuns"] = [(200, {"dag_runs": runs})]
    assert client.without_note("dag", datetime(2026, 11, 27, tzinfo=UTC)) == ["silent"]
    assert parse_qs(server.queries[-1])["start_date_gte"] == ["2026-11-27T00:00:00+00:00"]
