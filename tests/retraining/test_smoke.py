"""Rows stored with a version: nobody's own, and what was predicted for them must come out again."""

import copy
import json

import numpy as np
import pandas as pd
import pytest

from include.retraining import signing, smoke, training
from include.retraining.errors import IntegrityError
from tests.retraining import toy

SPEC = toy.spec()
ROWS = pd.concat([toy.task_rows(number) for number in range(4)], ignore_index=True)
SPECS = [toy.task_spec(task) for task in toy.LABELS]


@pytest.fixture(
    scope="module",
    params=[(spec, one) for spec in SPECS for one in spec.candidates],
    ids=lambda pair: f"{pair[0].task} {pair[1].name}",
)
def estimator(request):
    """Return a fitted candidate of each task."""
    spec, candidate = request.param
    return training.fit(candidate, ROWS, spec)


@pytest.fixture
def recorded(estimator):
    """Return what is stored with it, after a way through JSON."""
    made = smoke.rows(ROWS, SPEC.numeric, SPEC.categorical)
    return json.loads(signing.canonical(smoke.record(estimator, made, SPEC.numeric)))


def test_recorded_predictions_come_out_again(estimator, recorded):
    smoke.check(estimator, recorded, "m/x")
    assert len(recorded["predictions"]) == smoke.ROWS
    assert len(set(map(str, recorded["predictions"]))) > 5, "they tell one artifact from another"


def test_rows_cover_each_feature_and_a_missing_value():
    made = smoke.rows(ROWS, SPEC.numeric, SPEC.categorical)
    assert len(made) == smoke.ROWS
    assert made.isna().sum().tolist() == [1] * len(SPEC.features)
    assert ROWS["weight"].min() < made["weight"].min() < made["weight"].max() < ROWS["weight"].max()
    assert set(made["carrier"].dropna()) == {"bike", "van", "train"}


def test_no_row_is_somebodys():
    known = {tuple(row) for row in ROWS[list(SPEC.features)].dropna().itertuples(index=False)}
    made = smoke.rows(ROWS, SPEC.numeric, SPEC.categorical)
    assert not known & {tuple(row) for row in made.dropna().itertuples(index=False)}


def test_rare_categories_are_not_shown():
    rows = ROWS.assign(region=["north"] * (len(ROWS) - 3) + ["the one farm on the hill"] * 3)
    assert set(smoke.rows(rows, [], ["region"])["region"].dropna()) == {"north"}
    assert set(smoke.rows(rows.tail(3), [], ["region"])["region"].dropna()) == {"other"}


def test_a_feature_without_any_value_is_missing_throughout():
    assert smoke.rows(ROWS.assign(weight=np.nan), ["weight"], [])["weight"].isna().all()


@pytest.mark.parametrize(
    "damage",
    [
        lambda held: held["predictions"].__setitem__(3, (np.array(held["predictions"][3]) + 1e-3).tolist()),
        lambda held: held["predictions"].pop(),
        lambda held: held["rows"].pop(),
        lambda held: held.update(rows=[], predictions=[]),
        lambda held: held["numeric"].reverse(),
        lambda held: held.update(numeric=["weight"]),
        lambda held: held.pop("predictions"),
        lambda held: held["predictions"].__setitem__(0, None),
    ],
)
def test_anything_else_is_refused(estimator, recorded, damage):
    held = copy.deepcopy(recorded)
    damage(held)
    with pytest.raises(IntegrityError, match=r"m/x (predicts otherwise|loads but cannot predict)") as caught:
        smoke.check(estimator, held, "m/x")
    assert caught.value.check == "smoke test"


def test_an_estimator_that_cannot_predict_is_refused(recorded):
    with pytest.raises(IntegrityError, match="m/x loads but cannot predict the rows stored with it"):
        smoke.check(object(), recorded, "m/x")


def test_the_last_digits_of_large_predictions_may_differ_and_no_more():
    """Between processors sums differ in the last digits of what is predicted, whatever its unit."""
    spec = toy.task_spec("regression")
    fitted = training.fit(spec.candidates[0], ROWS.assign(minutes=ROWS["minutes"] * 1e6), spec)
    recorded = smoke.record(fitted, smoke.rows(ROWS, SPEC.numeric, SPEC.categorical), SPEC.numeric)
    moved = {**recorded, "predictions": [value * (1 + 1e-9) for value in recorded["predictions"]]}
    smoke.check(fitted, moved, "m/x")
    wrong = {**recorded, "predictions": [value * (1 + 1e-5) for value in recorded["predictions"]]}
    with pytest.raises(IntegrityError, match=r"predicts otherwise .* in 32 rows"):
        smoke.check(fitted, wrong, "m/x")


def test_predictions_of_another_task_are_refused():
    fitted = {spec.task: training.fit(spec.candidates[0], ROWS, spec) for spec in SPECS}
    made = smoke.rows(ROWS, SPEC.numeric, SPEC.categorical)
    recorded = {task: smoke.record(one, made, SPEC.numeric) for task, one in fitted.items()}
    for task, held in recorded.items():
        for other in set(fitted) - {task}:
            with pytest.raises(IntegrityError, match="predicts otherwise"):
                smoke.check(fitted[other], held, "m/x")
