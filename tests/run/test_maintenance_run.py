"""Whole runs of `maintenance` through Airflow, over two models in a folder: one of them healthy, one damaged."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from include.retraining import collecting, keys
from include.retraining.connections import Settings
from include.retraining.folder import open_folder
from include.retraining.registry import Registry
from include.retraining.signing import Keyring
from tests.conftest import ROOT, SECRET, connection_env
from tests.retraining import desks

pytestmark = [pytest.mark.run, pytest.mark.filterwarnings("ignore")]
MODELS = ("flight_delays", "train_delays")
SPEC = """
from dataclasses import replace

from include.models.flight_delays import SPEC as FLIGHTS

SPEC = replace(
    FLIGHTS,
    name="train_delays",
    notifier="tests.run.notify.FileNotifier",
    notifier_arguments={"path": "MESSAGES"},
)
"""
RUN = """
import json, os, runpy, sys
for form, damaged in json.loads(sys.argv[1]):
    dag = runpy.run_path("dags/maintenance.py")["DAG_MAINTENANCE"]  # a DAG keeps the form of its last test
    if damaged:
        os.rename(damaged, damaged + ".whole")
        open(damaged, "w").write("{")
    print("=== run")
    run = dag.test(run_conf=form)
    if damaged:
        os.replace(damaged + ".whole", damaged)
    found = {f"{one.task_id}[{one.map_index}]": one for one in run.get_task_instances()}
    tasks = {name: [str(one.state), one.rendered_map_index] for name, one in found.items()}
    print("=== told " + json.dumps({"state": str(run.state), "tasks": tasks}), flush=True)
"""


@dataclass
class Told:
    """What a run did, and what it printed."""

    state: str
    tasks: dict[str, list[str]]
    """Per task and place: its state, and the name that people see."""
    log: str


@dataclass
class House:
    """A copy of the project with two models, and their store in a folder."""

    root: Path
    store: Path
    told: list[Told]
    objects: list[dict[str, bytes]]
    """What the store held before, and afterwards."""
    left: dict[str, str]
    """Per model, what a killed process left long ago."""

    def registry(self, model: str) -> Registry:
        return Registry(open_folder(self.store), Keyring("key-1", {"key-1": SECRET}), model)


def leave(registry: Registry, store: Path) -> str:
    """Leave half a version, as a process did that was killed three days ago."""
    key = keys.version(registry.model, "20130101-0123456789ab", "model.joblib")
    registry.store.put(key, b"half")
    moment = time.time() - 3 * 86400
    os.utime(store / key, (moment, moment))
    return key


def run(root: Path, store: Path, runs: list[tuple[dict[str, object], str | None]]) -> list[Told]:
    """Run the DAG with each form in turn, while an object is damaged or not; one process, as it takes long to start."""
    key = connection_env(Settings("signing", "generic", login="key-1", password=SECRET))
    environment = {
        **os.environ,
        "PYTHONPATH": str(root),
        "AIRFLOW_CONN_STORE": json.dumps({"conn_type": "fs", "extra": {"path": str(store)}}),
        "AIRFLOW_CONN_SIGNING": key,
        "AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    }
    command = [sys.executable, "-c", RUN, json.dumps(runs)]
    done = subprocess.run(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout
    parts = [part.split("=== told ") for part in done.stdout.split("=== run\n")[1:]]
    return [Told(**json.loads(told.splitlines()[0]), log=log) for log, told in parts]


@pytest.fixture(scope="module")
def house(airflow_db: Path, tmp_path_factory: pytest.TempPathFactory) -> House:
    """Run it twice: as it is, and to delete while one model's log is damaged."""
    root = tmp_path_factory.mktemp("house")
    for name in ("include", "tests"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(root)], check=True)
    for example in ("arrival_minutes", "delay_class"):
        (root / "include" / "models" / f"{example}.py").unlink()
    (root / "dags").mkdir()
    (root / "plugins").mkdir()
    shutil.copy(ROOT / "dags" / "maintenance.py", root / "dags")
    (root / "include" / "models" / "train_delays.py").write_text(SPEC.replace("MESSAGES", str(root / "messages")))
    (root / "include" / "models" / "broken.py").write_text("SPEC = 1 / 0\n")
    made = House(root, root / "store", [], [], {})
    for model in MODELS:
        desks.promoted(made.registry(model), 1)
        made.left[model] = leave(made.registry(model), made.store)
    made.objects.append(desks.objects(open_folder(made.store)))
    damaged = str(made.store / keys.promotion("train_delays", 1))
    made.told += run(root, made.store, [({}, None), ({"dry_run": False, "reason": "room"}, damaged)])
    made.objects.append(desks.objects(open_folder(made.store)))
    return made


class TestAsItIs:
    def test_it_goes_over_all_models_that_can_be_loaded_and_names_them(self, house: House) -> None:
        told = house.told[0]
        assert told.state == "success"
        assert told.tasks == {
            "choose_models[-1]": ["success", None],
            **{
                f"maintain.{step}[{place}]": ["success", model]
                for step in ("verify_store", "collect")
                for place, model in enumerate(MODELS)
            },
        }

    def test_it_is_a_dry_run_that_tells_what_would_go(self, house: House) -> None:
        assert house.told[0].log.count("Dry run, nothing is deleted.") == 2
        assert house.told[0].log.count("To free: 1 objects, 4 bytes.") == 2
        assert "left by a crash: no manifest names it" in house.told[0].log

    def test_what_a_crash_left_is_told_with_its_repair_and_is_no_failure(self, house: House) -> None:
        assert all(key in house.told[0].log for key in house.left.values())
        assert "Repair: Run `python -m include.retraining collect train_delays --delete`." in house.told[0].log


class TestToDelete:
    def test_damage_fails_that_model_alone(self, house: House) -> None:
        told = house.told[1]
        assert told.state == "failed"
        states = {name: state for name, (state, _) in told.tasks.items()}
        assert states == {
            "choose_models[-1]": "success",
            "maintain.verify_store[0]": "success",
            "maintain.collect[0]": "success",
            "maintain.verify_store[1]": "failed",
            "maintain.collect[1]": "upstream_failed",
        }

    def test_its_log_has_the_finding_with_its_repair(self, house: House) -> None:
        assert f"Repair: Restore {keys.promotion('train_delays', 1)} from a backup" in house.told[1].log

    def test_one_message_is_sent(self, house: House) -> None:
        (message,) = (house.root / "messages").read_text().splitlines()
        assert message.startswith("error: train_delays: the store is damaged, so nothing is deleted. ")

    def test_of_the_healthy_model_alone_it_was_deleted(self, house: House) -> None:
        before, after = house.objects
        assert set(before) - set(after) == {house.left["flight_delays"]}
        assert {key: after[key] for key in before if key in after} == {
            key: before[key] for key in before if key in after
        }

    def test_a_signed_record_tells_it(self, house: House) -> None:
        desk = house.registry("flight_delays")
        (record,) = desk.store.list(keys.collections("flight_delays"))
        content = collecting.read_record(desk, record.key)
        assert content["reason"] == "room"
        assert [one["key"] for one in content["objects"]] == [house.left["flight_delays"]]
        assert set(house.objects[1]) - set(house.objects[0]) == {record.key}
