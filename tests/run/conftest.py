"""One world for whole runs: real Airflow, real S3 over HTTP, and a warehouse of real flights that tests change."""

import importlib.util
import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from include.models import flight_delays
from include.retraining import connections, keys, libraries, records
from include.retraining.registry import Registry
from tests.conftest import ROOT, SECRET, connection_env
from tests.retraining import toy
from tests.retraining.desks import promotion, trained

MODEL, FIRST, SECOND = "flight_delays", "20130120-000000000020", "20130121-000000000021"
ZONE = ZoneInfo("America/New_York")


@dataclass
class Told:
    """What one run did: its state, its tasks' states, and its record."""

    state: str
    tasks: dict[str, str]
    sections: dict[str, Any]
    inputs_key: str | None

    @property
    def run(self) -> dict[str, str]:
        """What travels between the run's tasks."""
        return {"model": "flight_delays", "inputs": str(self.inputs_key)}


@dataclass
class World:
    """A deployment of one model."""

    warehouse: Path
    told: list[Told] = field(default_factory=list)
    model: str = "flight_delays"

    @property
    def registry(self) -> Registry:
        """Versions and promotion log, as the store holds them now."""
        return Registry(connections.open_store(), connections.open_keyring(), self.model)

    def trigger(self, day: str, **form: Any) -> Told:
        """Run the DAG for one New York day through Airflow, and return what it did."""
        end = datetime.fromisoformat(day).replace(tzinfo=ZONE) + timedelta(days=1)
        before = set(self._runs())
        found = load_dag(self.model).test(logical_date=end, run_conf=form)  # a DAG keeps the form of its last test
        prefix = next(iter(set(self._runs()) - before), None)
        tasks = {one.task_id: str(one.state) for one in found.get_task_instances()}
        sections = records.read_sections(connections.open_store(), prefix) if prefix else {}
        told = Told(str(found.state), tasks, sections, f"{prefix}inputs.json" if prefix else None)
        self.told.append(told)
        return told

    def change(self, statement: str, *values: Any) -> None:
        """Change the warehouse, as a bad feed would."""
        with sqlite3.connect(self.warehouse) as connection:
            connection.execute(statement, values)
        connection.close()

    def objects(self) -> dict[str, bytes]:
        """Return every object in the store."""
        store = connections.open_store()
        return {found.key: store.get(found.key) for found in store.list("")}

    def _runs(self) -> list[str]:
        listed = connections.open_store().list(keys.runs(self.model))
        return sorted({found.key.rpartition("/")[0] + "/" for found in listed})


def schema_of(key: str) -> str:
    """Return which schema an object of the store follows, from its key."""
    room, name = key.split("/")[1], key.rpartition("/")[2]
    if room in {"snapshots", "labels"}:
        return "frozen"
    if room == "runs":
        return "inputs" if name == "inputs.json" else "record"
    if name in {"smoke.json", "baseline.json"}:
        return name.removesuffix(".json")
    named = {"validations": "validation", "candidates": "candidate", "versions": "version", "promotions": "promotion"}
    return {**named, "hints": "hint", "predictions": "predictions", "calibrations": "calibration"}[room]


def load_dag(model: str = "flight_delays", name: str = "retrain") -> Any:
    """Return a model's DAG as a file in dags/ builds it."""
    found = importlib.util.spec_from_file_location(f"{name}_for_tests", ROOT / "dags" / f"{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.DAGS[model]


def short_suite(suite: Path, folder: Path, of_rows: int = 4, of_labels: int = 2) -> Path:
    """Keep the first expectations of a suite, of rows and of labels: a run judges dozens of intervals.

    The demo judges them by the whole suite, also where it is killed.
    """
    content = json.loads(suite.read_text())
    of = {on: [one for one in content["expectations"] if one["meta"].get("on") == on] for on in (None, "labels")}
    kept = [*of[None][:of_rows], *of["labels"][:of_labels]]
    path = folder / suite.name
    path.write_text(json.dumps({**content, "expectations": kept}))
    return path


@pytest.fixture(scope="module")
def world(
    airflow_db: Path, s3_server, warehouse_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Set a deployment up and take it down again."""
    import boto3

    folder = tmp_path_factory.mktemp("world")
    copy = Path(shutil.copy(warehouse_file, folder / "warehouse.sqlite"))
    bucket = folder.name
    found = s3_server.connection()
    credentials = {"aws_access_key_id": found["login"], "aws_secret_access_key": found["password"]}
    client = boto3.client("s3", endpoint_url=s3_server.endpoint_url, region_name="us-east-1", **credentials)
    client.create_bucket(Bucket=bucket)
    store = connections.Settings(
        "store", "aws", login=found["login"], password=found["password"], extra={**found["extra"], "bucket": bucket}
    )
    key = connections.Settings("signing", "generic", login="key-1", password=SECRET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_STORE", connection_env(store))
        patch.setenv("AIRFLOW_CONN_SIGNING", connection_env(key))
        patch.setenv("AIRFLOW_CONN_PSEUDONYMS", connection_env(key))
        warehouse = connections.Settings("warehouse", "sqlite", host=str(copy))
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", connection_env(warehouse))
        suite = short_suite(flight_delays.SPEC.suite, folder)
        patch.setattr(flight_delays, "SPEC", replace(flight_delays.SPEC, suite=suite))
        yield World(copy)


@pytest.fixture
def desk(airflow_db: Path, s3_settings: connections.Settings, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return the registry of a deployment of its own, with two versions promoted."""
    monkeypatch.setenv("AIRFLOW_CONN_STORE", connection_env(s3_settings))
    key = connections.Settings("signing", "generic", login="key-1", password=SECRET)
    monkeypatch.setenv("AIRFLOW_CONN_SIGNING", connection_env(key))
    found = Registry(connections.open_store(), connections.open_keyring(), MODEL)
    for place, version in enumerate((FIRST, SECOND)):
        promote(found, version, place)
    return found


@pytest.fixture
def messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the spec name a notifier that writes to a file, and return that file."""
    path = tmp_path / "messages"
    path.touch()
    arguments = {"path": str(path)}
    own = replace(flight_delays.SPEC, notifier="tests.run.notify.FileNotifier", notifier_arguments=arguments)
    monkeypatch.setattr(flight_delays, "SPEC", own)
    return path


def promote(desk: Registry, version: str, place: int) -> None:
    """Register a version that was fitted on parcels, and make it the champion."""
    window = {"start": "2013-01-01T05:00:00+00:00", "end": f"{version[:4]}-{version[4:6]}-{version[6:8]}"}
    about = {"training_window": window, "libraries": libraries.versions(), "run": "a run"}
    desk.register(version, {**trained(), "baseline.json": b"{}"}, about)
    desk.promote(version, place, toy.day(place).start, promotion(version))
