"""Labels of each task: what is known of a key, and where there is nothing to learn."""

import numpy as np
import pandas as pd
import pytest

from include.retraining import labelling, snapshots, training
from include.retraining.errors import DataError
from tests.retraining import toy

BINARY, CLASSES, NUMBERS = (toy.task_spec(task) for task in toy.LABELS)
ROWS = pd.concat([toy.task_rows(number) for number in range(4)], ignore_index=True)
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("spec", "value"), [(BINARY, 1.0), (CLASSES, "late"), (NUMBERS, -7.0)], ids=lambda one: getattr(one, "task", "")
)
def test_a_label_of_any_task_is_known_void_or_unknown(spec, value):
    frame = toy.task_rows(count=3).assign(void=[0.0, 1.0, 0.0])
    frame[spec.label] = pd.Series([value, value, None], dtype="str" if spec is CLASSES else "float64")
    found = labelling.label_frame(frame, spec)
    assert found["status"].tolist() == ["known", "void", "unknown"]
    assert found[spec.label].notna().tolist() == [True, False, False]
    assert found[spec.label][0] == value


@pytest.mark.parametrize("spec", [BINARY, CLASSES, NUMBERS], ids=lambda one: one.task)
def test_labels_come_back_from_the_store_as_they_went(spec, store, keyring):
    frame, day = toy.task_rows(), toy.day(0)
    rows = snapshots.freeze_snapshot(store, keyring, spec, day, day.end, frame)
    labels = snapshots.freeze_labels(store, keyring, spec, day, day.end, frame)
    joined = labelling.labelled(snapshots.read(store, rows), snapshots.read(store, labels), spec)
    assert labelling.labels_of(joined, spec).tolist() == frame[spec.label].tolist()


def test_labels_of_an_interval_that_are_all_unknown_are_stored_and_read(store, keyring):
    frame, day = toy.task_rows().assign(arrival=pd.Series([None] * toy.ROWS, dtype="str")), toy.day(0)
    labels = snapshots.freeze_labels(store, keyring, CLASSES, day, day.end, frame)
    assert (labels.known, labels.completeness) == (0, 0.0)
    assert snapshots.read(store, labels)["arrival"].isna().all()


NOTHING_TO_LEARN = {
    "a one-class window": (
        CLASSES,
        ROWS.assign(arrival="late"),
        r"Label 'arrival' takes 1 value\(s\) \('late'\) in 240 training rows; 2 to 100 classes are needed\. Len",
    ),
    "no rows of classes": (CLASSES, ROWS[:0], r"Label 'arrival' takes 0 value\(s\) \(\) in 0 training rows"),
    "a number as classes": (
        CLASSES,
        ROWS.assign(arrival=[f"{place:03d}" for place in range(240)]),
        r"takes 240 value\(s\) \('000', '001', '002', '003', '004', …\) .* or is it a regression\?",
    ),
    "classes that are no text": (
        CLASSES,
        ROWS.assign(arrival=1.0),
        r"Label 'arrival' takes 1 value\(s\) that are no text in 240 training rows; classes are text",
    ),
    "a missing class": (CLASSES, ROWS.assign(arrival=None), r"takes 1 value\(s\) that are no text"),
    "a constant number": (
        NUMBERS,
        ROWS.assign(minutes=5.0),
        "Label 'minutes' is 5 in all 240 training rows: there is nothing to learn. Lengthen the training window",
    ),
    "no rows of numbers": (NUMBERS, ROWS[:0], "Label 'minutes' has no value in 0 training rows"),
    "an infinite number": (
        NUMBERS,
        ROWS.assign(minutes=[INF, -INF, *[1.0] * 238]),
        "Label 'minutes' is infinite or missing in 2 of 240 rows that count as known. Mend the query; an expectation",
    ),
    "a missing number": (NUMBERS, ROWS.assign(minutes=[NAN, *[1.0] * 239]), "infinite or missing in 1 of 240 rows"),
    "text for a number": (NUMBERS, ROWS.assign(minutes="5 min"), "Label 'minutes' is not numeric: .*'5 min'"),
}


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(("spec", "rows", "message"), NOTHING_TO_LEARN.values(), ids=NOTHING_TO_LEARN)
def test_where_there_is_nothing_to_learn_it_is_said_why(spec, rows, message, place):
    with pytest.raises(DataError, match=message):
        training.fit(spec.candidates[place], rows, spec)
    with pytest.raises(DataError, match=message):
        training.floor(rows, spec)


@pytest.mark.parametrize("value", [INF, -INF])
def test_an_infinite_label_is_found_wherever_rows_are_joined_for_training_and_for_scoring(value):
    frame = toy.task_rows(count=40)
    frame.loc[3, "minutes"] = value
    known = labelling.label_frame(frame, NUMBERS)
    with pytest.raises(DataError, match="Label 'minutes' is infinite or missing in 1 of 40 rows that count as known"):
        labelling.labelled(frame[list(NUMBERS.stored)], known, NUMBERS)


def test_a_number_that_is_missing_is_not_known_yet_and_never_learned_from():
    frame = toy.task_rows(count=40).assign(minutes=lambda held: held["minutes"].where(held.index > 9, NAN))
    known = labelling.label_frame(frame, NUMBERS)
    assert labelling.completeness(known) == 0.75
    assert len(labelling.labelled(frame[list(NUMBERS.stored)], known, NUMBERS)) == 30


def test_a_class_may_be_called_anything():
    names = ["", "ночь", "<script>", "a\x00b", "nan"]
    rows = ROWS.assign(arrival=np.resize(np.array(names, dtype="object"), len(ROWS)))
    fitted = training.fit(CLASSES.candidates[0], rows, CLASSES)
    assert sorted(fitted.classes_) == sorted(names)


@pytest.mark.parametrize("value", [INF, -INF])
def test_an_infinite_feature_is_learned_from_and_scored_as_a_missing_one(value):
    frame = toy.task_rows(count=40)
    frame.loc[3, "weight"] = value
    found = labelling.labelled(frame[list(NUMBERS.stored)], labelling.label_frame(frame, NUMBERS), NUMBERS)
    assert found["weight"].isna().tolist() == [place == 3 for place in range(40)]
    assert frame.loc[3, "weight"] == value
    training.predict(training.fit(NUMBERS.candidates[0], found, NUMBERS), labelling.finite(frame, NUMBERS), NUMBERS)


def test_rows_without_infinite_features_are_handed_on_as_they_are():
    frame = toy.task_rows(count=40).assign(weight=lambda held: held["weight"].where(held.index > 3))
    pd.testing.assert_frame_equal(labelling.finite(frame, NUMBERS), frame)


@pytest.mark.parametrize(("change", "differ"), [(0.0, 0), (1.0, 1)], ids=["alike", "contradicting"])
def test_labels_that_arrive_twice_are_refused_and_it_is_said_whether_they_contradict(change, differ):
    frame = toy.task_rows(count=40)
    known = labelling.label_frame(frame, NUMBERS)
    twice = pd.concat([known, known[:2].assign(minutes=lambda held: held["minutes"] + [change, 0.0])])
    message = rf"0 rows and 2 labels of parcels have the key \(parcel\).*Of these labels {differ} contradict another"
    with pytest.raises(DataError, match=message):
        labelling.labelled(frame[list(NUMBERS.stored)], twice, NUMBERS)
