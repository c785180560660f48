"""A replay takes the decisions that the DAG took: thirty days through Airflow, then the same days without it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from include.models import flight_delays
from include.retraining import connections, histories, keys, replaying, rivals
from include.retraining.policies import (
    Candidate,
    DecisionPolicy,
    PromotionPolicy,
    RecalibrationPolicy,
    ValidationPolicy,
    Windows,
)
from include.retraining.refits import Fits
from include.retraining.replay_scores import Scores
from include.retraining.replayed import Played
from tests.run.conftest import Told, World

pytestmark = [pytest.mark.run, pytest.mark.long, pytest.mark.filterwarnings("ignore")]
FIRST, DAYS = date(2013, 1, 8), 30
TURNED = "scheduled_at >= '2013-01-16 05:00' AND scheduled_at < '2013-01-25 05:00'"
"""Then short flights are late and long ones are not, nine times in ten; before and after it is the other way round."""
EXPECTED = ("inside", "unique", "fresh", "volume", "repeated", "leakage")
QUICK = {
    "windows": Windows(training_intervals=6, minimum_training_intervals=4, holdout_intervals=3, older_every=3),
    "decision": DecisionPolicy(
        minimum_age_intervals=4, cooldown_intervals=2, maximum_age_intervals=8, recent_intervals=3
    ),
    "promotion": PromotionPolicy(runner_up_every=2, runner_up_intervals=4),
    "recalibration": RecalibrationPolicy(intervals=4, minimum_intervals=2, weight_intervals=1.0, minimum_proof=3),
    "validation": ValidationPolicy(**dict.fromkeys(EXPECTED, "off")),
    "candidates": (Candidate("baseline"), Candidate("logistic_regression")),
}


@pytest.fixture(scope="module")
def runs(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Told]]:
    """Run thirty days, with a suite that takes no time: what is refused is no question here."""
    suite = tmp_path_factory.mktemp("suite") / "quick.json"
    one = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "origin"}, "severity": "critical"}
    one["meta"] = {"notes": "Every flight has one."}
    suite.write_text(json.dumps({"name": "quick", "expectations": [one]}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flight_delays, "SPEC", replace(flight_delays.SPEC, suite=suite, **QUICK))
        world.change(
            f"UPDATE departures SET arr_delay = CASE WHEN (distance < 900) = (({TURNED}) = (flight % 10 <> 0)) "
            "THEN 60 ELSE -5 END WHERE arr_delay IS NOT NULL"
        )
        yield [world.trigger(f"{FIRST + number * timedelta(days=1)}") for number in range(DAYS)]


@pytest.fixture(scope="module")
def played(runs: list[Told], tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Replay what the runs have stored."""
    spec, store, keyring = flight_delays.SPEC, connections.open_store(), connections.open_keyring()
    history = histories.from_store(store, keyring, spec, histories.Range())
    scores = Scores(history, Fits(history, spec.candidates, Path(tmp_path_factory.mktemp("fits"))))
    begun = replaying.stage(history, scores, spec.windows.minimum_training_intervals)
    return replaying.play(begun, scores, rivals.parse(rivals.OURS))


def test_the_runs_did_all_that_there_is_to_do(runs: list[Told]) -> None:
    assert [one.state for one in runs] == ["success"] * DAYS
    answers = {one.sections["decision"]["answer"] for one in runs}
    assert {"keep", "retrain"} <= answers
    verdicts = {one.sections["verdict"]["answer"] for one in runs if "verdict" in one.sections}
    assert verdicts == {"win", "lose"}
    assert any(one.sections["evaluation"]["runner_up"].get("losses") for one in runs[1:])


def test_every_day_has_the_same_decision(runs: list[Told], played: Played) -> None:
    told = [(keys.span(one.interval), one.answer, nameless(one.reason)) for one in played.steps]
    decisions = [(one.sections["decision"], one.inputs_key.split("/")[2]) for one in runs[1:]]
    assert told == [(span, one["answer"], nameless(one["reasons"][0])) for one, span in decisions]


def nameless(reason: str) -> str:
    """Return a reason without the version it names: a replay registers none, so its models have names of their own."""
    return re.sub(r"^Runner-up \S+ over", "Runner-up over", reason)


def test_every_challenge_has_the_same_end(runs: list[Told], played: Played) -> None:
    challenged = [one for one in runs[1:] if one.sections["decision"]["answer"] in {"retrain", "runner-up"}]
    verdicts = [one.sections["verdict"] for one in challenged]
    replayed = [one for one in played.steps if one.answer in {"retrain", "runner-up"}]
    assert [one.is_promoted for one in replayed] == [one["answer"] == "win" for one in verdicts]
    assert [one.verdict for one in replayed] == [" ".join(one["reasons"]) for one in verdicts]


def test_every_judged_day_has_the_same_loss(runs: list[Told], played: Played) -> None:
    lines = {line["span"]: line for one in runs for line in one.sections["evaluation"]["intervals"]}
    losses = {keys.span(one): loss for one, loss in played.losses.items()}
    assert len(lines) > DAYS - 4
    assert {span: line["log_loss"] for span, line in lines.items()} == pytest.approx(
        {one: losses[one] for one in lines}
    )
