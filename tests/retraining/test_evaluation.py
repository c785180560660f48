"""Metrics and bounds: worked by hand, with the interval as the unit."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import evaluation, signing

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=30)


def array(*values: float) -> evaluation.Floats:
    return np.array(values, dtype="float64")


def test_metrics_worked_by_hand():
    """ln 2 for a coin; (ln 10/9 + ln 10/9) / 2 for two good guesses; one pair of two ranked right, one tied."""
    coin = evaluation.score(array(0, 1), array(0.5, 0.5))
    assert coin == {"rows": 2, "log_loss": pytest.approx(math.log(2)), "brier": 0.25, "accuracy": 0.5, "auc": 0.5}
    good = evaluation.score(array(0, 1), array(0.1, 0.9))
    assert good["log_loss"] == pytest.approx(-math.log(0.9))
    assert (good["brier"], good["accuracy"], good["auc"]) == (pytest.approx(0.01), 1.0, 1.0)
    assert evaluation.score(array(0, 0, 1), array(0.2, 0.6, 0.6))["auc"] == 0.75


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_has_no_auc_and_every_other_metric(label):
    found = evaluation.score(array(label, label), array(0.5, 0.5))
    assert found["auc"] is None
    assert found["log_loss"] == pytest.approx(math.log(2))


def test_no_rows_have_no_metrics():
    with pytest.raises(ValueError, match="No rows to score: an interval without known labels has no metrics"):
        evaluation.score(array(), array())


@pytest.mark.parametrize("guess", [float("nan"), 1.5, -0.1])
def test_a_prediction_that_is_no_probability_is_refused(guess):
    with pytest.raises(ValueError, match=r"NaN|y_prob|y_proba|less than|greater than|\[0, 1\]"):
        evaluation.score(array(0, 1), array(0.5, guess))


def test_a_certain_and_wrong_guess_costs_much_and_not_infinitely():
    assert 30 < evaluation.score(array(1, 1), array(0.0, 1.0))["log_loss"] * 2 < 40


def test_slices_are_scored_apart_and_missing_values_are_a_slice():
    rows = pd.DataFrame({"origin": pd.Series(["JFK", "EWR", None, "JFK"], dtype="str")})
    found = evaluation.score_slices(rows, "origin", array(1, 1, 0, 1), array(0.5, 0.9, 0.2, 0.5))
    assert found == {
        "EWR": pytest.approx(-math.log(0.9)),
        "JFK": pytest.approx(math.log(2)),
        "missing": pytest.approx(-math.log(0.8)),
    }


def test_t_bounds_worked_by_hand():
    """Mean 2, standard error 1 / sqrt(3), t(0.975, 2) = 4.302653."""
    found = evaluation.bounds([1.0, 2.0, 3.0])
    assert (found.mean, found.intervals, found.method) == (2.0, 3, "Student t over 3 intervals")
    assert found.high - 2.0 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert 2.0 - found.low == pytest.approx(found.high - 2.0)


@pytest.mark.parametrize(("count", "method"), [(6, "Student t"), (7, "moving-block bootstrap over 7 intervals")])
def test_blocks_are_resampled_from_seven_intervals_on(count, method):
    assert evaluation.bounds(list(range(count))).method.startswith(method)


def test_one_interval_has_no_bound():
    found = evaluation.bounds([0.3])
    assert (found.mean, found.low, found.high) == (0.3, -math.inf, math.inf)


@pytest.mark.parametrize("values", [[], [0.1, float("nan")], [float("inf"), 1.0]])
def test_bounds_of_nothing_or_of_no_numbers_are_refused(values):
    with pytest.raises(ValueError, match="need at least one interval and finite values"):
        evaluation.bounds(values)


@given(VALUES)
def test_bounds_hold_the_mean_and_stay_the_same(values):
    found = evaluation.bounds(values, 0.8)
    assert found == evaluation.bounds(values, 0.8)
    if len(values) < evaluation.MINIMUM_BLOCKS:
        assert found.low <= found.mean <= found.high
    else:
        assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


@given(VALUES)
def test_more_confidence_never_narrows_the_bounds(values):
    narrow, wide = evaluation.bounds(values, 0.5), evaluation.bounds(values, 0.95)
    assert wide.low <= narrow.low + 1e-9
    assert narrow.high <= wide.high + 1e-9


@given(VALUES)
def test_bounds_of_the_negative_are_the_negative_bounds(values):
    found, mirrored = evaluation.bounds(values, 0.8), evaluation.bounds([-value for value in values], 0.8)
    assert (mirrored.low, mirrored.high) == (pytest.approx(-found.high, abs=1e-9), pytest.approx(-found.low, abs=1e-9))


def test_the_bootstrap_keeps_neighbours_together():
    """Two calm weeks and two stormy ones: as single intervals the mean would look far more certain than it is."""
    series = np.repeat([0.0, 1.0, 0.0, 1.0], 16)
    alone = series.std() / len(series) ** 0.5
    assert evaluation.block_means(series, np.random.default_rng(0)).std() > 1.5 * alone


def test_the_bootstrap_covers_a_mean_about_as_often_as_it_says():
    random = np.random.default_rng(5)
    held = [evaluation.bounds(random.normal(0, 1, 30).tolist(), 0.9) for _ in range(150)]
    assert 0.75 < np.mean([found.low < 0 < found.high for found in held]) < 0.97


def test_welch_worked_by_hand():
    """Difference 0.8, variances 0.01 each over 3: error sqrt(0.02 / 3), 4 degrees, t(0.95) = 2.131847."""
    higher, low = evaluation.is_clearly_higher([0.9, 1.0, 1.1], [0.1, 0.2, 0.3], 0.95)
    assert higher
    assert low == pytest.approx(0.8 - 2.131847 * math.sqrt(0.02 / 3), rel=1e-6)


@given(VALUES, st.floats(0, 50))
def test_a_lower_loss_is_never_clearly_higher(values, gain):
    assert not evaluation.is_clearly_higher([value - gain for value in values], values, 0.9)[0]


@given(VALUES, VALUES)
def test_of_two_sides_at_most_one_is_clearly_higher(first, second):
    both = evaluation.is_clearly_higher(first, second, 0.9), evaluation.is_clearly_higher(second, first, 0.9)
    assert not all(higher for higher, _ in both)


def test_without_any_spread_a_difference_is_a_difference():
    assert evaluation.is_clearly_higher([0.5, 0.5], [0.25, 0.25], 0.99) == (True, 0.25)
    assert evaluation.is_clearly_higher([0.5, 0.5], [0.5, 0.5], 0.99) == (False, 0.0)


def test_a_summary_leaves_out_what_no_interval_has():
    lines = [evaluation.score(array(0, 0), array(0.1, 0.2)) for _ in range(3)]
    assert set(evaluation.summarise(lines)) == {"log_loss", "brier", "accuracy"}
    assert evaluation.summarise([]) == {}


def test_a_summary_of_one_interval_can_be_told_as_json():
    found = evaluation.summarise([evaluation.score(array(0, 1), array(0.5, 0.5))])
    assert (found["log_loss"]["low"], found["log_loss"]["high"]) == (None, None)
    assert signing.canonical(found)


def test_the_bootstrap_of_few_intervals_does_not_call_noise_a_gain():
    """Of 600 series of 7 independent values around zero about a tenth lies above its one-sided 90 % bound."""
    random = np.random.default_rng(1)
    wins = sum(evaluation.bounds(random.normal(size=7).tolist(), 0.8).low > 0 for _ in range(600))
    assert 0.06 < wins / 600 < 0.14
