"""Door: the decision as the note of its run, through Airflow's REST API, where Connection ``airflow_api`` names it.

A task has no other way to its own run's note. Without the Connection nothing is written, and nothing is missing: the
record, the log and the pages tell the same.
"""

import logging
import time
from typing import Any
from urllib.parse import quote

import httpx

from include.retraining import connections
from include.retraining.connections import Settings
from include.retraining.errors import ConnectionInvalid, ConnectionMissing

log = logging.getLogger(__name__)
AIRFLOW_API = "airflow_api"
LONGEST = 1000
"""Airflow keeps no longer note."""
PATIENCE_S = 10.0
TRIES = 4
"""On SQLite Airflow fails whenever two write at once; to write the same note again is safe."""


def send(model: str, run_id: str, found: dict[str, Any]) -> bool:
    """Write what a run decided as its note; return whether it was. A note that fails is logged and fails nothing.

    Parameters
    ----------
    model : str
    run_id : str
        Of the run in Airflow.
    found : dict
        What ``outcome.report`` returned.
    """
    try:
        settings = connections.settings(AIRFLOW_API)
    except ConnectionMissing:
        return False
    except ConnectionInvalid as error:
        log.warning("The run has no note: %s", error)
        return False
    try:
        with httpx.Client(base_url=address(settings), timeout=PATIENCE_S) as client:
            write_patiently(client, settings, (f"retrain_{model}", run_id), text(found))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError) as error:
        log.warning(
            "The run has no note: Airflow's API at %s said %s. Connection `%s` needs its address as host, and login "
            "and password of one who may edit runs.",
            settings.host,
            error,
            AIRFLOW_API,
        )
        return False
    return True


def write(client: httpx.Client, settings: Settings, run: tuple[str, str], note: str) -> None:
    """Log in, and write the note of a run, given as its DAG's id and its own; raises httpx.HTTPError."""
    token = client.post("/auth/token", json={"username": settings.login, "password": settings.password})
    headers = {"Authorization": f"Bearer {token.raise_for_status().json()['access_token']}"}
    dag_id, run_id = (quote(one, safe="") for one in run)
    path, mask = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}", {"update_mask": "note"}
    client.patch(path, params=mask, json={"note": note}, headers=headers).raise_for_status()


def write_patiently(client: httpx.Client, settings: Settings, run: tuple[str, str], note: str) -> None:
    """As ``write``, and again while Airflow does not answer or fails; not where it refuses."""
    for left in reversed(range(TRIES)):
        try:
            return write(client, settings, run, note)
        except httpx.HTTPError as error:
            is_refused = isinstance(error, httpx.HTTPStatusError) and not error.response.is_server_error
            if is_refused or not left:
                raise
        time.sleep(1)


def address(settings: Settings) -> str:
    """Return where Airflow's API is, from a Connection as Airflow's own HTTP hook reads it.

    >>> address(Settings("airflow_api", "http", host="airflow.example", port=8080, schema="https"))
    'https://airflow.example:8080'
    >>> address(Settings("airflow_api", "http", host="https://airflow.example/prefix/"))
    'https://airflow.example/prefix'
    """
    host = settings.host if "://" in settings.host else f"{settings.schema or 'http'}://{settings.host}"
    return host.rstrip("/") + (f":{settings.port}" if settings.port else "")


def text(found: dict[str, Any]) -> str:
    """Return the answer and its two sentences, cut where Airflow would refuse them.

    >>> text({"answer": "keep", "sentences": ["Nothing is worse.", "It is young."]})
    'keep: Nothing is worse. It is young.'
    """
    told = f"{found['answer']}: {' '.join(found['sentences'])}"
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 1]}…"
