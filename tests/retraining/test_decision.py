"""Decisions: rules read from top to bottom, and no improvement ever counts against the champion."""

import re
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import signing
from include.retraining.decision import INSUFFICIENT, KEEP, RETRAIN, RUNNER_UP, RunnerUp, State, decide, describe
from include.retraining.movement import Order
from include.retraining.spec import DecisionPolicy

POLICY = DecisionPolicy()
CALM, WORSE = [0.50, 0.51, 0.49, 0.50, 0.52, 0.48, 0.50], [0.60, 0.61, 0.59, 0.60, 0.62, 0.58, 0.60]
IN_RUNS, IN_NO_ORDER = Order(40, 8.7), Order(40, -0.4)
STATE = State(
    rows=900,
    minimum_rows=100,
    training_intervals=30,
    minimum_training_intervals=14,
    holdout_intervals=7,
    required_holdout=7,
    champion="20130201-abc",
    age_intervals=3,
    recent_losses=CALM,
    reference_losses=CALM,
)
BETTER = RunnerUp("20130115-def", [0.40] * 7 + [0.42] * 7, [0.50] * 14)
NO_BETTER = RunnerUp("20130115-def", [0.50, 0.60] * 7, [0.50] * 14)
CASES = {
    "all is well": ({}, KEEP, "3 of 14 intervals have passed .* 0.500 against 0.500 .*: not clearly worse"),
    "too few rows": ({"rows": 99}, INSUFFICIENT, "has 99 rows; at least 100 are needed"),
    "an empty interval": ({"rows": 0}, INSUFFICIENT, "has 0 rows"),
    "just enough rows": ({"rows": 100}, KEEP, "not clearly worse"),
    "too few intervals": ({"training_intervals": 13}, INSUFFICIENT, "Only 13 labelled intervals .* 14 are needed"),
    "just enough intervals": ({"training_intervals": 14}, KEEP, "not clearly worse"),
    "behind the champion": ({"is_behind": True}, INSUFFICIENT, "not after the training window of champion 20130201"),
    "overtaken": ({"is_overtaken": True}, INSUFFICIENT, "is before champion 20130201"),
    "overtaken and forced": ({"is_overtaken": True, "forced": True}, INSUFFICIENT, "is before champion 20130201"),
    "behind and forced": ({"is_behind": True, "forced": True}, INSUFFICIENT, "not after the training window"),
    "no version yet": ({"champion": None, "age_intervals": None}, RETRAIN, "No version is live yet"),
    "no version, no holdout": ({"champion": None, "holdout_intervals": 3}, INSUFFICIENT, "only 3 .* 7 are needed"),
    "forced": ({"forced": True}, RETRAIN, "A person asked for a retrain"),
    "forced without a holdout": ({"forced": True, "holdout_intervals": 6}, INSUFFICIENT, "only 6 .* compare fairly"),
    "of another release": ({"unloadable": "numpy 1, here is 2"}, RETRAIN, "loaded any more: .* by numpy 1, here is 2"),
    "of another release, no holdout": ({"unloadable": "x", "holdout_intervals": 6}, INSUFFICIENT, "only 6 .* fairly"),
    "forced with too few rows": ({"forced": True, "rows": 5}, INSUFFICIENT, "has 5 rows"),
    "one interval young": ({"age_intervals": 13}, KEEP, "13 of 14 intervals"),
    "of age": ({"age_intervals": 14}, RETRAIN, "trained 14 intervals ago; one is due after 14, since no interval"),
    "of age, few judged": (
        {"age_intervals": 14, "order": Order(27, 0.0)},
        RETRAIN,
        "since 27 intervals are too few to tell whether neighbours err alike, 28 are needed",
    ),
    "of age, no holdout": ({"age_intervals": 14, "holdout_intervals": 0}, INSUFFICIENT, "only 0 labelled"),
    "lost before, standing still": (
        {"age_intervals": 30, "wait_intervals": 42, "order": IN_NO_ORDER},
        KEEP,
        "30 of 42 intervals",
    ),
    "lost before, moving": (
        {"age_intervals": 14, "wait_intervals": 42, "order": IN_RUNS},
        RETRAIN,
        "due after 14, since neighbouring intervals err alike, so the world moves .8.7 standard errors",
    ),
    "worse, too soon": ({"recent_losses": WORSE, "age_intervals": 6}, KEEP, "clearly worse, but too soon, 7 must pass"),
    "worse": ({"recent_losses": WORSE, "age_intervals": 7}, RETRAIN, "rose from 0.500 to 0.600 over the last 7"),
    "worse while it moves": (
        {"recent_losses": WORSE, "age_intervals": 9, "order": IN_RUNS},
        KEEP,
        "9 of 14 .* 0.600 against 0.500 .*: clearly worse, and while the world moves the next one is never far",
    ),
    "worse, no holdout": (
        {"recent_losses": WORSE, "age_intervals": 8, "holdout_intervals": 2},
        INSUFFICIENT,
        "A retrain is due, but only 2 labelled intervals",
    ),
    "worse on six": ({"recent_losses": WORSE[:6], "age_intervals": 9}, KEEP, "6 of 7 evaluated intervals are too few"),
    "no reference": ({"recent_losses": WORSE, "reference_losses": [], "age_intervals": 9}, KEEP, "too few to call it"),
    "better": ({"reference_losses": WORSE, "age_intervals": 9}, KEEP, "not clearly worse"),
    "one bad day": ({"recent_losses": [*CALM[:6], 1.4], "age_intervals": 9}, KEEP, "not clearly worse"),
    "a better runner-up": (
        {"runner_up": BETTER},
        RUNNER_UP,
        "Runner-up 20130115-def over 14 .* lower by 0.090, at least",
    ),
    "a runner-up no better": ({"runner_up": NO_BETTER}, KEEP, "not clearly worse"),
    "due beside a better runner-up": ({"runner_up": BETTER, "age_intervals": 14}, RETRAIN, "one is due after 14"),
}


