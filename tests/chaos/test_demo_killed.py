"""The demo as it is, on real flights: all of it is killed while a candidate is trained, and it is started again."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.processes import end
from demo.services import ROOT, s3_server
from demo.settings import Layout, layout, read_env, s3_settings
from include.retraining import cli, connections, specs
from include.retraining.registry import Registry
from include.retraining.verifying import verify
from tests.demo.starting import asked, kill, living, start, wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.filterwarnings("ignore")]
PATIENCE_S = 1200
ONE_DAY = {"DEMO_EXIT": "1", "DAYS": "1", "DEMO_DAGS": str(ROOT / "dags")}
"""The first of the demo's days, which trains the first champion."""
TRAINING = "SELECT 1 FROM task_instance WHERE task_id = 'train_candidate' AND state = 'running'"


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Layout]:
    found = layout(tmp_path / "state")
    yield found
    for folder in (found.airflow_run, found.s3 / "run"):
        end(folder, patience_s=2)


@contextlib.contextmanager
def stored(where: Layout) -> Iterator[Registry]:
    """Serve what a demo that has ended left in its store."""
    kept = read_env(where.env_file)
    with s3_server(where.s3, settings=s3_settings(kept)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_STORE", json.dumps(server.connection()))
        patch.setenv("AIRFLOW_CONN_SIGNING", kept["AIRFLOW_CONN_SIGNING"])
        yield connections.open_registry(specs.load("flight_delays"))


def test_there_is_one_version_per_training_input(where: Layout, tmp_path: Path, capsys) -> None:
    log = tmp_path / "demo.log"
    first = start(where, log, **ONE_DAY)
    wait_for(lambda: asked(where, TRAINING), first, log, PATIENCE_S)
    kill(where, first)
    assert living(where) == []
    assert asked(where, TRAINING), "it was killed too late: the task had ended"
    with stored(where) as registry:
        assert registry.versions() == registry.log() == []

    again = start(where, log, **ONE_DAY)
    assert again.wait(PATIENCE_S) == 0, log.read_text()
    assert living(where) == []
    with stored(where) as registry:
        (version,), (entry,) = registry.versions(), registry.log()
        assert (entry.number, entry.version, registry.head()) == (1, version, entry)
        assert hasattr(registry.load_live(entry), "predict_proba")
        made = {found.key.split("/")[2] for found in registry.store.list("flight_delays/candidates/")}
        assert len(made) == len(specs.load("flight_delays").candidates)
        assert verify(registry).findings == ()
        assert cli.main(["verify", "flight_delays"]) == 0, capsys.readouterr().out
