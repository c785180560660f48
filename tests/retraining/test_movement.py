"""Movement: the world moves where neighbouring intervals err more alike than chance; waits double within bounds."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.retraining.movement import Order, alike, due_after, movement, order, shortest_wait, wait_after
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


def told(biases) -> list[dict[str, float]]:
    return [{"mean": one} for one in biases]


@pytest.mark.parametrize("biases", [[], [0.1] * 14 + [-0.1] * 13], ids=["none", "one too few"])
def test_too_few_intervals_are_no_movement(biases):
    assert order(told(biases), POLICY) == Order(len(biases), 0.0)
    assert not movement(Order(len(biases), 9.0), POLICY).is_moving


def test_errors_in_runs_have_an_order_and_others_have_none():
    assert order(told(IN_RUNS), POLICY).standard_errors > 10
    assert order(told(IN_NO_ORDER), POLICY).standard_errors < 1


def test_a_bias_that_stays_is_no_order():
    """A champion of few days is wrong by as much every day: a newer one may be better, but nothing moves."""
    assert order(told([0.2] * 40), POLICY).standard_errors == 0
    assert order(told(0.2 + one for one in IN_NO_ORDER), POLICY).standard_errors < 1


def test_a_weekday_of_its_own_is_no_order():
    assert order(told([0.0, 0.0, 0.0, 0.0, 0.0, 0.3, 0.2] * 16), POLICY).standard_errors < 1


def test_what_moves_goes_on_moving_until_it_is_hardly_more_than_chance():
    found = [movement(Order(60, 2.0), POLICY, was_moving=was) for was in (False, True)]
    assert [(one.is_moving, one.limit) for one in found] == [(False, 4.0), (True, 1.0)]
    assert not movement(Order(60, 1.0), POLICY, was_moving=True).is_moving


def test_only_the_newest_intervals_count():
    assert order(told(IN_RUNS), POLICY).standard_errors > 10
    assert order(told(IN_RUNS + IN_NO_ORDER * 3), POLICY).standard_errors < 1


def test_each_name_counts_alike_whatever_its_unit():
    small = [{"mean": one, "with wind": -one} for one in IN_RUNS]
    large = [{"mean": one, "with wind": -1000 * one} for one in IN_RUNS]
    assert order(small, POLICY) == order(large, POLICY) == order(told(IN_RUNS), POLICY)


def test_an_order_in_one_feature_alone_is_seen():
    """The mean of errors is in no order; how they go with the wind turned round halfway."""
    lines = [{"mean": one, "with wind": two} for one, two in zip(IN_NO_ORDER, IN_RUNS, strict=True)]
    assert order(lines, POLICY).standard_errors > 5


def test_an_order_in_the_mean_alone_is_seen_beside_many_features():
    random = np.random.default_rng(0)
    lines = [
        {"mean": one, **{f"with {name}": error for name, error in enumerate(random.normal(size=60))}} for one in IN_RUNS
    ]
    assert order(lines, POLICY) == order(told(IN_RUNS), POLICY)


def test_what_a_version_did_not_know_is_no_error():
    lines = [{"a": bias} for bias in IN_RUNS] + [{"b": 0.1}, {"c": 0.0}]
    assert order(lines, POLICY).standard_errors > 3


@pytest.mark.parametrize("features", [0, 8])
def test_days_in_random_order_hardly_ever_move(features):
    """A hundred years of looks at errors in random order: about five are expected to pass."""
    random, moved = np.random.default_rng(0), 0
    names = ["mean", *(f"with {number}" for number in range(features))]
    for _ in range(100):
        year = [dict(zip(names, line, strict=True)) for line in random.normal(0, 0.1, (365, len(names)))]
        looks = range(FEWEST_JUDGED, 366, 14)
        moved += any(movement(order(year[max(0, day - 112) : day], POLICY), POLICY).is_moving for day in looks)
    assert moved <= 9


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


@pytest.mark.parametrize(
    ("found", "wait", "due"), [(Order(), None, 14), (Order(), 84, 84), (Order(40, 9.0), 84, 14), (Order(40), 84, 84)]
)
def test_movement_shortens_the_wait(found, wait, due):
    assert due_after(wait, movement(found, POLICY), POLICY) == due


@settings(max_examples=50)
@given(errors, st.floats(0.001, 1000), st.floats(-1, 1))
def test_neither_the_unit_of_the_label_nor_a_bias_that_stays_matters(biases, scale, bias):
    whole = [round(one, 3) for one in biases]
    changed = order(told((one + round(bias, 3)) * scale for one in whole), POLICY)
    assert changed.standard_errors == pytest.approx(order(told(whole), POLICY).standard_errors, abs=0.02)


@settings(max_examples=50)
@given(errors)
def test_time_has_no_direction(biases):
    back = order(told(biases[::-1]), POLICY)
    assert back.standard_errors == pytest.approx(order(told(biases), POLICY).standard_errors, abs=0.02)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_waits_stay_within_their_bounds_whatever_happens(outcomes):
    wait = None
    for won, moving in outcomes:
        wait = wait_after(wait, won, moving, POLICY)
        assert shortest_wait(POLICY) <= wait <= POLICY.maximum_age_intervals


def test_the_reach_is_whole_weeks():
    assert NEIGHBOURS % 7 == 0
