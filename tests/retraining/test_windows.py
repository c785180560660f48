"""Intervals and windows: half-open, as Airflow places them, and never beyond the as-of."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.timetables.base import TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from hypothesis import given, settings
from hypothesis import strategies as st

from include.retraining.errors import DataError
from include.retraining.windows import Interval, Schedule, check_as_of, newest_end, window

NEW_YORK = "America/New_York"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def at(text: str, zone: str = NEW_YORK) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def daily(start: str = "2013-01-01", end: str | None = None) -> Schedule:
    return Schedule("0 0 * * *", NEW_YORK, at(start), at(end) if end else None)


def placed_by_airflow(schedule: Schedule, until: datetime) -> list[Interval]:
    timetable = CronDataIntervalTimetable(schedule.cron, timezone=schedule.timezone)
    bounds = TimeRestriction(pendulum.instance(schedule.start), None, True)
    found: list[Interval] = []
    last = None
    while True:
        last = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=bounds).data_interval
        interval = Interval(*(datetime.fromtimestamp(one.timestamp(), UTC) for one in (last.start, last.end)))
        if interval.end > until:
            return found
        found.append(interval)


def test_an_interval_holds_its_start_and_not_its_end():
    interval = Interval(at("2013-02-01"), at("2013-02-02"))
    assert interval.start in interval
    assert interval.end not in interval
    assert interval.end - timedelta(microseconds=1) in interval


def test_naive_bounds_are_refused():
    with pytest.raises(ValueError, match="need a time zone"):
        Interval(datetime(2013, 2, 1), at("2013-02-02"))  # noqa: DTZ001 - the mistake under test


@pytest.mark.parametrize("length", [timedelta(0), -DAY])
def test_an_interval_ends_after_its_start(length):
    with pytest.raises(ValueError, match="not after its start"):
        Interval(at("2013-02-01"), at("2013-02-01") + length)


@pytest.mark.parametrize(("day", "hours"), [("2013-03-09", 24), ("2013-03-10", 23), ("2013-11-03", 25)])
def test_days_of_new_york_have_23_or_25_hours_when_clocks_change(day, hours):
    (found,) = [one for one in daily().intervals(at("2013-12-01")) if one.start == at(day)]
    assert found.end - found.start == hours * HOUR


CRONS = {
    "daily": "0 0 * * *",
    "hourly": "0 * * * *",
    "half past every hour": "30 * * * *",
    "every hour, spelt out": "15 0-23 * * *",
    "every hour by step": "5 */1 * * *",
    "every other hour": "0 */2 * * *",
    "in the hour that clocks skip": "30 2 * * *",
    "in the hour that clocks repeat": "30 1 * * *",
    "weekly": "0 0 * * 1",
    "weekly on the Sunday of the change": "0 3 * * 0",
    "monthly": "0 0 1 * *",
}


@pytest.mark.parametrize("change", ["2013-03-10", "2013-11-03"])
@pytest.mark.parametrize("cron", CRONS.values(), ids=CRONS)
def test_ticks_are_airflows_own_across_both_clock_changes(cron, change):
    days = {"weekly": 16, "weekly on the Sunday of the change": 16, "monthly": 70}
    around = next((days[name] for name in days if CRONS[name] == cron), 3) * DAY
    schedule, until = Schedule(cron, NEW_YORK, at(change) - around), at(change) + around
    assert schedule.intervals(until) == placed_by_airflow(schedule, until)


ZONES = st.sampled_from([NEW_YORK, "Europe/Zurich", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])


@settings(max_examples=25)
@given(st.sampled_from(list(CRONS.values())), ZONES, st.integers(0, 365), st.integers(0, 1439))
def test_ticks_are_airflows_own_in_any_zone_from_any_start(cron, zone, day, minute):
    start = datetime(2023, 1, 1, tzinfo=ZoneInfo(zone)) + timedelta(days=day, minutes=minute)
    schedule, until = Schedule(cron, zone, start), start.astimezone(UTC) + 3 * DAY
    assert schedule.intervals(until) == placed_by_airflow(schedule, until)


@given(st.sampled_from(list(CRONS.values())), st.integers(0, 30 * 24))
def test_intervals_meet_and_never_overlap(cron, hours):
    schedule = Schedule(cron, NEW_YORK, at("2013-02-25"))
    found = schedule.intervals(schedule.start + hours * HOUR)
    assert all(before.end == after.start for before, after in pairwise(found))
    assert all(schedule.start <= one.start and one.end <= schedule.start + hours * HOUR for one in found)


def test_an_interval_that_ends_exactly_at_the_moment_is_complete():
    assert len(daily().intervals(at("2013-01-03"))) == 2
    assert len(daily().intervals(at("2013-01-03") - timedelta(seconds=1))) == 1


def test_a_schedule_that_starts_between_ticks_begins_at_the_next_tick():
    assert daily("2013-01-01T12:00").intervals(at("2013-01-04"))[0].start == at("2013-01-02")


def test_no_interval_lies_beyond_the_schedules_end():
    assert daily(end="2013-01-05").intervals(at("2013-06-01"))[-1].end == at("2013-01-05")


def test_the_newest_end_is_bound_by_now_by_the_data_and_by_the_schedule():
    assert newest_end(daily(), at("2013-03-05T08:30")) == at("2013-03-05")
    assert newest_end(daily(), at("2020-01-01"), at("2013-02-01T01:00")) == at("2013-02-01")
    assert newest_end(daily(end="2013-01-05"), at("2020-01-01")) == at("2013-01-05")


def test_without_a_complete_interval_there_is_no_newest_end():
    with pytest.raises(DataError, match=r"No data interval is complete by 2013-01-01T23:00.*Wait for the first"):
        newest_end(daily(), at("2013-01-01T23:00"))


def test_an_as_of_in_the_future_is_refused():
    with pytest.raises(DataError, match=r"lies in the future: nothing is known after 2013-02-01.*earlier as-of"):
        check_as_of(at("2013-02-01T00:00:01"), at("2013-02-01"))


def test_an_as_of_at_the_very_end_of_what_is_known_is_right():
    assert check_as_of(at("2013-02-01"), at("2013-02-01")) == at("2013-02-01")


def test_an_as_of_without_a_zone_is_refused():
    with pytest.raises(DataError, match="has no time zone"):
        check_as_of(datetime(2013, 2, 1), at("2013-02-01"))  # noqa: DTZ001 - the mistake under test


def test_an_as_of_is_cut_to_whole_seconds_as_keys_are():
    """Else a run could find a snapshot of the same second that knew more."""
    found = check_as_of(at("2013-02-01T00:00:00.900000"), at("2013-02-02"))
    assert found == datetime(2013, 2, 1, 5, tzinfo=UTC)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(("seconds", "newest"), [(-1, "2013-01-18"), (0, "2013-01-19"), (1, "2013-01-19")])
def test_the_labelled_frontier_is_the_newest_interval_whose_delay_has_passed(seconds, newest):
    as_of = at("2013-01-21") + timedelta(seconds=seconds)
    found = window(daily(), as_of, DAY, training=5, holdout=2)
    assert found.labelled[-1].start == at(newest)


def test_holdout_is_the_newest_labelled_intervals_and_training_ends_where_it_begins():
    found = window(daily(), at("2013-02-01"), DAY, training=14, holdout=7)
    assert (len(found.training), len(found.holdout)) == (14, 7)
    assert found.training[-1].end == found.holdout[0].start
    assert found.current == Interval(at("2013-01-31"), at("2013-02-01"))


def test_a_young_schedule_holds_out_before_it_trains():
    found = window(daily(), at("2013-01-06"), DAY, training=14, holdout=7)
    assert (found.training, len(found.holdout)) == ((), 4)


def test_a_window_needs_a_complete_interval():
    with pytest.raises(DataError, match=r"ends by as-of 2013-01-01T12:00.*Give a later as-of"):
        window(daily(), at("2013-01-01T12:00"), DAY, training=14, holdout=7)


DELAYS = st.sampled_from([timedelta(0), timedelta(hours=5), DAY, 3 * DAY])
MINUTES = st.integers(24 * 60, 60 * 24 * 60)


@given(MINUTES, DELAYS, st.integers(1, 20), st.integers(1, 9))
def test_a_window_holds_nothing_after_its_as_of(minutes, delay, training, holdout):
    as_of = at("2013-02-20") + timedelta(minutes=minutes)
    found = window(daily("2013-02-20"), as_of.astimezone(UTC), delay, training, holdout)
    assert found.current.end <= as_of
    assert all(one.end + delay <= as_of for one in found.labelled)
    assert list(found.labelled) == sorted(set(found.labelled))
    assert not set(found.training) & set(found.holdout)
    assert len(found.training) <= training
    assert len(found.holdout) <= holdout


@given(MINUTES, st.integers(0, 5000), DELAYS)
def test_a_later_as_of_never_knows_less(minutes, later, delay):
    as_of = at("2013-02-20").astimezone(UTC) + timedelta(minutes=minutes)
    first, second = (window(daily("2013-02-20"), moment, delay, 99, 3) for moment in (as_of, as_of + later * HOUR / 60))
    assert first.current <= second.current
    assert set(first.labelled) <= set(second.labelled)


@given(MINUTES)
def test_a_window_depends_on_as_of_and_spec_alone(minutes):
    """What became of the schedule after the as-of changes nothing."""
    as_of = at("2013-02-20").astimezone(UTC) + timedelta(minutes=minutes)
    ended = daily("2013-02-20", end="2013-06-01")
    assert window(ended, as_of, DAY, 9, 3) == window(daily("2013-02-20"), as_of, DAY, 9, 3)


@pytest.mark.parametrize(
    ("cron", "per_year"),
    [("0 0 * * *", 365.25), ("0 * * * *", 8766), ("0 0 * * 1", 52.18), ("0 0 * * 1-5", 260.9), ("0 0 1 * *", 12)],
)
def test_a_schedule_knows_how_many_intervals_a_year_has(cron, per_year):
    schedule = Schedule(cron, "America/New_York", datetime(2024, 1, 1, tzinfo=UTC))
    assert schedule.intervals_per_year == pytest.approx(per_year, rel=0.005)


@pytest.mark.parametrize(
    ("moment", "day"),
    [("2024-03-10T05:00:00+00:00", 10), ("2024-03-10T05:00:01+00:00", 11), ("2020-01-01T00:00:00+00:00", 1)],
    ids=["at its start", "just after a start", "before the schedule's first"],
)
def test_the_interval_that_follows_a_moment_starts_at_it_or_after(moment, day):
    schedule = Schedule("0 0 * * *", "America/New_York", datetime(2024, 3, 1, tzinfo=ZoneInfo("America/New_York")))
    found = schedule.following(datetime.fromisoformat(moment))
    assert found.start.astimezone(ZoneInfo("America/New_York")).strftime("%m-%d %H") == f"03-{day:02d} 00"
    assert found.end.astimezone(ZoneInfo("America/New_York")).hour == 0


def test_an_interval_follows_the_last_one_too():
    schedule = Schedule("0 0 * * *", "UTC", datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 3, tzinfo=UTC))
    assert schedule.following(datetime(2024, 3, 3, tzinfo=UTC)).start == datetime(2024, 3, 3, tzinfo=UTC)


def test_a_leap_year_has_an_interval_more():
    found = Schedule("0 0 * * *", "UTC", at("2024-02-28", "UTC")).intervals(at("2024-03-02", "UTC"))
    assert [f"{one.start:%d.%m.}" for one in found] == ["28.02.", "29.02.", "01.03."]
    assert window(Schedule("0 0 * * *", "UTC", at("2024-01-01", "UTC")), at("2024-03-01", "UTC"), DAY, 56, 2).holdout[
        -1
    ].end == at("2024-02-29", "UTC")


class TestOlderIntervals:
    """So that a model knows other seasons, every so many-th older interval is trained on too."""

    def days(self, as_of: str, **sizes: int) -> list[int]:
        found = window(
            daily(), at(as_of), DAY, **{"training": 8, "holdout": 2, "older_every": 4, "oldest": 40, **sizes}
        )
        return [(one.start - at("2013-01-01")).days for one in found.training]

    def test_the_newest_are_whole_and_of_older_ones_every_fourth(self):
        assert self.days("2013-01-25") == [0, 4, 8, 12, *range(13, 21)]

    def test_a_later_run_chooses_the_same_older_ones(self):
        assert self.days("2013-01-26") == [0, 4, 8, 12, *range(14, 22)]

    def test_what_is_too_old_is_left_out(self):
        assert self.days("2013-01-25", oldest=12) == [12, *range(13, 21)]

    def test_none_is_asked_for(self):
        assert self.days("2013-01-25", older_every=0) == list(range(13, 21))

    def test_every_weekday_is_among_them(self):
        older = self.days("2013-04-01", oldest=365)[:-8]
        assert {day % 7 for day in older} == set(range(7))
