"""Movement: the world moves where neighbouring intervals err more alike than chance; waits double within bounds."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.retraining.movement import alike, due_after, movement, shortest_wait, wait_after
from include.retraining.policies import FEWEST_JUDGED, NEIGHBOURS, DecisionPolicy

POLICY = DecisionPolicy()
IN_RUNS, IN_NO_ORDER = [0.1] * 20 + [-0.1] * 20, [0.1, -0.1] * 20
errors = st.lists(st.floats(-1, 1), min_size=FEWEST_JUDGED, max_size=60)


def column(*values: float):
    return np.array(values, dtype="float64")[:, None]


def test_the_statistic_is_morans_worked_by_hand():
    """Errors -3, -1, 1, 3: neighbours' products are 3, -1 and 3, each seen from both sides, so the sum is 10.

    Over all 24 orders it has the mean -10, since a product has the mean -20 / 12 and six are summed, and the variance
    160: it lies 20 / 12.65 = 1.58 standard errors above chance.
    """
    orders = [
        2 * sum(one * other for one, other in itertools.pairwise(order))
        for order in itertools.permutations([-3, -1, 1, 3])
    ]
    assert (np.mean(orders), np.var(orders)) == (-10, 160)
    assert alike(column(-3, -1, 1, 3), reach=1) == pytest.approx((10 + 10) / 160**0.5)


@pytest.mark.parametrize("outcomes", [1, 3])
@pytest.mark.parametrize("reach", [1, 2, 4])
def test_mean_and_deviation_are_those_of_every_order(outcomes, reach):
    drawn = np.random.default_rng(outcomes).normal(size=(6, outcomes)).round(3)
    centred = drawn - drawn.mean(axis=0)
    near = [(one, other) for one in range(6) for other in range(6) if 0 < abs(one - other) <= reach]
    sums = [
        sum(float(centred[order[one]] @ centred[order[other]]) for one, other in near)
        for order in itertools.permutations(range(6))
    ]
    assert alike(drawn, reach) == pytest.approx((sums[0] - np.mean(sums)) / np.std(sums))


@pytest.mark.parametrize(("values", "found"), [((), 0.0), ((1, 2, 9), 0.0), ((0.1,) * 50, 0.0), ((0,) * 50, 0.0)])
def test_too_few_and_all_the_same_are_no_order(values, found):
    assert alike(column(*values)) == found


def test_where_all_are_neighbours_every_order_is_the_same():
    assert alike(column(*range(9)), reach=8) == 0.0


@pytest.mark.parametrize("biases", [[], [0.1] * 14 + [-0.1] * 13], ids=["none", "one too few"])
def test_too_few_intervals_are_no_movement(biases):
    found = movement(biases, POLICY)
    assert (found.is_moving, found.standard_errors, found.intervals) == (False, 0.0, len(biases))


def test_errors_in_runs_are_movement_and_errors_in_no_order_are_none():
    assert movement(IN_RUNS, POLICY).is_moving
    assert not movement(IN_NO_ORDER, POLICY).is_moving


def test_a_bias_that_stays_is_no_movement():
    """A champion of few days is wrong by as much every day: a newer one may be better, but nothing moves."""
    assert not movement([0.2] * 40, POLICY).is_moving
    assert not movement([0.2 + one for one in IN_NO_ORDER], POLICY).is_moving


def test_a_weekday_of_its_own_is_no_movement():
    assert not movement([0.0, 0.0, 0.0, 0.0, 0.0, 0.3, 0.2] * 16, POLICY).is_moving


def test_what_moves_goes_on_moving_until_it_is_hardly_more_than_chance():
    drawn = np.random.default_rng(5).normal(size=60)
    drawn[:30] += 0.7
    found, later = movement(list(drawn), POLICY), movement(list(drawn), POLICY, was_moving=True)
    assert POLICY.evidence_to_stay < found.standard_errors < POLICY.evidence
    assert (found.is_moving, found.limit, later.is_moving, later.limit) == (False, 5.0, True, 1.0)


def test_only_the_newest_intervals_count():
    assert movement(IN_RUNS, POLICY).is_moving
    assert not movement(IN_RUNS + IN_NO_ORDER * 3, POLICY).is_moving


def test_days_in_random_order_hardly_ever_move():
    """A hundred years of looks at days in random order: about three are expected to begin to move."""
    random = np.random.default_rng(0)
    moved = 0
    for _ in range(100):
        year = list(random.normal(0, 0.1, 365))
        moved += any(movement(year[:day], POLICY).is_moving for day in range(FEWEST_JUDGED, 366, 14))
    assert moved <= 6


def test_classes_err_together_and_one_that_a_version_does_not_know_is_no_error():
    def lines(one):
        return [{"a": one * bias, "b": -bias} for bias in IN_RUNS]

    assert movement(lines(0), POLICY).standard_errors == movement(IN_RUNS, POLICY).standard_errors
    assert movement([*lines(1), {"b": 0.1}, {"c": 0.0}], POLICY).is_moving


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


@pytest.mark.parametrize(("biases", "wait", "due"), [([], None, 14), ([], 84, 84), (IN_RUNS, 84, 14)])
def test_movement_shortens_the_wait(biases, wait, due):
    assert due_after(wait, movement(biases, POLICY), POLICY) == due


@settings(max_examples=50)
@given(errors, st.floats(0.001, 1000), st.floats(-1, 1))
def test_neither_the_unit_of_the_label_nor_a_bias_that_stays_matters(biases, scale, bias):
    whole = [round(one, 3) for one in biases]
    changed = movement([(one + round(bias, 3)) * scale for one in whole], POLICY)
    assert changed.standard_errors == pytest.approx(movement(whole, POLICY).standard_errors, abs=0.02)


@settings(max_examples=50)
@given(errors)
def test_time_has_no_direction(biases):
    assert movement(biases[::-1], POLICY).standard_errors == pytest.approx(
        movement(biases, POLICY).standard_errors, abs=0.02
    )


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_waits_stay_within_their_bounds_whatever_happens(outcomes):
    wait = None
    for won, moving in outcomes:
        wait = wait_after(wait, won, moving, POLICY)
        assert shortest_wait(POLICY) <= wait <= POLICY.maximum_age_intervals


def test_the_reach_is_whole_weeks():
    assert NEIGHBOURS % 7 == 0
