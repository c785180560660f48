"""Metrics and bounds: worked by hand, with the interval as the unit."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import evaluation

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


@pytest.mark.parametrize(("count", "method"), [(6, "Student t"), (7, "circular-block bootstrap over 7 intervals")])
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


def test_every_interval_counts_the_same():
    """As blocks of a straight series the first and the last would be drawn half as often."""
    for place in (0, 3, 6):
        series = np.zeros(7)
        series[place] = 7.0
        assert evaluation.block_means(series, np.random.default_rng(0)).mean() == pytest.approx(1.0, abs=0.06)


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


def test_the_bootstrap_of_few_intervals_does_not_call_noise_a_gain():
    """Of 600 series of 7 independent values around zero about a tenth lies above its one-sided 90 % bound."""
    random = np.random.default_rng(1)
    wins = sum(evaluation.bounds(random.normal(size=7).tolist(), 0.8).low > 0 for _ in range(600))
    assert 0.06 < wins / 600 < 0.14


ABC = ("a", "b", "c")


def classes(*names: str) -> evaluation.Labels:
    return np.array(names, dtype="object")


def test_metrics_of_classes_worked_by_hand():
    """(ln 2 + ln 4 + ln 2) / 3; a and c are guessed best, b is not; each class alone is ranked before the others."""
    chances = np.array([[0.5, 0.3, 0.2], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5]])
    found = evaluation.score_classes(classes("a", "b", "c"), chances, ABC)
    assert found["log_loss"] == pytest.approx((math.log(2) + math.log(4) + math.log(2)) / 3)
    assert (found["rows"], found["accuracy"], found["unseen"]) == (3, pytest.approx(2 / 3), {})
    assert found["auc"] == pytest.approx((0.75 + 0.25 + 1.0) / 3)  # a ties with b; b lies below a and ties with c


def test_an_interval_that_lacks_a_class_has_no_auc_and_every_other_metric():
    found = evaluation.score_classes(classes("a", "c"), np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]), ABC)
    assert found["auc"] is None
    assert found["log_loss"] == pytest.approx(-(math.log(0.5) + math.log(0.8)) / 2)
    assert found["accuracy"] == 1.0


def test_a_class_that_training_never_saw_is_certain_and_wrong_and_counted():
    """Its rows cost 36 each, the logarithm of the smallest step of a float: much, and not infinitely."""
    chances = np.array([[0.6, 0.2, 0.2], [0.2, 0.2, 0.6], [0.2, 0.2, 0.6]])
    found = evaluation.score_classes(classes("a", "diverted", "b2"), chances, ABC)
    assert found["unseen"] == {"b2": 1, "diverted": 1}
    assert found["log_loss"] == pytest.approx((-math.log(0.6) + 2 * 36.04) / 3, rel=1e-3)
    assert found["accuracy"] == pytest.approx(1 / 3)


CHANCES = st.lists(st.tuples(st.booleans(), st.floats(0.01, 0.99)), min_size=2, max_size=30)


@given(CHANCES)
def test_two_classes_are_judged_as_a_binary_model_is(rows):
    is_late, chance = (np.array(column) for column in zip(*rows, strict=True))
    named = evaluation.score_classes(
        np.where(is_late, "late", "early").astype("object"), np.column_stack([1 - chance, chance]), ("early", "late")
    )
    plain = evaluation.score(is_late.astype("float64"), chance)
    assert named["log_loss"] == pytest.approx(plain["log_loss"])
    assert named["auc"] == (plain["auc"] if plain["auc"] is None else pytest.approx(plain["auc"]))


@given(CHANCES, st.permutations([0, 1, 2]))
def test_the_order_of_the_classes_changes_nothing(rows, order):
    labels = classes(*(ABC[place % 3] for place in range(len(rows))))
    chances = np.array([[chance, (1 - chance) / 2, (1 - chance) / 2] for _, chance in rows])
    first = evaluation.score_classes(labels, chances, ABC)
    turned = evaluation.score_classes(labels, chances[:, order], [ABC[place] for place in order])
    assert {name: first[name] for name in ("log_loss", "auc")} == pytest.approx(
        {name: turned[name] for name in ("log_loss", "auc")}
    )


def test_metrics_of_numbers_worked_by_hand():
    """Errors 1, -1, 2, 0: squares 1, 1, 4, 0; the labels 1, 2, 3, 6 vary by 14 / 4 around 3."""
    found = evaluation.score_numbers(array(1, 2, 3, 6), array(0, 3, 1, 6))
    assert found == {"rows": 4, "squared_error": 1.5, "absolute_error": 1.0, "r2": pytest.approx(1 - 1.5 / 3.5)}


def test_an_interval_with_one_number_only_has_no_r2_and_every_other_metric():
    found = evaluation.score_numbers(array(5, 5), array(4, 6))
    assert found == {"rows": 2, "squared_error": 1.0, "absolute_error": 1.0, "r2": None}


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(wrong):
    for labels, guess in ((array(1, wrong), array(1, 1)), (array(1, 1), array(1, wrong))):
        with pytest.raises(
            ValueError, match="1 of 2 labels or predictions are no finite numbers, so nothing is scored"
        ):
            evaluation.score_numbers(labels, guess)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_no_rows_have_no_metrics_whatever_the_task(task):
    with pytest.raises(ValueError, match="No rows to score"):
        evaluation.measure(task, ABC)(array(), np.zeros((0, 3)) if task == "multiclass" else array())


def test_slices_of_any_task_are_scored_by_its_own_loss():
    rows = pd.DataFrame({"origin": ["JFK", "EWR", "JFK"]})
    numbers = evaluation.score_slices(rows, "origin", array(1, 2, 5), array(1, 4, 1), evaluation.measure("regression"))
    assert numbers == {"EWR": 4.0, "JFK": 8.0}
    chances = np.array([[0.5, 0.5], [0.1, 0.9], [0.5, 0.5]])
    named = evaluation.score_slices(
        rows, "origin", classes("a", "b", "b"), chances, evaluation.measure("multiclass", ("a", "b"))
    )
    assert named == {"EWR": pytest.approx(-math.log(0.9)), "JFK": pytest.approx(math.log(2))}
