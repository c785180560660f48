"""The real Airflow application with our plugin, users of every kind, and a store with Data Docs in it."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from include.retraining import keys, signing
from include.retraining.store import Store
from include.retraining.ui import catalogue
from include.retraining.windows import Interval

DAG_ID = "retrain_flight_delays"
MODEL = "flight_delays"
NEW_YORK = ZoneInfo("America/New_York")
Publish = Callable[..., str]


def day(text: str) -> Interval:
    """Return a New York day as a data interval."""
    start = datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)
    end = (datetime.fromisoformat(text) + timedelta(days=1)).replace(tzinfo=NEW_YORK)
    return Interval(start.astimezone(ZoneInfo("UTC")), end.astimezone(ZoneInfo("UTC")))


def failed_row(column: str, severity: str = "warning") -> dict[str, object]:
    row = {"type": "expect_column_mean_to_be_between", "column": column, "severity": severity, "success": False}
    return {**row, "limit": "mean must be at least 0.9", "observed": "0.49", "examples": [], "notes": ""}


def held_row(column: str) -> dict[str, object]:
    return {**failed_row(column), "success": True, "observed": "0.95"}


def publish_to(store: Store, model: str = MODEL) -> Publish:
    """Return a function that publishes one validation and returns its page's name."""

    def publish(
        date: str, outcome: str = "pass", *, on: str = "snapshot", rows: str = "a", html: str = "", **more
    ) -> str:
        interval, suite = day(date), "f" * 64 if on == "snapshot" else "e" * 64
        failed = {"pass": [], "warn": [failed_row("departed")], "fail": [failed_row("origin", "critical")]}[outcome]
        result = {
            "format_version": 1,
            "outcome": outcome,
            "on": on,
            "rows": 900,
            "sentence": f"It is {outcome}.",
            "timezone": "America/New_York",
            "expectations": [*failed, held_row("distance")],
            **more,
        }
        page = keys.data_docs_page(model, interval, rows * 64, suite)
        store.put(page, (html or f"<!DOCTYPE html><title>page of {date}</title>").encode())
        store.put(keys.validation(model, interval, rows * 64, suite), signing.seal(result))
        return page.rpartition("/")[2]

    return publish


@pytest.fixture
def publish(store: Store) -> Publish:
    """Return a function that publishes a day's validation into the store of this test."""
    return publish_to(store)


@pytest.fixture
def served(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Make the application serve the store of this test."""
    extra = {"path": str(tmp_path / "store")}
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps({"conn_type": "fs", "extra": extra}))
    opened = catalogue.opened
    opened.cache_clear()
    yield store
    opened.cache_clear()


@pytest.fixture(scope="session")
def airflow_app(airflow_db: Path) -> Iterator[object]:
    """Return Airflow's own application, as the API server runs it, with DAGs that it knows."""
    from airflow.api_fastapi.app import create_app
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.merge(DagBundleModel(name="dags-folder"))
        session.flush()
        for dag_id in (DAG_ID, "retrain_other", "somebody_elses_dag"):
            session.merge(DagModel(dag_id=dag_id, bundle_name="dags-folder"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "False")
        yield create_app()


@pytest.fixture
def client(airflow_app) -> Callable[[str | None], object]:
    """Return a function from a role to a client: ``admin``, ``viewer``, ``none`` (signed in), or None (anonymous)."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    def build(role: str | None) -> TestClient:
        headers = {}
        if role is not None:
            user = SimpleAuthManagerUser(username=f"the-{role}", role=None if role == "none" else role)
            headers["Authorization"] = f"Bearer {get_auth_manager().generate_jwt(user)}"
        return TestClient(airflow_app, headers=headers, follow_redirects=False, raise_server_exceptions=False)

    return build


@pytest.fixture
def viewer(client):
    """Return a client that may read DAGs and nothing more."""
    return client("viewer")
