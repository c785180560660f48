"""Who may see the pages: every route asks, nothing outside a model's Data Docs can be reached."""

import asyncio
from urllib.parse import quote, unquote

import pytest

from include.retraining import keys
from include.retraining.ui import catalogue, data_docs_pages
from include.retraining.ui.app import build
from include.retraining.ui.documents import identity
from include.retraining.ui.rendering import DOCUMENT_POLICY

DAG_ID = "retrain_flight_delays"
SPAN = "20130208T050000Z--20130209T050000Z"
NAME = f"{'a' * 12}-{'f' * 12}.html"
EXPECTATION = identity("snapshot", "expect_column_mean_to_be_between", "distance", "warning", "suite", "1")


def addresses() -> list[str]:
    """Return an address of every route of the application, with everything filled in."""
    filled = {"dag_id": DAG_ID, "interval": SPAN, "name": NAME, "expectation": EXPECTATION}
    return [f"/retraining{route.path.format(**filled)}?dag_id={DAG_ID}&run_id=manual" for route in build().routes]


@pytest.fixture
def guarded(monkeypatch):
    """Fail when anything opens the store."""

    def opened():
        raise AssertionError("the store was touched")

    monkeypatch.setattr(catalogue, "opened", opened)


def test_the_walk_covers_every_route():
    assert {route.path for route in build().routes} == {
        "/data-docs",
        "/data-docs/{dag_id}/trends",
        "/data-docs/{dag_id}/trends/{expectation}",
        "/data-docs/{dag_id}/{interval}/{name}",
        "/data-docs/{dag_id}/{interval}/{name}/raw",
        "/run",
    }


@pytest.mark.parametrize("address", addresses())
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_anonymous_gets_nothing(client, guarded, address, method):
    for path in (address, address.split("?")[0]):
        answer = client(None).request(method, path)
        assert answer.status_code in ((401, 403) if method == "GET" else (401, 403, 405)), path
        assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("address", addresses())
def test_somebody_without_a_role_gets_nothing(client, guarded, address):
    answer = client("none").get(address)
    assert answer.status_code == 403
    assert "may not read this DAG" in answer.text


def test_the_list_shows_no_model_to_somebody_without_a_role(client, served, publish):
    publish("2013-02-08")
    answer = client("none").get("/retraining/data-docs")
    assert answer.status_code == 200
    assert "flight_delays" not in answer.text
    assert "no model that you may see" in answer.text


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
def test_bad_tokens_are_refused(airflow_app, guarded, token):
    from fastapi.testclient import TestClient

    client = TestClient(airflow_app, cookies={"_token": token}, raise_server_exceptions=False)
    assert client.get("/retraining/data-docs").status_code in (401, 403)


@pytest.mark.parametrize("role", ["viewer", "admin"])
@pytest.mark.parametrize("address", addresses())
def test_readers_are_served(client, served, publish, role, address):
    publish("2013-02-08")
    answer = client(role).get(address)
    assert answer.status_code == 200


def test_permission_is_per_dag(client, served, publish, monkeypatch):
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    publish("2013-02-08")
    monkeypatch.setattr(
        SimpleAuthManager, "is_authorized_dag", lambda _, details=None, **__: bool(details) and details.id != DAG_ID
    )
    viewer = client("viewer")
    for address in addresses():
        assert viewer.get(address).status_code == 403, address
    assert viewer.get("/retraining/run?dag_id=somebody_elses_dag&run_id=x").status_code == 200
    assert "flight_delays" not in viewer.get("/retraining/data-docs").text


