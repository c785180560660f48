"""Evaluating: what was live is judged on what it served, and what is not labelled yet is held against its baseline."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from include.retraining import drift, effects, evaluating, keys, libraries, records, signing, smoke, training
from include.retraining.errors import DataError, IntegrityError
from include.retraining.registry import ARTIFACT, BASELINE, SMOKE, Registry
from include.retraining.spec import DriftPolicy
from tests.retraining import toy
from tests.retraining.desks import promotion

SPEC = toy.spec()
FRAMES = [toy.rows(number) for number in range(12)]


@pytest.fixture
def desk(store, keyring) -> Registry:
    """Return an empty registry in a folder."""
    return Registry(store, keyring, "parcels")


@pytest.fixture(scope="module")
def files() -> dict[str, dict[str, bytes]]:
    """Return the files of two versions, fitted on other rows."""
    made = {}
    for number, name in enumerate(("20240105-00000000000a", "20240105-00000000000b")):
        days = FRAMES[number : number + 8]
        rows = pd.concat(days, ignore_index=True)
        fitted = training.fit(SPEC.candidates[0], rows, SPEC)
        recorded = smoke.record(fitted, smoke.rows(rows, SPEC.numeric, SPEC.categorical), SPEC.numeric)
        made[name] = {ARTIFACT: training.dump(fitted), SMOKE: signing.canonical(recorded)}
        made[name] |= {BASELINE: signing.canonical(drift.sketch(days, SPEC))}
    return made


FIRST, SECOND = "20240105-00000000000a", "20240105-00000000000b"


def serve(desk: Registry, files: dict[str, dict[str, bytes]], *since: tuple[str, int]) -> int:
    """Promote versions from the start of given days on, and return the log's last number."""
    for base, (version, day) in enumerate(since):
        desk.register(version, files[version], {"libraries": libraries.versions()})
        desk.promote(version, base, toy.day(day).start, promotion(f"{version}"))
    return len(since)


def test_without_a_champion_there_is_nothing_to_evaluate(desk, keyring):
    inputs = toy.pin(desk.store, keyring, SPEC, FRAMES)
    found = evaluating.evaluate(desk, SPEC, inputs, toy.PASSED)
    assert (found["champion"], found["intervals"], found["sentence"]) == (None, [], "No version was live.")


def test_each_interval_is_scored_with_the_version_that_was_live_when_it_began(desk, keyring, files):
    base = serve(desk, files, (FIRST, 6), (SECOND, 9))
    found = evaluating.evaluate(desk, SPEC, toy.pin(desk.store, keyring, SPEC, FRAMES, base=base), toy.PASSED)
    served = {line["span"]: line["version"] for line in found["intervals"]}
    expected = {6: FIRST, 7: FIRST, 8: FIRST, 9: SECOND, 10: SECOND}
    assert served == {keys.span(toy.day(number)): version for number, version in expected.items()}
    assert (found["champion"], found["entry"], len(found["recent_losses"])) == (SECOND, 2, 2)
    assert found["drift"]["answer"] == "stable"
    assert signing.canonical(found)


def test_an_interval_is_evaluated_once(desk, keyring, files):
    base = serve(desk, files, (FIRST, 6))
    earlier = toy.pin(desk.store, keyring, SPEC, FRAMES[:-1], base=base, run="earlier")
    found = evaluating.evaluate(desk, SPEC, earlier, toy.PASSED)
    records.write_section(desk.store, earlier.prefix, "evaluation", found)
    report = {"as_of": earlier.content["as_of"], "base": base, "dry_run": False, "answer": "keep"}
    records.write_section(desk.store, earlier.prefix, "report", report)
    later = evaluating.evaluate(desk, SPEC, toy.pin(desk.store, keyring, SPEC, FRAMES, base=base), toy.PASSED)
    assert [line["span"] for line in later["intervals"]] == [keys.span(toy.day(10))]
    assert len(later["recent_losses"]) == 5, "earlier records are remembered"
    assert later["newest_loss"] == later["intervals"][-1]["log_loss"]


