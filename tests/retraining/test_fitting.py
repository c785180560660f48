"""A candidate from folds to artifact: judged by what saw its past only, told line by line, and loadable again."""

import logging
import math
import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from include.retraining import fitting, importance, training, unpickling
from include.retraining.errors import DataError, SpecError
from include.retraining.registry import ARTIFACT
from include.retraining.spec import Candidate, TrainingPolicy
from tests.retraining import toy

SPEC = toy.spec()
DAYS = [toy.task_rows(number) for number in range(8)]
NAN = float("nan")


def loss(labels: np.ndarray, guesses: np.ndarray) -> float:
    return float(-np.mean(np.log(np.where(labels == 1, guesses, 1 - guesses))))


def test_fold_losses_of_the_floor_worked_by_hand():
    """Base rate 1/2 in the first two; it costs ln 2 on any labels."""
    frames = [pd.DataFrame({"late": labels}) for labels in ([1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0])]
    assert fitting.fold_losses(None, frames, SPEC) == pytest.approx([math.log(2)] * 3)


def test_a_fold_is_judged_by_a_model_that_saw_only_its_past():
    frames = [toy.rows(number) for number in range(4)]
    past = training.fit(SPEC.candidates[0], pd.concat(frames[:-1], ignore_index=True), SPEC)
    expected = loss(frames[-1]["late"].to_numpy(), training.predict(past, frames[-1], SPEC))
    assert fitting.fold_losses(SPEC.candidates[0], frames, SPEC)[-1] == pytest.approx(expected)


def test_what_comes_later_changes_no_earlier_fold():
    frames = [toy.rows(number) for number in range(6)]
    changed = [*frames[:-1], toy.rows(5, seed=9)]
    first, second = (fitting.fold_losses(SPEC.candidates[0], held, SPEC) for held in (frames, changed))
    assert first[:-1] == second[:-1]
    assert first[-1] != second[-1]


def test_a_fold_whose_past_lacks_a_class_goes_on_and_its_rows_cost_as_much_for_the_floor():
    spec = toy.task_spec("multiclass")
    frames = [frame[frame["arrival"] != "late"] for frame in DAYS[:2]] + DAYS[2:4]
    candidate, floor = (fitting.fold_losses(one, frames, spec) for one in (spec.candidates[0], None))
    assert candidate[1] > 5, "the past of the second fold knows nobody who was late"
    assert floor[1] > 5
    assert candidate[2] < floor[2] < 5


def test_a_fold_whose_past_has_one_class_only_is_told():
    spec = toy.task_spec("multiclass")
    with pytest.raises(DataError, match=r"Label 'arrival' takes 1 value\(s\) \('late'\) in \d+ training rows"):
        fitting.fold_losses(spec.candidates[0], [DAYS[0].assign(arrival="late"), *DAYS[1:3]], spec)


def test_what_could_not_have_been_known_yet_is_left_out_of_the_past():
    """Two days of label delay: the day before what is judged, and the one before it, change no loss of the fold."""
    spec, frames = replace(SPEC, label_delay=timedelta(days=2)), [toy.rows(number) for number in range(8)]
    assert spec.gap_intervals == 2
    first = fitting.fold_losses(SPEC.candidates[0], frames[:6], spec)
    second = fitting.fold_losses(
        SPEC.candidates[0], [*frames[:3], toy.rows(3, seed=9), toy.rows(4, seed=9), frames[5]], spec
    )
    assert len(first) == 3
    assert first[-1] == second[-1]
    known = fitting.fold_losses(SPEC.candidates[0], frames[:6], replace(spec, training=TrainingPolicy(gap_intervals=0)))
    assert known[-1] != first[-1]


def told(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == fitting.__name__]


def test_progress_is_told_for_every_fold_and_the_final_fit(caplog):
    caplog.set_level(logging.INFO, fitting.__name__)
    fitting.train(SPEC.candidates[0], DAYS[:5], SPEC)
    first, *_, last, final = told(caplog)
    assert first.startswith("logistic_regression: fold 1 of 3, 120 rows in ")
    assert " s, log loss 0." in first
    assert first.endswith(" over 1 interval(s)")
    assert last.startswith("logistic_regression: fold 3 of 3, 240 rows in ")
    assert final.startswith("logistic_regression: final fit, 300 rows in ")


def test_a_feature_that_never_changes_is_told_and_trains(caplog):
    frames = [frame.assign(weight=7.0, carrier="van") for frame in DAYS[:5]]
    found = fitting.train(Candidate("hist_gradient_boosting", {"max_iter": 5}), frames, SPEC)
    assert np.isfinite(found.fold_losses).all()
    assert (
        "hist_gradient_boosting: the same value in every training row, nothing to learn from: weight, carrier"
        in told(caplog)
    )


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_an_interval_of_one_class_is_judged_and_has_no_auc(task):
    spec = toy.task_spec(task)
    one = DAYS[4].assign(late=1.0, arrival="late")
    found = fitting.train(spec.candidates[0], [*DAYS[:4], one], spec)
    assert np.isfinite(found.fold_losses).all()
    model = training.fit(spec.candidates[0], pd.concat(DAYS[:4]), spec)
    assert training.score(model, one, spec)["auc"] is None


