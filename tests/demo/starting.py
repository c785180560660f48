"""Starting the whole demo as a process of its own, waiting for it, and killing all of it."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from demo.processes import members
from demo.services import ROOT
from demo.settings import Layout

PATIENCE_S = 480


def start(where: Layout, log: Path, **variables: str) -> subprocess.Popen:
    """Start a demo; what it says goes to a file."""
    env = {**os.environ, "DEMO_STATE": str(where.folder), **variables}
    with log.open("w") as out:
        return subprocess.Popen([sys.executable, "-m", "demo"], cwd=ROOT, env=env, stdout=out, stderr=out)


def wait_for(condition: Callable[[], object], process: subprocess.Popen, log: Path, patience_s: float = PATIENCE_S):
    """Wait until something holds, while the demo lives."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.3)


def living(where: Layout) -> list[psutil.Process]:
    """Return every process that a demo started and that lives on."""
    return members(where.airflow_run) + members(where.s3 / "run")


def kill(where: Layout, demo: subprocess.Popen) -> None:
    """Send SIGKILL to a demo and to everything that it started."""
    demo.kill()
    demo.wait()
    while found := living(where):
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=5)


def asked(where: Layout, query: str) -> list[tuple]:
    """Return what Airflow's database answers; nothing where it has no such table yet."""
    path = where.airflow_home / "airflow.db"
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as database:
        try:
            return database.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise
