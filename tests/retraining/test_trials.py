"""A suite tried on what is stored: judged as a run would have, nothing written, what is too little left out."""

from dataclasses import replace

import pandas as pd
import pytest

from include.retraining import expectations, labelling, privacy, snapshots, trials
from include.retraining.errors import DataError, IntegrityError, SpecError
from include.retraining.expectations import Suite
from include.retraining.policies import OFF, ValidationPolicy
from include.retraining.validation import About, validate
from tests.retraining import toy
from tests.retraining.desks import objects

SILENT = ValidationPolicy(inside=OFF, unique=OFF, fresh=OFF, volume=OFF, repeated=OFF, leakage=OFF)
SPEC = toy.spec(validation=SILENT)
NOTHING = 10


def frame(number: int, count: int = toy.ROWS) -> pd.DataFrame:
    return privacy.private_view(toy.rows(number, count), SPEC, "s" * 32)


def freeze(store, keyring, number: int, rows: pd.DataFrame, labels: bool = True) -> None:
    day = toy.day(number)
    snapshots.freeze_snapshot(store, keyring, SPEC, day, day.end, rows)
    if labels:
        snapshots.freeze_labels(store, keyring, SPEC, day, day.end + toy.DAY, rows)


def suite(*listed: dict[str, object]) -> Suite:
    return expectations.parse({"name": "parcels", "expectations": list(listed)}, "test")


def volume(severity: str = "warning", meta: dict | None = None, **kwargs: int) -> dict[str, object]:
    return {"type": "expect_table_row_count_to_be_between", "kwargs": kwargs, "severity": severity, "meta": meta or {}}


NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "distance"}, "severity": "critical"}
LATE = {
    "type": "expect_column_mean_to_be_between",
    "kwargs": {"column": "late", "max_value": 0},
    "meta": {"on": "labels"},
}


def test_each_expectation_is_judged_on_each_interval_and_nothing_is_written(store, keyring):
    for number in range(5):
        freeze(store, keyring, number, frame(number, 40 if number == 2 else 60), labels=number < 4)
    before = objects(store)
    tried = trials.try_out(
        store, SPEC, suite(volume(min_value=50), LATE, NOT_NULL), trials.gather(store, keyring, SPEC, 28)
    )
    assert objects(store) == before
    assert [(one.on, one.about["type"], len(one.outcomes)) for one in tried] == [
        ("snapshot", "expect_table_row_count_to_be_between", 5),
        ("snapshot", "expect_column_values_to_not_be_null", 5),
        ("labels", "expect_column_mean_to_be_between", 4),
    ]
    assert [one.interval for one in tried[0].failed] == [toy.day(2)]
    assert [one.interval for one in tried[1].failed] == [toy.day(number) for number in (4, 3, 2, 1, 0)], "newest first"
    assert [one.is_refusal for one in tried] == [False, True, True]


def test_it_is_judged_as_a_run_would(store, keyring):
    freeze(store, keyring, 0, frame(0))
    wanted = suite(volume(min_value=50), NOT_NULL)
    past = trials.gather(store, keyring, SPEC, 28)
    ((interval, frozen),) = past.snapshots
    about = About("parcels", interval, frozen.sha256, frozenset({"note"}))
    result = validate(snapshots.read(store, frozen), expectations.for_snapshot(wanted), about).result["expectations"]
    for tried, row in zip(trials.try_out(store, SPEC, wanted, past), result, strict=True):
        assert {name: tried.about[name] for name in row} == row


def test_what_is_expected_of_every_model_is_tried_too(store, keyring):
    freeze(store, keyring, 0, frame(0))
    tried = trials.try_out(store, toy.spec(), suite(volume(min_value=50)), trials.gather(store, keyring, SPEC, 28))
    assert [one.about["source"] for one in tried if one.on == "snapshot"] == ["suite", *["default"] * 4]
    assert "expect_column_values_to_be_unique" in {one.about["type"] for one in tried if one.on == "labels"}


def test_only_the_newest_intervals_count_and_of_each_what_was_frozen_last(store, keyring):
    for number in range(4):
        freeze(store, keyring, number, frame(number))
    snapshots.freeze_snapshot(store, keyring, SPEC, toy.day(3), toy.day(9).end, frame(3, 50))
    past = trials.gather(store, keyring, SPEC, 2)
    assert [(interval, frozen.rows) for interval, frozen in past.snapshots] == [(toy.day(2), 60), (toy.day(3), 50)]
    assert [interval for interval, _ in past.labels] == [toy.day(2), toy.day(3)]


def test_what_a_run_would_not_judge_is_left_out_and_named(store, keyring):
    freeze(store, keyring, 0, frame(0))
    freeze(store, keyring, 1, frame(1, NOTHING))
    unknown = frame(2)
    unknown.loc[10:, "late"] = float("nan")
    freeze(store, keyring, 2, unknown)
    past = trials.gather(store, keyring, SPEC, 28)
    assert [interval for interval, _ in past.snapshots] == [toy.day(0), toy.day(2)]
    assert [interval for interval, _ in past.labels] == [toy.day(0)]
    assert past.left_out == (
        "20240102T000000Z--20240103T000000Z: 10 rows, at least 20 are needed",
        "20240103T000000Z--20240104T000000Z: 17 % of its labels are known or void, 80 % are needed",
        f"20240102T000000Z--20240103T000000Z: 10 labels are known, {labelling.MINIMUM_ROWS} are needed",
    )


def test_an_empty_store_says_what_to_do(store, keyring):
    with pytest.raises(DataError, match=r"no stored snapshot of at least 20 rows\. Run the DAG `retrain_parcels`"):
        trials.gather(store, keyring, SPEC, 28)


def test_limits_relative_to_earlier_intervals_see_no_later_one(store, keyring):
    counts = [60, 60, 60, 60, 40, 60]
    for number, count in enumerate(counts):
        freeze(store, keyring, number, frame(number, count))
    relative = volume(meta={"relative_to": "recent", "tolerance": 0.2})
    past = trials.gather(store, keyring, SPEC, 28)
    (tried,) = trials.try_out(store, SPEC, suite(relative), past)
    assert [one.is_judged for one in tried.outcomes] == [False, False, False, True, True, True]
    assert [one.interval for one in tried.failed] == [toy.day(4)]
    (tried,) = trials.try_out(store, SPEC, suite(relative), replace(past, snapshots=past.snapshots[4:]))
    assert tried.judged == ()
    assert tried.worst is None


def test_a_weekday_is_compared_with_the_same_weekday(store, keyring):
    for number in range(29):
        freeze(store, keyring, number, frame(number, 30 if number % 7 == 6 else 60), labels=False)
    (tried,) = trials.try_out(
        store,
        SPEC,
        suite(volume(meta={"relative_to": "weekday", "tolerance": 0.1})),
        trials.gather(store, keyring, SPEC, 99),
    )
    assert [one.interval for one in tried.judged] == [toy.day(number) for number in range(21, 29)]
    assert tried.failed == ()


def test_an_expectation_on_a_column_that_is_not_stored_is_named(store, keyring):
    freeze(store, keyring, 0, frame(0))
    wrong = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "height"}}
    with pytest.raises(SpecError, match="column 'height' is not stored"):
        trials.try_out(store, SPEC, suite(wrong), trials.gather(store, keyring, SPEC, 28))


def test_rows_that_were_altered_are_refused(store, keyring):
    freeze(store, keyring, 0, frame(0))
    past = trials.gather(store, keyring, SPEC, 28)
    store.put(past.snapshots[0][1].key, b"other bytes")
    with pytest.raises(IntegrityError):
        trials.try_out(store, SPEC, suite(NOT_NULL), past)
