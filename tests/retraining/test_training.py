"""Candidates: deterministic, fitted on training rows only, and the simplest that is good enough is chosen."""

import hashlib
import math
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from include.retraining import judging, pipelines, training
from include.retraining.errors import DataError
from include.retraining.policies import BASELINE, CANDIDATES
from include.retraining.spec import Candidate, TrainingPolicy
from tests.conftest import ROOT
from tests.retraining import toy

SPEC = toy.spec()
ROWS = pd.concat([toy.rows(number) for number in range(8)], ignore_index=True)
FRESH = toy.rows(9, 400)
BOTH = pytest.mark.parametrize("candidate", SPEC.candidates, ids=lambda one: one.name)
LIBRARIES = {"scikit-learn": "1.9.0"}
NAN = float("nan")


def loss(labels: np.ndarray, guesses: np.ndarray) -> float:
    return float(-np.mean(np.log(np.where(labels == 1, guesses, 1 - guesses))))


@BOTH
def test_a_candidate_learns_what_is_there_to_learn(candidate):
    guesses = training.predict(training.fit(candidate, ROWS, SPEC), FRESH, SPEC)
    assert guesses.shape == (400,)
    assert ((guesses >= 0) & (guesses <= 1)).all()
    base = np.full(400, ROWS["late"].mean())
    assert loss(FRESH["late"].to_numpy(), guesses) < 0.8 * loss(FRESH["late"].to_numpy(), base)


DIGESTS_SCRIPT = """
import hashlib
import pandas as pd
from include.retraining import training
from tests.retraining import toy
rows = pd.concat([toy.task_rows(number) for number in range(8)], ignore_index=True)
specs = [toy.task_spec(task) for task in toy.LABELS]
artifacts = [training.dump(training.fit(one, rows, spec)) for spec in specs for one in spec.candidates]
digests = [hashlib.sha256(one).hexdigest() for one in artifacts]
print(digests)
"""


def digests() -> list[str]:
    rows, specs = pd.concat(DAYS, ignore_index=True), [toy.task_spec(task) for task in toy.LABELS]
    made = [training.dump(training.fit(one, rows, spec)) for spec in specs for one in spec.candidates]
    return [hashlib.sha256(one).hexdigest() for one in made]


TASKS = pytest.mark.parametrize("task", toy.LABELS)
DAYS = [toy.task_rows(number) for number in range(8)]


@TASKS
def test_candidates_of_every_task_learn_what_is_there_to_learn(task):
    spec, rows, fresh = toy.task_spec(task), pd.concat(DAYS, ignore_index=True), toy.task_rows(9, 400)
    floor = training.floor(rows, spec)
    for candidate in spec.candidates:
        fitted = training.fit(candidate, rows, spec)
        assert training.predict(fitted, fresh, spec).shape == ((400, 3) if task == "multiclass" else (400,))
        losses = [judging.loss(training.score(one, fresh, spec)) for one in (fitted, floor)]
        assert losses[0] < 0.8 * losses[1]


@TASKS
def test_a_category_never_seen_in_training_is_no_reason_to_fail_in_any_task(task):
    spec = toy.task_spec(task)
    for candidate in spec.candidates:
        fitted = training.fit(candidate, pd.concat(DAYS, ignore_index=True), spec)
        rows = toy.task_rows(9).assign(region="moon", carrier=None, weight=NAN)
        assert np.isfinite(training.predict(fitted, rows, spec)).all()


def test_floors_worked_by_hand():
    rows = pd.DataFrame({"late": [1.0, 0, 0, 0], "minutes": [1.0, 2, 3, 10], "arrival": ["b", "a", "b", "b"]})
    found = {task: training.floor(rows, toy.task_spec(task)) for task in toy.LABELS}
    assert found == {"binary": 0.25, "regression": 4.0, "multiclass": {"a": 0.25, "b": 0.75}}
    losses = {task: judging.loss(training.score(floor, rows, toy.task_spec(task))) for task, floor in found.items()}
    assert losses["regression"] == pytest.approx((9 + 4 + 1 + 36) / 4)
    assert losses["multiclass"] == losses["binary"] == pytest.approx(-(3 * math.log(0.75) + math.log(0.25)) / 4)