def test_a_refused_interval_is_not_evaluated(desk, keyring, files):
    base = serve(desk, files, (FIRST, 6))
    refused = {"refused": {keys.span(toy.day(8)): "Refused."}}
    found = evaluating.evaluate(desk, SPEC, toy.pin(desk.store, keyring, SPEC, FRAMES, base=base), refused)
    assert keys.span(toy.day(8)) not in {line["span"] for line in found["intervals"]}


def test_a_first_served_interval_that_is_not_labelled_yet_leaves_no_loss(desk, keyring, files):
    base = serve(desk, files, (FIRST, 11))
    found = evaluating.evaluate(desk, SPEC, toy.pin(desk.store, keyring, SPEC, FRAMES, base=base), toy.PASSED)
    assert (found["intervals"], found["newest_loss"], found["recent"]) == ([], None, {})
    assert found["sentence"] == f"Champion {FIRST}: no interval became labelled since the last evaluation."


def test_drift_compares_with_the_interval_before_only_for_the_same_champion(desk, keyring, files):
    heavy = [*FRAMES[:-1], FRAMES[-1].assign(weight=99.0)]
    base = serve(desk, files, (FIRST, 6))
    earlier = toy.pin(desk.store, keyring, SPEC, FRAMES[:-1], base=base, run="earlier")
    report = {"as_of": earlier.content["as_of"], "base": base, "dry_run": False, "answer": "keep"}
    for champion, answer in ((SECOND, "shifted"), (FIRST, "alarm")):
        told = {"champion": champion, "drift": {"shifted": ["weight"]}, "intervals": []}
        records.write_section(desk.store, earlier.prefix, "evaluation", told)
        records.write_section(desk.store, earlier.prefix, "report", report)
        inputs = toy.pin(desk.store, keyring, SPEC, heavy, base=base)
        assert evaluating.evaluate(desk, SPEC, inputs, toy.PASSED)["drift"]["answer"] == answer


def test_rows_that_the_champion_cannot_score_are_told(desk, keyring, files):
    base = serve(desk, files, (FIRST, 6))
    frames = [*FRAMES[:8], FRAMES[8].assign(weight="heavy"), *FRAMES[9:]]
    with pytest.raises(DataError, match=r"Feature 'weight' is not numeric.*Mend the query"):
        evaluating.evaluate(desk, SPEC, toy.pin(desk.store, keyring, SPEC, frames, base=base), toy.PASSED)


def test_a_corrupted_champion_is_never_scored(desk, keyring, files):
    base = serve(desk, files, (FIRST, 6))
    inputs = toy.pin(desk.store, keyring, SPEC, FRAMES, base=base)
    desk.store.put(keys.version("parcels", FIRST, ARTIFACT), b"x")
    with pytest.raises(IntegrityError, match=r"model.joblib has 1 bytes, its manifest says"):
        evaluating.evaluate(desk, SPEC, inputs, toy.PASSED)


def test_the_reference_is_what_the_champion_did_on_its_first_intervals(desk, keyring, files):
    spec = replace(SPEC, decision=replace(SPEC.decision, recent_intervals=2))
    base = serve(desk, files, (FIRST, 6))
    found = evaluating.evaluate(desk, spec, toy.pin(desk.store, keyring, spec, FRAMES, base=base), toy.PASSED)
    losses = [line["log_loss"] for line in found["intervals"]]
    assert (found["reference_losses"], found["recent_losses"]) == (losses[:2], losses[-2:])
    assert (found["served_intervals"], found["gains"], found["runner_up"]) == (5, [], {})
    assert found["order"] == {"intervals": 5, "standard_errors": 0.0}, "too few"
    erred = {name for line in found["intervals"] for name in line["raw_errors"]}
    assert erred == {"mean", "with distance", "with weight"}


