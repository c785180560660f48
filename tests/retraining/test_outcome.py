"""What a run's record and message say where tasks failed, nothing was promoted, or a person asked for a dry run."""

import re

import pytest

from include.retraining import challengers, outcome
from include.retraining.outcome import Desk
from include.retraining.registry import Registry
from tests.retraining import toy

DECIDED = {"decision": {"answer": "retrain", "sentences": ["One is due every 14.", "Candidates are trained."]}}
WON = {**DECIDED, "challenger": {"version": "v2"}, "verdict": {"answer": "win", "reasons": ["Clearly better."]}}
PROMOTED = {**WON, "promotion": {"promoted": True, "entry": 2}}
BLOCKED = {"validation": {"outcome": "fail", "sentence": "Refused: 1 of 36 expectations did not hold."}}


@pytest.mark.parametrize(
    ("sections", "failed", "answer"),
    [
        ({}, ["pull_snapshot"], "failed"),
        ({}, [], "failed"),
        (BLOCKED, ["validate_snapshot"], "blocked"),
        (DECIDED, [], "retrain"),
        (DECIDED, ["train_candidate_0", "train_candidate_1"], "failed"),
        (PROMOTED, ["train_candidate_1"], "retrain"),
        (WON, ["promote"], "failed"),
    ],
)
def test_the_answer(sections, failed, answer):
    assert outcome._answer(sections, failed) == answer


@pytest.mark.parametrize(
    ("sections", "failed", "is_dry", "sentences"),
    [
        (PROMOTED, [], False, ["One is due every 14.", "Promoted: Clearly better."]),
        (WON, [], False, ["One is due every 14.", "Not promoted: Clearly better."]),
        (WON, [], True, ["One is due every 14.", "Dry run, nothing promoted: Clearly better."]),
        (
            PROMOTED,
            ["train_candidate_1"],
            False,
            ["One is due every 14. Trained without train_candidate_1, which failed.", "Promoted: Clearly better."],
        ),
        (WON, ["promote"], False, ["Failed in promote.", "See that task's log; the champion goes on serving."]),
        (
            BLOCKED,
            ["validate_snapshot"],
            False,
            [
                "Refused: 1 of 36 expectations did not hold.",
                "Nothing was trained or promoted; the champion goes on serving.",
            ],
        ),
    ],
)
def test_the_two_sentences(sections, failed, is_dry, sentences):
    assert outcome._sentences(sections, failed, is_dry) == sentences


DAYS = [toy.task_rows(number) for number in range(9)]
TURNED = [*DAYS[:1], *(frame.assign(weight=20 - frame["weight"]) for frame in DAYS[1:])]
"""What was light is heavy: whoever knew the days before knows the opposite."""
WORDS = {
    "binary": (r"beats the base rate by 0\.\d{4} log loss\.", r"log loss lower by \d+\.\d{4}, at least"),
    "multiclass": (r"beats the class shares by 0\.\d{4} log loss\.", r"log loss lower by \d+\.\d{4}, at least"),
    "regression": (
        r"beats the training mean by \d+(\.\d)? squared error\.",
        r"squared error lower by [\d,.]+, at least",
    ),
}


def selected(store, keyring, task: str, days, base: int = 0) -> Desk:
    """Return the desk of a run of this task that has trained, chosen and registered a challenger."""
    spec, registry = toy.task_spec(task), Registry(store, keyring, "parcels")
    desk = Desk(spec, registry, toy.pin(store, keyring, spec, days, base=base, run=f"manual__{base}"))
    desk.write("validation", toy.PASSED)
    trained = [challengers.train(registry, spec, desk.inputs, toy.PASSED, one.name) for one in spec.candidates]
    desk.write("challenger", challengers.select(registry, spec, desk.inputs, toy.PASSED, trained))
    return desk


@pytest.mark.parametrize("task", WORDS)
def test_a_first_version_is_judged_and_promoted_and_a_better_one_follows(store, keyring, task):
    for base, days in enumerate((DAYS, TURNED)):
        desk = selected(store, keyring, task, days, base)
        verdict = outcome.compare(desk)
        assert verdict["answer"] == "win", verdict["reasons"]
        assert re.search(WORDS[task][base], verdict["reasons"][0])
        desk.write("verdict", verdict)
        assert outcome.promote(desk)["entry"] == base + 1


def test_a_run_that_an_earlier_release_began_is_compared_by_its_base_rate(store, keyring):
    desk = selected(store, keyring, "binary", DAYS)
    whole = outcome.compare(desk)
    desk.write("challenger", {name: held for name, held in desk.section("challenger").items() if name != "floor"})
    assert outcome.compare(desk) == whole
