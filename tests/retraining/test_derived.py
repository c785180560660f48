"""Columns made of two tables: what is new since the interval before, and features that give the label away."""

import uuid

import numpy as np
import pandas as pd
import pytest

from include.retraining import derived, labelling
from include.retraining.default_expectations import NEW_ROW, TELLTALE
from include.retraining.parted import Parted
from tests.retraining import toy

SPEC = toy.spec()


def stored(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[list(SPEC.stored)]


def telling(**columns: object) -> list[str]:
    frame = toy.rows(0, 200).assign(**columns)
    found = derived.telltales(stored(frame), labelling.label_frame(frame, SPEC), SPEC)
    assert len(found) == len(SPEC.features)
    return found[TELLTALE].dropna().tolist()


@pytest.fixture
def in_parts(tmp_path):
    """Return what writes a frame into a file that is read 17 rows at once."""

    def write(frame: pd.DataFrame) -> Parted:
        path = tmp_path / uuid.uuid4().hex
        frame.to_parquet(path, index=False)
        return Parted(path, 17)

    return write


class TestNewRows:
    def test_another_day_is_new(self):
        found = derived.new_rows(stored(toy.rows(1)), stored(toy.rows(0)), SPEC)
        assert found[NEW_ROW].tolist() == [1.0] * toy.ROWS

    def test_yesterdays_delivery_under_todays_date_is_not(self):
        again = toy.rows(0).assign(sent_at=toy.rows(1)["sent_at"])
        assert derived.new_rows(stored(again), stored(toy.rows(0)), SPEC)[NEW_ROW].sum() == 0

    def test_nor_if_a_column_that_is_the_same_all_day_has_changed(self):
        before = toy.rows(0).assign(region="monday")
        again = before.assign(region="tuesday", sent_at=toy.rows(1)["sent_at"])
        assert derived.new_rows(stored(again), stored(before), SPEC)[NEW_ROW].sum() == 0

    def test_half_of_it_is_half(self):
        half = pd.concat([toy.rows(0).head(30), toy.rows(1).tail(30)], ignore_index=True)
        assert derived.new_rows(stored(half), stored(toy.rows(0)), SPEC)[NEW_ROW].mean() == pytest.approx(0.5)

    def test_rows_may_be_missing_values(self):
        before = toy.rows(0).assign(distance=np.nan)
        assert derived.new_rows(stored(before), stored(before), SPEC)[NEW_ROW].sum() == 0

    def test_rows_from_a_file_give_the_same(self, in_parts):
        before = stored(toy.rows(0))
        half = stored(pd.concat([toy.rows(0).head(30), toy.rows(1).tail(30)], ignore_index=True))
        for rows, earlier in ((half, before), (before, before), (half.head(0), before), (half, before.head(0))):
            whole = derived.new_rows(rows, earlier, SPEC)
            pd.testing.assert_frame_equal(derived.new_rows(in_parts(rows), in_parts(earlier), SPEC), whole)

    def test_no_rows_are_no_judgement(self):
        assert derived.new_rows(stored(toy.rows(1)).head(0), stored(toy.rows(0)), SPEC).empty


class TestTelltales:
    def test_honest_features_do_not_tell(self):
        assert telling() == []

    @pytest.mark.parametrize("late", [toy.rows(0, 200)["late"], 5 - 3 * toy.rows(0, 200)["late"]])
    def test_a_number_that_equals_or_orders_the_label_does(self, late):
        assert telling(weight=late) == ["weight"]

    def test_so_does_a_category_that_stands_for_it(self):
        assert telling(region=np.where(toy.rows(0, 200)["late"] == 1, "late", "fine")) == ["region"]

    def test_and_a_value_that_is_missing_where_the_label_is_one(self):
        weight = toy.rows(0, 200)["weight"].where(toy.rows(0, 200)["late"] == 0)
        assert telling(weight=weight) == ["weight"]

    def test_a_category_that_names_single_rows_means_nothing(self):
        assert telling(region=[f"street {place}" for place in range(200)]) == []

    def test_almost_telling_is_not_telling(self):
        late = toy.rows(0, 200)["late"].to_numpy().copy()
        late[:4] = 1 - late[:4]
        assert telling(weight=late) == []

    def test_few_labels_of_one_class_are_no_judgement(self):
        frame = toy.rows(0, 200).assign(late=0.0)
        frame.loc[:18, "late"] = 1.0
        frame["weight"] = frame["late"]
        found = derived.telltales(stored(frame), labelling.label_frame(frame, SPEC), SPEC)
        assert found[TELLTALE].isna().all(), "19 of a class"

    def test_labels_that_are_not_known_tell_nothing(self):
        frame = toy.rows(0, 200).assign(late=np.nan)
        found = derived.telltales(stored(frame), labelling.label_frame(frame, SPEC), SPEC)
        assert found[TELLTALE].isna().all()


class TestOtherTasks:
    def told(self, frame: pd.DataFrame, spec) -> list[str]:
        found = derived.telltales(frame[list(spec.stored)], labelling.label_frame(frame, spec), spec)
        return found[TELLTALE].dropna().tolist()

    def test_a_number_in_the_order_of_the_label_tells_a_regression(self):
        spec = toy.spec(task="regression", label="distance", numeric=("weight",), observed=(), privacy={})
        frame = toy.rows(0, 200).dropna()
        assert self.told(frame, spec) == []
        assert self.told(frame.assign(weight=1000 - 3 * frame["distance"]), spec) == ["weight"]

    def test_a_value_that_stands_for_a_class_tells_a_multiclass_label(self):
        spec = toy.spec(task="multiclass", label="band", numeric=("weight",), categorical=("region",), slices=())
        frame = toy.rows(0, 200)
        frame["band"] = np.select([frame["weight"] < 9, frame["weight"] < 11], ["light", "usual"], "heavy")
        assert self.told(frame, spec) == []
        assert self.told(frame.assign(region=frame["band"].str[:1]), spec) == ["region"]


def test_of_rows_from_a_file_evenly_spread_ones_tell(in_parts):
    """Of 2,000 rows, 200 at once, every tenth is looked at: what tells every label tells theirs."""
    frame = toy.rows(0, 2000)
    labels = labelling.label_frame(frame, SPEC)
    for told, expected in ((frame["late"], ["weight"]), (frame["weight"], [])):
        rows = stored(frame.assign(weight=told))
        path = in_parts(rows).path
        found = derived.telltales(Parted(path, 200), in_parts(labels), SPEC)[TELLTALE].dropna().tolist()
        assert found == expected
