"""Limits that earlier intervals give: numbers as Great Expectations sees them, medians and weekdays by hand."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from include.retraining import expectations, relative
from include.retraining.expectations import RECENT, WEEKDAY
from include.retraining.validation import About, validate
from include.retraining.windows import Interval, Schedule
from tests.retraining import toy

FRAME = pd.DataFrame({"a": [1.0, 2.5, 2.5, None, 9.0], "t": ["x", "y", "y", None, "z"]})
ABOUT = About("parcels", toy.day(0), "a" * 64)


def wanted(kind: str, column: str = "a", **limits: float) -> dict[str, object]:
    kwargs = {"column": column} if "column" in kind else {}
    return {"type": kind, "kwargs": {**kwargs, **limits}, "severity": "warning"}


@pytest.mark.parametrize("kind", sorted(expectations.NUMBERED))
def test_a_number_is_what_great_expectations_observes(kind):
    number = relative.number(FRAME, wanted(kind))
    for low, high, holds in ((0.99, 1.01, True), (0.1, 0.5, False), (2, 3, False)):
        content = {"name": "x", "expectations": [wanted(kind, min_value=low * number, max_value=high * number)]}
        (row,) = validate(FRAME, expectations.parse(content, "x"), ABOUT).result["expectations"]
        assert row["success"] is holds, (kind, number, row["observed"])


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("expect_column_mean_to_be_between", "t"),
        ("expect_column_mean_to_be_between", "no such column"),
        ("expect_column_mean_to_be_between", "nothing"),
        ("expect_column_max_to_be_between", "t"),
        ("expect_column_proportion_of_unique_values_to_be_between", "nothing"),
        ("expect_column_max_to_be_between", "infinite"),
    ],
)
def test_where_there_is_no_number_there_is_none(kind, column):
    frame = FRAME.assign(nothing=np.nan, infinite=np.inf)
    assert relative.number(frame, wanted(kind, column)) is None


@pytest.mark.parametrize(
    ("value", "others", "expected"),
    [
        (120.0, [100.0, 90.0], None),
        (120.0, [100.0, 90.0, 400.0], 0.2),
        (-80.0, [-100.0, -90.0, -400.0], 0.2),
        (0.0, [0.0, 0.0, 5.0], 0.0),
        (1.0, [0.0, 0.0, 5.0], float("inf")),
    ],
)
def test_a_deviation_is_a_share_of_the_median_of_others(value, others, expected):
    assert relative.deviation(value, others) == expected


def test_a_weekday_is_read_off_the_local_clock():
    night = Interval(datetime(2013, 2, 8, 5, tzinfo=UTC), datetime(2013, 2, 9, 5, tzinfo=UTC))  # Friday in New York
    assert relative.group(night, WEEKDAY, "America/New_York") == 4
    assert relative.group(night, WEEKDAY, "Pacific/Honolulu") == 3
    assert relative.group(night, RECENT, "America/New_York") == 0


def test_days_of_23_and_25_hours_are_days_and_hours_are_not():
    spring = Schedule("0 0 * * *", "America/New_York", datetime(2013, 3, 8, 5, tzinfo=UTC))
    assert relative.is_daily(spring.intervals(datetime(2013, 3, 14, 4, tzinfo=UTC)))
    hourly = Schedule("0 * * * *", "UTC", datetime(2013, 3, 8, 5, tzinfo=UTC))
    assert not relative.is_daily(hourly.intervals(datetime(2013, 3, 8, 9, tzinfo=UTC)))
