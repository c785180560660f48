"""Crossings: limits that each effect learns by itself, and one factor that says how often any is crossed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.retraining import crossings

FLOORS = np.array([0.02])
ONCE_A_YEAR = 1 / 365


def column(*values: float) -> np.ndarray:
    return np.array([values]).T


def test_effects_that_chance_explains_leave_no_difference_between_days():
    learned = crossings.learn(column(0.1, 0.2, 0.3), column(0.1, 0.1, 0.1), FLOORS)
    assert learned.between.tolist() == [0.0]
    assert learned.chance.tolist() == pytest.approx([3.0])
    assert learned.crossings == pytest.approx([3 / 2, 2 / 3, 1 / 3])


def test_what_chance_cannot_explain_is_how_days_differ():
    """The largest effect is 0.5, of which chance explains 0.3 at the most: 0.4 is left, since variances add up."""
    expected = 0.3 / crossings.CHANCE
    learned = crossings.learn(column(0.0, 0.5, 0.1), np.full((3, 1), expected), FLOORS)
    assert learned.between.tolist() == pytest.approx([0.4])
    assert crossings.limits(learned.between, learned.chance, np.array([expected]), FLOORS) == pytest.approx([0.5])


def test_each_interval_is_held_against_the_limit_that_all_others_give():
    """Without chance a limit is the largest of the others: 0.2 for the first two, 0.4 for the last."""
    learned = crossings.learn(column(0.1, 0.2, 0.4), np.zeros((3, 1)), FLOORS)
    assert learned.crossings == pytest.approx([2.0, 0.5, 0.25])
    assert learned.paired == pytest.approx(0.5), "the second and the third, of which the smaller counts"


def test_two_that_are_the_largest_are_each_other_s_limit():
    assert crossings.learn(column(0.4, 0.4), np.zeros((2, 1)), FLOORS).crossings == [1.0, 1.0]


def test_a_feature_that_often_strays_makes_no_other_deaf():
    random = np.random.default_rng(0)
    calm = random.uniform(0, 0.1, (56, 1))
    wild = random.pareto(1.5, (56, 1)).clip(0, 20) / 20
    learned = crossings.learn(np.hstack([calm, wild]), np.full((56, 2), 0.01), np.array([0.02, 0.02]))
    factor = crossings.factor(learned.crossings, learned.paired, 56, ONCE_A_YEAR)
    limits = factor * crossings.limits(learned.between, learned.chance, np.array([0.01, 0.01]), np.array([0.02, 0.02]))
    assert limits[0] < 0.15 < limits[1]


def test_a_limit_is_never_below_what_nobody_would_act_on():
    learned = crossings.learn(np.zeros((5, 1)), np.zeros((5, 1)), FLOORS)
    assert (learned.crossings, learned.paired) == ([0.0] * 5, 0.0)
    assert crossings.factor(learned.crossings, learned.paired, 5, ONCE_A_YEAR) == 1.0
    assert crossings.limits(learned.between, learned.chance, np.array([0.0]), FLOORS).tolist() == [0.02]


@pytest.mark.parametrize(
    ("intervals", "chance", "place"),
    [(56, ONCE_A_YEAR, 2), (14, ONCE_A_YEAR, 1), (400, ONCE_A_YEAR, 20), (56, 1.0, 57), (7, 1e-9, 1)],
)
def test_so_many_reference_intervals_may_cross_a_limit(intervals, chance, place):
    assert crossings.allowed(intervals, chance) == place


def test_the_factor_is_the_crossing_at_that_place_and_at_least_the_largest_pair():
    assert crossings.factor([3.0, 2.0, 1.5], 0.9, 56, ONCE_A_YEAR) == 2.0
    assert crossings.factor([3.0, 2.0, 1.5], 2.5, 56, ONCE_A_YEAR) == 2.5, "the reference itself had no alarm"
    assert crossings.factor([3.0, 2.0, 1.5], 0.9, 3, 1.0) == 1.5, "there are no more than three"


def test_few_reference_intervals_cannot_promise_few_alarms():
    assert 365 * crossings.promised(7, ONCE_A_YEAR) == pytest.approx(365 / 64)
    assert 365 * crossings.promised(56, ONCE_A_YEAR) < 1


@settings(max_examples=50)
@given(st.integers(7, 500), st.floats(1e-6, 1))
def test_what_is_promised_is_what_was_asked_or_all_that_so_few_can_hold(intervals, chance):
    assert crossings.promised(intervals, chance) <= max(chance, (1 / (intervals + 1)) ** 2) + 1e-12


def test_only_the_largest_crossings_are_remembered(monkeypatch):
    monkeypatch.setattr(crossings, "KEPT", 2)
    assert len(crossings.learn(column(0.1, 0.2, 0.4), np.zeros((3, 1)), FLOORS).crossings) == 2


@pytest.mark.parametrize(("days_differ", "rows"), [(0.0, 500), (0.0, 50), (1.0, 500), (1.0, 50), (1.0, 5000)])
def test_where_nothing_drifts_any_limit_is_crossed_as_seldom_as_promised(days_differ, rows):
    """Forty shares that vary by day and by chance, 56 reference intervals of 500 rows, 20 worlds of 100 intervals."""
    found = [crossed(np.random.default_rng(seed), days_differ, rows) for seed in range(20)]
    assert np.mean([one for one, _ in found]) < 1.5 * 2 / 57
    assert np.mean([two for _, two in found]) < ONCE_A_YEAR


def crossed(random: np.random.Generator, days_differ: float, rows: int, usual: int = 500) -> tuple[float, float]:
    """Return the shares of intervals with any crossing, and with one twice in a row."""
    count = np.array([usual] * 56 + [rows] * 100)[:, None]
    shares = 1 / (1 + np.exp(1 - 0.3 * days_differ * random.normal(size=(156, 40))))
    drawn = random.binomial(count, shares) / count
    reference = drawn[:56].sum(axis=0)
    others = np.vstack([(reference - drawn[:56]) / 55, np.tile(reference / 56, (100, 1))])
    expected = np.sqrt(2 * others * (1 - others) / np.pi / np.minimum(count, usual))
    effects, floors = np.abs(drawn - others), np.full(40, 0.02)
    learned = crossings.learn(effects[:56], expected[:56], floors)
    factor = crossings.factor(learned.crossings, learned.paired, 56, ONCE_A_YEAR)
    beyond = effects[56:] > factor * crossings.limits(learned.between, learned.chance, expected[56:], floors)
    return beyond.any(axis=1).mean(), (beyond[1:] & beyond[:-1]).any(axis=1).mean()
