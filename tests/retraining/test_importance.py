"""A feature that is free to leave out is left out: measured over intervals, and never on what judges the candidate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import evaluation, importance, judging, labelling, training
from include.retraining.policies import TrainingPolicy
from include.retraining.spec import Candidate
from tests.retraining import toy

SPEC = toy.spec(training=TrainingPolicy("importance"))
DAYS = [toy.task_rows(number) for number in range(8)]
SIMPLE = SPEC.candidates[0]


def test_scores_worked_by_hand():
    """0.1, 0.2, 0.3: mean 0.2, sd 0.1, t(0.975, 2) = 4.3027: high 0.2 + 4.3027 * 0.1 / sqrt(3)."""
    found = importance.keep({"weight": [0.1, 0.2, 0.3], "noise": [-0.2, -0.2, -0.2], "region": [-0.3, 0.0, 0.3]})
    assert found["kept"]["weight"] == pytest.approx({"mean": 0.2, "high": 0.4484}, abs=1e-4)
    assert list(found["kept"]) == ["weight", "region"], "what may be worth something stays"
    assert found["dropped"] == {"noise": pytest.approx({"mean": -0.2, "high": -0.2})}


def test_one_feature_stays_though_all_are_free():
    found = importance.keep({"a": [-0.2, -0.2], "b": [0.0, 0.0], "c": [0.0, 0.0]})
    assert list(found["kept"]) == ["b"], "the first of the best"


def test_what_was_never_measured_and_what_has_no_bound_stays():
    found = importance.keep({"never": [], "once": [-1.0], "free": [0.0, 0.0]})
    assert found["kept"] == {"never": {"mean": None, "high": None}, "once": {"mean": -1.0, "high": None}}


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.floats(-1, 1), min_size=0, max_size=9), min_size=1))
def test_every_feature_is_kept_or_dropped_and_one_is_kept(grown):
    found = importance.keep(grown)
    assert {*found["kept"], *found["dropped"]} == set(grown)
    assert not set(found["kept"]) & set(found["dropped"])
    assert found["kept"]
    assert all(one["high"] <= 0 for one in found["dropped"].values())


def test_what_the_label_hangs_on_is_kept_and_what_never_changes_is_dropped():
    frames = [frame.assign(distance=5.0, carrier="van") for frame in DAYS]
    found = importance.select(SIMPLE, frames, SPEC)
    assert set(found["dropped"]) >= {"distance", "carrier"}
    assert next(iter(found["kept"])) == "weight"
    assert found["kept"]["weight"]["mean"] > 0.1


def test_what_is_the_same_for_a_whole_interval_can_be_important():
    """A weekday or a holiday never changes within a day: shuffled there it would look free."""
    frames = [
        frame.assign(
            region="north" if number % 2 else "south", late=np.where(frame.index % 10 < 9, number % 2, 1 - number % 2)
        )
        for number, frame in enumerate(toy.rows(number) for number in range(12))
    ]
    frames = [frame.assign(late=frame["late"].astype("float64")) for frame in frames]
    found = importance.select(SIMPLE, frames, SPEC)
    assert found["kept"]["region"]["mean"] > 0.1


@pytest.mark.parametrize("task", toy.LABELS)
def test_a_selection_is_the_same_again_and_another_with_another_seed(task):
    spec = toy.task_spec(task, training=TrainingPolicy("importance"))
    again = [importance.select(spec.candidates[0], DAYS, spec) for _ in range(2)]
    assert again[0] == again[1]
    other = toy.task_spec(task, training=TrainingPolicy("importance"), seed=1)
    assert importance.select(spec.candidates[0], DAYS, other) != again[0]


def test_too_few_intervals_for_a_fold_keep_everything():
    found = importance.select(SIMPLE, DAYS[:1], SPEC)
    assert tuple(found["kept"]) == SPEC.features
    assert found["dropped"] == {}


@pytest.mark.parametrize(
    ("candidate", "spec"), [(SIMPLE, toy.spec()), (Candidate("baseline"), SPEC)], ids=["off", "baseline"]
)
def test_nothing_is_selected(candidate, spec):
    assert importance.select(candidate, DAYS, spec) is None
    assert importance.narrow(spec, None) is spec


def test_a_narrowed_candidate_predicts_from_whole_rows():
    selected = {"kept": {"weight": {}, "carrier": {}}, "dropped": {"distance": {}, "region": {}}}
    narrowed = importance.narrow(SPEC, selected)
    assert (narrowed.numeric, narrowed.categorical) == (("weight",), ("carrier",))
    fitted = training.fit(SIMPLE, DAYS[0], narrowed)
    np.testing.assert_array_equal(training.predict(fitted, DAYS[1], SPEC), training.predict(fitted, DAYS[1], narrowed))


@pytest.mark.parametrize("task", toy.LABELS)
def test_the_mean_over_rows_is_the_loss_that_evaluation_tells(task):
    """Classes that training never saw, and certain guesses, included."""
    spec = toy.task_spec(task)
    past = DAYS[0][DAYS[0]["arrival"] != "early"] if task == "multiclass" else DAYS[0]
    fitted = training.fit(SIMPLE if task != "regression" else spec.candidates[0], past, spec)
    guess, classes = training.predictions(fitted, DAYS[1], spec)
    if task == "binary":
        guess[:2] = [0.0, 1.0]
    labels = labelling.labels_of(DAYS[1], spec)
    expected = judging.loss(evaluation.measure(task, classes)(labels, guess))
    assert importance.row_losses(task, classes, labels, guess).mean() == pytest.approx(expected)
