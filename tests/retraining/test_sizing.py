"""Which interval fits a table, where it begins and ends, how late labels come, and the windows that follow."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from include.retraining.errors import DataError, SpecError
from include.retraining.policies import Windows
from include.retraining.sizing import parse_delay, size
from tests.retraining.tables import START

DAY = timedelta(days=1)


def hours(days: float, per_hour: int = 10, unlabelled_days: int = 0, step: int = 1) -> pd.DataFrame:
    """Return the hours of a table with rows in every ``step``-th hour."""
    begun = pd.date_range(START, periods=int(days * 24 / step), freq=f"{step}h")
    late = begun >= begun[-1].floor("D") - (unlabelled_days - 1) * pd.Timedelta(days=1)
    rows = pd.Series(per_hour, index=range(len(begun)))
    ends = {"first": begun + pd.Timedelta(minutes=5), "last": begun + pd.Timedelta(minutes=55)}
    return pd.DataFrame(
        {"hour": begun, **ends, "rows": rows, "unlabelled": rows.where(late & (unlabelled_days > 0), 0)}
    )


def test_a_long_table_gets_days_and_the_usual_windows():
    found = size(hours(60), None, None)
    assert (found.interval, found.cron, found.windows) == ("day", "0 0 * * *", Windows())
    assert (found.start, found.end) == (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))
    assert len(found.labelled) == 59
    assert {rows for _, rows in found.rows} == {240}
    assert found.reasons["windows"].startswith("a first run trains on 52 days and holds 7 out; it needs at least 14")


def test_few_rows_a_day_make_weeks_and_few_days_make_hours():
    assert size(hours(120, per_hour=1), None, None).interval == "week"
    found = size(hours(3, per_hour=80), None, None)
    assert found.interval == "hour"
    assert found.delay == timedelta(hours=1)


def test_a_short_table_gets_small_windows():
    found = size(hours(12, per_hour=4), None, None)
    assert found.windows == Windows(minimum_training_intervals=8, holdout_intervals=3, minimum_rows=48)


def test_intervals_that_are_cut_are_left_out():
    table = hours(30)
    cut = table[(table["hour"] >= START + pd.Timedelta(hours=14)) & (table["hour"] < START + pd.Timedelta(days=29.5))]
    found = size(cut, None, None)
    assert (found.start, found.end) == (datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 30, tzinfo=UTC))


def test_a_few_rows_of_another_century_do_not_stretch_the_table():
    table = hours(30)
    strays = table.head(2).assign(rows=1)
    for name in ("hour", "first", "last"):
        strays[name] = [moment.replace(year=year) for moment, year in zip(strays[name], (1970, 2199), strict=True)]
    found = size(pd.concat([strays.head(1), table, strays.tail(1)], ignore_index=True), None, None)
    assert (found.interval, len(found.rows)) == ("day", 30)


def test_dates_without_a_clock_fill_their_day():
    table = hours(30, per_hour=100, step=24)
    table["first"] = table["last"] = table["hour"]
    found = size(table, None, None)
    assert found.is_dated
    assert found.end == datetime(2024, 1, 31, tzinfo=UTC)
    assert not size(hours(30), None, None).is_dated


def test_labels_that_are_missing_at_the_end_tell_the_delay():
    found = size(hours(30, unlabelled_days=3), None, None)
    assert found.delay == 3 * DAY
    assert found.reasons["--label-delay"] == "the labels of the newest 3 days are mostly missing"
    assert not found.has_void
    assert size(hours(30, unlabelled_days=3), None, DAY).has_void, "older than they said"


def test_without_a_sign_one_interval_is_allowed_for():
    found = size(hours(30), None, None)
    assert found.delay == DAY
    assert "a guess" in found.reasons["--label-delay"]
    assert size(hours(30), None, timedelta(0)).labelled[-1].end == found.end


def test_rows_that_lack_a_label_for_long_are_void():
    table = hours(30)
    table.loc[100, "unlabelled"] = 1
    assert size(table, None, None).has_void


def test_too_little_data_is_told_with_numbers():
    with pytest.raises(
        DataError, match=r"Too little data: 48 rows .* by week: 0 labelled intervals.* Give more rows\."
    ):
        size(hours(2, per_hour=1), None, None)
    with pytest.raises(SpecError, match=r"by week: 3 labelled intervals of .* Give more rows, or another --interval\."):
        size(hours(30), "week", None)
    with pytest.raises(DataError, match="No row has a moment"):
        size(hours(2).assign(hour=pd.NaT), None, None)


@pytest.mark.parametrize("text", ["", "1", "d", "1.5d", "-1d", "1m"])
def test_a_delay_is_hours_days_or_weeks(text):
    assert parse_delay("2w") == timedelta(weeks=2)
    with pytest.raises(SpecError, match="Give hours, days or weeks, like 36h"):
        parse_delay(text)


@pytest.mark.parametrize(
    ("asked", "late", "shown", "expected"),
    [(None, 0, 2.5, 3), (None, 5, 2.5, 5), (None, 0, 0.1, 1), (2, 0, 9.0, 2)],
    ids=["the column tells", "missing labels tell of more", "less than an interval", "as asked"],
)
def test_how_long_a_column_of_some_labels_takes_is_allowed_for(asked, late, shown, expected):
    delay = None if asked is None else asked * DAY
    assert size(hours(60, unlabelled_days=late), None, delay, ("returned_at", shown * DAY)).delay == expected * DAY
