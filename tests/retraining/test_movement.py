"""Movement: the world moves where corrections help by more than chance; waits double within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining.movement import FEWEST, due_after, movement, shortest_wait, wait_after
from include.retraining.policies import DecisionPolicy

POLICY = DecisionPolicy()


def test_the_statistic_is_students_t_worked_by_hand():
    """Sixteen gains, eight of 0 and eight of 2: mean 1, standard deviation sqrt(16 / 15), error a quarter of it."""
    found = movement([0.0, 2.0] * 8, POLICY)
    assert found.standard_errors == round(1 / ((16 / 15) ** 0.5 / 4), 2) == 3.87
    assert found.is_moving


@pytest.mark.parametrize("gains", [[], [5.0] * (FEWEST - 1)], ids=["none", "one too few"])
def test_too_few_gains_are_no_movement(gains):
    found = movement(gains, POLICY)
    assert (found.is_moving, found.standard_errors, found.intervals) == (False, 0.0, len(gains))


@pytest.mark.parametrize(("gain", "moving"), [(0.1, True), (0.0, False), (-0.1, False)])
def test_gains_that_are_all_the_same_leave_no_doubt(gain, moving):
    assert movement([gain] * FEWEST, POLICY).is_moving is moving


@pytest.mark.parametrize(("gains", "began", "stays"), [(3.87, True, True), (1.0, False, True), (0.3, False, False)])
def test_what_moves_goes_on_moving_until_corrections_hardly_help(gains, began, stays):
    """Sixteen gains around a mean, an eighth of a standard deviation of which is half a standard error."""
    swing = (16 / 15) ** 0.5 / 4
    values = [gains * swing - 1, gains * swing + 1] * 8
    assert movement(values, POLICY).is_moving is began
    found = movement(values, POLICY, was_moving=True)
    assert (found.is_moving, found.limit) == (stays, 0.5)


def test_only_the_newest_intervals_count():
    assert not movement([1.0, 2.0] * 100 + [-1.0, -2.0] * 56, POLICY).is_moving


def test_noise_around_nothing_is_no_movement():
    assert not movement([0.3, -0.2, 0.1, -0.3, 0.2, -0.1] * 10, POLICY).is_moving


@pytest.mark.parametrize(
    ("wait", "won", "after"),
    [(None, False, 28), (28, False, 56), (84, False, 112), (112, False, 112), (None, True, 14), (84, True, 84)],
)
def test_a_lost_challenge_doubles_the_wait_and_a_won_one_leaves_it(wait, won, after):
    assert wait_after(wait, won, False, POLICY) == after


@pytest.mark.parametrize("won", [True, False])
@pytest.mark.parametrize("wait", [None, 14, 112])
def test_after_a_challenge_while_the_world_moves_the_waits_begin_anew(wait, won):
    assert wait_after(wait, won, True, POLICY) == 14


@pytest.mark.parametrize(("price", "wait"), [(1.0, 14), (4.0, 28), (100.0, 112), (0.01, 7)])
def test_the_shortest_wait_grows_with_the_root_of_the_price_within_its_bounds(price, wait):
    assert shortest_wait(DecisionPolicy(price=price)) == wait


@pytest.mark.parametrize(("gains", "wait", "due"), [([], None, 14), ([], 84, 84), ([1.0] * 20, 84, 14)])
def test_movement_shortens_the_wait(gains, wait, due):
    assert due_after(wait, movement(gains, POLICY), POLICY) == due


@given(st.lists(st.floats(-1, 1), max_size=60), st.floats(0.001, 1000))
def test_the_unit_of_the_loss_does_not_matter(gains, scale):
    scaled = movement([gain * scale for gain in gains], POLICY)
    assert scaled.standard_errors == pytest.approx(movement(gains, POLICY).standard_errors, abs=0.02)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_waits_stay_within_their_bounds_whatever_happens(outcomes):
    wait = None
    for won, moving in outcomes:
        wait = wait_after(wait, won, moving, POLICY)
        assert shortest_wait(POLICY) <= wait <= POLICY.maximum_age_intervals
