"""What no decision may depend on: the order of rows or columns, copies of rows, who is compared with whom twice."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.retraining import scoring, training
from include.retraining.movement import order
from include.retraining.policies import DecisionPolicy, PromotionPolicy
from include.retraining.promotion import LOSE, Scored, compare
from tests.retraining import toy

TASKS = ("binary", "multiclass", "regression")
POLICY = PromotionPolicy()
HOLDOUT = {toy.day(number): toy.task_rows(number) for number in range(6, 13)}


def specs_of(task: str):
    return toy.task_spec(task, slices=("region",))


def contender(task: str, days: range, holdout=HOLDOUT) -> Scored:
    spec = specs_of(task)
    rows = pd.concat([toy.task_rows(number) for number in days], ignore_index=True)
    return scoring.score_contender(training.fit(spec.candidates[0], rows, spec), holdout, spec)


def floor_of(task: str, holdout=HOLDOUT) -> dict[str, float]:
    spec = specs_of(task)
    return scoring.floor_losses(holdout, spec, training.floor(toy.task_rows(0), spec))


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.975])
@pytest.mark.parametrize("task", TASKS)
def test_a_champion_compared_with_itself_never_wins(task, confidence):
    scored = contender(task, range(5))
    assert compare(scored, scored, floor_of(task), POLICY, 7, task, confidence).answer == LOSE


SHUFFLES = {
    "rows": lambda rows: rows.sample(frac=1.0, random_state=3),
    "columns": lambda rows: rows[rows.columns[::-1]],
    "copies": lambda rows: pd.concat([rows, rows]),
}


@pytest.mark.parametrize("change", SHUFFLES.values(), ids=SHUFFLES)
@pytest.mark.parametrize("task", TASKS)
def test_neither_order_nor_copies_of_rows_change_a_verdict(task, change):
    """The unit of every statistic is the interval: twice the rows of a day are no more news."""
    changed = {interval: change(rows) for interval, rows in HOLDOUT.items()}
    plain, other = (
        compare(contender(task, range(2), held), contender(task, range(6), held), floor_of(task, held), POLICY, 7, task)
        for held in (HOLDOUT, changed)
    )
    assert (plain.answer, plain.reasons) == (other.answer, other.reasons)
    assert plain.numbers["gain"]["low"] == pytest.approx(other.numbers["gain"]["low"], abs=1e-12)


@pytest.mark.parametrize("task", TASKS)
def test_categories_that_training_never_saw_are_scored(task):
    strange = {interval: rows.assign(region="atlantis", carrier="owl") for interval, rows in HOLDOUT.items()}
    found = contender(task, range(5), strange)
    assert np.isfinite(list(found.losses.values())).all()
    assert list(found.slices) == ["region=atlantis"]


def test_an_interval_of_one_class_has_a_loss_and_a_slice_without_rows_has_none():
    first = next(iter(HOLDOUT))
    held = {**HOLDOUT, first: HOLDOUT[first].assign(late=0.0, region="north")}
    found = contender("binary", range(5), held)
    assert np.isfinite(list(found.losses.values())).all()
    missing = [name for name, losses in found.slices.items() if len(losses) < len(found.losses)]
    assert missing == [name for name in found.slices if name != "region=north"]
    assert compare(found, found, floor_of("binary", held), POLICY, 7).numbers["worse_slices"] == []


def test_a_constant_feature_changes_nothing_for_a_linear_model():
    spec = specs_of("binary")
    rows = pd.concat([toy.task_rows(number) for number in range(5)], ignore_index=True)
    constant = {one: held.assign(distance=5.0) for one, held in HOLDOUT.items()}
    fitted = training.fit(spec.candidates[0], rows.assign(distance=5.0), spec)
    assert training.constant(rows.assign(distance=5.0), spec) == ["distance"]
    assert np.isfinite(list(scoring.score_contender(fitted, constant, spec).losses.values())).all()


@settings(max_examples=50)
@given(st.lists(st.floats(-0.2, 0.2), min_size=28, max_size=60), st.floats(-0.2, 0.2))
def test_a_champion_that_is_less_biased_is_no_sign_of_movement(biases, bias):
    """What it is wrong by every day has no order, so a champion that is less so never makes the world move."""
    policy, whole = DecisionPolicy(), [{"mean": round(one, 3)} for one in biases]
    found = order([{"mean": one["mean"] + round(bias, 3)} for one in whole], policy)
    assert found.standard_errors == pytest.approx(order(whole, policy).standard_errors, abs=0.02)
