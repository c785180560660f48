"""The simplest candidate that is good enough is chosen, and it is told what more complexity bought or would have."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import parsimony

ORDER = ("simple", "complex")
FLOOR = [0.7, 0.7, 0.7, 0.7]
CHOICES = {
    "the simplest within one standard error": ([0.51, 0.53, 0.51, 0.53], [0.50, 0.54, 0.48, 0.52], "simple"),
    "the better one beyond it": ([0.60, 0.61, 0.60, 0.61], [0.50, 0.54, 0.48, 0.52], "complex"),
    "the simplest when it is the best": ([0.50] * 4, [0.60] * 4, "simple"),
    "the simplest of equals": ([0.50] * 4, [0.50] * 4, "simple"),
    "only one that beats the floor": ([0.71] * 4, [0.20, 0.20, 0.20, 2.0], "complex"),
    "none": ([0.71] * 4, [0.70] * 4, None),
}


@pytest.mark.parametrize(("simple", "complicated", "chosen"), CHOICES.values(), ids=CHOICES)
def test_the_choice_is(simple, complicated, chosen):
    found = parsimony.select({"simple": simple, "complex": complicated}, ORDER, FLOOR)
    assert found["candidate"] == chosen


def test_the_standard_error_is_over_intervals_of_the_best():
    """0.50, 0.54, 0.48, 0.52: mean 0.51, variance 0.002 / 3, error 0.0129."""
    found = parsimony.select({"simple": [0.7] * 4, "complex": [0.50, 0.54, 0.48, 0.52]}, ORDER, FLOOR)
    assert found["standard_error"] == pytest.approx(math.sqrt(0.002 / 3 / 4))
    assert found["reason"] == "complex is 0.1900 better (27.1 %) than simple, more than one standard error (0.0129)."


def test_a_candidate_that_failed_is_left_out():
    assert parsimony.select({"complex": [0.5, 0.6]}, ORDER, FLOOR)["candidate"] == "complex"


def test_the_choice_is_told_in_the_words_of_the_task():
    losses, order = {"ridge": [1600.0, 1700.0]}, ("ridge",)
    won = parsimony.select(losses, order, [1800.0, 1900.0], "regression")
    assert won["reason"] == "ridge (1,650) is kept: no other was trained."
    lost = parsimony.select(losses, order, [1500.0, 1500.0], "regression")
    assert lost["reason"] == "No candidate beats the training mean (1,500)."
    lost = parsimony.select({"x": [1.2]}, ("x",), [1.1], "multiclass")
    assert lost["reason"] == "No candidate beats the class shares (1.1000)."


SAID = {
    "it would have bought too little": (
        [0.503, 0.525, 0.495, 0.525],
        [0.50, 0.54, 0.48, 0.52],
        "complex would have been 0.0020 better (0.4 %), within one standard error (0.0129): the simpler simple is "
        "kept.",
    ),
    "it bought enough": (
        [0.60, 0.61, 0.60, 0.61],
        [0.50, 0.54, 0.48, 0.52],
        "complex is 0.0950 better (15.7 %) than simple, more than one standard error (0.0129).",
    ),
    "it would have bought nothing": (
        [0.50] * 4,
        [0.60] * 4,
        "simple (0.5000) is kept: none of the more complex ones is better.",
    ),
    "the simple one is worth nothing": (
        [0.71] * 4,
        [0.20, 0.20, 0.20, 2.0],
        "complex is 0.0600 better (8.5 %) than simple, and the simplest that beats the base rate.",
    ),
}


@pytest.mark.parametrize(("simple", "complicated", "said"), SAID.values(), ids=SAID)
def test_what_more_complexity_bought_is_said(simple, complicated, said):
    assert parsimony.select({"simple": simple, "complex": complicated}, ORDER, FLOOR)["reason"] == said


def test_the_baseline_is_chosen_where_somebody_named_it_and_nothing_is_worth_more():
    order = ("baseline", "ridge")
    found = parsimony.select({"baseline": [9.0, 11.0], "ridge": [8.9, 10.9]}, order, [9.0, 11.0], "regression")
    assert found["candidate"] == "baseline"
    assert found["reason"].startswith("ridge would have been 0.1 better (1.0 %), within one standard error (1)")
    assert parsimony.select({"ridge": [9.0, 11.0]}, order, [9.0, 11.0], "regression")["candidate"] is None


def test_losses_of_nothing_have_no_share():
    found = parsimony.select({"simple": [0.0, 0.0], "complex": [0.0, 0.0]}, ORDER, [1.0, 1.0])
    assert found["reason"] == "simple (0.0000) is kept: none of the more complex ones is better."


LOSSES = st.lists(st.floats(0.01, 5.0), min_size=3, max_size=3)


@given(LOSSES, LOSSES, LOSSES)
def test_what_is_chosen_beats_the_floor_and_lies_within_one_standard_error_of_the_best(simple, complicated, floor):
    found = parsimony.select({"simple": simple, "complex": complicated}, ORDER, floor)
    means, chosen = found["losses"], found["candidate"]
    if chosen is None:
        within = [name for name in ORDER if means[name] <= means[found["best"]] + found["standard_error"]]
        assert all(means[name] >= found["floor_loss"] for name in within)
    else:
        assert means[chosen] < found["floor_loss"]
        assert means[chosen] <= means[found["best"]] + found["standard_error"]
