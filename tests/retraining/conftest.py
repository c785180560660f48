"""How hypothesis looks for counterexamples here, and a store behind a network that fails on demand."""

import contextlib
import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from http.server import ThreadingHTTPServer

import pytest
from hypothesis import settings

from demo import processes, services
from include.retraining import connections, s3
from tests.retraining.proxy import Between

# The same examples on every machine, in a few seconds; HYPOTHESIS_PROFILE=deep looks for new ones, for minutes.
settings.register_profile("house", max_examples=60, deadline=None, derandomize=True, database=None)
settings.register_profile("deep", max_examples=2000, deadline=None, derandomize=False, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Let the folder store be as it is, only without the wait until every write is on the disk."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def proxied(s3_settings, s3_server) -> Iterator[tuple[s3.S3Store, ThreadingHTTPServer]]:
    """Return a store that reaches the real server through a proxy whose ``fault`` a test sets."""
    with contextlib.closing(Between(s3_settings, s3_server.port)) as between:
        yield s3.open_s3(between.settings), between.server


@pytest.fixture(scope="session")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.S3]:
    """Run the small S3 server without its door: it asks nobody who they are, and checks no signature."""
    folder, found = tmp_path_factory.mktemp("open-s3"), services.new_s3()
    program = "import demo.s3; demo.s3.Door.refusal = lambda self, scope: None; demo.s3.main()"
    command = [sys.executable, "-c", program]
    child = processes.Child("The open server", command, services._s3_env(found, folder), folder / "run", folder / "log")
    with processes.running(child):
        child.wait_until(lambda: services._answers(f"{found.endpoint_url}/_ministack/health"), patience_s=60)
        yield found


@pytest.fixture
def open_settings(open_server: services.S3) -> connections.Settings:
    """Return the Connection of a fresh bucket on the server that lets anybody in."""
    found = replace(open_server, bucket=f"test-{uuid.uuid4().hex[:12]}").connection()
    services.make_bucket(found)
    extra = {**found["extra"], "timeout_s": 5}
    return connections.Settings("store", "aws", login=found["login"], password=found["password"], extra=extra)


@pytest.fixture
def lying(open_settings, open_server) -> Iterator[Between]:
    """Return a proxy that may alter requests too, for the server behind it checks no signature."""
    with contextlib.closing(Between(open_settings, open_server.port)) as between:
        yield between