def test_a_run_behind_a_later_champion_scores_who_was_live_then(desk, keyring, files):
    base = serve(desk, files, (FIRST, 6), (SECOND, 40))
    found = evaluating.evaluate(desk, SPEC, toy.pin(desk.store, keyring, SPEC, FRAMES, base=base), toy.PASSED)
    assert found["champion"] == FIRST
    assert {line["version"] for line in found["intervals"]} == {FIRST}


NAMED, NUMBERS = toy.task_spec("multiclass"), toy.task_spec("regression")
DAYS = [toy.task_rows(number) for number in range(12)]


def files_of(spec, days) -> dict[str, bytes]:
    """Return the files of a version of any task."""
    rows = pd.concat(days, ignore_index=True)
    fitted = training.fit(spec.candidates[0], rows, spec)
    recorded = smoke.record(fitted, smoke.rows(rows, spec.numeric, spec.categorical), spec.numeric)
    made = {ARTIFACT: training.dump(fitted), SMOKE: signing.canonical(recorded)}
    return {**made, BASELINE: signing.canonical(drift.sketch(days, spec))}


def test_a_regression_is_evaluated_by_its_squared_error(desk, keyring):
    base = serve(desk, {FIRST: files_of(NUMBERS, DAYS[:6])}, (FIRST, 6))
    found = evaluating.evaluate(desk, NUMBERS, toy.pin(desk.store, keyring, NUMBERS, DAYS, base=base), toy.PASSED)
    assert found["metric"] == "squared_error"
    assert found["newest_loss"] == found["recent_losses"][-1] == found["intervals"][-1]["squared_error"]
    assert set(found["recent"]) == {"squared_error", "absolute_error", "r2", "bias", "spread_ratio"}
    mean = np.mean(found["recent_losses"])
    assert (
        found["sentence"]
        == f"Scored 5 newly labelled interval(s): mean squared error {mean:.4g} (root {mean**0.5:.4g})."
    )
    assert signing.canonical(found)


def test_classes_are_evaluated_by_their_log_loss_where_an_interval_lacks_one_too(desk, keyring):
    days = [*DAYS[:8], DAYS[8][DAYS[8]["arrival"] != "late"], *DAYS[9:]]
    base = serve(desk, {FIRST: files_of(NAMED, DAYS[:6])}, (FIRST, 6))
    found = evaluating.evaluate(desk, NAMED, toy.pin(desk.store, keyring, NAMED, days, base=base), toy.PASSED)
    assert found["metric"] == "log_loss"
    assert [line["auc"] is None for line in found["intervals"]] == [False, False, True, False, False]
    assert (
        found["sentence"]
        == f"Scored 5 newly labelled interval(s): mean log loss {np.mean(found['recent_losses']):.4f}."
    )


def test_classes_that_training_never_saw_are_named_and_cost_much(desk, keyring):
    days = [*DAYS[:8], *(frame.replace({"arrival": {"early": "diverted"}}) for frame in DAYS[8:])]
    base = serve(desk, {FIRST: files_of(NAMED, DAYS[:6])}, (FIRST, 6))
    found = evaluating.evaluate(desk, NAMED, toy.pin(desk.store, keyring, NAMED, days, base=base), toy.PASSED)
    count = sum(int((frame["arrival"] == "diverted").sum()) for frame in days[8:11])
    assert found["sentence"].endswith(f" {count} rows are of a class that training never saw: diverted.")
    assert found["recent_losses"][2] > 5 > found["recent_losses"][1]


def test_a_champion_that_was_trained_for_another_task_is_never_scored(desk, keyring):
    base = serve(desk, {FIRST: files_of(toy.task_spec("binary"), DAYS[:6])}, (FIRST, 6))
    inputs = toy.pin(desk.store, keyring, NUMBERS, DAYS, base=base)
    with pytest.raises(DataError, match=r"trained for task 'binary', the spec says 'regression'.* another name"):
        evaluating.evaluate(desk, NUMBERS, inputs, toy.PASSED)


