"""Recalibrating: the champion's correction for the next interval, on trial until proven, and held to its proof."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from include.retraining import (
    corrections,
    evaluating,
    keys,
    libraries,
    recalibrating,
    recalibration,
    records,
    scoring,
    signing,
    smoke,
    training,
)
from include.retraining.drift import sketch
from include.retraining.folder import open_folder
from include.retraining.policies import RecalibrationPolicy
from include.retraining.registry import ARTIFACT, BASELINE, SMOKE, Registry
from tests.conftest import SECRET
from tests.retraining import toy
from tests.retraining.desks import promotion

VERSION = "20240104-00000000000a"
COUNT = 16
TRAINED = 4
"""So many intervals the champion was fitted on; it serves from the next one on."""


def spec_of(task: str):
    policy = RecalibrationPolicy(minimum_proof=3, weight_intervals=0.5)
    return replace(toy.task_spec(task), recalibration=policy)


SPEC = spec_of("binary")


def moved(frame: pd.DataFrame) -> pd.DataFrame:
    """Return an interval in which far more parcels are late than the champion knows."""
    random = np.random.default_rng(int(frame.index[0]) + len(frame))
    return frame.assign(late=frame["late"].where(random.random(len(frame)) < 0.3, 1.0))


STEADY = [toy.task_rows(number) for number in range(COUNT)]
MOVED = [*STEADY[:TRAINED], *map(moved, STEADY[TRAINED:])]


@pytest.fixture
def desk(store, keyring) -> Registry:
    return Registry(store, keyring, "parcels")


def fitted_files(spec, days: list[pd.DataFrame]) -> dict[str, bytes]:
    """Return the files of a version that knows these days."""
    rows = pd.concat(days, ignore_index=True)
    fitted = training.fit(spec.candidates[0], rows, spec)
    recorded = smoke.record(fitted, smoke.rows(rows, spec.numeric, spec.categorical), spec.numeric)
    files = {ARTIFACT: training.dump(fitted), SMOKE: signing.canonical(recorded)}
    return {**files, BASELINE: signing.canonical(sketch(days, spec))}


def serve(desk: Registry, spec, days: list[pd.DataFrame]) -> None:
    """Promote a version that knows the first days."""
    files = fitted_files(spec, days[:TRAINED])
    window = {"start": toy.day(0).start.isoformat(), "end": toy.day(TRAINED).start.isoformat()}
    desk.register(VERSION, files, {"libraries": libraries.versions(), "training_window": window})
    desk.promote(VERSION, 0, toy.day(TRAINED).start, promotion())


def run(desk: Registry, keyring, spec, days: list[pd.DataFrame], number: int, refused=()) -> dict:
    """Evaluate in the run whose interval has this number, and keep what it found for later runs."""
    inputs = toy.pin(desk.store, keyring, spec, days[: number + 1], base=1, run=f"run-{number}")
    validation = {**toy.PASSED, "refused": {keys.span(toy.day(one)): "Refused." for one in refused}}
    found = evaluating.evaluate(desk, spec, inputs, validation)
    records.write_section(desk.store, inputs.prefix, "evaluation", found)
    report = {"as_of": inputs.content["as_of"], "base": 1, "dry_run": False, "answer": "keep"}
    records.write_section(desk.store, inputs.prefix, "report", report)
    return found


def runs(desk: Registry, keyring, spec, days: list[pd.DataFrame], last: int = COUNT - 1) -> list[dict]:
    serve(desk, spec, days)
    return [run(desk, keyring, spec, days, number) for number in range(TRAINED, last + 1)]


def written(desk: Registry) -> list[str]:
    return sorted(stored.key for stored in desk.store.list(keys.calibrations("parcels")))


class TestTrial:
    def test_at_first_there_are_too_few_intervals_to_fit_one(self, desk, keyring):
        first = runs(desk, keyring, SPEC, MOVED, TRAINED)[0]["recalibration"]
        assert first == {}

    def test_a_correction_is_fitted_and_not_in_force_until_it_is_proven(self, desk, keyring):
        found = [one["recalibration"] for one in runs(desk, keyring, SPEC, MOVED, TRAINED + 5)]
        assert found[-1]["numbers"]["shift"] > 0.3, "more are late than the champion says"
        assert not found[-1]["proof"]["in_force"]
        assert found[-1]["sentence"].startswith("A correction is on trial: ")
        assert written(desk) == []

    def test_it_is_for_the_interval_that_begins_next(self, desk, keyring):
        found = runs(desk, keyring, SPEC, MOVED, TRAINED + 5)[-1]["recalibration"]
        assert found["span"] == keys.span(toy.day(TRAINED + 6))

    def test_a_line_tells_the_loss_with_and_without_the_correction_that_was_known_before(self, desk, keyring):
        found = runs(desk, keyring, SPEC, MOVED, TRAINED + 7)
        by_span = {one["recalibration"]["span"]: one["recalibration"] for one in found if one["recalibration"]}
        (line,) = [line for line in found[-1]["intervals"] if "raw_loss" in line][-1:]
        assert line["raw_loss"] == pytest.approx(line["log_loss"]), "it was not in force yet"
        frame = MOVED[TRAINED + 6]
        said = training.predict(desk.load(VERSION), frame, SPEC)
        guess = recalibration.apply(by_span[line["span"]]["numbers"], said)
        assert line["corrected_loss"] == pytest.approx(
            -np.mean(np.where(frame["late"] == 1, np.log(guess), np.log(1 - guess)))
        )


@pytest.fixture(scope="module")
def moved_desk(tmp_path_factory) -> Registry:
    keyring = signing.Keyring("key-1", {"key-1": SECRET})
    return Registry(open_folder(tmp_path_factory.mktemp("moved") / "store"), keyring, "parcels")


@pytest.fixture(scope="module")
def found(moved_desk) -> list[dict]:
    """Run every interval once; what uses this only reads, but for one that runs the last one again."""
    return runs(moved_desk, moved_desk.keyring, SPEC, MOVED)


class TestInForce:
    def test_once_it_has_helped_it_is_in_force_and_written_with_its_proof(self, moved_desk, found):
        proven = [one["recalibration"] for one in found if one["recalibration"].get("proof", {}).get("in_force")]
        assert proven[0]["proof"]["intervals"] >= 3
        assert proven[0]["sentence"].startswith("The next interval is corrected: over ")
        assert len(written(moved_desk)) == len(proven)
        kept = corrections.in_force(
            moved_desk.store, moved_desk.keyring, "parcels", keys.parse_span(proven[0]["span"]), VERSION
        )
        assert (kept.numbers, kept.proof) == (proven[0]["numbers"], proven[0]["proof"])

    def test_the_evaluation_says_so(self, found):
        assert found[-1]["recalibration"]["sentence"] in found[-1]["sentence"]

    def test_the_champion_is_then_judged_as_it_was_corrected(self, found):
        line = found[-1]["intervals"][-1]
        assert line["log_loss"] == line["corrected_loss"] < line["raw_loss"]

    def test_how_it_erred_is_told_without_a_correction(self, moved_desk, found):
        line = found[-1]["intervals"][-1]
        frame = MOVED[TRAINED + (keys.parse_span(line["span"]).start - toy.day(TRAINED).start).days]
        said = training.predict(moved_desk.load(VERSION), frame, SPEC)
        assert line["raw_errors"]["mean"] == pytest.approx(float(said.mean() - frame["late"].mean()))

    def test_a_comparison_holds_the_champion_to_what_it_served(self, moved_desk, found):
        span = keys.parse_span(found[-1]["intervals"][-1]["span"])
        frame = {span: MOVED[TRAINED + (span.start - toy.day(TRAINED).start).days]}
        numbers = recalibrating.in_force(moved_desk, "parcels", [span], VERSION)
        scored = scoring.score_contender(moved_desk.load(VERSION), frame, SPEC, numbers)
        assert scored.losses == {keys.span(span): pytest.approx(found[-1]["intervals"][-1]["log_loss"])}

    def test_the_same_run_again_writes_nothing_new(self, moved_desk, found):
        before = written(moved_desk)
        run(moved_desk, moved_desk.keyring, SPEC, MOVED, COUNT - 1)
        assert written(moved_desk) == before


class TestWithout:
    def test_where_the_champion_is_right_corrections_cost_next_to_nothing(self, desk, keyring):
        """Labels are drawn from the chances that it gives itself."""
        knows = training.fit(SPEC.candidates[0], pd.concat(STEADY[:TRAINED], ignore_index=True), SPEC)
        random = np.random.default_rng(5)
        right = [
            day.assign(late=(random.random(len(day)) < training.predict(knows, day, SPEC)).astype("float64"))
            for day in STEADY[TRAINED:]
        ]
        spec = replace(SPEC, recalibration=RecalibrationPolicy(minimum_proof=3))
        found = runs(desk, keyring, spec, [*STEADY[:TRAINED], *right])
        lines = [line for one in found for line in one["intervals"] if "raw_loss" in line]
        served, raw = (np.mean([line[name] for line in lines]) for name in ("log_loss", "raw_loss"))
        assert len(lines) >= 5
        assert served < 1.005 * raw

    def test_a_spec_can_do_without(self, desk, keyring):
        spec = replace(SPEC, recalibration=RecalibrationPolicy(intervals=0))
        assert {str(one["recalibration"]) for one in runs(desk, keyring, spec, MOVED, TRAINED + 6)} == {"{}"}

    def test_refused_intervals_are_not_learned_from(self, desk, keyring):
        serve(desk, SPEC, MOVED)
        first = run(desk, keyring, SPEC, MOVED, TRAINED + 6)["recalibration"]["fitted_on"]
        fewer = run(desk, keyring, SPEC, MOVED, TRAINED + 7, refused=[TRAINED + 1, TRAINED + 2])
        assert (first, fewer["recalibration"]["fitted_on"]) == (6, 5)


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_other_tasks_are_corrected_too(desk, keyring, task):
    spec = spec_of(task)
    move = {"regression": lambda day: day.assign(minutes=day["minutes"] + 40)}
    days = [*STEADY[:TRAINED], *map(move.get(task, lambda day: day.assign(arrival="late")), STEADY[TRAINED:])]
    found = runs(desk, keyring, spec, days, TRAINED + 10)[-1]
    assert found["recalibration"]["proof"]["in_force"]
    line = found["intervals"][-1]
    assert line["corrected_loss"] < line["raw_loss"]
