"""A candidate that exceeds its time or memory fails, and nothing else does."""

import logging
import time

import pytest

from include.retraining import budgets, fitting
from include.retraining.errors import DataError, SpecError
from include.retraining.spec import Candidate
from tests.retraining import toy

HERE = "tests.retraining.wayward"
SPEC = toy.spec(allowed=tuple(f"{HERE}:{name}" for name in ("Shares", "Slow", "Large", "Crashing")))
DAYS = [toy.rows(number) for number in range(5)]


def train(name: str, parameters: dict | None = None, **budget: float):
    return budgets.within_budget(Candidate(name, parameters or {}, **budget), DAYS, SPEC)


@pytest.mark.parametrize("name", ["logistic_regression", "hist_gradient_boosting", f"{HERE}:Shares"])
def test_a_candidate_within_its_budget_is_the_same_to_the_last_byte(name):
    parameters = {"max_iter": 5} if name.startswith("hist") else {}
    assert train(name, parameters, seconds=120, megabytes=500) == train(name, parameters)


def test_its_progress_is_in_the_log_of_the_task(caplog):
    caplog.set_level(logging.INFO)
    train("logistic_regression", seconds=120)
    assert [record.getMessage()[:32] for record in caplog.records if record.name == budgets.__name__] == [
        "logistic_regression: fold 1 of 3",
        "logistic_regression: fold 2 of 3",
        "logistic_regression: fold 3 of 3",
        "logistic_regression: final fit, ",
    ]


def test_a_fit_that_does_not_end_is_stopped_by_the_kernel():
    """120 rows of the first fold would take two hours."""
    started = time.monotonic()
    message = f"Candidate {HERE}:Slow was stopped after its 1 s. The last that it said: nothing. Raise its `seconds`"
    with pytest.raises(DataError, match=message):
        train(f"{HERE}:Slow", {"seconds": 60000.0}, seconds=1)
    assert time.monotonic() - started < 60


def test_a_candidate_that_cannot_be_through_in_time_is_stopped_after_its_first_fold(caplog):
    """120 of 840 rows take 2.4 s, so all take more than 16."""
    caplog.set_level(logging.INFO)
    with pytest.raises(
        DataError, match=rf"{HERE}:Slow would take about \d+.\d s \(.* for 120 of 840 rows to fit\); it may take 12 s"
    ):
        train(f"{HERE}:Slow", {"seconds": 20.0}, seconds=12)
    told = [record.getMessage() for record in caplog.records if "fold" in record.getMessage()]
    assert len(told) == 1
    assert told[0].startswith(f"{HERE}:Slow: fold 1 of 3, 120 rows in ")


def test_a_candidate_that_needs_too_much_memory_fails():
    message = (
        f"Candidate {HERE}:Large needs more than its 200 MB: Unable to allocate 1000. MiB .* Raise its `megabytes`"
    )
    with pytest.raises(DataError, match=message):
        train(f"{HERE}:Large", {"megabytes": 1000}, megabytes=200)
    assert train(f"{HERE}:Large", {"megabytes": 50}, megabytes=200).fold_losses


def test_a_process_that_ends_by_itself_is_told():
    with pytest.raises(DataError, match=f"Candidate {HERE}:Crashing was ended by SIGABRT. The last that it said: "):
        train(f"{HERE}:Crashing", seconds=60)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (f"{HERE}:Nothing", DataError, "answers NaN or infinity"),
        ("no_such_package:Name", SpecError, "cannot be imported"),
    ],
)
def test_other_errors_are_those_of_a_candidate_without_a_budget(name, error, message):
    for budget in ({}, {"seconds": 60}):
        with pytest.raises(error, match=message):
            train(name, **budget)


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(DataError):
        train(f"{HERE}:Crashing", seconds=60)
    assert list(tmp_path.iterdir()) == []


def test_without_a_budget_no_process_is_started(monkeypatch):
    monkeypatch.setattr("sys.executable", "/no/such/python")
    assert train("logistic_regression") == fitting.train(Candidate("logistic_regression"), DAYS, SPEC)
