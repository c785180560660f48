"""Corrections: worked by hand for each task; one that changes nothing changes nothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import recalibration
from include.retraining.recalibration import apply

CHANCES = st.lists(st.floats(0, 1), min_size=1, max_size=30)
NUMBERS = st.floats(-5, 5)
AB = ("a", "b")


def array(*values: float) -> recalibration.Floats:
    return np.array(values, dtype="float64")


def test_log_odds_are_shifted_and_stretched_worked_by_hand():
    """Odds of 3 squared are 9, of 1/3 are 1/9; a shift of ln 3 triples the odds: 1 becomes 3."""
    assert apply({"shift": 0.0, "slope": 2.0}, array(0.75, 0.25)) == pytest.approx([0.9, 0.1])
    assert apply({"shift": math.log(3), "slope": 1.0}, array(0.5)) == pytest.approx([0.75])
    assert apply({"shift": -math.log(3), "slope": 0.0}, array(0.1, 0.9)) == pytest.approx([0.25, 0.25])


def test_numbers_of_a_regression_are_shifted_and_stretched():
    found = apply({"shift": -1.0, "slope": 0.5}, array(4, -2, 0), task="regression")
    assert found.tolist() == [1.0, -2.0, -1.0]


def test_chances_of_classes_are_weighed_and_sum_to_one_again():
    """0.5 : 0.5 with a weight of 3 for b is 1 : 3; 0.75 : 0.25 becomes 0.75 : 0.75."""
    found = apply({"shifts": {"b": math.log(3)}}, np.array([[0.5, 0.5], [0.75, 0.25]]), AB)
    assert found == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5]]))


def test_certain_chances_have_log_odds_after_they_were_clipped():
    assert apply({"shift": 0.0, "slope": 0.5}, array(0, 1)) == pytest.approx([0.000999, 0.999001], rel=1e-3)


def test_what_is_certain_of_a_class_stays_certain():
    assert apply({"shifts": {"a": 3.0}}, np.array([[0.0, 1.0]]), AB).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("shift", [800.0, -800.0])
def test_a_huge_shift_overflows_nothing(shift):
    assert np.isfinite(apply({"shift": shift, "slope": 1.0}, array(0.2, 0.8))).all()
    assert np.isfinite(apply({"shifts": {"a": shift}}, np.array([[0.2, 0.8]]), AB)).all()


@given(CHANCES)
def test_a_correction_that_changes_nothing_gives_back_what_was_predicted(chances):
    given_, both = np.array(chances), np.column_stack([chances, 1 - np.array(chances)])
    assert apply({"shift": 0.0, "slope": 1.0}, given_).tolist() == chances
    assert apply({"shift": 0, "slope": 1}, given_ * 1e6, task="regression").tolist() == (given_ * 1e6).tolist()
    assert apply({"shifts": {"a": 0.0}}, both, AB).tolist() == both.tolist()
    assert apply({}, both, AB).tolist() == both.tolist()


def test_what_was_predicted_is_not_changed_in_place():
    given_ = array(0.2, 0.7)
    for slope in (1.0, 2.0):
        apply({"shift": 0.0, "slope": slope}, given_)[0] = 9
    assert given_.tolist() == [0.2, 0.7]


@given(CHANCES, NUMBERS, st.floats(0, 5))
def test_corrected_chances_are_chances_in_the_same_order(chances, shift, slope):
    found = apply({"shift": shift, "slope": slope}, np.array(sorted(chances)))
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= -1e-12).all()


@given(CHANCES, NUMBERS, NUMBERS)
def test_corrected_chances_of_classes_sum_to_one(chances, first, second):
    found = apply({"shifts": {"a": first, "b": second}}, np.column_stack([chances, 1 - np.array(chances)]), AB)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(chances)))


@given(CHANCES, NUMBERS, NUMBERS)
def test_only_the_difference_between_classes_counts(chances, shift, added):
    both = np.column_stack([chances, 1 - np.array(chances)])
    once, twice = (
        apply({"shifts": {"a": shift}}, both, AB),
        apply({"shifts": {"a": shift + added, "b": added}}, both, AB),
    )
    assert once == pytest.approx(twice)


def test_no_rows_stay_no_rows():
    assert apply({"shift": 1.0, "slope": 2.0}, array()).shape == (0,)
    assert apply({"shifts": {"a": 1.0}}, np.zeros((0, 2)), AB).shape == (0, 2)


WRONG = {
    "no shift": ({"slope": 1.0}, "shift is None; expected a finite number"),
    "no slope": ({"shift": 1.0}, "slope is None; expected a finite number"),
    "not finite": ({"shift": float("nan"), "slope": 1.0}, "shift is nan; expected a finite number"),
    "a text": ({"shift": "0", "slope": 1.0}, "shift is '0'; expected a finite number"),
    "a boolean": ({"shift": 0.0, "slope": True}, "slope is True; expected a finite number"),
}


@pytest.mark.parametrize(("correction", "message"), WRONG.values(), ids=WRONG)
def test_a_correction_that_is_none_is_refused(correction, message):
    with pytest.raises(ValueError, match=message):
        apply(correction, array(0.5))


def test_a_class_that_the_version_does_not_know_cannot_be_corrected():
    with pytest.raises(ValueError, match=r"shifts 1 class\(es\) that the version does not know"):
        apply({"shifts": {"c": 1.0}}, np.array([[0.5, 0.5]]), AB)
    with pytest.raises(ValueError, match="shift of a class is inf; expected a finite number"):
        apply({"shifts": {"a": float("inf")}}, np.array([[0.5, 0.5]]), AB)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_numbers_are_never_taken_for_chances(wrong):
    with pytest.raises(ValueError, match=r"no chances from 0 to 1; name task='regression'"):
        apply({"shift": 1.0, "slope": 1.0}, array(0.5, wrong))
