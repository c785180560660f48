"""How hypothesis looks for counterexamples here, and a store behind a network that fails on demand."""

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import ThreadingHTTPServer

import pytest
from hypothesis import settings

from include.retraining import s3
from tests.retraining.proxy import Proxy

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
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads, server.fault, server.target, server.seen = True, lambda _: None, s3_server.port, []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    extra = {**s3_settings.extra, "endpoint_url": f"http://127.0.0.1:{server.server_port}"}
    yield s3.open_s3(replace(s3_settings, extra=extra)), server
    server.shutdown()
    server.server_close()
