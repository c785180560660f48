"""Whole runs of the two other example models through Airflow on real flights: one regression, one of three classes.

Their suites are held against real flights in tests/retraining/test_expectations.py; short ones here save minutes.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from include.retraining import connections, reproducing, specs
from include.retraining.verifying import verify
from tests.conftest import ROOT, SECRET, connection_env
from tests.run.conftest import World, schema_of, short_suite

pytestmark = [pytest.mark.run, pytest.mark.long, pytest.mark.filterwarnings("ignore")]
SCHEMAS = ROOT / "include" / "retraining" / "schemas"
FIRST = {
    "arrival_minutes": r"First version; it beats the training mean by \d+(\.\d)? squared error\.",
    "delay_class": r"First version; it beats the class shares by 0\.\d{4} log loss\.",
}
SCORED = {
    "arrival_minutes": r"Scored 1 newly labelled interval\(s\): mean squared error [\d,.]+ \(root \d+\.\d+\)\.",
    "delay_class": r"Scored 1 newly labelled interval\(s\): mean log loss \d\.\d{4}\.",
}
ABOUT = {"span", "version", "rows", "source", "labels", "again", "slices", "undefined"}
RAW = {"raw_errors", "raw_loss", "corrected_loss"}
METRICS = {
    "arrival_minutes": {"squared_error", "absolute_error", "r2", "bias", "spread_ratio"},
    "delay_class": {"log_loss", "accuracy", "auc", "average_precision", "calibration_error", "unseen"},
}
ON_TRIAL = r" A correction is on trial: 1 of 7 intervals have shown what it does\."


@pytest.fixture(scope="module", params=FIRST)
def world(
    request: pytest.FixtureRequest, airflow_db: Path, warehouse_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Deploy one example model with a short suite and a store in a folder."""
    folder, model = tmp_path_factory.mktemp("example"), request.param
    key = connections.Settings("signing", "generic", login="key-1", password=SECRET)
    found = {
        "store": connections.Settings("store", "fs", extra={"path": str(folder / "store")}),
        "signing": key,
        "pseudonyms": key,
        "warehouse": connections.Settings("warehouse", "sqlite", host=str(warehouse_file)),
    }
    spec = specs.load(model)
    with pytest.MonkeyPatch.context() as patch:
        for name, settings in found.items():
            patch.setenv(f"AIRFLOW_CONN_{name.upper()}", connection_env(settings))
        patch.setattr(f"include.models.{model}.SPEC", replace(spec, suite=short_suite(spec.suite, folder, 2, 3)))
        made = World(warehouse_file, model=model)
        for day in ("2013-01-27", "2013-01-29"):
            made.trigger(day)
        yield made


def test_a_first_run_promotes_a_version_that_beats_its_floor_on_real_flights(world: World) -> None:
    told = world.told[0]
    assert told.state == "success"
    assert told.sections["verdict"]["answer"] == "win"
    assert told.sections["verdict"]["numbers"]["gain_over_floor"]["low"] > 0
    assert re.fullmatch(FIRST[world.model], told.sections["verdict"]["reasons"][0])
    assert told.sections["promotion"]["entry"] == 1
    assert world.registry.head().version == told.sections["challenger"]["version"]


def test_a_day_that_it_served_is_scored_with_the_metrics_of_its_task_and_it_is_kept(world: World) -> None:
    told = world.told[1]
    assert told.state == "success"
    (line,) = told.sections["evaluation"]["intervals"]
    assert set(line) == ABOUT | RAW | METRICS[world.model]
    assert told.sections["evaluation"]["newest_loss"] == line[told.sections["evaluation"]["metric"]]
    assert line["raw_loss"] == line[told.sections["evaluation"]["metric"]] != line["corrected_loss"]  # still on trial
    treated = r"( More rows than usual were treated: .+)?"
    assert re.fullmatch(SCORED[world.model] + ON_TRIAL + treated, told.sections["evaluation"]["sentence"])
    assert told.sections["decision"]["answer"] == "keep"


def test_it_is_trained_again_to_the_last_byte(world: World) -> None:
    found = reproducing.reproduce(world.registry, specs.load(world.model), world.registry.head().version)
    assert found.is_equal
    assert found.artifact_sha256[0] == found.artifact_sha256[1]


def test_everything_in_the_store_verifies_and_meets_its_schema(world: World) -> None:
    assert verify(world.registry).findings == ()
    for key, data in world.objects().items():
        if key.endswith(".json") and key.split("/")[1] in {"runs", "versions", "candidates"}:
            jsonschema.validate(json.loads(data), json.loads((SCHEMAS / f"{schema_of(key)}.json").read_text()))