@pytest.mark.parametrize(("changes", "answer", "reason"), CASES.values(), ids=CASES)
def test_the_first_rule_that_applies_answers(changes, answer, reason):
    found = decide(replace(STATE, **changes), POLICY)
    assert found.answer == answer
    assert len(found.reasons) == 1
    assert re.search(reason, found.reasons[0])


@pytest.mark.parametrize("changes", [case[0] for case in CASES.values()], ids=CASES)
def test_every_decision_has_two_sentences_and_numbers_that_json_can_tell(changes):
    found = decide(replace(STATE, **changes), POLICY)
    assert all(sentence.endswith(".") for sentence in found.sentences)
    assert signing.canonical(asdict(found))
    assert {"age_intervals", "due_intervals", "is_moving", "evaluated_intervals"} <= set(found.numbers)


def test_what_happens_next_is_said():
    assert decide(STATE, POLICY).sentences[1] == "Champion 20130201-abc goes on serving."
    forced = decide(replace(STATE, forced=True), POLICY).sentences[1]
    assert forced == "Candidates are trained and must beat the champion on intervals neither has seen."
    nobody = decide(replace(STATE, champion=None, rows=0), POLICY).sentences[1]
    assert nobody == "Nothing was trained; no version is live."


def test_a_policy_of_more_than_seven_intervals_needs_as_many():
    policy = replace(POLICY, recent_intervals=10)
    assert decide(replace(STATE, recent_losses=WORSE, age_intervals=9), policy).answer == KEEP
    assert decide(replace(STATE, recent_losses=WORSE + WORSE[:3], age_intervals=9), policy).answer == RETRAIN


def test_the_way_to_the_answer_is_told_question_by_question():
    found = decide(replace(STATE, recent_losses=WORSE, age_intervals=8), POLICY)
    assert [step["answer"] for step in found.path] == ["go on"] * 7 + [RETRAIN]
    assert found.path[-1]["question"] == "Has the champion's loss clearly risen since it went live?"
    assert found.path[-1]["found"].startswith("yes: 0.600 against 0.500 at first, with 99.5% confidence")
    assert re.fullmatch(r"A mean loss of at most 0\.5\d\d over them\.", found.would_change[0])


def test_what_would_have_changed_it_is_told_with_limits():
    state = replace(STATE, wait_intervals=42, order=IN_NO_ORDER, age_intervals=30, runner_up=NO_BETTER)
    due, risen, runner_up = decide(state, POLICY).would_change
    assert due.startswith("12 more interval(s): then a challenger is due. Or neighbours that err alike by more than 4")
    assert re.fullmatch(r"A mean loss above 0\.5\d\d over as many intervals\.", risen)
    assert re.fullmatch(r"A runner-up better by 0\.\d+ more\.", runner_up)


