"""When runs are scheduled: as Airflow does it, until the spec ends."""

from datetime import UTC, datetime, timedelta

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

from include.retraining import timetables
from tests.retraining import toy

DAY = timedelta(days=1)
FIRST = pendulum.datetime(2024, 1, 1, tz="UTC")
ALL = TimeRestriction(FIRST, None, catchup=True)


def intervals(schedule) -> list[tuple[datetime, datetime]]:
    """Return what Airflow would schedule, at most ten runs."""
    last, found = None, []
    while len(found) < 10:
        info = schedule.next_dagrun_info(last_automated_data_interval=last, restriction=ALL)
        if info is None:
            break
        last = info.data_interval
        found.append((last.start, last.end))
    return found


@pytest.mark.parametrize("more", [timedelta(0), timedelta(hours=23)])
def test_the_last_interval_ends_by_the_end_as_the_spec_says(more):
    spec = toy.spec(end=toy.START + 3 * DAY + more)
    found = intervals(timetables.of(spec))
    assert found == [(one.start, one.end) for one in spec.timetable.intervals(spec.end)]
    assert len(found) == 3


def test_without_an_end_it_is_airflows_own():
    found = timetables.of(toy.spec())
    assert type(found) is CronDataIntervalTimetable  # Airflow knows it without any plugin
    assert intervals(found) == intervals(CronDataIntervalTimetable("0 0 * * *", "UTC"))
    assert len(intervals(found)) == 10


def test_a_run_by_hand_after_the_end_has_its_interval():
    now = pendulum.datetime(2026, 5, 5, 12, tz="UTC")
    found = timetables.of(toy.spec(end=toy.START + 3 * DAY)).infer_manual_data_interval(run_after=now)
    assert found == DataInterval(now.start_of("day") - DAY, now.start_of("day"))


def test_airflow_keeps_it_whole():
    found = timetables.of(toy.spec(end=datetime(2024, 1, 8, tzinfo=UTC)))
    again = timetables.EndingTimetable.deserialize(found.serialize())
    assert again.serialize() == found.serialize()
    assert intervals(again) == intervals(found)
    assert len(intervals(again)) == 7
