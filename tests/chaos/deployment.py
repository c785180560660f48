"""The product with one small model on a real Airflow, whose parts run apart so that each can be killed and started."""

import contextlib
import gc
import importlib.util
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from demo.api import Api, Refused
from demo.processes import Child, end, free_port, members
from demo.services import S3, s3_server
from demo.settings import ADMIN, Layout, layout, prepare, process_env, s3_settings, write_env
from include.retraining import connections
from include.retraining.registry import Registry
from include.retraining.spec import ModelSpec
from tests.chaos import product
from tests.conftest import ROOT, connection_env
from tests.retraining import toy
from tests.retraining.proxy import Between

MODEL = "parcels"
DAG = f"retrain_{MODEL}"
HEARTBEAT_TIMEOUT_S = 12
RETRY_DELAY_S = 1
TITLE = re.compile(r"airflow worker -- ([0-9a-f-]{36})")
"""What a task's process calls itself: by the id of the try."""
KILLS_ARE_NOTICED_SOON = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT_S),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
    "AIRFLOW__CORE__PARALLELISM": "8",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
}
POLICY = f"""

# Airflow's own way for whoever runs it to change every task: https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/cluster-policies.html
def task_policy(task):
    from datetime import timedelta

    task.retry_delay = task.max_retry_delay = timedelta(seconds={RETRY_DELAY_S})


__all__ = ["task_policy"]
"""


@dataclass(frozen=True)
class Try:
    """One try of one task, as Airflow tells it."""

    id: str
    task: str
    map_index: int
    number: int
    state: str
    pid: int | None
    start: str | None
    end: str | None

    @property
    def place(self) -> tuple[str, int]:
        """The task of the run that this is a try of."""
        return self.task, self.map_index


@dataclass
class Deployment:
    """A running one."""

    where: Layout
    env: dict[str, str]
    s3: S3
    services: contextlib.ExitStack
    parts: dict[str, Child] = field(default_factory=dict)
    count: Iterator[int] = field(default_factory=itertools.count)
    between: Between = field(init=False)

    def __post_init__(self) -> None:
        """Log in when first asked."""
        self.api = Api(self.env["AIRFLOW__API__BASE_URL"], ADMIN, self.env["DEMO_ADMIN_PASSWORD"])

    @property
    def folders(self) -> list[Path]:
        """The working folders of all processes of this deployment, those of killed parts too."""
        return [*(self.where.folder / "run").glob("*"), self.where.s3 / "run"]

    def stop(self) -> None:
        """End whatever works for this deployment, also what killed parts left behind."""
        for folder in self.folders:
            end(folder, patience_s=3)
        for child in self.parts.values():
            child.stop()
        self.api._client.close()
        gc.collect()  # the store's clients: what is still open then is closed while warnings are ours

    def start(self, part: str, *flags: str) -> None:
        """Start a part of Airflow in a folder of its own: whom an earlier one left behind lives on."""
        folder = self.where.folder / "run" / f"{part}-{next(self.count)}"
        command = [sys.executable, "-m", "airflow", part, *flags]
        log = self.where.logs / f"{part}.log"
        self.parts[part] = Child(f"Airflow's {part}", command, process_env(self.env), folder, log)

    def start_scheduler(self) -> None:
        """Start a scheduler."""
        self.start("scheduler", "--skip-serve-logs")

    def kill_scheduler(self, with_workers: bool) -> None:
        """Kill the scheduler, and what it started or not, and start another at once."""
        child = self.parts["scheduler"]
        process = next(one for one in members(child.folder) if one.pid == child._process.pid)
        victims = [process, *(process.children(recursive=True) if with_workers else ())]
        kill(*victims)
        child._process.wait(timeout=30)
        self.start_scheduler()

    def kill_s3(self) -> None:
        """Kill the S3 server and start it again at once, over the same objects."""
        kill(*members(self.where.s3 / "run"))
        self.services.enter_context(s3_server(self.where.s3, settings=self.s3))

    def tasks(self) -> dict[str, psutil.Process]:
        """Return the processes that run a task now, by the id of the try."""
        found, ours = {}, f"{self.where.folder / 'run' / 'scheduler'}-"
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.cwd().startswith(ours) and (title := TITLE.match(" ".join(process.cmdline()))):
                    found[title[1]] = process
        return found

    def trigger(self, run: str, form: dict[str, Any]) -> None:
        """Trigger a run; on SQLite that fails while the scheduler writes, and is tried again."""
        body = {"dag_run_id": run, "logical_date": None, "conf": form}
        patiently(lambda: self._once(run, body))

    def _once(self, run: str, body: dict[str, Any]) -> None:
        try:
            self.api.call("POST", f"/dags/{DAG}/dagRuns", json=body)
        except Refused as error:
            if error.status != 409:  # the first attempt did arrive
                raise

    def clear(self, run: str) -> None:
        """Let what failed of a run be tried again, as a person would."""
        body = {"dry_run": False, "only_failed": True}
        patiently(lambda: self.api.call("POST", f"/dags/{DAG}/dagRuns/{run}/clear", json=body))

    def run(self, run: str) -> dict[str, Any]:
        """Return what Airflow says of a run."""
        return dict(self.api.call("GET", f"/dags/{DAG}/dagRuns/{run}"))

    def tries(self, run: str) -> list[Try]:
        """Return the newest try of each task of a run."""
        found = self.api.call("GET", f"/dags/{DAG}/dagRuns/{run}/taskInstances", params={"limit": 100})
        return [_try(one) for one in found["task_instances"]]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the product's command line, as a person would."""
        command = [sys.executable, "-m", "include.retraining", *arguments]
        cwd = self.where.folder / "project"
        return subprocess.run(
            command, env=process_env(self.env), cwd=cwd, capture_output=True, text=True, timeout=600, check=False
        )

    @property
    def spec(self) -> ModelSpec:
        """The spec that the runs used."""
        path = self.where.folder / "project" / "include" / "models" / f"{MODEL}.py"
        found = importlib.util.spec_from_file_location("chaos_spec", path)
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        return module.SPEC

    @property
    def registry(self) -> Registry:
        """Versions and promotion log, as the store holds them now."""
        return connections.open_registry(self.spec)


