"""A real API server with Data Docs of real days behind it, and a headless Chromium that looks at it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest

from include.retraining import expectations, keys, signing
from include.retraining.folder import open_folder
from include.retraining.validation import About, validate
from include.retraining.windows import Interval
from tests.retraining.ui import histories

PROJECT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
MODEL, DAG_ID, RUN_ID = "flight_delays", "retrain_flight_delays", "manual__storm"
DAYS = ("2013-02-07", "2013-02-08", "2013-02-09")


def publish(folder: Path, rows: pd.DataFrame) -> None:
    """Publish three days by the real suite; the last one has a hostile origin."""
    store = open_folder(folder)
    suite = expectations.for_snapshot(expectations.load(PROJECT / "include" / "models" / "flight_delays_suite.json"))
    for number, day in enumerate(DAYS):
        start = pd.Timestamp(day, tz="America/New_York").tz_convert("UTC").to_pydatetime()
        interval, digest = Interval(start, start + timedelta(days=1)), f"{number}" * 64
        frame = rows[(rows["scheduled_at"] >= start) & (rows["scheduled_at"] < interval.end)]
        if day == DAYS[-1]:
            frame = frame.assign(origin="<img src=x onerror=alert(1)>")
        about = About(MODEL, interval, digest, timezone="America/New_York")
        found = validate(frame, suite, about)
        page = keys.data_docs_page(MODEL, interval, digest, suite.sha256)
        store.put(page, found.html.encode())
        told = zip(suite.expectations, found.result["expectations"], strict=True)
        result = {**found.result, "expectations": [histories.told(raw, row) for raw, row in told]}
        store.put(keys.validation(MODEL, interval, digest, suite.sha256), signing.seal(result))
        if day == DAYS[1]:
            decision = {"answer": "keep", "sentences": ["Nothing is worse.", "It is young."]}
            sections = {"validation": {"sentence": found.result["sentence"], "page": page}, "decision": decision}
            store.put(keys.inputs(MODEL, interval, RUN_ID), json.dumps({"run": RUN_ID}).encode())
            record = keys.record(keys.run(MODEL, interval, RUN_ID), 1)
            store.put(record, signing.seal({"format_version": 1, "sections": sections}))


def add_run() -> None:
    """Tell Airflow's database of a run and its tasks, so that their pages exist."""
    from airflow.models.dag_version import DagVersion
    from airflow.models.dagbag import DBDagBag
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunType

    moment = datetime.now().astimezone()
    with create_session() as session:
        run = DagRun(
            dag_id=DAG_ID,
            run_id=RUN_ID,
            run_type=DagRunType.MANUAL,
            run_after=moment,
            logical_date=None,
            state=DagRunState.SUCCESS,
        )
        run.start_date = run.end_date = moment
        session.add(run)
        session.flush()
        version = DagVersion.get_latest_version(DAG_ID, session=session)
        run.dag = DBDagBag().get_dag(version.id, session=session)
        run.verify_integrity(session=session, dag_version_id=version.id)
        for task in run.get_task_instances(session=session):
            task.state, task.start_date, task.end_date = "success", moment, moment


def run_of(address: str) -> Any:
    """Return the run whose page this is, from Airflow's database."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    dag_id, _, run_id = urlsplit(address).path.removeprefix("/dags/").partition("/runs/")
    with create_session() as session:
        return session.query(DagRun).filter(DagRun.dag_id == dag_id, DagRun.run_id == unquote(run_id)).one()


@pytest.fixture(scope="session")
def site(airflow_db: Path, departures: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run Airflow's API server and return its address."""
    folder = tmp_path_factory.mktemp("store")
    publish(folder, histories.snapshot_rows(departures))
    subprocess.run([sys.executable, "-m", "airflow", "dags", "reserialize"], check=True, capture_output=True)
    add_run()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "AIRFLOW_CONN_STORE": json.dumps({"conn_type": "fs", "extra": {"path": str(folder)}}),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    }
    command = [sys.executable, "-m", "airflow", "api-server", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/api/v2/monitor/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def wait_for(address: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"{address} did not answer")


@pytest.fixture(scope="session")
def chromium():
    """Return a headless Chromium with the network cut: it knows no host but this one."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # as long as clicks wait: the machine may be busy
    arguments = ["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
    arguments += ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()
