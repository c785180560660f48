"""A user's own checkout of the product: `init`, then the new model's DAG, each in a process of its own."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.retraining import connections, keys, records
from include.retraining.folder import open_folder
from include.retraining.store import Store
from tests.conftest import ROOT, SECRET, connection_env

RUN = """
import json, runpy, sys
from datetime import UTC, datetime
dag = runpy.run_path("dags/retrain.py")["DAGS"][sys.argv[1]]
run = dag.test(logical_date=datetime.now(UTC))
print(json.dumps([str(run.state), {one.task_id: str(one.state) for one in run.get_task_instances()}]))
"""
"""As the trigger dialog does: with today's date and nothing else said."""


@dataclass
class Checkout:
    """A copy of the product and the environment of its processes."""

    root: Path
    env: dict[str, str]

    @property
    def store(self) -> Store:
        """Return its store."""
        return open_folder(self.root / "store")

    def init(self, *arguments: str) -> str:
        """Run ``init``, do what it says about Connections, and return what it printed."""
        done = self._python("-m", "include.retraining", "init", *arguments)
        assert done.returncode == 0, done.stderr
        for line in re.findall(r"export (AIRFLOW_CONN_.+)", done.stdout):
            name, _, value = shlex.split(line)[0].partition("=")
            self.env[name] = value
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """Run an ``init`` that has to be refused, and return why."""
        done = self._python("-m", "include.retraining", "init", *arguments)
        assert done.returncode == 1, done.stdout
        return done.stderr.strip()

    def trigger(self, model: str) -> tuple[str, dict[str, str], dict[str, Any]]:
        """Run the model's DAG; return the run's state, its tasks' states and its record."""
        done = self._python("-c", RUN, model)
        assert done.returncode == 0, done.stderr[-4000:]
        state, tasks = json.loads(done.stdout.splitlines()[-1])
        prefixes = {found.key.rpartition("/")[0] + "/" for found in self.store.list(keys.runs(model))}
        return state, tasks, records.read_sections(self.store, max(prefixes))

    def written(self) -> set[str]:
        """Return what lies in the models' folder beside the product's own."""
        own = {path.name for path in (ROOT / "include" / "models").iterdir()}
        return {path.name for path in (self.root / "include" / "models").iterdir()} - own

    def _python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.root, env=self.env, capture_output=True, text=True, timeout=500
        )


def checkout(folder: Path, more: Mapping[str, str]) -> Checkout:
    """Copy the product and connect it with a store in a folder."""
    root = folder / "checkout"
    for name in ("include", "dags"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    key = connections.Settings("signing", "generic", login="key-1", password=SECRET)
    store = connections.Settings("store", "fs", extra={"path": str(root / "store")})
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_CONN_")}
    env |= {f"AIRFLOW_CONN_{one.name.upper()}": connection_env(one) for one in (key, store)}
    env |= {"AIRFLOW_CONN_PSEUDONYMS": connection_env(key), "PYTHONPATH": str(root)}
    return Checkout(root, {**env, "AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags"), **more})
