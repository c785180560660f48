"""Whole runs of retrain_flight_delays through Airflow, against S3 over HTTP: one story, told in order."""

import functools
import io
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from include.models import flight_delays
from include.retraining import cli, connections, intake, keys, records, specs, steps
from include.retraining.intake import Trigger
from include.retraining.verifying import verify
from include.retraining.windows import Interval
from tests.conftest import ROOT
from tests.run.conftest import World, load_dag, schema_of

pytestmark = [pytest.mark.run, pytest.mark.filterwarnings("ignore")]


SCHEMAS = ROOT / "include" / "retraining" / "schemas"


def champion(world: World) -> str:
    """Return the version that is live."""
    return world.registry.head().version


class TestFirstChampion:
    def test_a_first_run_bootstraps_itself_and_promotes_a_version(self, world: World) -> None:
        told = world.trigger("2013-01-27")
        assert told.state == "success"
        assert told.sections["decision"]["answer"] == "retrain"
        assert told.sections["verdict"]["answer"] == "win"
        assert told.sections["promotion"] == {**told.sections["promotion"], "promoted": True, "entry": 1}
        assert champion(world) == told.sections["challenger"]["version"]

    def test_its_version_was_not_fitted_on_the_holdout(self, world: World) -> None:
        manifest = world.registry.manifest(champion(world))
        holdout = world.told[0].sections["verdict"]["challenger"]["losses"]
        assert len(holdout) == 7
        assert set(manifest["intervals"]).isdisjoint(holdout)
        assert max(manifest["intervals"]) < min(holdout)

    def test_its_version_trained_again_from_what_is_stored_is_the_same(self, world: World, capsys) -> None:
        assert cli.main(["reproduce", "flight_delays", champion(world)]) == 0
        told = capsys.readouterr().out.splitlines()[-1]
        assert told.endswith("19 stored intervals: byte for byte the same artifact, which predicts exactly the same.")

    def test_every_interval_of_the_window_has_its_data_docs(self, world: World) -> None:
        stored = list(world.objects())
        pages = {key.split("/")[2] for key in stored if key.startswith("flight_delays/data-docs/")}
        assert len(pages) == 27  # 19 training, 7 holdout, and the interval under test

    def test_a_rerun_of_every_step_changes_nothing_and_makes_no_second_version(self, world: World) -> None:
        before, run = world.objects(), world.told[0].run
        steps.validate_snapshot(run)
        steps.evaluate_champion(run)
        assert steps.decide(run) == ["train_candidate"]
        trained = [steps.train_candidate(run, name) for name in ("logistic_regression", "hist_gradient_boosting")]
        steps.select_challenger(trained)
        assert steps.compare_with_champion(run)
        steps.promote(run)
        assert world.objects() == before


class TestAgain:
    def test_a_run_that_is_cleared_stays_pinned_whatever_the_clock_says(self, world: World) -> None:
        pinned = records.read_inputs(connections.open_store(), world.told[0].inputs_key)
        later = Trigger(pinned.run_id, "manual", None, {"refresh": True})
        spec = specs.load("flight_delays")
        assert intake.pull(spec, later, datetime(2026, 1, 1, tzinfo=UTC)).content == pinned.content


class TestKeep:
    def test_the_next_interval_keeps_the_champion_and_says_why(self, world: World) -> None:
        told = world.trigger("2013-01-28")
        assert told.state == "success"
        assert told.sections["decision"]["answer"] == "keep"
        assert "1 of 14 intervals" in told.sections["decision"]["sentences"][0]
        assert told.tasks["train_candidate"] == told.tasks["promote"] == "skipped"
        assert told.tasks["report"] == "success"

    def test_a_served_interval_is_evaluated_once_its_labels_are_known(self, world: World) -> None:
        told = world.trigger("2013-01-29")
        start, end = "20130128T050000Z", "20130129T050000Z"
        lines = told.sections["evaluation"]["intervals"]
        assert [line["span"] for line in lines] == [f"{start}--{end}"]
        assert 0.2 < lines[0]["log_loss"] < 0.9
        assert told.sections["evaluation"]["drift"]["answer"] in {"stable", "shifted"}

    def test_a_second_run_of_the_same_interval_makes_no_second_version(self, world: World) -> None:
        versions = world.registry.versions()
        assert world.trigger("2013-01-29").state == "success"
        assert world.registry.versions() == versions


