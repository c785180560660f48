"""What every test may use: one Airflow home and metadata database a session, real stores, and real flights."""

import atexit
import fcntl
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOME = Path(tempfile.mkdtemp(prefix="retraining-tests-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when scikit-learn is loaded: threads that wait must not spin
# Airflow reads these when it is first imported, so they stand before any test module is.
os.environ.update(
    {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
        "AIRFLOW__API_AUTH__JWT_SECRET": "t" * 64,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "PYTHONPATH": str(ROOT),
        "RETRAINING_ENV_FILE": str(HOME / "no-such-file.env"),
    }
)

from demo import flights, services
from include.retraining import connections, s3, signing, specs
from include.retraining.folder import open_folder
from include.retraining.store import Store

SECRET = "0123456789abcdef" * 4


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers, give out the files of whole runs first: they take the longest."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.get_closest_marker("run") is None)


@pytest.fixture(scope="session", autouse=True)
def less_waiting() -> Iterator[None]:
    """Spare what production does not wait for, since there each task is a process of its own and has a scheduler.

    Each S3 client parses botocore's descriptions of all of AWS, and `DAG.test` sleeps a second for each skipped task.
    """
    from botocore.session import create_loader

    def sleep(seconds: float, wait: Callable[[float], None] = time.sleep) -> None:
        wait(min(seconds, 0.01) if sys._getframe(1).f_code.co_qualname == "DAG.test" else seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", functools.cache(create_loader))
        patch.setattr(time, "sleep", sleep)
        yield


@pytest.fixture(scope="session")
def airflow_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Airflow home with a migrated metadata database, which is made once for all workers."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    made, migrate = shared / "airflow.db", [sys.executable, "-m", "airflow", "db", "migrate"]
    with (shared / "airflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            subprocess.run(migrate, check=True, capture_output=True, timeout=300)
            shutil.copy(HOME / "airflow.db", made)
    shutil.copy(made, HOME / "airflow.db")
    return HOME


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store in a folder."""
    return open_folder(tmp_path / "store")


@pytest.fixture
def keyring() -> signing.Keyring:
    """Return a keyring with one key."""
    return signing.Keyring("key-1", {"key-1": SECRET})


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.S3]:
    """Run one real S3 server for the session; each test takes its own bucket."""
    with services.s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_settings(s3_server: services.S3) -> connections.Settings:
    """Return the Connection of a fresh bucket."""
    import boto3

    bucket = f"test-{uuid.uuid4().hex[:12]}"
    found = s3_server.connection()
    boto3.client(
        "s3",
        endpoint_url=s3_server.endpoint_url,
        aws_access_key_id=s3_server.access_key,
        aws_secret_access_key=s3_server.secret_key,
        region_name="us-east-1",
    ).create_bucket(Bucket=bucket)
    extra = {**found["extra"], "bucket": bucket, "timeout_s": 5}
    return connections.Settings("store", "aws", login=found["login"], password=found["password"], extra=extra)


@pytest.fixture(params=["folder", "s3"])
def any_store(request: pytest.FixtureRequest) -> Store:
    """Return each kind of store in turn: both keep the same contract."""
    if request.param == "folder":
        return request.getfixturevalue("store")
    return s3.open_s3(request.getfixturevalue("s3_settings"))


@pytest.fixture(scope="session")
def departures():
    """Return all departures of January to March 2013, as the demo loads them."""
    frame = flights.departures()
    return frame[frame["scheduled_at"] < datetime(2013, 4, 1, 4, tzinfo=UTC)].reset_index(drop=True)


@pytest.fixture(scope="session")
def warehouse_file(departures, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite warehouse with those departures."""
    path = tmp_path_factory.mktemp("warehouse") / "warehouse.sqlite"
    flights.load(f"sqlite:///{path}", departures)
    return path


@pytest.fixture
def warehouse_settings(warehouse_file: Path) -> connections.Settings:
    """Return the Connection of that warehouse."""
    return connections.Settings("warehouse", "sqlite", host=str(warehouse_file))


@pytest.fixture
def spec():
    """Return the spec of the flights."""
    return specs.load("flight_delays")


def connection_env(settings: connections.Settings) -> str:
    """Return a Connection as the environment variable holds it."""
    parts = {"conn_type": settings.kind, "host": settings.host, "login": settings.login}
    return json.dumps({**parts, "password": settings.password, "extra": settings.extra})
