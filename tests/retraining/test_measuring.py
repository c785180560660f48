"""What is told of an interval that was served: metrics worked by hand, why some are undefined, calibration, slices."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from include.retraining import evaluation, measuring, signing

ABC = ("a", "b", "c")
CHANCES = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60)


def array(*values: float) -> evaluation.Floats:
    return np.array(values, dtype="float64")


def classes(*names: str) -> evaluation.Labels:
    return np.array(names, dtype="object")


class TestMeasure:
    def test_a_binary_interval_worked_by_hand(self):
        """Ranked 0.9 right, 0.6 wrong, 0.2 right: precision 1 at the first, 2/3 at the last; (1 + 2/3) / 2.

        Each chance is alone in its bin: (0.1 + 0.6 + 0.8) / 3.
        """
        found = measuring.measure("binary", array(1, 0, 1), array(0.9, 0.6, 0.2))
        assert found["average_precision"] == pytest.approx(5 / 6)
        assert found["calibration_error"] == pytest.approx(0.5)
        assert (found["rows"], found["auc"], found["undefined"]) == (3, 0.5, {})
        assert {"log_loss", "brier", "accuracy"} <= set(found)

    def test_a_multiclass_interval_worked_by_hand(self):
        """Of three rows the likeliest class is right, right, wrong, with chances 0.5, 0.75 and 0.5."""
        chances = np.array([[0.5, 0.25, 0.25], [0.25, 0.75, 0.0], [0.5, 0.25, 0.25]])
        found = measuring.measure("multiclass", classes("a", "b", "c"), chances, ABC)
        assert found["calibration_error"] == pytest.approx((0 + 0.25) / 3)
        by_class = [metrics.average_precision_score([1, 0, 0], [0.5, 0.25, 0.5]), 1.0]
        assert by_class[0] == 0.5, "a tie of one right and one wrong"
        third = metrics.average_precision_score([0, 0, 1], [0.25, 0.0, 0.25])
        assert third == 0.5
        assert found["average_precision"] == pytest.approx((0.5 + 1 + 0.5) / 3)
        assert found["undefined"] == {}

    def test_a_regression_worked_by_hand(self):
        """Predictions lie 1 too high on average, and spread half as widely as the labels."""
        found = measuring.measure("regression", array(0, 4), array(2, 4))
        assert (found["bias"], found["spread_ratio"], found["squared_error"]) == (1.0, 0.5, 2.0)
        assert found["undefined"] == {}
        assert "calibration_error" not in found

    @pytest.mark.parametrize("label", [0.0, 1.0])
    def test_one_class_alone_leaves_two_metrics_undefined_and_says_why(self, label):
        found = measuring.measure("binary", array(label, label), array(0.5, 0.4))
        assert (found["auc"], found["average_precision"]) == (None, None)
        why = f"All 2 labels are {label:.0f}."
        assert found["undefined"] == {"auc": why, "average_precision": why}
        assert found["calibration_error"] >= 0

    def test_a_class_that_did_not_occur_is_named(self):
        found = measuring.measure("multiclass", classes("a", "a"), np.array([[0.5, 0.3, 0.2]] * 2), ABC)
        assert found["undefined"] == dict.fromkeys(("auc", "average_precision"), "No label is b, c.")

    def test_so_many_absent_classes_are_not_all_named(self):
        names = tuple("abcdefgh")
        found = measuring.measure("multiclass", classes("a"), np.full((1, 8), 1 / 8), names)
        assert found["undefined"]["auc"] == "No label is b, c, d, e, f, …."

    def test_a_class_that_training_never_saw_counts_as_a_miss(self):
        found = measuring.measure("multiclass", classes("new"), np.array([[0.8, 0.2]]), ("a", "b"))
        assert found["calibration_error"] == pytest.approx(0.8)

    def test_labels_without_any_spread_leave_two_metrics_undefined(self):
        found = measuring.measure("regression", array(5, 5), array(4, 7))
        assert found["undefined"] == dict.fromkeys(("r2", "spread_ratio"), "All 2 labels are 5.")
        assert found["bias"] == 0.5

    @pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
    def test_no_rows_have_no_metrics(self, task):
        with pytest.raises(ValueError, match="No rows to score"):
            measuring.measure(task, array(), np.zeros((0, 3)) if task == "multiclass" else array(), ABC)

    @given(CHANCES)
    def test_every_interval_can_be_told_as_json(self, rows):
        labels, chances = array(*(hit for hit, _ in rows)), array(*(chance for _, chance in rows))
        found = measuring.measure("binary", labels, chances)
        assert signing.canonical(found)
        assert set(found["undefined"]) == {name for name, value in found.items() if value is None}


class TestCalibrationError:
    def test_chances_that_come_true_as_often_as_they_say_have_none(self):
        assert measuring.calibration_error(array(0, 1, 1, 1), array(0.75, 0.75, 0.75, 0.75)) == 0

    def test_bins_that_err_in_opposite_ways_do_not_cancel(self):
        """Two rows at 0.2 that came true, two at 0.8 that did not."""
        assert measuring.calibration_error(array(1, 1, 0, 0), array(0.2, 0.2, 0.8, 0.8)) == pytest.approx(0.8)

    def test_rows_of_one_bin_do_cancel(self):
        assert measuring.calibration_error(array(0, 1), array(0.44, 0.46)) == pytest.approx(0.05)

    @pytest.mark.parametrize(("chance", "hit"), [(0.0, 0.0), (1.0, 1.0), (0.1, 0.1), (0.3, 0.3)])
    def test_edges_belong_to_one_bin_each(self, chance, hit):
        hits = array(*[1.0] * round(10 * hit), *[0.0] * round(10 - 10 * hit))
        assert measuring.calibration_error(hits, np.full(10, chance)) == pytest.approx(0, abs=1e-12)

    @pytest.mark.parametrize("task", ["binary", "multiclass"])
    def test_alone_it_is_what_stands_among_the_other_metrics(self, task):
        rows = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.4, 0.3, 0.3]])
        said = array(0.2, 0.9, 0.4) if task == "binary" else rows
        labels = array(0, 1, 1) if task == "binary" else np.array(["a", "b", "c"], dtype="object")
        found = measuring.measure(task, labels, said, ABC)["calibration_error"]
        assert measuring.calibration(task, labels, said, ABC) == found > 0

    @given(CHANCES)
    def test_it_is_what_the_papers_say_and_lies_between_0_and_1(self, rows):
        hits, chances = array(*(hit for hit, _ in rows)), array(*(chance for _, chance in rows))
        expected = 0.0
        for number in range(10):
            inside = [place for place, one in enumerate(chances) if min(int(one * 10), 9) == number]
            if inside:
                expected += len(inside) / len(rows) * abs(hits[inside].mean() - chances[inside].mean())
        assert measuring.calibration_error(hits, chances) == pytest.approx(expected, abs=1e-9)
        assert 0 <= measuring.calibration_error(hits, chances) <= 1


class TestErrors:
    ROWS = pd.DataFrame({"hour": [1.0, 2.0, 3.0], "wind": [np.nan, 4.0, 8.0], "text": ["a", "b", "c"]})

    def test_they_are_the_mean_error_and_its_product_with_each_centred_feature(self):
        """Errors 0.5, -0.5 and -0.2; hours -1, 0 and 1; winds -2 and 2 for the last two."""
        found = measuring.errors("binary", array(0, 1, 1), array(0.5, 0.5, 0.8), (), self.ROWS, ["hour", "wind"])
        assert found == {
            "mean": pytest.approx(-0.2 / 3),
            "with hour": pytest.approx((-0.5 - 0.2) / 3),
            "with wind": pytest.approx((1.0 - 0.4) / 2),
        }

    def test_numbers_err_in_their_own_unit(self):
        found = measuring.errors("regression", array(10, 20, 30), array(12, 21, 30), (), self.ROWS, [])
        assert found == {"mean": pytest.approx(1)}

    def test_of_classes_each_has_its_own_and_one_that_training_never_saw_takes_from_all(self):
        said, labels = np.array([[0.6, 0.4, 0.0], [0.2, 0.3, 0.5]]), np.array(["a", "d"], dtype="object")
        found = measuring.errors("multiclass", labels, said, ABC, self.ROWS[:2], ["hour"])
        assert [found[f"mean: {name}"] for name in ABC] == pytest.approx([-0.1, 0.35, 0.25])
        assert found["with hour: a"] == pytest.approx((0.4 * 0.5 + 0.2 * 0.5) / 2)

    def test_a_feature_without_a_number_and_one_that_is_not_there_say_nothing(self):
        rows = self.ROWS.assign(wind=np.nan)
        found = measuring.errors("binary", array(0, 1, 1), array(0.5, 0.5, 0.8), (), rows, ["wind", "text", "new"])
        assert found == {"mean": pytest.approx(-0.2 / 3), "with wind": 0.0, "with text": 0.0}

    @pytest.mark.parametrize("value", [np.inf, 1e308], ids=["infinite", "too large to add up"])
    def test_numbers_that_cannot_be_added_up_never_fail_an_evaluation(self, value):
        rows = self.ROWS.assign(wind=[value, value, 1.0])
        found = measuring.errors("binary", array(0, 1, 1), array(0.5, 0.5, 0.8), (), rows, ["wind"])
        assert found["with wind"] == 0.0
        assert signing.canonical(found)

    @given(CHANCES)
    def test_what_is_predicted_in_the_mean_has_no_error_there(self, rows):
        labels = array(*(hit for hit, _ in rows))
        said = np.full(len(labels), labels.mean())
        assert measuring.errors("binary", labels, said, (), pd.DataFrame(), [])["mean"] == pytest.approx(0, abs=1e-12)


class TestSlices:
    ROWS = pd.DataFrame({"origin": ["JFK", "EWR", None, "JFK"]})

    def test_rows_and_loss_are_told_by_value(self):
        found = measuring.slices("regression", self.ROWS, ["origin"], array(1, 2, 3, 4), array(1, 4, 3, 6), ())
        assert found == {
            "origin": {
                "EWR": {"rows": 1, "loss": 4.0},
                "JFK": {"rows": 2, "loss": 2.0},
                "missing": {"rows": 1, "loss": 0.0},
            }
        }

    def test_without_columns_there_is_nothing_to_tell(self):
        assert measuring.slices("regression", self.ROWS, [], array(1, 2, 3, 4), array(1, 4, 3, 6), ()) == {}

    @pytest.mark.parametrize(("values", "told"), [(20, 20), (21, 21), (500, 21)])
    def test_at_most_twenty_values_are_told_and_the_rest_together(self, values, told):
        names = [f"v{number:03d}" for number in range(values)] + ["v007", "v019"]
        rows, labels = pd.DataFrame({"origin": names}), np.zeros(len(names))
        found = measuring.slices("regression", rows, ["origin"], labels, labels + 2, ())["origin"]
        assert len(found) == told
        assert sum(one["rows"] for one in found.values()) == len(names)
        assert found["v007"] == {"rows": 2, "loss": 4.0}
        assert ("other" in found) == (values > 20)
        assert "v019" in found, "what has more rows comes first, and what has as many in the order of names"

    def test_a_value_that_is_named_like_the_rest_belongs_to_it(self):
        names = ["other"] * 9 + [f"v{number:02d}" for number in range(25)]
        rows, labels = pd.DataFrame({"origin": names}), np.zeros(len(names))
        found = measuring.slices("regression", rows, ["origin"], labels, labels, ())["origin"]
        assert (len(found), found["other"]["rows"]) == (20, 9 + 6)

    def test_classes_have_slices_too(self):
        chances = np.array([[0.5, 0.5]] * 4)
        found = measuring.slices("multiclass", self.ROWS, ["origin"], classes(*"abab"), chances, ("a", "b"))
        assert found["origin"]["JFK"] == {"rows": 2, "loss": pytest.approx(math.log(2))}


class TestSummary:
    def test_it_leaves_out_what_no_interval_has(self):
        lines = [measuring.measure("binary", array(0, 0), array(0.1, 0.2)) for _ in range(3)]
        assert set(measuring.summarise(lines)) == {"log_loss", "brier", "accuracy", "calibration_error"}
        assert measuring.summarise([]) == {}

    def test_an_interval_on_which_a_metric_is_undefined_is_left_out_of_its_bounds_alone(self):
        lines = [measuring.measure("binary", array(0, last), array(0.1, 0.2)) for last in (0, 1, 1)]
        found = measuring.summarise(lines)
        assert (found["auc"]["intervals"], found["log_loss"]["intervals"]) == (2, 3)

    def test_of_one_interval_it_can_be_told_as_json(self):
        found = measuring.summarise([measuring.measure("binary", array(0, 1), array(0.5, 0.5))])
        assert (found["log_loss"]["low"], found["log_loss"]["high"]) == (None, None)
        assert signing.canonical(found)

    def test_it_bounds_the_metrics_of_any_task(self):
        lines = [measuring.measure("regression", array(1, 2, number), array(1, 1, 1)) for number in range(3)]
        expected = {"squared_error", "absolute_error", "r2", "bias", "spread_ratio"}
        assert set(measuring.summarise(lines)) == expected
        chances = np.array([[0.5, 0.5]] * 2)
        lines = [measuring.measure("multiclass", classes("a", "b"), chances, ("a", "b")) for _ in range(3)]
        expected = {"log_loss", "accuracy", "auc", "average_precision", "calibration_error"}
        assert set(measuring.summarise(lines)) == expected

    def test_from_seven_intervals_on_intervals_are_resampled(self):
        lines = [measuring.measure("binary", array(0, 1), array(0.1, 0.5 + number / 20)) for number in range(8)]
        assert measuring.summarise(lines)["calibration_error"]["method"] == "circular-block bootstrap over 8 intervals"
