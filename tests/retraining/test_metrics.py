"""Gauges of a run record: what a dashboard needs; what a run did not reach is left out."""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from include.retraining.metrics import gauges

FOUND = {
    "answer": "retrain",
    "as_of": "20130211T050000Z",
    "champion_from": "20130201T050000Z",
    "validation": {"rows": 829, "failed": ["warning: x"]},
    "evaluation": {"newest_loss": 0.5, "drift": {"shifted": ["precip", "temp"]}},
    "promotion": {"promoted": True},
}


def test_a_full_run_gives_every_gauge() -> None:
    assert dict(gauges(FOUND)) == {
        "failed": 0.0,
        "retrain": 1.0,
        "promoted": 1.0,
        "rows": 829.0,
        "expectations_failed": 1.0,
        "log_loss": 0.5,
        "features_shifted": 2.0,
        "champion_age_days": 10.0,
    }


def test_a_run_that_failed_at_once_gives_only_what_it_knows() -> None:
    assert dict(gauges({"answer": "failed"})) == {"failed": 1.0, "retrain": 0.0, "promoted": 0.0}


def test_a_blocked_run_counts_as_failed() -> None:
    assert dict(gauges({**FOUND, "answer": "blocked"}))["failed"] == 1.0


def test_the_gauge_of_the_loss_is_named_after_it() -> None:
    evaluation = {**FOUND["evaluation"], "metric": "squared_error", "newest_loss": 1826.5}
    found = dict(gauges({**FOUND, "evaluation": evaluation}))
    assert found["squared_error"] == 1826.5
    assert "log_loss" not in found


AS_A_TASK = """
import json, sys
from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils
from include.retraining import metrics
# As Airflow 3.3.2 does it in `task_runner.main`, before it runs a task.
stats.initialize(
    factory=stats_utils.get_stats_factory(), export_legacy_names=conf.getboolean("metrics", "legacy_names_on")
)
metrics.send("parcels", json.loads(sys.argv[1]))
"""


class Collector(BaseHTTPRequestHandler):
    """Keeps what is sent to it, as an OpenTelemetry collector would."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_zipped = self.headers.get("Content-Encoding") == "gzip"
        self.server.received.append((self.path, gzip.decompress(body) if is_zipped else body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def collector() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.received = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def received(server: ThreadingHTTPServer) -> dict[str, tuple[float, dict[str, str]]]:
    """Return the value and the tags of each gauge that arrived."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    found = {}
    for path, body in server.received:
        assert path == "/v1/metrics"
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for metric in (one for scope in resource.scope_metrics for one in scope.metrics):
                for point in metric.gauge.data_points:
                    tags = {tag.key: tag.value.string_value for tag in point.attributes}
                    found[metric.name] = (point.as_double or float(point.as_int), tags)
    return found


@pytest.mark.door
def test_gauges_arrive_where_airflow_sends_its_stats(collector) -> None:
    """Over a real socket, as OpenTelemetry: its exporter is part of the pinned Airflow."""
    settings = {"OTEL_ON": "True", "OTEL_HOST": "127.0.0.1", "OTEL_PORT": str(collector.server_port)}
    environment = {**os.environ, **{f"AIRFLOW__METRICS__{name}": value for name, value in settings.items()}}
    command = [sys.executable, "-c", AS_A_TASK, json.dumps(FOUND)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    expected = {f"airflow.retraining.{name}": (value, {"model": "parcels"}) for name, value in gauges(FOUND)}
    assert received(collector) == expected
