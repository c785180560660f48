"""The version that is live scores each interval before its labels exist: every row, once, and with every check."""

import sqlite3
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from include.retraining import (
    connections,
    corrections,
    intake,
    keys,
    predictions,
    score_steps,
    serving,
    snapshots,
    specs,
    training,
)
from include.retraining.corrections import Correction
from include.retraining.errors import ConnectionInvalid, DataError, IntegrityError
from include.retraining.intake import Trigger
from include.retraining.registry import ARTIFACT, Registry
from include.retraining.windows import Interval
from tests.retraining import deployed, desks, toy

SPEC, NOW = toy.spec(), toy.day(30).start
FIRST, SECOND = "20240105-00000000000a", "20240105-00000000000b"
DAYS = 12


@pytest.fixture
def warehouse(tmp_path, monkeypatch):
    """Set up every Connection: a folder as store, and a warehouse with some days of parcels."""
    return deployed.parcels(tmp_path, monkeypatch, DAYS, data_until=toy.day(DAYS - 1).end.isoformat())


@pytest.fixture
def desk(warehouse) -> Registry:
    """Return the registry of the deployment; nothing is live yet."""
    return connections.open_registry(SPEC)


def serve(desk: Registry, *since: tuple[str, int]) -> None:
    """Promote versions from the start of given days on."""
    for base, (version, day) in enumerate(since):
        desks.register(desk, version)
        desk.promote(version, base, toy.day(day).start, desks.promotion(version))


def scheduled(number: int) -> Trigger:
    return Trigger(f"scheduled__{number}", "scheduled", toy.day(number), {}, "scheduled")


def by_hand(**form: object) -> Trigger:
    return Trigger("manual__1", "manual", None, form, "ann")


def scored(trigger: Trigger, spec=SPEC):
    return serving.score(spec, serving.choose(spec, trigger, NOW))