@contextlib.contextmanager
def deployed(folder: Path) -> Iterator[Deployment]:
    """Run the product with the small model, and end every process of it, whatever happens.

    Parameters
    ----------
    folder : Path
        Gets everything: the project, Airflow's home, the warehouse, the objects and the logs.
    """
    where = layout(folder)
    project = product.copy_to(where.folder / "project")
    toy.load(where.warehouse, product.rows())
    write_env(where.env_file, {"AIRFLOW__API__PORT": str(free_port())})
    config = where.airflow_home / "config"
    config.mkdir(parents=True)
    (config / "airflow_local_settings.py").write_text(
        (ROOT / "config" / "airflow_local_settings.py").read_text() + POLICY
    )
    env = prepare(where, "2026-01-01T00:00:00Z", project / "dags")
    s3 = s3_settings(env)
    with contextlib.ExitStack() as services:
        made = Deployment(where, env, s3, services)
        services.callback(made.stop)
        services.enter_context(s3_server(where.s3, settings=s3))
        between = made.between = Between(_settings(s3), s3.port)
        between.server.handle_error = lambda *_: None  # whoever asked was killed, or the server was
        services.callback(between.close)
        env |= KILLS_ARE_NOTICED_SOON | {
            "PYTHONPATH": os.pathsep.join([str(project), str(ROOT)]),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(where.folder / "no-plugins"),
            "AIRFLOW_CONN_STORE": connection_env(between.settings),
            "OMP_NUM_THREADS": "1",
        }
        services.enter_context(_connections(env, _settings(s3)))
        _start(made)
        yield made


def kill(*processes: psutil.Process) -> None:
    """Send SIGKILL to all, in this order, and see that they are gone."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while any(_is_alive(one) for one in processes):
        assert time.monotonic() < deadline, f"still alive after SIGKILL: {processes}"
        time.sleep(0.005)


def patiently(call: Callable[[], Any], tries: int = 10) -> None:
    """Make a call that changes something, again if the server was too busy for it."""
    for left in reversed(range(tries)):
        try:
            call()
        except Refused as error:
            if error.status < 500 or not left:
                raise
            time.sleep(1)
        else:
            return


def _is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _settings(s3: S3) -> connections.Settings:
    found = s3.connection()
    return connections.Settings(
        "store", "aws", login=found["login"], password=found["password"], extra={**found["extra"], "timeout_s": 20}
    )


@contextlib.contextmanager
def _connections(env: dict[str, str], store: connections.Settings) -> Iterator[None]:
    """Let this process ask the same store by the short way, past whoever kills those that ask it by the other."""
    wanted = {name: value for name, value in env.items() if name.startswith("AIRFLOW_CONN_")}
    kept = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted | {"AIRFLOW_CONN_STORE": connection_env(store)})
    try:
        yield
    finally:
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _start(made: Deployment) -> None:
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env=process_env(made.env), check=True, capture_output=True, timeout=600)
    made.start("api-server")
    made.start("dag-processor")
    made.start_scheduler()
    made.parts["api-server"].wait_until(made.api.is_healthy, patience_s=300)
    made.parts["dag-processor"].wait_until(lambda: made.api.has_dag(DAG), patience_s=120)
    made.api.unpause(DAG)


def _try(found: dict[str, Any]) -> Try:
    names = {"id": "id", "task": "task_id", "map_index": "map_index", "number": "try_number"}
    names |= {"state": "state", "pid": "pid", "start": "start_date", "end": "end_date"}
    return Try(**{mine: found[theirs] for mine, theirs in names.items()})
