"""What a version predicts is checked before it is used, and found again by key."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import predicting, training
from include.retraining.errors import DataError
from tests.retraining import toy

SPEC = toy.spec()
ROWS = toy.rows(0, 4)
NAMES = ("early", "late", "on time")
VERSION = "20240105-00000000000a"


class Model:
    """An estimator that gives whatever it is told to give."""

    def __init__(self, given: object, classes: tuple[object, ...] = (0.0, 1.0)) -> None:
        self.given, self.classes_ = given, np.array(classes, dtype="object")

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        return np.asarray(self.given, dtype="float64")


class Numbers:
    """A regression that gives whatever it is told to give."""

    def __init__(self, given: object) -> None:
        self.given = given

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        return np.asarray(self.given, dtype="float64")


def both(*chances: float) -> list[list[float]]:
    return [[1 - one, one] for one in chances]


class TestUsable:
    def test_missing_values_can_be_asked_about_and_texts_and_infinities_cannot(self):
        rows = ROWS.assign(weight=pd.Series([1.0, "heavy", None, "2.5"], dtype="object"))
        assert predicting.usable(rows, SPEC).tolist() == [True, False, True, True]
        rows = ROWS.assign(weight=[1.0, np.inf, np.nan, -np.inf])
        assert predicting.usable(rows, SPEC).tolist() == [True, False, True, False]

    def test_what_is_left_can_be_predicted_for(self):
        fitted = training.fit(SPEC.candidates[0], toy.rows(1), SPEC)
        rows = ROWS.assign(weight=pd.Series(["1.0", "heavy", None, "2.5"], dtype="object"))
        left = rows[predicting.usable(rows, SPEC)]
        assert predicting.predict(fitted, left, SPEC, VERSION)[0].shape == (3,)

    def test_no_rows_are_usable_of_none(self):
        assert predicting.usable(ROWS.head(0), SPEC).tolist() == []


class TestPredict:
    def test_chances_of_label_1_are_returned(self):
        found, classes = predicting.predict(Model(both(0.0, 0.25, 0.5, 1.0)), ROWS, SPEC, VERSION)
        assert (found.tolist(), classes) == ([0.0, 0.25, 0.5, 1.0], ())

    def test_chances_of_each_class_are_returned_with_their_names(self):
        chances = [[0.2, 0.3, 0.5]] * 4
        found, classes = predicting.predict(Model(chances, NAMES), ROWS, toy.task_spec("multiclass"), VERSION)
        assert (found.tolist(), classes) == (chances, NAMES)

    def test_numbers_are_returned(self):
        found, classes = predicting.predict(Numbers([1, -2, 3, 4e9]), ROWS, toy.task_spec("regression"), VERSION)
        assert (found.tolist(), classes) == ([1.0, -2.0, 3.0, 4e9], ())

    NAN = float("nan")
    WRONG = {
        "NaN": ("binary", Model(both(0.5, NAN, 0.5, NAN)), r"NaN or values out of range for 2 of 4 rows; .*0 to 1"),
        "out of range": ("binary", Model(both(0.5, 1.5, 0.5, 0.5)), "out of range for 1 of 4 rows"),
        "rows are missing": ("binary", Model(both(0.5, 0.5)), r"shape \(2,\); expected \(4,\) for 4 rows"),
        "labels reversed": (
            "binary",
            Model(both(*[0.5] * 4), (1.0, 0.0)),
            r"the classes \[1.0, 0.0\]; expected 0 and 1",
        ),
        "one label": ("binary", Model(both(*[0.5] * 4), (0.0,)), r"the classes \[0.0\]; expected 0 and 1"),
        "a column is missing": ("multiclass", Model([[0.5, 0.5]] * 4, NAMES), r"shape \(4, 2\); expected \(4, 3\)"),
        "a class stands twice": ("multiclass", Model([[0.5, 0.5]] * 4, ("a", "a")), "2 classes of which some have"),
        "NaN of a class": ("multiclass", Model([[0.5, NAN, 0.5]] * 4, NAMES), "NaN or values out of range for 4 of 4"),
        "no sum of 1": ("multiclass", Model([[0.5, 0.5, 0.5]] * 4, NAMES), "do not sum to 1 for 4 of 4 rows"),
        "infinite": ("regression", Numbers([1, 2, 3, np.inf]), "for 1 of 4 rows; expected a finite number"),
        "a matrix": ("regression", Numbers([[1], [2], [3], [4]]), r"shape \(4, 1\); expected \(4,\)"),
    }

    @pytest.mark.parametrize(("task", "model", "message"), WRONG.values(), ids=WRONG)
    def test_nothing_else_is_used(self, task, model, message):
        with pytest.raises(DataError, match=f"Version {VERSION} gives .*{message}.*roll back to an earlier version"):
            predicting.predict(model, ROWS, toy.task_spec(task), VERSION)

    def test_a_version_of_another_task_is_refused(self):
        with pytest.raises(DataError, match="trained for task 'regression', the spec says 'binary'"):
            predicting.predict(Numbers([1] * 4), ROWS, SPEC, VERSION)


class TestTable:
    def test_it_has_the_key_and_the_prediction(self):
        found = predicting.table(ROWS, SPEC, np.array([0.1, 0.2, 0.3, 0.4]), None, ())
        assert list(found) == ["parcel", "prediction"]
        assert found["parcel"].tolist() == ROWS["parcel"].tolist()

    def test_what_a_correction_changed_lies_beside(self):
        found = predicting.table(ROWS, SPEC, np.full(4, 0.2), np.full(4, 0.1), ())
        assert (found["prediction"].tolist(), found["raw"].tolist()) == ([0.2] * 4, [0.1] * 4)

    def test_classes_have_a_column_each(self):
        chances = np.array([[0.2, 0.8]] * 4)
        found = predicting.table(ROWS, SPEC, chances, chances[:, ::-1], ("raw", "parcel"))
        assert list(found) == ["parcel", "prediction:raw", "prediction:parcel", "raw:raw", "raw:parcel"]
        assert found["raw:parcel"].tolist() == [0.2] * 4

    def test_a_key_cannot_be_named_like_a_prediction(self):
        spec, rows = toy.spec(key_columns=("prediction",)), ROWS.rename(columns={"parcel": "prediction"})
        with pytest.raises(DataError, match=r"Key columns \['prediction'\] are named like predictions. Rename them"):
            predicting.table(rows, spec, np.full(4, 0.2), None, ())


class TestMatched:
    KEPT = predicting.table(ROWS, SPEC, np.array([0.1, 0.2, 0.3, 0.4]), None, ())

    def test_each_row_finds_its_own_whatever_the_order(self):
        found, is_there = predicting.matched(self.KEPT, ROWS[::-1], SPEC, ())
        assert (found.tolist(), is_there.tolist()) == ([0.4, 0.3, 0.2, 0.1], [True] * 4)

    def test_a_row_without_a_prediction_has_none(self):
        found, is_there = predicting.matched(self.KEPT[1:], ROWS, SPEC, ())
        assert is_there.tolist() == [False, True, True, True]
        assert np.isnan(found[0])

    def test_two_predictions_of_one_key_are_none(self):
        doubled = pd.concat([self.KEPT, self.KEPT[:1].assign(prediction=0.9)], ignore_index=True)
        assert predicting.matched(doubled, ROWS, SPEC, ())[1].tolist() == [False, True, True, True]

    def test_classes_are_matched_as_rows(self):
        chances = np.array([[0.2, 0.8], [0.3, 0.7], [0.4, 0.6], [0.5, 0.5]])
        kept = predicting.table(ROWS, SPEC, chances, None, ("a", "b"))
        assert predicting.matched(kept, ROWS[::-1], SPEC, ("a", "b"))[0].tolist() == chances[::-1].tolist()

    def test_keys_of_several_columns_of_any_type_are_matched(self):
        spec = toy.spec(key_columns=("parcel", "sent_at", "void"))
        kept = predicting.table(ROWS, spec, np.array([0.1, 0.2, 0.3, 0.4]), None, ())
        assert predicting.matched(kept, ROWS[2:], spec, ())[0].tolist() == [0.3, 0.4]

    def test_keys_that_became_another_type_are_missing_and_no_defect(self):
        spec, rows = toy.spec(key_columns=("number",)), ROWS.assign(number=[1, 2, 3, 4])
        kept = predicting.table(rows, spec, np.full(4, 0.2), None, ())
        assert not predicting.matched(kept, rows.assign(number=["1", "2", "3", "4"]), spec, ())[1].any()

    def test_where_the_key_has_changed_since_nothing_matches(self):
        spec = toy.spec(key_columns=("parcel", "region"))
        assert not predicting.matched(self.KEPT, ROWS, spec, ())[1].any()
        assert predicting.matched(self.KEPT, ROWS, spec, ("a", "b"))[0].shape == (4, 2)

    def test_no_predictions_match_nothing(self):
        assert not predicting.matched(self.KEPT.head(0), ROWS, SPEC, ())[1].any()

    @given(st.sets(st.integers(0, 3)), st.permutations(range(4)))
    def test_what_was_kept_comes_out_and_nothing_else(self, kept, order):
        found, is_there = predicting.matched(self.KEPT.iloc[sorted(kept)], ROWS.iloc[list(order)], SPEC, ())
        assert is_there.tolist() == [place in kept for place in order]
        assert found[is_there].tolist() == [self.KEPT["prediction"][place] for place in order if place in kept]
