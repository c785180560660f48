"""Gauges of a run record: what a dashboard needs; what a run did not reach is left out."""

from include.retraining.metrics import gauges

FOUND = {
    "answer": "retrain",
    "as_of": "20130211T050000Z",
    "champion_from": "20130201T050000Z",
    "validation": {"rows": 829, "failed": ["warning: x"]},
    "evaluation": {"newest_loss": 0.5, "drift": {"shifted": ["precip", "temp"]}},
    "promotion": {"promoted": True},
}


def test_a_full_run_gives_every_gauge() -> None:
    assert dict(gauges(FOUND)) == {
        "failed": 0.0,
        "retrain": 1.0,
        "promoted": 1.0,
        "rows": 829.0,
        "expectations_failed": 1.0,
        "log_loss": 0.5,
        "features_shifted": 2.0,
        "champion_age_days": 10.0,
    }


def test_a_run_that_failed_at_once_gives_only_what_it_knows() -> None:
    assert dict(gauges({"answer": "failed"})) == {"failed": 1.0, "retrain": 0.0, "promoted": 0.0}


def test_a_blocked_run_counts_as_failed() -> None:
    assert dict(gauges({**FOUND, "answer": "blocked"}))["failed"] == 1.0


def test_the_gauge_of_the_loss_is_named_after_it() -> None:
    evaluation = {**FOUND["evaluation"], "metric": "squared_error", "newest_loss": 1826.5}
    found = dict(gauges({**FOUND, "evaluation": evaluation}))
    assert found["squared_error"] == 1826.5
    assert "log_loss" not in found