class TestInsufficientData:
    def test_an_interval_with_too_few_rows_succeeds_and_changes_nothing(self, world: World) -> None:
        world.change(
            "DELETE FROM departures WHERE scheduled_at >= '2013-01-30 06:00' AND scheduled_at < '2013-01-31 05:00' "
            "AND flight > 20"
        )
        before = champion(world)
        told = world.trigger("2013-01-30")
        assert told.state == "success"
        assert told.sections["validation"]["outcome"] == "insufficient data"
        assert told.sections["decision"]["answer"] == "insufficient data"
        assert champion(world) == before

    def test_an_empty_interval_does_too(self, world: World) -> None:
        world.change(
            "DELETE FROM departures WHERE scheduled_at >= '2013-01-31 05:00' AND scheduled_at < '2013-02-01 05:00'"
        )
        head, versions = world.registry.head(), world.registry.versions()
        told = world.trigger("2013-01-31")
        assert told.state == "success"
        assert told.sections["decision"]["sentences"][0].startswith("The interval has 0 rows")
        assert (world.registry.head(), world.registry.versions()) == (head, versions)


class TestBlocked:
    def test_a_critical_expectation_stops_the_run_before_anything_else(self, world: World) -> None:
        world.change(
            "INSERT INTO departures SELECT * FROM departures "
            "WHERE scheduled_at >= '2013-02-01 05:00' AND scheduled_at < '2013-02-02 05:00'"
        )
        before, log = champion(world), world.registry.head().number
        told = world.trigger("2013-02-01")
        assert told.state == "failed"
        assert told.tasks["validate_snapshot"] == "failed"
        assert told.tasks["evaluate_champion"] == told.tasks["promote"] == "upstream_failed"
        assert told.sections["report"]["answer"] == "blocked"
        assert any("unique" in name for name in told.sections["validation"]["failed"])
        assert (champion(world), world.registry.head().number) == (before, log)

    def test_the_refused_interval_is_left_out_of_later_windows_and_named(self, world: World) -> None:
        told = world.trigger("2013-02-03")
        assert told.state == "success"
        assert "20130201T050000Z--20130202T050000Z" in told.sections["validation"]["refused"]


