"""Policies by name: what there is, what may be added, and functions of a user's own."""

import numpy as np
import pytest

from include.retraining import rivals
from include.retraining.decision import KEEP, RETRAIN
from include.retraining.errors import SpecError
from include.retraining.replayed import Seen
from tests.retraining import replays, toy


def seen(age: int = 0) -> Seen:
    return Seen(replays.SPEC, toy.day(9), 3, 60, age, "v2")


def patient(told: Seen) -> bool:
    """Stand for a policy of a user's own."""
    return told.age_intervals > 20


NOTHING = 3


@pytest.mark.parametrize("name", rivals.DEFAULT)
def test_every_default_can_be_parsed(name):
    assert rivals.parse(name).name == name


@pytest.mark.parametrize(
    ("name", "age", "answer"), [("never", 99, KEEP), ("every", 1, RETRAIN), ("7", 6, KEEP), ("7", 7, RETRAIN)]
)
def test_calendars_answer_by_age(name, age, answer):
    assert rivals.answer(rivals.parse(name), seen(age)).answer == answer


def test_what_may_be_added():
    found = [rivals.parse(name) for name in ("14", "14+recalibration", "14+gate", "14+gate+recalibration", "ours")]
    expected = [(False, False), (False, True), (True, False), (True, True), (True, True)]
    assert [(one.is_gated, one.is_corrected) for one in found] == expected


def test_a_function_of_a_users_own():
    path = "tests.retraining.test_rivals:patient"
    found = rivals.parse(f"{path}+recalibration")
    assert found.is_corrected
    assert [rivals.answer(found, seen(age)).answer for age in (20, 21)] == [KEEP, RETRAIN]
    assert rivals.answer(found, seen(21)).reasons == (f"{path}+recalibration said yes.",)


@pytest.mark.parametrize(
    "name", ["", "sometimes", "0", "-3", "1.5", "14+", "14+glitter", "14+gate+gate", "ours+gate", "+gate", "a:b:c", "²"]
)
def test_an_unknown_policy_tells_what_there_is(name):
    with pytest.raises(SpecError, match=r"There is no policy .*Expected `never`, `every`, a number of intervals"):
        rivals.parse(name)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no.such.module:policy", "cannot be imported: ModuleNotFoundError"),
        ("tests.retraining.test_rivals:absent", "cannot be imported: AttributeError"),
        ("tests.retraining.test_rivals:NOTHING", "is a int; expected a function"),
    ],
)
def test_a_path_that_leads_nowhere_says_so(name, told):
    with pytest.raises(SpecError, match=told):
        rivals.parse(name)


def test_yes_and_no_may_be_numpys():
    yes, no = (rivals.Rival("np", lambda _, said=said: np.bool_(said)) for said in (True, False))
    assert (rivals.answer(yes, seen()).answer, rivals.answer(no, seen()).answer) == (RETRAIN, KEEP)


def test_each_name_is_played_once():
    assert [one.name for one in rivals.parse_all(["7", "never", "7"])] == ["7", "never"]