def change(path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


class TestWhichInterval:
    def asked(self, trigger: Trigger, spec=SPEC, data_until=None) -> tuple[Interval, datetime]:
        return serving.asked(spec, trigger, NOW, data_until)

    def test_a_scheduled_run_scores_its_own_at_its_end(self):
        assert self.asked(scheduled(5)) == (toy.day(5), toy.day(5).end)

    @pytest.mark.parametrize("kind", ["manual", "asset_triggered"])
    def test_a_person_and_a_new_champion_mean_the_newest_complete_one(self, kind):
        assert self.asked(replace(by_hand(), kind=kind)) == (toy.day(29), toy.day(29).end)
        known = self.asked(replace(by_hand(), kind=kind), data_until=toy.day(8).end)
        assert known == (toy.day(8), toy.day(8).end)

    def test_the_forms_interval_wins_over_the_schedules(self):
        trigger = replace(scheduled(9), form={"interval": keys.span(toy.day(4))})
        assert self.asked(trigger) == (toy.day(4), toy.day(4).end)

    def test_the_forms_as_of_says_what_was_known(self):
        as_of = toy.day(6).start + timedelta(hours=7)
        assert self.asked(by_hand(as_of=as_of.isoformat())) == (toy.day(5), as_of)
        both = by_hand(as_of=as_of.isoformat(), interval=keys.span(toy.day(2)))
        assert self.asked(both) == (toy.day(2), as_of)

    WRONG = {
        "no interval": (
            {"interval": "yesterday"},
            "The form's interval: 'yesterday' is not an interval: expected",
        ),
        "reversed": ({"interval": "20240103T000000Z--20240102T000000Z"}, "The form's interval: .* not after its start"),
        "half of one": ({"interval": "20240103T000000Z--20240103T120000Z"}, r"no interval of parcels, whose schedule"),
        "two of them": ({"interval": "20240103T000000Z--20240105T000000Z"}, r"'0 0 \* \* \*' in UTC from 2024-01-01"),
        "before the start": ({"interval": "20231231T000000Z--20240101T000000Z"}, "no interval of parcels"),
        "not over": ({"interval": keys.span(toy.day(30))}, "is not over by 2024-01-31T00:00:00.*leave it empty"),
        "not over by the as-of": (
            {"interval": keys.span(toy.day(9)), "as_of": toy.day(5).end.isoformat()},
            "is not over by 2024-01-07",
        ),
        "an unknown field": ({"intreval": "x"}, r"unknown fields \['intreval'\]; expected some of"),
        "an as-of in the future": ({"as_of": "2025-01-01T00:00:00Z"}, "lies in the future"),
        "an as-of of no zone": ({"as_of": "2024-01-05T00:00:00"}, "has no time zone. Give one"),
    }

    @pytest.mark.parametrize(("form", "message"), WRONG.values(), ids=WRONG)
    def test_a_wrong_form_is_told(self, form, message):
        with pytest.raises(DataError, match=message):
            self.asked(by_hand(**form))

    def test_an_interval_beyond_what_a_replayed_warehouse_knows_is_not_over(self):
        with pytest.raises(DataError, match="is not over by 2024-01-06"):
            self.asked(by_hand(interval=keys.span(toy.day(5))), data_until=toy.day(5).start)

    @pytest.mark.parametrize(
        ("span", "hours"),
        [
            ("20240310T050000Z--20240311T040000Z", 23),
            ("20241103T040000Z--20241104T050000Z", 25),
            ("20240229T050000Z--20240301T050000Z", 24),
        ],
        ids=["clocks go forward", "clocks go back", "29 February"],
    )
    def test_days_of_any_length_are_intervals_of_the_schedule_and_others_are_not(self, span, hours):
        spec = toy.spec(timezone="America/New_York", start=datetime(2024, 1, 1, tzinfo=ZoneInfo("America/New_York")))
        late, interval = datetime(2025, 1, 1, tzinfo=ZoneInfo("UTC")), keys.parse_span(span)
        assert interval.end - interval.start == timedelta(hours=hours)
        assert serving.asked(spec, by_hand(interval=span), late, None) == (interval, interval.end)
        wrong = Interval(interval.start, interval.end + timedelta(hours=1))
        with pytest.raises(DataError, match=r"no interval of parcels.*America/New_York"):
            serving.asked(spec, by_hand(interval=keys.span(wrong)), late, None)


class TestScore:
    def test_every_row_gets_what_the_champion_predicts(self, desk):
        serve(desk, (FIRST, 5))
        done, sentence = scored(scheduled(6))
        assert (done.version, done.entry, done.rows, done.unusable) == (FIRST, 1, toy.ROWS, 0)
        found, rows = predictions.read(desk.store, done), toy.rows(6).sort_values("parcel")
        assert found["parcel"].tolist() == rows["parcel"].tolist()
        assert found["prediction"].tolist() == training.predict(desk.load(FIRST), rows, SPEC).tolist()
        assert sentence == f"Interval {keys.span(toy.day(6))}: {FIRST} scored {toy.ROWS} rows."

    def test_the_version_that_was_live_when_the_interval_began_scores_it(self, desk):
        serve(desk, (FIRST, 5), (SECOND, 7))
        assert [scored(scheduled(number))[0].version for number in (5, 6, 7)] == [FIRST, FIRST, SECOND]

    def test_a_version_that_became_the_champion_late_scores_beside_the_one_before(self, desk):
        serve(desk, (FIRST, 5))
        scored(scheduled(8))
        desks.register(desk, SECOND)
        desk.promote(SECOND, 1, toy.day(8).start, desks.promotion(SECOND))
        assert scored(scheduled(8))[0].version == SECOND
        kept = (desk.store, desk.keyring, "parcels", toy.day(8))
        assert [predictions.find(*kept, version).version for version in (FIRST, SECOND)] == [FIRST, SECOND]

    def test_a_rerun_finds_what_is_there_whatever_came_since(self, desk, warehouse):
        serve(desk, (FIRST, 5))
        first, _ = scored(scheduled(6))
        before = desks.objects(desk.store)
        change(warehouse, "UPDATE parcels SET weight = weight + 5")
        again, sentence = scored(scheduled(6))
        assert (again, desks.objects(desk.store)) == (first, before)
        assert sentence.endswith(f"{FIRST} had scored already {toy.ROWS} rows.")

    def test_a_correction_that_comes_later_changes_nothing_that_was_said(self, desk):
        serve(desk, (FIRST, 5))
        first, _ = scored(scheduled(6))
        self.correct(desk, {"shift": 1.0, "slope": 1.0})
        assert scored(scheduled(6))[0] == first

    def test_the_correction_in_force_is_applied_and_what_it_changed_kept_beside(self, desk):
        serve(desk, (FIRST, 5))
        digest = self.correct(desk, {"shift": 1.0, "slope": 0.5})
        done, sentence = scored(scheduled(6))
        assert done.correction_sha256 == digest
        assert sentence.endswith(f" {toy.ROWS} rows, corrected.")
        assert f"{FIRST}-{digest[:12]}.parquet" in done.key
        found = predictions.read(desk.store, done)
        odds = 1.0 + 0.5 * np.log(found["raw"] / (1 - found["raw"]))
        assert found["prediction"].to_numpy() == pytest.approx(1 / (1 + np.exp(-odds)))

    def correct(self, desk: Registry, numbers: dict) -> str:
        found = Correction(FIRST, keys.stamp(toy.day(6).start), "a" * 64, numbers)
        corrections.write(desk.store, desk.keyring, "parcels", toy.day(6), found)
        return found.digest

    def test_the_rows_are_frozen_as_a_retrain_run_freezes_them(self, desk):
        serve(desk, (FIRST, 5))
        found = serving.choose(SPEC, scheduled(6), NOW)
        held = intake.pull(SPEC, scheduled(6), NOW).snapshot(toy.day(6))
        assert held == found.snapshot, "whoever comes first, the other finds it"

    def test_rows_that_validation_would_set_aside_are_scored_too(self, desk, warehouse):
        serve(desk, (FIRST, 5))
        change(warehouse, "UPDATE parcels SET region = 'nowhere', distance = -1 WHERE parcel LIKE 'p006-000%'")
        assert scored(scheduled(6))[0].rows == toy.ROWS

    def test_an_infinite_feature_is_scored_as_a_missing_one(self, desk, warehouse):
        serve(desk, (FIRST, 5))
        change(warehouse, "UPDATE parcels SET weight = 9e999 WHERE parcel LIKE 'p006-000%'")
        assert scored(scheduled(6))[0].unusable == 0

    def test_rows_whose_features_are_no_numbers_are_left_out_and_told(self, desk, warehouse):
        serve(desk, (FIRST, 5))
        change(warehouse, "UPDATE parcels SET weight = 'heavy' WHERE parcel LIKE 'p006-000%'")
        done, sentence = scored(scheduled(6))
        assert (done.rows, done.unusable) == (toy.ROWS - 10, 10)
        assert sentence.endswith("10 rows have a feature that is no number, and no prediction.")

    def test_an_interval_of_such_rows_alone_fails_and_writes_nothing(self, desk, warehouse):
        serve(desk, (FIRST, 5))
        change(warehouse, "UPDATE parcels SET weight = 'heavy'")
        with pytest.raises(DataError, match=r"No row of .*rows.parquet has features that are numbers. Mend the query"):
            scored(scheduled(6))
        assert not list(desk.store.list(keys.predictions("parcels")))

    def test_a_version_that_is_not_what_was_registered_scores_nothing(self, desk):
        serve(desk, (FIRST, 5))
        desk.store.put(keys.version("parcels", FIRST, ARTIFACT), b"x")
        with pytest.raises(IntegrityError, match=r"model.joblib has 1 bytes"):
            scored(scheduled(6))
        assert not list(desk.store.list(keys.predictions("parcels")))

    def test_a_version_that_predicts_nonsense_leaves_nothing_behind(self, desk, monkeypatch):
        serve(desk, (FIRST, 5))
        nan = SimpleNamespace(classes_=[0.0, 1.0], predict_proba=lambda rows: np.full((len(rows), 2), np.nan))
        monkeypatch.setattr(Registry, "load_live", lambda *_: nan)
        with pytest.raises(DataError, match=f"Version {FIRST} gives NaN or values out of range for 60 of 60 rows"):
            scored(scheduled(6))
        assert not list(desk.store.list(keys.predictions("parcels")))

    def test_a_snapshot_that_is_not_what_was_frozen_is_never_scored(self, desk):
        serve(desk, (FIRST, 5))
        found = serving.choose(SPEC, scheduled(6), NOW)
        desk.store.put(found.snapshot.key, b"x")
        with pytest.raises(IntegrityError, match=r"rows.parquet has 1 bytes"):
            serving.score(SPEC, found)

    def test_who_asked_and_why_is_kept(self, desk):
        serve(desk, (FIRST, 5))
        done, _ = scored(by_hand(reason="curious", interval=keys.span(toy.day(7))))
        manifest = desk.store.get(keys.rows_manifest(done.key)).decode()
        assert '"actor":"ann"' in manifest
        assert '"reason":"curious"' in manifest

    def test_nothing_that_a_spec_hides_is_among_the_predictions(self, desk):
        serve(desk, (FIRST, 5))
        assert list(predictions.read(desk.store, scored(scheduled(6))[0])) == ["parcel", "prediction"]


class TestNothingToScore:
    def test_without_a_champion_a_run_says_so_and_pulls_nothing(self, desk):
        found = serving.choose(SPEC, scheduled(6), NOW)
        assert serving.to_plain(found) == {}
        assert found.sentence.endswith("no version was live when it began, so nothing is scored.")
        assert not list(desk.store.list(""))

    def test_an_interval_before_the_first_champion_is_nobodys(self, desk):
        serve(desk, (FIRST, 7))
        assert serving.to_plain(serving.choose(SPEC, scheduled(6), NOW)) == {}

    def test_an_interval_without_rows_says_so(self, desk, warehouse):
        serve(desk, (FIRST, 5))
        change(warehouse, "DELETE FROM parcels WHERE parcel LIKE 'p006-%'")
        found = serving.choose(SPEC, scheduled(6), NOW)
        assert (serving.to_plain(found), found.sentence[-38:]) == (
            {},
            "it has no rows, so nothing is scored.".rjust(38),
        )

    def test_what_the_schedule_starts_beyond_a_replayed_warehouse_has_no_rows(self, desk):
        serve(desk, (FIRST, 5))
        assert "has no rows" in serving.choose(SPEC, scheduled(25), NOW).sentence

    def test_it_cannot_be_scored_all_the_same(self, desk):
        with pytest.raises(DataError, match=r"Nothing is to be scored: .*no version was live"):
            serving.score(SPEC, serving.choose(SPEC, scheduled(6), NOW))

    def test_a_missing_connection_is_named(self, desk, monkeypatch):
        monkeypatch.delenv("AIRFLOW_CONN_WAREHOUSE")
        with pytest.raises(ConnectionInvalid, match="warehouse"):
            serving.choose(SPEC, scheduled(6), NOW)


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_models_of_any_task_score(warehouse, tmp_path, task):
    spec = toy.task_spec(task, source=SPEC.source)
    query = SPEC.source.query.read_text().replace("late END AS late", f"{spec.label} END AS {spec.label}")
    (tmp_path / "query.sql").write_text(query)
    spec = replace(spec, source=replace(SPEC.source, query=tmp_path / "query.sql"))
    days = [toy.task_rows(number) for number in range(DAYS)]
    toy.load(warehouse, days)
    desk, fitted = connections.open_registry(spec), training.fit(spec.candidates[0], pd.concat(days[:5]), spec)
    desk.register(FIRST, desks.files_of(spec, fitted, days[0]), desks.ABOUT)
    desk.promote(FIRST, 0, toy.day(5).start, desks.promotion())
    done, _ = scored(scheduled(6), spec)
    found = predictions.read(desk.store, done)
    if task == "regression":
        assert (list(found), done.classes) == (["parcel", "prediction"], ())
    else:
        assert done.classes == ("early", "late", "on time")
        assert found[[f"prediction:{name}" for name in done.classes]].sum(axis=1).to_numpy() == pytest.approx(1)


class TestSteps:
    RUN = SimpleNamespace(run_type="scheduled")

    @pytest.fixture(autouse=True)
    def model(self, monkeypatch):
        monkeypatch.setattr(specs, "load", lambda _: SPEC)

    def choose(self, number: int) -> dict:
        bounds = {"data_interval_start": toy.day(number).start, "data_interval_end": toy.day(number).end}
        return score_steps.choose_interval("parcels", params={}, run_id="r", dag_run=self.RUN, **bounds)

    def test_what_travels_between_the_tasks_is_small_and_plain(self, desk):
        serve(desk, (FIRST, 5))
        found = self.choose(6)
        assert serving.to_plain(serving.from_plain(found)) == found
        assert len(str(found)) < 1000

    def test_the_second_step_tells_what_was_done_and_announces_it(self, desk):
        serve(desk, (FIRST, 5))
        events = defaultdict(SimpleNamespace)
        told = score_steps.score_interval(self.choose(6), outlet_events=events)
        (event,) = events.values()
        assert event.extra == {name: told[name] for name in ("key", "interval", "version", "rows")}
        assert told["interval"] == keys.span(toy.day(6))

    def test_without_a_champion_the_first_step_gives_nothing(self, desk):
        assert self.choose(6) == {}


def test_what_was_chosen_is_scored_although_the_snapshot_was_pulled_again(desk, warehouse):
    serve(desk, (FIRST, 5))
    found = serving.choose(SPEC, scheduled(6), NOW)
    change(warehouse, "UPDATE parcels SET weight = weight + 5")
    refreshed = intake.pull(SPEC, replace(scheduled(6), form={"refresh": True}), NOW).snapshot(toy.day(6))
    assert refreshed.sha256 != found.snapshot.sha256
    done, _ = serving.score(SPEC, found)
    assert done.snapshot_sha256 == found.snapshot.sha256
    assert snapshots.read(desk.store, found.snapshot)["weight"].max() < 25
