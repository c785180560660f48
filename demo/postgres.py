"""`make test-postgres`: a real PostgreSQL server of our own, loaded with flights, and the tests that need it.

The server lives in a temporary folder on a free loopback port and is gone afterwards. PostgreSQL refuses to run as
root, so root starts it as the user `postgres` that Debian's package makes.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import sqlalchemy as sa

from demo import flights
from demo.processes import LOOPBACK, Child, ServiceError, free_port, running
from demo.services import ROOT
from demo.team import warehouse_url

USER = "retraining"
DATABASE = "flights"
SLICE_END = "2013-03-01"
_INSTALL = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "postgresql"]


def binaries() -> Path:
    """Find the folder of the server's programs; root on Debian installs them if they are missing."""
    if found := _binaries():
        return found
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        raise ServiceError("PostgreSQL's server is missing. Install it (Debian: apt-get install postgresql).")
    sys.stdout.write("Installing PostgreSQL\n")
    sys.stdout.flush()
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(_INSTALL, check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if found := _binaries():
        return found
    raise ServiceError("apt-get installed postgresql, but there is no initdb in /usr/lib/postgresql.")


def _binaries() -> Path | None:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    found = debian[-1] if debian else Path(on_path).resolve() if on_path else None
    return found.parent if found else None


@contextlib.contextmanager
def postgres_server(folder: Path) -> Iterator[dict[str, object]]:
    """Run a server with one empty database, protected by a password.

    Parameters
    ----------
    folder : Path
        Gets the data folder and the log.

    Yields
    ------
    dict
        The Airflow Connection of the database.
    """
    programs, owner = binaries(), "postgres" if os.getuid() == 0 else None
    data, port, password = folder / "data", free_port(), secrets.token_hex(16)
    _make_cluster(programs, data, password, owner)
    options = ["-p", str(port), "-h", LOOPBACK, "-k", "", "-c", "fsync=off"]  # the data need not outlive the tests
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    command = [str(programs / "postgres"), "-D", str(data), *options]
    connection = _connection(port, password)
    with running(Child("PostgreSQL", command, env, data, folder / "postgres.log", user=owner)) as child:
        child.wait_until(lambda: _answers({**connection, "schema": "postgres"}), patience_s=60)
        _make_database({**connection, "schema": "postgres"})
        yield connection


def _make_cluster(programs: Path, data: Path, password: str, owner: str | None) -> None:
    data.mkdir()
    secret = data.with_name("password")
    secret.write_text(password)
    secret.chmod(0o600)
    if owner:
        for path in (data.parent, data, secret):
            shutil.chown(path, owner, owner)
    options = ["--username", USER, "--pwfile", str(secret), "--auth", "scram-sha-256", "--encoding", "UTF8"]
    command = [str(programs / "initdb"), "--pgdata", str(data), *options, "--locale", "C.UTF-8", "--no-sync"]
    done = subprocess.run(
        command, cwd=data, user=owner, group=owner, extra_groups=[] if owner else None, capture_output=True, text=True
    )
    secret.unlink()
    if done.returncode:
        raise ServiceError(f"initdb failed with status {done.returncode}: {done.stderr}")


def _connection(port: int, password: str) -> dict[str, object]:
    where = {"host": LOOPBACK, "port": port, "login": USER, "password": password, "schema": DATABASE}
    return {"conn_type": "postgres", **where, "extra": {}}


def _answers(connection: dict[str, object]) -> bool:
    with contextlib.suppress(sa.exc.OperationalError), _engine(connection).connect():
        return True
    return False


def _make_database(connection: dict[str, object]) -> None:
    with _engine(connection).connect().execution_options(isolation_level="AUTOCOMMIT") as session:
        session.execute(sa.text(f"CREATE DATABASE {DATABASE}"))


def _engine(connection: dict[str, object]) -> sa.Engine:
    return sa.create_engine(warehouse_url(connection), poolclass=sa.NullPool)


def main(arguments: Sequence[str]) -> int:
    """Start the server, load the first weeks of the flights into it and into a SQLite file, and run the tests."""
    frame = flights.departures()
    frame = frame[frame["scheduled_at"] < SLICE_END]
    with tempfile.TemporaryDirectory(prefix="retraining-postgres-") as made:
        folder = Path(made)
        with postgres_server(folder) as connection:
            sqlite = folder / "warehouse.sqlite"
            flights.load(warehouse_url(connection), frame)
            flights.load(f"sqlite:///{sqlite}", frame)
            conn = json.dumps(connection)
            env = {**os.environ, "AIRFLOW_CONN_WAREHOUSE": conn, "WAREHOUSE_SQLITE": str(sqlite)}
            # The project's own options keep this folder out of `make test`.
            options = ["-o", "addopts=--import-mode=importlib --strict-markers -ra", "--timeout=600"]
            command = [sys.executable, "-m", "pytest", *options, "tests/postgres", *arguments]
            return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ServiceError as error:
        sys.exit(str(error))