def test_every_candidate_that_a_spec_may_name_has_a_pipeline():
    named = {(task, name) for task, names in CANDIDATES.items() for name in (BASELINE, *names)}
    assert set(pipelines.BUILDERS) == named


def test_the_same_rows_make_the_same_bytes_here_and_in_a_fresh_process():
    environment = {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS_SCRIPT], env=environment, capture_output=True, check=True, text=True
    )
    assert digests() == digests()
    assert str(digests()) == done.stdout.strip()


def test_other_libraries_that_change_pickling_do_not_change_the_bytes(monkeypatch):
    """dill, which Airflow may import, registers functions of its own with the standard library's pickler."""
    import pickle

    before = digests()
    taught = {
        **pickle._Pickler.dispatch,
        type(np.clip): lambda pickler, held: pickler.save_global(held, name="absolute"),
    }
    monkeypatch.setattr(pickle._Pickler, "dispatch", taught)
    assert digests() == before


@BOTH
def test_a_category_never_seen_in_training_is_no_reason_to_fail(candidate):
    fitted = training.fit(candidate, ROWS, SPEC)
    rows = FRESH.assign(region="moon", carrier=None)
    assert np.isfinite(training.predict(fitted, rows, SPEC)).all()


@BOTH
def test_a_feature_without_any_value_is_dropped_named_and_the_others_are_trained(candidate):
    rows = ROWS.assign(distance=NAN)
    assert training.treatment(rows, SPEC).dropped == ("distance",)
    fitted = training.fit(candidate, rows, SPEC)
    np.testing.assert_array_equal(
        training.predict(fitted, FRESH, SPEC), training.predict(fitted, FRESH.assign(distance=7.0), SPEC)
    )


@BOTH
def test_a_feature_that_never_changes_trains_and_is_named(candidate):
    rows = ROWS.assign(distance=5.0, carrier="van")
    assert training.constant(rows, SPEC) == ["distance", "carrier"]
    fitted = training.fit(candidate, rows, SPEC)
    assert np.isfinite(training.predict(fitted, FRESH, SPEC)).all()


@TASKS
def test_the_baseline_says_the_same_for_every_row(task):
    spec, rows = toy.task_spec(task), pd.concat(DAYS, ignore_index=True)
    found = training.predict(training.fit(Candidate("baseline"), rows, spec), toy.task_rows(9), spec)
    expected, _ = training.predictions(training.floor(rows, spec), toy.task_rows(9), spec)
    np.testing.assert_allclose(found, expected)


@BOTH
def test_a_category_without_any_value_trains(candidate):
    fitted = training.fit(candidate, ROWS.assign(carrier=pd.Series([None] * len(ROWS), dtype="str")), SPEC)
    assert np.isfinite(training.predict(fitted, FRESH, SPEC)).all()


@BOTH
def test_values_missing_only_when_predicting_are_treated(candidate):
    fitted = training.fit(candidate, ROWS, SPEC)
    assert np.isfinite(training.predict(fitted, FRESH.assign(weight=NAN, distance=NAN), SPEC)).all()


@BOTH
def test_outliers_are_clipped_to_what_training_knew(candidate):
    fitted, limits = training.fit(candidate, ROWS, SPEC), training.treatment(ROWS, SPEC)
    far, edge = (training.predict(fitted, FRESH.assign(weight=value), SPEC) for value in (1e9, limits.high[0]))
    np.testing.assert_allclose(far, edge)


@BOTH
def test_label_and_observed_columns_are_never_looked_at_when_predicting(candidate):
    fitted = training.fit(candidate, ROWS, SPEC)
    blind = FRESH.drop(columns=["late", "void", "note", "parcel", "sent_at"])
    np.testing.assert_array_equal(training.predict(fitted, blind, SPEC), training.predict(fitted, FRESH, SPEC))


@pytest.mark.parametrize("value", ["heavy", float("inf")])
def test_rows_that_no_version_can_score_are_told(value):
    fitted = training.fit(SPEC.candidates[0], ROWS, SPEC)
    with pytest.raises(DataError, match=r"Feature 'weight' is (not numeric|infinite)"):
        training.predict(fitted, FRESH.assign(weight=value), SPEC)