@pytest.mark.parametrize("name", ["all is well", "better", "one bad day", "lost before, standing still"])
def test_the_limit_that_is_told_is_the_limit(name):
    """A loss just beyond what is told is answered by a retrain, one just inside is not."""
    state = replace(STATE, **{**CASES[name][0], "age_intervals": 8, "order": IN_NO_ORDER})
    (told,) = [float(found[1]) for one in decide(state, POLICY).would_change
               if (found := re.match(r"A mean loss above (\d\.\d+)", one))]  # fmt: skip
    lift = told - sum(state.recent_losses) / len(state.recent_losses)
    for more, answer in ((0.002, RETRAIN), (-0.002, KEEP)):
        losses = [one + lift + more for one in state.recent_losses]
        assert decide(replace(state, recent_losses=losses), POLICY).answer == answer


def test_a_decision_reads_as_a_log():
    told = describe(asdict(decide(STATE, POLICY))).splitlines()
    assert told[0].startswith("keep: 3 of 14 intervals have passed")
    assert told[1] == "  Does the interval have enough rows? 900 rows, 100 are needed -> go on"
    assert told[-2].startswith("  Would change it: 11 more interval(s)")


LOSSES = st.lists(st.floats(0.01, 3), max_size=12)
STATES = st.builds(
    State,
    rows=st.integers(0, 1000),
    minimum_rows=st.just(100),
    training_intervals=st.integers(0, 60),
    minimum_training_intervals=st.just(14),
    holdout_intervals=st.integers(0, 7),
    required_holdout=st.just(7),
    champion=st.sampled_from([None, "20130201-abc"]),
    is_behind=st.booleans(),
    is_overtaken=st.booleans(),
    unloadable=st.sampled_from([None, "numpy 1, here is 2"]),
    age_intervals=st.none() | st.integers(0, 40),
    wait_intervals=st.none() | st.integers(14, 112),
    order=st.builds(Order, st.integers(0, 112), st.floats(-5, 20)),
    runner_up=st.sampled_from([None, BETTER, NO_BETTER]),
    recent_losses=LOSSES,
    reference_losses=LOSSES,
    forced=st.booleans(),
)


@given(STATES, st.text(max_size=40))
def test_unlabelled_drift_never_changes_an_answer(state, drift):
    told = decide(replace(state, drift=drift), POLICY)
    assert told.answer == decide(state, POLICY).answer
    assert told.sentences[1].endswith(drift)


@given(STATES, st.floats(0, 1))
def test_an_improvement_never_counts_against_the_champion(state, gain):
    improved = replace(state, recent_losses=[loss - gain for loss in state.recent_losses])
    if decide(state, POLICY).answer == KEEP:
        assert decide(improved, POLICY).answer == KEEP


@given(STATES)
def test_a_runner_up_goes_live_only_where_nothing_is_trained_and_somebody_is_live(state):
    if decide(state, POLICY).answer == RUNNER_UP:
        assert state.champion
        assert not state.forced
        assert decide(replace(state, runner_up=None), POLICY).answer == KEEP


@given(STATES)
def test_nothing_is_trained_that_could_not_be_compared(state):
    if decide(state, POLICY).answer == RETRAIN:
        assert state.holdout_intervals >= state.required_holdout
        assert state.training_intervals >= state.minimum_training_intervals
        assert not state.is_behind
        assert not state.is_overtaken


@given(STATES)
def test_force_skips_the_decision_and_nothing_else(state):
    """It turns keep into retrain; what there is too little data for stays undecided."""
    calm = decide(replace(state, forced=False), POLICY).answer
    forced = decide(replace(state, forced=True), POLICY).answer
    assert forced in {RETRAIN, INSUFFICIENT}
    assert (calm, forced) != (RETRAIN, INSUFFICIENT)


@given(STATES)
def test_the_same_state_gives_the_same_decision(state):
    assert decide(state, POLICY) == decide(state, POLICY)


def test_a_squared_error_is_told_without_decimals_that_nobody_reads():
    calm, worse = ([1000 * loss for loss in losses] for losses in (CALM, WORSE))
    state = replace(STATE, task="regression", reference_losses=[2 * one for one in calm], recent_losses=calm)
    assert "its loss is 500 against 1,000 when it went live" in decide(state, POLICY).sentences[0]
    state = replace(STATE, task="regression", age_intervals=7, reference_losses=calm, recent_losses=worse)
    assert "rose from 500 to 600 over the last 7" in decide(state, POLICY).sentences[0]
