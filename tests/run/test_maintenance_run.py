"""Whole runs of `maintenance` through Airflow, over two models in a folder: one of them healthy, one damaged."""

import json
import os
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
import json, logging, runpy, sys
dag = runpy.run_path("dags/maintenance.py")["DAG_MAINTENANCE"]
run = dag.test(run_conf=json.loads(sys.argv[1]))
tasks = {f"{one.task_id} {one.rendered_map_index}": str(one.state) for one in run.get_task_instances()}
print("\\n" + json.dumps({"state": str(run.state), "tasks": tasks}))
"""


@dataclass
class Told:
    """What a run did, and what it printed."""

    state: str
    tasks: dict[str, str]
    log: str


@dataclass
class House:
    """A copy of the project with two models, and their store in a folder."""

    root: Path
    store: Path

    def registry(self, model: str) -> Registry:
        return Registry(open_folder(self.store), Keyring("key-1", {"key-1": SECRET}), model)

    def leave(self, model: str) -> str:
        """Leave half a version, as a process did that was killed three days ago."""
        key = keys.version(model, "20130101-0123456789ab", "model.joblib")
        self.registry(model).store.put(key, b"half")
        moment = time.time() - 3 * 86400
        os.utime(self.store / key, (moment, moment))
        return key

    def objects(self) -> dict[str, bytes]:
        return desks.objects(open_folder(self.store))

    @property
    def messages(self) -> list[str]:
        path = self.root / "messages"
        return path.read_text().splitlines() if path.exists() else []

    def trigger(self, **form: object) -> Told:
        key = connection_env(Settings("signing", "generic", login="key-1", password=SECRET))
        store = json.dumps({"conn_type": "fs", "extra": {"path": str(self.store)}})
        environment = {**os.environ, "AIRFLOW_CONN_STORE": store, "AIRFLOW_CONN_SIGNING": key}
        environment |= {"PYTHONPATH": str(self.root), "AIRFLOW__CORE__DAGS_FOLDER": str(self.root / "dags")}
        environment |= {"AIRFLOW__CORE__PLUGINS_FOLDER": str(self.root / "plugins")}
        environment |= {"AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"}
        done = subprocess.run(
            [sys.executable, "-c", RUN, json.dumps(form)],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
        )
        log = done.stdout + done.stderr
        assert done.returncode == 0, log
        return Told(**json.loads(done.stdout.splitlines()[-1]), log=log)


@pytest.fixture(scope="module")
def house(airflow_db: Path, tmp_path_factory: pytest.TempPathFactory) -> House:
    """Set up two models, each with a champion."""
    root = tmp_path_factory.mktemp("house")
    for name in ("include", "tests"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(root)], check=True)
    (root / "dags").mkdir()
    (root / "plugins").mkdir()
    (root / "dags" / "maintenance.py").write_text((ROOT / "dags" / "maintenance.py").read_text())
    (root / "include" / "models" / "train_delays.py").write_text(SPEC.replace("MESSAGES", str(root / "messages")))
    (root / "include" / "models" / "broken.py").write_text("SPEC = 1 / 0\n")
    made = House(root, root / "store")
    for model in MODELS:
        desks.promoted(made.registry(model), 1)
    return made


class TestByHand:
    """One story, told in order."""

    def test_without_a_word_it_is_a_dry_run_over_all_models_that_can_be_loaded(self, house: House) -> None:
        left = [house.leave(model) for model in MODELS]
        before = house.objects()
        told = house.trigger()
        assert told.state == "success"
        assert told.tasks == {
            "choose_models None": "success",
            **{f"maintain.{step} {model}": "success" for step in ("verify_store", "collect") for model in MODELS},
        }
        assert house.objects() == before
        assert set(left) <= set(before)
        assert told.log.count("Dry run, nothing is deleted.") == 2
        assert "To free: 1 objects, 4 bytes." in told.log
        assert house.messages == []

    def test_what_a_crash_left_is_told_with_its_repair_and_is_no_failure(self, house: House) -> None:
        told = house.trigger(model="train_delays")
        assert told.state == "success"
        assert "collect train_delays --delete" in told.log
        assert "verify_store flight_delays" not in str(told.tasks)

    def test_damage_fails_that_model_alone_and_nothing_of_it_is_deleted(self, house: House) -> None:
        torn, damaged = house.leave("train_delays"), keys.promotion("train_delays", 1)
        path = house.store / damaged
        whole = path.read_bytes()
        path.write_bytes(desks.flip(whole))
        told = house.trigger(dry_run=False, reason="room")
        path.write_bytes(whole)
        assert told.state == "failed"
        assert told.tasks["maintain.verify_store train_delays"] == "failed"
        assert told.tasks["maintain.collect train_delays"] == "upstream_failed"
        assert told.tasks["maintain.collect flight_delays"] == "success"
        assert torn in house.objects()
        assert f"Repair: Restore {damaged} from a backup" in told.log
        (message,) = house.messages
        assert message.startswith("error: train_delays: the store is damaged, so nothing is deleted. ")

    def test_of_the_healthy_model_it_was_deleted_and_recorded(self, house: House) -> None:
        desk = house.registry("flight_delays")
        assert not list(desk.store.list(keys.version("flight_delays", "20130101-0123456789ab")))
        (record,) = desk.store.list(keys.collections("flight_delays"))
        content = collecting.read_record(desk, record.key)
        assert (content["reason"], [one["key"].split("/")[2] for one in content["objects"]]) == (
            "room",
            ["20130101-0123456789ab"],
        )
        assert desk.load_live(desk.head())

    def test_once_it_is_mended_the_other_follows(self, house: House) -> None:
        told = house.trigger(model="train_delays", dry_run=False)
        assert told.state == "success"
        assert "Deleted 1 objects of 4 bytes" in told.log
        assert not any("20130101-0123456789ab" in key for key in house.objects())
        assert house.trigger(model="train_delays", dry_run=False).state == "success"

    def test_a_form_that_is_wrong_touches_nothing(self, house: House) -> None:
        before = house.objects()
        told = house.trigger(dry_rnu=False)
        assert told.state == "failed"
        assert told.tasks["choose_models None"] == "failed"
        assert house.objects() == before
