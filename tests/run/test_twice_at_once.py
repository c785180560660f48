"""The same interval twice at once: two runs pinned against the same champion, their steps interleaved."""

from datetime import UTC, datetime

import pytest

from include.retraining import intake, specs, steps
from include.retraining.intake import Trigger
from tests.run.conftest import World

pytestmark = [pytest.mark.run, pytest.mark.filterwarnings("ignore")]
NAMES = ("logistic_regression", "hist_gradient_boosting")


def pin(run_id: str) -> dict[str, str]:
    """Pin one manual run of 27 January."""
    spec = specs.load("flight_delays")
    interval = next(one for one in spec.timetable.intervals(spec.end) if one.start.day == 27)
    trigger = Trigger(run_id, "manual", interval, {})
    return {"model": spec.name, "inputs": intake.pull(spec, trigger, datetime(2026, 1, 1, tzinfo=UTC)).key}


def test_both_finish_with_one_version_and_one_promotion(world: World) -> None:
    both = [pin("first"), pin("second")]
    for run in both:
        steps.validate_snapshot(run)
        steps.evaluate_champion(run)
        assert steps.decide(run) == ["train_candidate"]
    trained = [[steps.train_candidate(run, name) for run in both] for name in NAMES]
    for place in (0, 1):
        steps.select_challenger([one[place] for one in trained])
    assert [steps.compare_with_champion(run) for run in both] == [True, True]
    promoted = [steps.promote(run) for run in both]
    assert promoted[0]["entry"] == promoted[1]["entry"] == 1
    assert world.registry.versions() == [promoted[0]["version"]]
    assert [entry.number for entry in world.registry.log()] == [1]
