"""What the tasks differ in: the loss, its words, and how an estimator is asked."""

import numpy as np
import pandas as pd
import pytest

from include.retraining import judging, training
from include.retraining.errors import DataError
from include.retraining.policies import CANDIDATES
from tests.retraining import toy

ROWS = pd.concat([toy.task_rows(number) for number in range(4)], ignore_index=True)


@pytest.mark.parametrize(
    ("task", "value", "told", "level"),
    [
        ("binary", 0.52351, "0.5235", "0.5235"),
        ("binary", -0.00004, "-0.0000", "-0.0000"),
        ("multiclass", 1.05678, "1.0568", "1.0568"),
        ("regression", 1826.56, "1,827", "1,827 (root 42.74)"),
        ("regression", 210.5, "210.5", "210.5 (root 14.51)"),
        ("regression", 0.00012, "0.00012", "0.00012 (root 0.01095)"),
        ("regression", 0.0, "0", "0 (root 0)"),
    ],
)
def test_a_loss_is_told_so_that_people_can_read_it(task, value, told, level):
    assert judging.of(task).told(value) == told
    assert value < 0 or judging.of(task).level(value) == level


def test_every_task_has_a_loss_a_floor_and_candidates():
    assert set(judging.LOSSES) == set(CANDIDATES) == set(toy.LABELS)


@pytest.mark.parametrize(
    ("line", "loss"),
    [({"log_loss": 0.5, "brier": 0.2}, 0.5), ({"squared_error": 9.0, "absolute_error": 2.0}, 9.0)],
    ids=["classes, and every line of earlier releases", "numbers"],
)
def test_the_loss_of_an_interval_is_found_whatever_the_task(line, loss):
    assert judging.loss(line) == loss


@pytest.mark.parametrize("task", toy.LABELS)
def test_an_estimator_tells_its_task_and_its_classes(task):
    spec = toy.task_spec(task)
    for candidate in spec.candidates:
        fitted = training.fit(candidate, ROWS, spec)
        assert judging.task_of(fitted) == task
        assert judging.classes(fitted) == (("early", "late", "on time") if task == "multiclass" else ())


@pytest.mark.parametrize("task", toy.LABELS)
@pytest.mark.parametrize("asked", toy.LABELS)
def test_a_version_of_another_task_is_refused_by_name(task, asked):
    """Somebody changed the task in the spec of a model that has a champion."""
    fitted = training.fit(toy.task_spec(task).candidates[0], ROWS, toy.task_spec(task))
    if task == asked:
        assert np.isfinite(training.predict(fitted, ROWS, toy.task_spec(asked))).all()
        return
    message = f"The version was trained for task '{task}', the spec says '{asked}'.*set the spec's task back, or give"
    with pytest.raises(DataError, match=message):
        training.predict(fitted, ROWS, toy.task_spec(asked))
