"""Memory while a large artifact is stored and verified: the peak of a process of its own, above its imports."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.counting import table
from demo import services

SIZES_MB = (10, 1_000)
SCRIPT = """
import json, resource, sys
from pathlib import Path
from include.retraining import connections, keys, libraries, signing
from include.retraining.registry import ARTIFACT, Registry
source, version = Path(sys.argv[1]), sys.argv[2]
keyring = signing.Keyring("key-1", {"key-1": "b" * 64})
store = connections.open_store()
registry = Registry(store, keyring, "memory")
list(store.list("memory/"))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
registry.register(version, {ARTIFACT: source}, {"libraries": libraries.versions()})
stored = peak()
with registry.fetched(version) as path:
    assert path.stat().st_size == source.stat().st_size
print(json.dumps([before, stored, peak()]))
"""


def report(folder: Path, server: services.S3) -> None:
    """Print the peak resident memory after imports, after storing and after verifying, on both kinds of store."""
    folder.mkdir()
    source = folder / "source"
    connections = {
        "folder": {"conn_type": "fs", "extra": {"path": str(folder / "store")}},
        "S3": {**server.connection(), "extra": {**server.connection()["extra"], "timeout_s": 120}},
    }
    rows = [["store", "MB", "imports MB", "storing MB", "verifying MB", "more than imports MB"]]
    for size in SIZES_MB:
        _fill(source, size)
        for name, connection in connections.items():
            before, stored, verified = _peaks(source, f"20240201-{size:012d}", json.dumps(connection))
            told = [f"{number:.0f}" for number in (before, stored, verified, verified - before)]
            rows.append([name, str(size), *told])
    table("Peak memory while an artifact is stored and verified", rows)


def _fill(source: Path, size_mb: int) -> None:
    block = os.urandom(1_000_000)
    with source.open("wb") as sink:
        for number in range(size_mb):
            sink.write(number.to_bytes(8, "big") + block[8:])


def _peaks(source: Path, version: str, connection: str) -> list[float]:
    environment = {**os.environ, "AIRFLOW_CONN_STORE": connection}
    command = [sys.executable, "-c", SCRIPT, str(source), version]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=900)
    return [float(number) for number in json.loads(done.stdout)]
