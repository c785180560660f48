"""Correcting: what recent labels ask for, shrunk towards nothing, and the proof that it helps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from include.retraining import correcting, recalibration
from include.retraining.correcting import Judged
from include.retraining.policies import RecalibrationPolicy

POLICY = RecalibrationPolicy()
LIGHT = RecalibrationPolicy(weight_intervals=1e-9)
"""Nearly without shrinkage, so that textbook estimates must come out."""
CLASSES = ("early", "late")


def days(count: int, chance: float = 0.3, came: float = 0.3, rows: int = 200, seed: int = 0) -> list[Judged]:
    random = np.random.default_rng(seed)
    said = np.clip(random.beta(3, 3 / chance - 3, size=(count, rows)), 0.01, 0.99)
    moved = said * came / chance
    return [
        Judged((random.random(rows) < one).astype("float64"), guess) for guess, one in zip(said, moved, strict=True)
    ]


class TestFit:
    @pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
    def test_too_few_intervals_make_no_correction(self, task):
        assert correcting.fit(days(2), task, CLASSES, POLICY) == {}

    def test_without_shrinkage_it_is_the_logistic_regression_on_the_log_odds(self):
        seen = days(5, came=0.5)
        labels, said = (np.concatenate([getattr(one, part) for one in seen]) for part in ("labels", "predictions"))
        odds = np.log(said / (1 - said))[:, None]
        other = LogisticRegression(C=np.inf, tol=1e-10).fit(odds, labels)
        found = correcting.fit(seen, "binary", (), LIGHT)
        assert found["shift"] == pytest.approx(other.intercept_[0], abs=1e-4)
        assert found["slope"] == pytest.approx(other.coef_[0, 0], abs=1e-4)

    def test_a_shift_worked_by_hand(self):
        """Half is said and three quarters came: log-odds of 0 become ln 3 without shrinkage."""
        seen = [Judged(np.array([1.0, 1.0, 1.0, 0.0]), np.full(4, 0.5))] * 3
        found = correcting.fit(seen, "binary", (), LIGHT)
        assert found["shift"] == pytest.approx(np.log(3), abs=1e-6)
        assert found["slope"] == pytest.approx(1.0)

    def test_a_line_worked_by_hand(self):
        """Came = 1 + 2 said: three intervals and a weight of three more go half of the way."""
        said = np.array([0.0, 1.0, 2.0, 3.0])
        seen = [Judged(1 + 2 * said, said)] * 3
        assert correcting.fit(seen, "regression", (), LIGHT) == pytest.approx({"shift": 1.0, "slope": 2.0})
        half = correcting.fit(seen, "regression", (), RecalibrationPolicy(weight_intervals=3))
        assert half == pytest.approx({"shift": 0.5, "slope": 1.5})

    def test_one_number_for_all_can_only_be_shifted(self):
        seen = [Judged(np.array([3.0, 5.0]), np.array([1.0, 1.0]))] * 3
        assert correcting.fit(seen, "regression", (), LIGHT) == pytest.approx({"shift": 3.0, "slope": 1.0})

    def test_shifts_of_classes_worked_by_hand(self):
        """Said 1 of 4 early, 2 of 4 came: twice as often. With as many intervals believed: 3/2."""
        seen = [Judged(np.array(["early", "early", "late", "late"]), np.tile([0.25, 0.75], (4, 1)))] * 4
        found = correcting.fit(seen, "multiclass", CLASSES, LIGHT)["shifts"]
        assert found == pytest.approx({"early": np.log(2), "late": np.log(2 / 3)})
        half = correcting.fit(seen, "multiclass", CLASSES, RecalibrationPolicy(weight_intervals=4))["shifts"]
        assert half == pytest.approx({"early": np.log(1.5), "late": np.log(5 / 6)})

    def test_a_class_that_never_came_is_not_ruled_out(self):
        seen = [Judged(np.array(["late"] * 4), np.tile([0.25, 0.75], (4, 1)))] * 4
        assert -np.inf < correcting.fit(seen, "multiclass", CLASSES, POLICY)["shifts"]["early"] < 0

    @pytest.mark.parametrize("came", [0.0, 1.0])
    def test_intervals_of_one_class_give_finite_numbers(self, came):
        seen = [Judged(np.full(50, came), np.full(50, 0.5))] * 5
        found = correcting.fit(seen, "binary", (), POLICY)
        assert np.isfinite(list(found.values())).all()
        assert (found["shift"] > 0) == (came == 1.0)

    def test_certain_predictions_that_were_wrong_give_finite_numbers(self):
        seen = [Judged(np.array([0.0, 1.0]), np.array([1.0, 0.0]))] * 5
        assert np.isfinite(list(correcting.fit(seen, "binary", (), POLICY).values())).all()

    def test_only_the_newest_intervals_count(self):
        old, new = days(30, came=0.9, seed=1), days(POLICY.intervals, seed=2)
        assert correcting.fit([*old, *new], "binary", (), POLICY) == correcting.fit(new, "binary", (), POLICY)

    def test_the_more_intervals_are_believed_the_less_is_corrected(self):
        sizes = [
            abs(correcting.fit(days(5, came=0.5), "binary", (), RecalibrationPolicy(weight_intervals=weight))["shift"])
            for weight in (1.0, 7.0, 50.0)
        ]
        assert sizes == sorted(sizes, reverse=True)

    @settings(max_examples=25, deadline=None)
    @given(st.permutations(range(40)), st.integers(0, 1000))
    def test_the_order_of_rows_changes_nothing(self, order, seed):
        seen = days(4, came=0.4, rows=40, seed=seed)
        mixed = [Judged(one.labels[list(order)], one.predictions[list(order)]) for one in seen]
        first, second = (correcting.fit(one, "binary", (), POLICY) for one in (seen, mixed))
        assert first == pytest.approx(second, abs=1e-9)

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 1000), st.integers(2, 5))
    def test_copied_rows_change_nothing(self, seed, times):
        """The interval is the unit: the weight of what is believed grows with the rows."""
        seen = days(4, came=0.4, rows=40, seed=seed)
        copied = [Judged(np.tile(one.labels, times), np.tile(one.predictions, times)) for one in seen]
        first, second = (correcting.fit(one, "binary", (), POLICY) for one in (seen, copied))
        assert first == pytest.approx(second, abs=1e-8)

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 1000), st.floats(0.1, 0.8))
    def test_on_what_it_was_fitted_on_the_loss_never_grows(self, seed, came):
        seen = days(6, came=came, seed=seed)
        found = correcting.fit(seen, "binary", (), POLICY)

        def loss(corrected: bool) -> float:
            said = [recalibration.apply(found, one.predictions) if corrected else one.predictions for one in seen]
            labels = [one.labels for one in seen]
            return -sum(
                float(np.sum(np.log(np.where(label == 1, guess, 1 - guess))))
                for label, guess in zip(labels, said, strict=True)
            )

        assert loss(True) <= loss(False) + 1e-9


class TestProof:
    def test_too_few_intervals_prove_nothing(self):
        assert not correcting.proof([1.0] * 6, POLICY)["in_force"]
        assert correcting.proof([1.0] * 7, POLICY)["in_force"]

    def test_the_mean_and_its_standard_error_worked_by_hand(self):
        """2, -1 and 0 three times: mean 1/3; squares of distances add up to 14, and the root of 14/8 by 3 is 0.44."""
        gains = [2.0, -1.0, 0.0] * 3
        found = correcting.proof(gains, POLICY)
        assert found["mean_gain"] == pytest.approx(1 / 3)
        assert found["standard_error"] == pytest.approx((7 / 4) ** 0.5 / 3)
        assert found["in_force"]

    def test_harm_ends_it(self):
        assert not correcting.proof([0.1] * 20 + [-1.0] * 20, POLICY)["in_force"]

    def test_what_is_long_ago_is_forgotten(self):
        policy = RecalibrationPolicy(proof_intervals=10)
        assert correcting.proof([-1.0] * 50 + [0.1] * 10, policy)["in_force"]

    def test_no_intervals_are_told_as_none(self):
        found = correcting.proof([], POLICY)
        assert (found["intervals"], found["mean_gain"], found["in_force"]) == (0, 0.0, False)

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.floats(-1, 0), min_size=7, max_size=60))
    def test_what_never_helped_is_never_in_force(self, gains):
        assert not correcting.proof(gains, POLICY)["in_force"]
