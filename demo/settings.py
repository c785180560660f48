"""The one generated file of Connections and secrets that Airflow, the tests and the command line read.

Secrets are made up once and kept; ports, paths and the replayed moment are written anew at each start.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.credentials import fernet_key, jwt_secret, key_connection, new_key, password
from demo.processes import LOOPBACK, free_port
from demo.services import ROOT, S3, new_s3
from include.retraining import env_lines

ENV_FILE = "airflow.env"
ADMIN, NOTES = "admin", "notes"
"""Who may do everything, and who writes the notes of runs: tasks never hold the password of the first."""
API_PORT = 8080
DAGS = ROOT / "dags"


@dataclass(frozen=True)
class Layout:
    """Where everything that the demo or a test session writes lies.

    Parameters
    ----------
    folder : Path
        The state folder: `.demo` in a checkout, a temporary folder in tests.
    """

    folder: Path

    @property
    def env_file(self) -> Path:
        """Return the generated file of Connections and secrets."""
        return self.folder / ENV_FILE

    @property
    def airflow_home(self) -> Path:
        """Return Airflow's own folder."""
        return self.folder / "airflow"

    @property
    def airflow_run(self) -> Path:
        """Return the working folder of Airflow's processes: see `demo.processes`."""
        return self.folder / "run" / "airflow"

    @property
    def s3(self) -> Path:
        """Return the folder of the S3 server."""
        return self.folder / "s3"

    @property
    def warehouse(self) -> Path:
        """Return the SQLite file of flights."""
        return self.folder / "warehouse.sqlite"

    @property
    def logs(self) -> Path:
        """Return the folder of the services' logs."""
        return self.folder / "logs"


def layout(folder: Path) -> Layout:
    """Return the layout of a state folder, as absolute paths: children work in folders of their own."""
    return Layout(Path(folder).resolve())


def environment(
    where: Layout, data_until: str, kept: Mapping[str, str] | None = None, dags: Path = DAGS
) -> dict[str, str]:
    """Return every variable of the generated file.

    Parameters
    ----------
    where : Layout
        Where things lie.
    data_until : str
        The newest moment that the replayed warehouse knows, ISO 8601 in UTC.
    kept : mapping, optional
        The file as it was: secrets stay, and ports too if nothing else took them.
    dags : Path, optional
        Folder of DAG files; the project's own if not given.
    """
    kept = kept or {}
    port = free_port(_api_port(kept))
    s3 = s3_settings(kept)
    warehouse = {"conn_type": "sqlite", "host": str(where.warehouse), "extra": {"data_until": data_until}}
    own = {name: value for name, value in kept.items() if name.startswith("AIRFLOW_CONN_")}  # such as `init` adds
    return {
        **own,
        "AIRFLOW_CONN_WAREHOUSE": json.dumps(warehouse),
        "AIRFLOW_CONN_STORE": json.dumps(s3.connection()),
        "AIRFLOW_CONN_SIGNING": kept.get("AIRFLOW_CONN_SIGNING") or key_connection(*new_key("signing")),
        "AIRFLOW_CONN_PSEUDONYMS": kept.get("AIRFLOW_CONN_PSEUDONYMS") or key_connection(*new_key("pseudonyms")),
        "AIRFLOW_CONN_AIRFLOW_API": json.dumps(
            {
                "conn_type": "http",
                "host": f"http://{LOOPBACK}:{port}",
                "login": NOTES,
                "password": _notes_password(kept),
            }
        ),
        "DEMO_ADMIN_PASSWORD": kept.get("DEMO_ADMIN_PASSWORD") or password(),
        **_secrets(kept),
        **_places(where, port, dags),
        **TUNING,
    }


# Two cores and one person. Each value that is not a plain choice of size has its reason.
TUNING = {
    # Threads of scikit-learn that wait spin by default: two candidates trained side by side took 106 s instead of 2 s.
    "OMP_WAIT_POLICY": "PASSIVE",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
    "AIRFLOW__API__WORKERS": "1",
    # A loaded machine must not lose a task because one call took longer than the default of 5 s.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    # A killed task is noticed after 40 + 10 s, the default is 300 + 10 s.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "40",
    # After a killed demo the tasks of the dead scheduler are taken up again.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
    # A new file in dags/ appears within half a minute.
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
}


def _notes_password(kept: Mapping[str, str]) -> str:
    return str(json.loads(kept.get("AIRFLOW_CONN_AIRFLOW_API", "{}")).get("password") or password())


def _secrets(kept: Mapping[str, str]) -> dict[str, str]:
    made = {
        "AIRFLOW__CORE__FERNET_KEY": fernet_key(),
        "AIRFLOW__API_AUTH__JWT_SECRET": jwt_secret(),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
    }
    return {name: kept.get(name) or value for name, value in made.items()}


def _places(where: Layout, port: int, dags: Path) -> dict[str, str]:
    url = f"http://{LOOPBACK}:{port}"
    home = where.airflow_home
    return {
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags.resolve()),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin,{NOTES}:op",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
    }


def s3_settings(env: Mapping[str, str]) -> S3:
    """Return the S3 server of an environment, on another port if its own was taken; a new one if there is none."""
    if "AIRFLOW_CONN_STORE" not in env:
        return new_s3()
    store = json.loads(env["AIRFLOW_CONN_STORE"])
    port = int(store["extra"]["endpoint_url"].rsplit(":", 1)[1])
    return S3(free_port(port), store["login"], store["password"])


def _api_port(env: Mapping[str, str]) -> int:
    return int(env.get("AIRFLOW__API__PORT", API_PORT))


def read_env(path: Path) -> dict[str, str]:
    """Read KEY=VALUE lines as docker compose does; nothing if there is no file."""
    return env_lines.parse(path.read_text(), {}) if path.exists() else {}


def write_env(path: Path, env: Mapping[str, str]) -> None:
    """Write KEY=VALUE lines that only the owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write("# Generated: Connections and secrets of this machine alone. Never commit it.\n")
        out.writelines(f"{env_lines.line(name, value)}\n" for name, value in env.items())
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)


def prepare(where: Layout, data_until: str, dags: Path = DAGS) -> dict[str, str]:
    """Write the generated file and Airflow's home for it, and return what the file holds."""
    env = environment(where, data_until, read_env(where.env_file), dags)
    write_env(where.env_file, env)
    home = where.airflow_home
    home.mkdir(parents=True, exist_ok=True)
    passwords = Path(env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    passwords.write_text(json.dumps({ADMIN: env["DEMO_ADMIN_PASSWORD"], NOTES: _notes_password(env)}) + "\n")
    passwords.chmod(0o600)
    config = home / "config"
    if config.is_symlink() or not config.exists():
        config.unlink(missing_ok=True)
        config.symlink_to(ROOT / "config", target_is_directory=True)
    return env


def process_env(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child: the shell's without its Airflow settings, then the generated one."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW", "AWS_"))}
    # Airflow starts its parts by name, so the interpreter's own folder comes first.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**mine, "PATH": path, "PYTHONUNBUFFERED": "1", **env}