class TestRetrainAndLose:
    def test_a_forced_challenger_that_is_not_clearly_better_is_registered_but_not_promoted(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sure = replace(flight_delays.SPEC.promotion, confidence=0.99999)  # nobody is that clearly better in a week
        monkeypatch.setattr(flight_delays, "SPEC", replace(flight_delays.SPEC, promotion=sure))
        before = champion(world)
        told = world.trigger("2013-02-08", force_retrain=True, reason="curious")
        assert told.state == "success"
        assert told.sections["decision"]["forced"]
        assert told.sections["verdict"]["answer"] == "lose"
        assert told.tasks["promote"] == "skipped"
        assert told.sections["challenger"]["version"] in world.registry.versions()
        assert champion(world) == before


class TestRetrainAndWin:
    def test_when_the_world_changes_the_rule_retrains_and_the_challenger_wins(self, world: World) -> None:
        # From 9 February on, short flights are late and long ones are not, nine times in ten (always, and `distance`
        # would tell the label): the first champion knows the opposite.
        world.change(
            "UPDATE departures SET arr_delay = CASE WHEN (distance < 900) = (flight % 10 <> 0) THEN 60 ELSE -5 END "
            "WHERE arr_delay IS NOT NULL AND scheduled_at >= '2013-02-09 05:00'"
        )
        before = champion(world)
        told = world.trigger("2013-03-01", refresh=True)
        assert told.state == "success"
        assert told.sections["decision"]["answer"] == "retrain"
        assert not told.sections["decision"]["forced"]
        assert told.sections["verdict"]["answer"] == "win", told.sections["verdict"]
        assert champion(world) == told.sections["challenger"]["version"] != before
        assert told.sections["verdict"]["numbers"]["gain"]["low"] > 0

    def test_a_dry_run_does_everything_but_promotion(self, world: World) -> None:
        before = world.registry.head().number
        told = world.trigger("2013-03-20", force_retrain=True, dry_run=True)
        assert told.state == "success"
        assert "verdict" in told.sections
        assert told.tasks["promote"] == "skipped"
        assert world.registry.head().number == before

    def test_a_run_out_of_order_never_turns_the_clock_back(self, world: World) -> None:
        before = world.registry.head().number
        told = world.trigger("2013-01-29", force_retrain=True)
        assert told.state == "success"
        assert told.sections["decision"]["answer"] == "insufficient data"
        assert "not after the training window" in told.sections["decision"]["sentences"][0]
        assert world.registry.head().number == before


class TestAfterwards:
    def test_everything_in_the_store_verifies(self, world: World) -> None:
        found = verify(world.registry)
        assert found.findings == ()
        assert found.checked > 100

    def test_every_json_object_meets_its_schema(self, world: World) -> None:
        import jsonschema

        for key, data in world.objects().items():
            if key.endswith(".json"):
                schema = json.loads((SCHEMAS / f"{schema_of(key)}.json").read_text())
                jsonschema.validate(json.loads(data), schema)

    def test_no_tail_number_is_stored_in_clear(self, world: World) -> None:
        import sqlite3

        with sqlite3.connect(world.warehouse) as connection:
            found = connection.execute("SELECT DISTINCT tailnum FROM departures WHERE tailnum IS NOT NULL LIMIT 200")
            names = [row[0].encode() for row in found]
        connection.close()
        assert len(names) == 200
        for key, data in world.objects().items():
            cells = pd.read_parquet(io.BytesIO(data)).to_csv().encode() if key.endswith(".parquet") else b""
            assert not any(name in data or name in cells for name in names), key

    def test_an_as_of_in_the_future_fails_at_once_and_is_recorded(self, world: World) -> None:
        before = world.registry.head().number
        told = world.trigger("2013-03-21", as_of="2999-01-01T00:00:00+00:00")
        assert told.state == "failed"
        assert told.tasks["pull_snapshot"] == "failed"
        assert told.sections["report"]["answer"] == "failed"
        assert told.sections["report"]["failed"] == ["pull_snapshot"]
        assert world.registry.head().number == before

    def test_an_unknown_form_field_is_refused(self, world: World) -> None:
        told = world.trigger("2013-03-21", force_retrian=True)
        assert told.state == "failed"
        assert told.sections["report"]["failed"] == ["pull_snapshot"]


class TestDefaults:
    def test_a_person_who_only_presses_trigger_gets_the_newest_interval_of_a_replayed_warehouse(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The dialog of 2026 prefills today and sends its fields as they are."""
        replayed = {**json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"]), "extra": {"data_until": "2013-03-23T04:00:00Z"}}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(replayed))
        dag = load_dag()
        told = world.trigger(datetime.now(UTC).date().isoformat(), **dag.params.dump())
        assert told.state == "success"
        assert "20130322T040000Z--20130323T040000Z" in str(told.inputs_key)
        assert told.sections["report"]["answer"] in {"keep", "retrain"}
        assert told.sections["report"]["failed"] == []

    def test_what_the_schedule_starts_beyond_a_replayed_warehouse_ends_in_insufficient_data(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Unpausing the demo's DAG starts one such run; its tasks are called as Airflow would call them."""
        replayed = {**json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"]), "extra": {"data_until": "2013-03-23T04:00:00Z"}}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(replayed))
        before, versions = champion(world), world.registry.versions()
        interval = Interval(datetime(2026, 11, 22, 5, tzinfo=UTC), datetime(2026, 11, 23, 5, tzinfo=UTC))
        scheduled = Trigger("scheduled__2026-11-23", "scheduled", interval, {})
        inputs = intake.pull(specs.load("flight_delays"), scheduled, datetime(2026, 11, 23, 5, tzinfo=UTC))
        run = {"model": "flight_delays", "inputs": inputs.key}
        assert steps.validate_snapshot(run)["outcome"] == "insufficient data"
        steps.evaluate_champion(run)
        assert steps.decide(run) == []
        decision = records.read_sections(connections.open_store(), inputs.prefix)["decision"]
        assert decision["answer"] == "insufficient data"
        assert decision["sentences"][0].startswith("The interval has 0 rows")
        assert (champion(world), world.registry.versions()) == (before, versions)


class TestMessages:
    def test_a_decision_sends_one_message(self, world: World, messages: Path) -> None:
        answer = world.trigger("2013-03-23").sections["report"]["answer"]
        (line,) = messages.read_text().splitlines()
        assert line.startswith(f"info: flight_delays 20130323T040000Z--20130324T040000Z: {answer}. ")
        assert f"Champion: {champion(world)}." in line

    def test_a_failure_sends_one_message(self, world: World, messages: Path) -> None:
        world.trigger("2013-03-21", as_of="2999-01-01T00:00:00+00:00")
        (line,) = messages.read_text().splitlines()
        assert line.startswith("error: ")
        assert ": failed. Failed in pull_snapshot. See that task's log; the champion goes on serving." in line
        assert f"Champion: {champion(world)}." in line

    def test_a_failure_of_the_store_itself_sends_one_message_too(
        self, world: World, messages: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before, live = world.objects(), champion(world)
        wrong = {**json.loads(os.environ["AIRFLOW_CONN_STORE"]), "password": "not the secret"}
        with monkeypatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_STORE", json.dumps(wrong))
            assert str(load_dag().test(logical_date=datetime(2013, 3, 22, 4, tzinfo=UTC)).state) == "failed"
        assert (world.objects(), champion(world)) == (before, live)
        (line,) = messages.read_text().splitlines()
        assert "no record could be written" in line
        assert "refused the credentials" in line
        assert "Champion: unknown." in line

    def test_a_message_that_cannot_be_sent_fails_nothing(self, world: World, messages: Path) -> None:
        messages.unlink()
        messages.mkdir()
        assert world.trigger("2013-03-21").state == "success"


TASKS = [
    "pull_snapshot",
    "validate_snapshot",
    "evaluate_champion",
    "decide",
    "train_candidate",
    "select_challenger",
    "compare_with_champion",
    "promote",
]


class TestEachTaskInTurn:
    @pytest.mark.parametrize("name", TASKS)
    def test_when_it_fails_the_run_fails_and_the_record_is_written(
        self, world: World, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        @functools.wraps(getattr(steps, name))
        def refuse(*_: object, **__: object) -> None:
            raise ValueError(f"injected into {name}")

        easy = replace(flight_delays.SPEC.promotion, confidence=0.51, slice_tolerance=1.0, calibration_tolerance=1.0)
        monkeypatch.setattr(
            flight_delays, "SPEC", replace(flight_delays.SPEC, promotion=easy)
        )  # so that `promote` runs
        before = champion(world)
        monkeypatch.setattr(steps, name, refuse)
        told = world.trigger("2013-03-24", force_retrain=True)
        assert told.tasks[name] == "failed"
        assert told.state == "failed"
        assert name in " ".join(told.sections["report"]["failed"])
        assert told.sections["report"]["answer"] == "failed"
        assert champion(world) == before


def test_keys_of_runs_are_found_by_their_hint(world: World) -> None:
    store = connections.open_store()
    hints = [found.key for found in store.list("flight_delays/hints/runs/")]
    assert hints
    assert all(key == keys.run_hint("flight_delays", key.rpartition("/")[2].removesuffix(".json")) for key in hints)