@pytest.mark.parametrize("task", toy.LABELS)
def test_the_baseline_loses_as_much_as_the_floor(task):
    spec = toy.task_spec(task)
    found = fitting.train(Candidate("baseline"), DAYS, spec)
    assert found.fold_losses == pytest.approx(found.floor_losses)


FOREST = Candidate("sklearn.ensemble:RandomForestClassifier", {"n_estimators": 5})
FOREST_NAMES = (
    "sklearn.ensemble._forest:RandomForestClassifier",
    "sklearn.tree._classes:DecisionTreeClassifier",
    "sklearn.tree._tree:Tree",
)


def test_an_artifact_that_no_task_would_load_is_told_with_what_to_allow_before_more_is_fitted(caplog):
    caplog.set_level(logging.INFO, fitting.__name__)
    message = r"Candidate sklearn.ensemble:RandomForestClassifier makes an artifact .* it holds 3 thing\(s\) beyond"
    with pytest.raises(SpecError, match=message) as refused:
        fitting.train(FOREST, DAYS[:5], SPEC)
    listed = ", ".join(f'"{name}"' for name in FOREST_NAMES)
    assert str(refused.value).endswith(f"add these to `allowed` of the spec: {listed}.")
    assert told(caplog) == []


@pytest.mark.parametrize("name", ["RandomForestClassifier", "GradientBoostingClassifier", "ExtraTreesClassifier"])
def test_what_the_message_lists_is_what_it_takes(tmp_path, name):
    candidate = Candidate(f"sklearn.ensemble:{name}", {"n_estimators": 5})
    with pytest.raises(SpecError, match="add these to `allowed` of the spec") as refused:
        fitting.train(candidate, DAYS[:5], SPEC)
    spec = replace(SPEC, allowed=tuple(re.findall(r'"([\w.]+:\w+)"', str(refused.value))))
    files = fitting.train(candidate, DAYS[:5], spec).files
    (tmp_path / "model.joblib").write_bytes(files[ARTIFACT])
    loaded = unpickling.load_artifact(tmp_path / "model.joblib", "m/x", spec.allowed_pairs)
    assert np.isfinite(training.predict(loaded, DAYS[5], spec)).all()


def test_an_estimator_that_cannot_be_stored_is_told():
    with pytest.raises(
        SpecError, match=r"Candidate tests.retraining.wayward:Unstorable cannot be stored: TypeError: .*lock"
    ):
        fitting.train(Candidate("tests.retraining.wayward:Unstorable"), DAYS[:5], SPEC)


PICKY = replace(SPEC, training=TrainingPolicy("importance"))


def test_features_are_selected_in_the_past_of_each_fold_alone():
    """What is judged turns round: a selection that had seen it would differ, and so would the loss of earlier rows."""
    frames = [toy.rows(number) for number in range(7)]
    changed = [*frames[:-1], frames[-1].assign(late=1 - frames[-1]["late"])]
    first, second = (fitting.fold_losses(SPEC.candidates[0], held, PICKY) for held in (frames, changed))
    assert first[:-1] == second[:-1]
    past = importance.narrow(PICKY, importance.select(SPEC.candidates[0], frames[:-1], PICKY))
    model = training.fit(SPEC.candidates[0], pd.concat(frames[:-1], ignore_index=True), past)
    assert first[-1] == pytest.approx(training.score(model, frames[-1], past)["log_loss"])


def test_a_selection_is_kept_with_its_scores_and_the_artifact_knows_no_other_feature():
    frames = [frame.assign(distance=5.0) for frame in DAYS]
    found = fitting.train(SPEC.candidates[0], frames, PICKY)
    assert found.selected["dropped"]["distance"] == {"mean": 0.0, "high": 0.0}
    assert found.selected["kept"]["weight"]["mean"] > 0
    assert b"distance" not in found.files[ARTIFACT]


def test_the_same_selection_makes_the_same_bytes():
    first, second = (fitting.train(SPEC.candidates[0], DAYS, PICKY) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("spent_s", "is_told"), [(11.9, False), (12.1, True)])
def test_a_candidate_whose_folds_say_that_it_takes_too_long_is_stopped(spent_s, is_told):
    """1,000 of 5,000 rows took 12 s: all of them take 60."""
    candidate = Candidate("ridge", seconds=60)
    if not is_told:
        fitting.check_pace(candidate, spent_s, 1000, 5000)
        return
    message = (
        r"Candidate ridge would take about 60.5 s \(12.1 s for 1,000 of 5,000 rows to fit\); it may take 60 s. Raise "
        r"its `seconds`, give it cheaper parameters, or shorten windows.training_intervals."
    )
    with pytest.raises(DataError, match=message):
        fitting.check_pace(candidate, spent_s, 1000, 5000)


def test_without_a_budget_nothing_takes_too_long():
    fitting.check_pace(Candidate("ridge"), 1e9, 1, 2)
