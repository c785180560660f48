"""The whole demo with two small tasks: killed while one of them runs, started again, gone at the end."""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from demo.processes import end, members
from demo.settings import layout, read_env
from tests.demo import starting
from tests.demo.starting import PATIENCE_S, asked, living, wait_for

pytestmark = [pytest.mark.run, pytest.mark.timeout(1500)]

TOY = Path(__file__).parent / "toy_dags"


@pytest.fixture
def where(tmp_path):
    found = layout(tmp_path / "state")
    yield found
    for folder in (found.airflow_run, found.s3 / "run"):
        end(folder, patience_s=2)


def start(where, toy, log, **changes):
    variables = {"DEMO_DAGS": str(TOY), "TOY_FOLDER": str(toy), "DEMO_EXIT": "1", "DAYS": "2"}
    return starting.start(where, log, **{**variables, **changes})


def listeners(pids):
    sockets = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout.splitlines()
    mine = [line for line in sockets if pids & {int(pid) for pid in re.findall(r"pid=(\d+)", line)}]
    return {line.split()[3] for line in mine}


def states(where, kind="backfill"):
    query = "SELECT substr(logical_date, 1, 10), state FROM dag_run WHERE run_type = '{}' ORDER BY 1"
    return asked(where, query.format(kind))


@pytest.mark.long
def test_killed_while_training_then_started_again(where, tmp_path):
    toy, log = tmp_path / "toy", tmp_path / "demo.log"
    toy.mkdir()
    (toy / "hold").touch()
    killed = start(where, toy, log)
    wait_for((toy / "training").exists, killed, log)
    env = read_env(where.env_file)
    ours = living(where)
    port, s3_port = env["AIRFLOW__API__PORT"], re.search(r"127\.0\.0\.1:(\d+)", env["AIRFLOW_CONN_STORE"])[1]
    assert listeners({process.pid for process in ours}) == {f"127.0.0.1:{port}", f"127.0.0.1:{s3_port}"}
    preloaded = json.loads((toy / "modules.json").read_text())
    assert preloaded == ["pandas", "sklearn.ensemble", "great_expectations", "boto3", "pyarrow"]

    killed.kill()
    killed.wait()
    assert members(where.airflow_run), "a killed demo can end nothing"
    (toy / "hold").unlink()
    again = start(where, toy, log)
    assert again.wait(PATIENCE_S) == 1, log.read_text()
    text = log.read_text()
    assert "Ended what a killed demo left running" in text
    # The scheduler takes the interrupted task up again at once, so a day may be over before the demo asks.
    assert "Going on with what an interrupted demo began" in text or "Every day up to 28 January" in text
    assert states(where) == [("2013-01-27", "success"), ("2013-01-28", "success")]
    # The schedule has no end, so Airflow begins the newest interval too once the DAG is unpaused.
    assert {state for _, state in states(where, "scheduled")} in ({"success"}, {"running"}, {"queued"})
    # The toy trains nothing, and the demo says so instead of calling it a success.
    assert "FAILED: these days should have shown a first champion and did not." in text
    assert living(where) == []


def test_interrupt_before_anything_runs_stops_everything(where, tmp_path):
    log = tmp_path / "demo.log"
    demo = start(where, tmp_path, log)
    wait_for(lambda: members(where.airflow_run), demo, log)
    demo.send_signal(signal.SIGINT)
    assert demo.wait(60) == 130
    assert "Stopped. `make demo` goes on from here." in log.read_text()
    assert living(where) == []


@pytest.mark.long
def test_interrupt_while_serving_stops_everything(where, tmp_path):
    log = tmp_path / "demo.log"
    demo = start(where, tmp_path, log, DEMO_EXIT="0", DAYS="1")
    wait_for(lambda: "Serving until Ctrl-C." in log.read_text(), demo, log)
    assert living(where)
    demo.send_signal(signal.SIGINT)
    assert demo.wait(60) == 0, log.read_text()
    assert log.read_text().endswith("Stopping …\n")
    assert living(where) == []