def test_treatment_worked_by_hand():
    rows = pd.DataFrame({"weight": [*range(1001), NAN], "distance": [5.0] * 1002})
    found = training.treatment(rows, SPEC)
    assert (found.kept, found.dropped) == (("weight", "distance"), ())
    assert (found.low, found.high, found.medians) == ((1.0, 5.0), (999.0, 5.0), (500.0, 5.0))


@BOTH
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS.assign(late=1.0), r"Label 'late' takes the values \[1.0\] in 480 training rows; both 0 and 1 are needed"),
        (ROWS.assign(late=0.0), r"takes the values \[0.0\] .* Lengthen the training window"),
        (ROWS.assign(late=ROWS["late"] * 2), r"takes the values \[0.0, 2.0\]"),
        (ROWS.iloc[:0], r"takes the values \[\] in 0 training rows"),
        (ROWS.assign(weight="12,5 kg"), "Feature 'weight' is not numeric: could not convert .*'12,5 kg'"),
        (ROWS.replace({"weight": ROWS["weight"].max()}, np.inf), "Feature 'weight' is infinite in 1 rows. Mend the"),
    ],
    ids=["all late", "none late", "other labels", "no rows", "text", "infinite"],
)
def test_rows_that_cannot_be_trained_on_are_told(candidate, rows, message):
    with pytest.raises(DataError, match=message):
        training.fit(candidate, rows, SPEC)


def test_parameters_that_the_library_refuses_are_told():
    with pytest.raises(DataError, match=r"Candidate logistic_regression cannot be trained: .*C.* Check features"):
        training.fit(Candidate("logistic_regression", {"C": -1.0}), ROWS, SPEC)


END = datetime(2024, 1, 9, tzinfo=UTC)
DIGESTS = ["a" * 64, "b" * 64]


def version(spec=SPEC, candidate=SPEC.candidates[0], digests=DIGESTS, end=END, libraries=LIBRARIES) -> str:
    return training.version_id(spec, candidate, digests, end, libraries)


def test_the_same_inputs_make_the_same_version():
    assert version() == version()
    assert version().startswith("20240109-")


@pytest.mark.parametrize(
    "changes", [{"owner": "other"}, {"purpose": "other"}, {"schedule": "5 0 * * *"}, {"slices": ()}], ids=str
)
def test_a_field_that_does_not_enter_training_makes_no_version(changes):
    assert version(replace(SPEC, **changes)) == version()


@pytest.mark.parametrize(
    "changes",
    [
        {"spec": replace(SPEC, seed=1)},
        {"spec": replace(SPEC, numeric=("weight",))},
        {"candidate": SPEC.candidates[1]},
        {"candidate": Candidate("logistic_regression", {"C": 1.0})},
        {"candidate": Candidate("sklearn.linear_model:LogisticRegression")},
        {"spec": replace(SPEC, training=TrainingPolicy("importance"))},
        {"spec": replace(SPEC, training=TrainingPolicy(gap_intervals=1))},
        {"spec": replace(SPEC, label_delay=timedelta(days=2))},
        {"digests": DIGESTS[::-1]},
        {"libraries": {"scikit-learn": "1.9.1"}},
    ],
    ids=lambda changes: ", ".join(changes),
)
def test_what_enters_training_makes_another_version(changes):
    assert version(**changes) != version()


def test_a_budget_makes_no_version():
    assert version(candidate=Candidate("logistic_regression", seconds=60, megabytes=100)) == version()


def test_an_imported_candidate_of_another_release_makes_another_version(monkeypatch):
    candidate = Candidate("sklearn.linear_model:LogisticRegression")
    before = version(candidate=candidate)
    monkeypatch.setattr("importlib.metadata.version", lambda _: "0.1")
    assert version(candidate=candidate) != before


def test_the_sources_of_training_are_files():
    assert all(path.is_file() for path in training._sources())


def test_a_version_is_dated_on_the_clock_of_the_spec():
    assert version(replace(SPEC, timezone="America/New_York")).startswith("20240108-")
