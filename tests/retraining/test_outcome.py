"""What a run's record and message say where tasks failed, nothing was promoted, or a person asked for a dry run."""

import pytest

from include.retraining import outcome

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