class TestDrift:
    """The champion predicts the interval under test, whose labels nobody knows yet."""

    def told(self, desk, keyring, files, frames, spec=SPEC, **form):
        base = serve(desk, files, (FIRST, 6))
        return evaluating.evaluate(desk, spec, toy.pin(desk.store, keyring, spec, frames, base=base), toy.PASSED)[
            "drift"
        ]

    def test_the_champion_s_predictions_are_compared(self, desk, keyring):
        found = self.told(desk, keyring, {FIRST: with_predictions(SPEC, FRAMES[:8])}, FRAMES)
        assert effects.PREDICTIONS in {one["name"] for one in found["features"]}
        assert found["answer"] == "stable"

    @pytest.mark.parametrize("task", ["multiclass", "regression"])
    def test_of_any_task(self, desk, keyring, task):
        spec = toy.task_spec(task)
        found = self.told(desk, keyring, {FIRST: with_predictions(spec, DAYS[:8])}, DAYS, spec)
        assert effects.PREDICTIONS in {one["name"] for one in found["features"]}

    def test_an_infinite_feature_is_a_missing_one(self, desk, keyring):
        frames = [*FRAMES[:-1], FRAMES[-1].assign(weight=np.inf)]
        found = self.told(desk, keyring, {FIRST: with_predictions(SPEC, FRAMES[:8])}, frames)
        assert "weight missing" in found["shifted"]

    def test_a_champion_that_cannot_predict_the_day_stops_no_run(self, desk, keyring):
        base = serve(desk, {FIRST: with_predictions(NUMBERS, DAYS[:8])}, (FIRST, 11))
        inputs = toy.pin(desk.store, keyring, SPEC, FRAMES, base=base)
        found = evaluating.evaluate(desk, SPEC, inputs, toy.PASSED)["drift"]
        assert (
            "The champion's predictions are not compared: The version was trained for task 'regr" in found["sentence"]
        )

    def test_a_champion_that_another_release_wrote_is_not_asked(self, desk, keyring, monkeypatch):
        files = {FIRST: with_predictions(SPEC, FRAMES[:8])}
        base = serve(desk, files, (FIRST, 6))
        inputs = toy.pin(desk.store, keyring, SPEC, FRAMES, base=base)
        here = {**libraries.versions(), "scikit-learn": "99.9.9"}
        monkeypatch.setattr(libraries, "versions", lambda: here)
        found = evaluating.evaluate(desk, SPEC, inputs, toy.PASSED)["drift"]
        assert found["sentence"].startswith("Stable. The champion's predictions are not compared: ")

    def test_a_damaged_champion_is_never_asked(self, desk, keyring):
        base = serve(desk, {FIRST: with_predictions(SPEC, FRAMES[:8])}, (FIRST, 11))
        desk.store.put(keys.version("parcels", FIRST, ARTIFACT), b"x")
        inputs = toy.pin(desk.store, keyring, SPEC, FRAMES, base=base)
        with pytest.raises(IntegrityError, match=r"model.joblib has 1 bytes"):
            evaluating.evaluate(desk, SPEC, inputs, toy.PASSED)

    def test_a_champion_of_an_earlier_release_has_none_to_compare(self, desk, keyring, files):
        found = self.told(desk, keyring, files, FRAMES)
        assert (found["answer"], found["sentence"]) == ("stable", "Stable.")
        assert effects.PREDICTIONS not in {one["name"] for one in found["features"]}

    def test_the_alarms_that_a_user_bears_set_the_limits(self, desk, keyring, files):
        spec = toy.spec(drift=DriftPolicy(alarms_per_year=30))
        found = self.told(desk, keyring, files, FRAMES, spec)
        assert found["chance_of_alarm"] == pytest.approx((2 / 9) ** 2)


def with_predictions(spec, days) -> dict[str, bytes]:
    """Return the files of a version whose baseline holds what it predicts."""
    made = files_of(spec, days)
    fitted = training.fit(spec.candidates[0], pd.concat(days, ignore_index=True), spec)
    guesses = [training.predict(fitted, frame, spec) for frame in days]
    return {**made, BASELINE: signing.canonical(drift.sketch(days, spec, (), guesses))}