def test_permission_is_asked_for_the_dag_that_is_shown(client, served, publish, monkeypatch):
    """A second DAG in the query must not open the one in the path, nor the other way round."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    publish("2013-02-08")
    monkeypatch.setattr(
        SimpleAuthManager, "is_authorized_dag", lambda _, details=None, **__: bool(details) and details.id != DAG_ID
    )
    other, viewer = "somebody_elses_dag", client("viewer")
    raw = f"/retraining/data-docs/{DAG_ID}/{SPAN}/{NAME}/raw"
    assert viewer.get(f"{raw}?dag_id={other}").status_code == 403
    for query in (f"dag_id={other}&dag_id={DAG_ID}", f"dag_id={DAG_ID}&dag_id={other}"):
        answer = viewer.get(f"/retraining/run?{query}&run_id=x")
        assert answer.status_code == 403 or "does not retrain a model" in answer.text
    for anything in ("~", "*", "%", ""):
        answer = viewer.get(f"/retraining/data-docs?dag_id={quote(anything)}")
        assert "flight_delays" not in answer.text
        assert viewer.get(f"/retraining/data-docs/{quote(anything)}/{SPAN}/{NAME}/raw").status_code in (403, 404)


TRAVERSALS = [
    "../../../promotions/00000001.json",
    "..%2f..%2f..%2fpromotions%2f00000001.json",
    "%2e%2e/%2e%2e/%2e%2e/promotions/00000001.json",
    "%2e%2e%2f%2e%2e%2f%2e%2e%2fpromotions%2f00000001.json",
    "..%252f..%252fpromotions%252f00000001.json",
    "..\\..\\promotions\\00000001.json",
    "..%5c..%5cpromotions%5c00000001.json",
    "....//....//promotions/00000001.json",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "file:%2f%2f%2fetc%2fpasswd",
    ".",
    "..",
    "%2e%2e",
    "%00",
    f"{NAME}%00",
    f"{NAME}%00.json",
    f"{NAME}/",
    f"{NAME.upper()}",
    f"{NAME} ",
    f"{NAME}%0a",
    "*",
    "",
    "raw",
    "~",
    f"{'a' * 12}-{'f' * 12}",
    "..%c0%af..%c0%afpromotions%c0%af00000001.json",
    "%ef%bc%8e%ef%bc%8e%ef%bc%8fpromotions",
    "x" * 5000,
]
SPANS = [
    "..",
    "%2e%2e",
    "..%2fpromotions",
    "20130208T050000Z--20130209T050000Z%2f..%2f20130209T050000Z--20130210T050000Z",
    "20130208T050000Z",
    "20130208T050000Z--",
    "20130208T050000Z--20130208T050000Z",
    "2013208T050000Z--20130209T050000Z",
    "20130208T050000Z--20130209T050000Z ",
    "20130208T050000Z--20130209T050000Z%00",
    "%D9%A2%D9%A0130208T050000Z--20130209T050000Z",
    "99991231T235959Z--99991231T235959Z",
    "x",
    "%",
]


@pytest.fixture
def secret(served, tmp_path) -> str:
    """Put something that must never be served beside the Data Docs, in the store and outside of it."""
    served.put(keys.promotion("flight_delays", 1), b"top secret")
    served.put("flight_delays/data-docs.html", b"top secret")
    served.put(f"other/data-docs/{SPAN}/{NAME}", b"top secret")
    (tmp_path / "store" / "secret.html").write_text("top secret")
    (tmp_path / "secret.html").write_text("top secret")
    return "top secret"


@pytest.mark.parametrize("name", TRAVERSALS)
@pytest.mark.parametrize("tail", ["", "/raw"])
def test_no_name_leads_out_of_the_data_docs(viewer, publish, secret, name, tail):
    publish("2013-02-08")
    answer = viewer.get(f"/retraining/data-docs/{DAG_ID}/{SPAN}/{name}{tail}")
    assert answer.status_code in (307, 404), name
    assert secret not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        f"/retraining/data-docs/{DAG_ID}/{SPAN}/../../../promotions/00000001.json",
        f"/retraining/data-docs/{DAG_ID}/{SPAN}/../../../promotions/00000001.json/raw",
        f"/retraining/data-docs/{DAG_ID}/../../../../secret.html/raw",
        f"/retraining/data-docs/{DAG_ID}/{SPAN}/../{SPAN}/../../../secret.html/raw",
        "/retraining/../retraining/data-docs/../../secret.html",
        f"//retraining/data-docs/{DAG_ID}/{SPAN}/..//{NAME}/raw",
        f"/retraining/data-docs/{DAG_ID}/{SPAN}/%2e%2e/%2e%2e/secret.html",
        f"/retraining/data-docs/{DAG_ID}//etc/passwd/raw",
        f"/retraining/data-docs/{DAG_ID}/{SPAN}/..;/secret.html/raw",
    ],
)
def test_no_path_that_a_client_leaves_as_it_is_leads_out(airflow_app, viewer, publish, secret, path):
    publish("2013-02-08")
    status, body = ask(airflow_app, path, viewer.headers["authorization"])
    assert secret not in body
    assert "root:" not in body
    assert "page of 2013" not in body
    assert status in (200, 307, 404)  # 200: Airflow's own start page answers what is not ours


def ask(app, path: str, token: str) -> tuple[int, str]:
    """Send a path to an application exactly as it is written: clients tidy it up first."""
    sent = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"testserver"), (b"authorization", token.encode())],
        "client": ("testclient", 1),
        "server": ("testserver", 80),
        "state": {},
    }

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    body = b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body")
    return sent[0]["status"], body.decode(errors="replace")


@pytest.mark.parametrize("span", SPANS)
def test_no_interval_leads_out_of_the_data_docs(viewer, publish, secret, span):
    publish("2013-02-08")
    for tail in ("", "/raw"):
        answer = viewer.get(f"/retraining/data-docs/{DAG_ID}/{span}/{NAME}{tail}")
        assert answer.status_code == 404
        assert secret not in answer.text
    assert viewer.get(f"/retraining/data-docs?dag_id={DAG_ID}&before={span}").status_code == 200


@pytest.mark.parametrize(
    "dag_id", ["retrain_", "retrain_..", "retrain_..%2fother", "flight_delays", "retrain_other", "other", "..", "~"]
)
def test_no_dag_leads_to_another_model(viewer, publish, secret, dag_id):
    publish("2013-02-08")
    assert viewer.get(f"/retraining/data-docs/{dag_id}/{SPAN}/{NAME}/raw").status_code == 404
    answer = viewer.get(f"/retraining/run?dag_id={dag_id}&run_id=..%2f..%2fpromotions")
    assert secret not in answer.text


@pytest.mark.parametrize("expectation", [*TRAVERSALS, "0" * 12, EXPECTATION.upper(), f"{EXPECTATION}/raw"])
def test_no_expectation_leads_anywhere_else(viewer, publish, secret, expectation):
    publish("2013-02-08")
    answer = viewer.get(f"/retraining/data-docs/{DAG_ID}/trends/{expectation}")
    assert answer.status_code in (200, 307, 404), expectation  # 200: the list itself, for what a client tidies away
    assert answer.status_code != 200 or "Trends of flight_delays" in answer.text
    assert secret not in answer.text


@pytest.mark.parametrize("run_id", ["..", "../../promotions", "..%2f..", "%00", "", "x" * 4000, "<script>", "~"])
def test_no_run_id_leads_out_of_the_runs(viewer, publish, secret, run_id):
    answer = viewer.get(f"/retraining/run?dag_id={DAG_ID}&run_id={run_id}")
    assert answer.status_code == 200
    assert secret not in answer.text
    assert "Nothing to show yet" in answer.text


def test_published_pages_are_served_as_they_are_but_sandboxed(viewer, served, publish):
    html = "<!DOCTYPE html><script>alert(1)</script>"
    name = publish("2013-02-08", html=html)
    answer = viewer.get(f"/retraining/data-docs/{DAG_ID}/{SPAN}/{name}/raw")
    assert answer.text == html
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == DOCUMENT_POLICY
    assert DOCUMENT_POLICY.startswith("sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert "allow-" not in DOCUMENT_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize("address", [*addresses(), "/retraining/nowhere", "/retraining/run"])
def test_every_answer_is_strict(viewer, served, publish, address):
    publish("2013-02-08")
    answer = viewer.get(address)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_nothing_describes_the_application_to_strangers(client):
    for path in ("/retraining/openapi.json", "/retraining/docs", "/retraining/redoc", "/retraining/"):
        assert client(None).get(path).status_code == 404


def test_only_one_file_knows_airflow():
    from pathlib import Path

    folder = Path(data_docs_pages.__file__).parent
    knowing = [path.name for path in folder.rglob("*.py") if "airflow." in path.read_text()]
    assert knowing == ["auth.py"]


def test_unreadable_store_is_told_kindly(viewer, served, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_STORE")
    answer = viewer.get(f"/retraining/data-docs?dag_id={DAG_ID}")
    assert answer.status_code == 503
    assert "The store cannot be read" in answer.text
    assert "Connection `store` does not exist. Set AIRFLOW_CONN_STORE" in answer.text


def test_malformed_connection_is_told_kindly(viewer, served, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_STORE", '{"conn_type": "ftp"}')
    answer = viewer.get(f"/retraining/run?dag_id={DAG_ID}&run_id=x")
    assert answer.status_code == 503
    assert "expected `aws` or `fs`" in answer.text


def test_a_store_that_comes_back_is_read_again(viewer, served, publish, monkeypatch):
    import os

    publish("2013-02-08")
    good = os.environ["AIRFLOW_CONN_STORE"]
    monkeypatch.setenv("AIRFLOW_CONN_STORE", "{}")
    assert viewer.get("/retraining/data-docs").status_code == 503
    monkeypatch.setenv("AIRFLOW_CONN_STORE", good)
    assert viewer.get("/retraining/data-docs").status_code == 200


def test_surprises_are_told_without_their_contents(viewer, served, monkeypatch):
    def broken():
        raise RuntimeError("secret detail")

    monkeypatch.setattr(catalogue, "opened", broken)
    answer = viewer.get("/retraining/data-docs")
    assert answer.status_code == 500
    assert "RuntimeError" in answer.text
    assert "secret detail" not in answer.text
