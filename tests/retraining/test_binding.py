"""Limits that are left open: the interval's bounds, and what the same weekday or recent intervals showed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import binding
from include.retraining.binding import Earlier
from include.retraining.errors import SpecError
from include.retraining.expectations import Suite
from include.retraining.windows import Interval, Schedule
from tests.retraining import toy

COUNT = "expect_table_row_count_to_be_between"
NEW_YORK = "America/New_York"


def expectation(kind: str = COUNT, relative_to: str | None = None, tolerance: float = 0.3, **kwargs: object) -> dict:
    found = {"type": kind, "kwargs": kwargs, "severity": "warning", "notes": "", "on": "snapshot"}
    return {**found, "relative_to": relative_to, "tolerance": tolerance} if relative_to else found


def bound(one: dict, number: int, earlier: list[Earlier], timezone: str = "UTC") -> binding.Bound:
    return binding.bind(Suite("parcels", (one,)), toy.day(number), timezone, earlier)[0]


def history(one: dict, numbers: dict[int, float]) -> list[Earlier]:
    return [Earlier(toy.day(day), {binding.identity(one): number}) for day, number in numbers.items()]


class TestParameters:
    def test_the_bounds_of_the_interval_can_be_asked_for(self):
        asked = {"column": "sent_at", "min_value": {"$PARAMETER": "interval_start"}, "max_value": 7}
        found = bound(expectation("expect_column_values_to_be_between", **asked), 0, [])
        assert found.expectation["kwargs"] == {
            "column": "sent_at", "min_value": "2024-01-01T00:00:00+00:00", "max_value": 7,
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("asked", "moment"),
        [
            ("interval_0", "2013-03-10T05:00:00+00:00"),
            ("interval_75", "2013-03-10T22:15:00+00:00"),
            ("interval_end", "2013-03-11T04:00:00+00:00"),
        ],
    )
    def test_so_can_parts_of_it_on_a_day_of_23_hours(self, asked, moment):
        day = Interval(datetime(2013, 3, 10, 5, tzinfo=UTC), datetime(2013, 3, 11, 4, tzinfo=UTC))
        one = expectation("expect_column_max_to_be_between", column="sent_at", min_value={"$PARAMETER": asked})
        (found,) = binding.bind(Suite("parcels", (one,)), day, NEW_YORK, [])
        assert found.expectation["kwargs"]["min_value"] == moment

    @pytest.mark.parametrize("asked", ["now", "interval_101", "interval_-1", "interval_05"])
    def test_what_there_is_not_is_refused_with_what_there_is(self, asked):
        wrong = expectation("expect_column_max_to_be_between", column="sent_at", min_value={"$PARAMETER": asked})
        with pytest.raises(SpecError, match=rf"asks for the parameter '{asked}'; there are interval_start, .* Mend"):
            bound(wrong, 0, [])


class TestRelative:
    def test_limits_lie_around_the_median_of_the_same_weekday(self):
        one = expectation(relative_to="weekday")
        seen = history(one, {0: 100, 1: 5, 7: 100, 8: 5, 14: 110, 15: 5})
        found = bound(one, 21, seen)
        assert found.expectation["kwargs"] == {"min_value": 70.0, "max_value": 130.0}
        assert found.usual == "30% around 100, the median of 3 earlier of the same weekday"

    def test_recent_intervals_are_of_any_weekday(self):
        one = expectation(relative_to="recent", tolerance=0.1)
        found = bound(one, 4, history(one, {0: 100, 1: 100, 2: 100, 3: 100}))
        assert found.expectation["kwargs"] == {"min_value": 90.0, "max_value": 110.0}

    def test_what_swings_by_itself_gets_wider_limits(self):
        one = expectation(relative_to="recent", tolerance=0.1)
        limits = bound(one, 5, history(one, {0: 60, 1: 80, 2: 100, 3: 120, 4: 140})).expectation["kwargs"]
        assert limits["min_value"] == pytest.approx(100 - 3 * 1.4826 * 20)

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_too_few_earlier_intervals_are_no_judgement(self, count):
        one = expectation(relative_to="weekday")
        found = bound(one, 21, history(one, {7 * week: 100 for week in range(count)}))
        assert found.obstacle == f"not judged: {count} earlier of the same weekday, 3 are needed"

    def test_three_are_enough_and_old_ones_are_forgotten(self):
        one = expectation(relative_to="weekday")
        weeks = {7 * week: 1.0 if week < 3 else 100.0 for week in range(11)}
        assert "median of 8 earlier" in bound(one, 77, history(one, weeks)).usual
        assert bound(one, 77, history(one, weeks)).expectation["kwargs"]["min_value"] == pytest.approx(70)

    def test_a_limit_of_its_own_stays(self):
        one = expectation("expect_column_mean_to_be_between", "recent", 0.5, column="new", max_value=1)
        limits = bound(one, 3, history(one, {0: 1.0, 1: 1.0, 2: 1.0})).expectation["kwargs"]
        assert limits == {"column": "new", "min_value": 0.5, "max_value": 1}

    def test_intervals_in_which_it_was_not_judged_do_not_count(self):
        one = expectation(relative_to="recent")
        seen = [*history(one, {0: 100, 1: 100}), Earlier(toy.day(2), {})]
        assert bound(one, 3, seen).obstacle.startswith("not judged: 2 earlier")

    def test_weekdays_are_read_on_the_clock_of_the_model(self):
        """Days of New York start at 05:00 UTC in winter and at 04:00 in summer."""
        winter = Interval(datetime(2013, 3, 8, 5, tzinfo=UTC), datetime(2013, 3, 9, 5, tzinfo=UTC))
        summer = Interval(datetime(2013, 3, 15, 4, tzinfo=UTC), datetime(2013, 3, 16, 4, tzinfo=UTC))
        assert binding.is_same_weekday(winter, summer, NEW_YORK)
        assert not binding.is_same_weekday(winter, summer, "UTC")

    def test_hours_are_compared_with_the_same_hour_of_the_same_weekday(self):
        hour = timedelta(hours=1)
        hours = [Interval(toy.START + place * hour, toy.START + (place + 1) * hour) for place in (0, 1, 24 * 7)]
        assert binding.is_same_weekday(hours[0], hours[2], "UTC")
        assert not binding.is_same_weekday(hours[0], hours[1], "UTC")

    def test_a_season_is_the_same_weekday_around_the_same_place_in_earlier_years(self):
        one = expectation(relative_to="season")
        year = {364 + 7 * week: 100.0 for week in range(-4, 5)}
        other_weekdays, last_weeks = {363: 7.0, 366: 7.0}, {707: 7.0, 714: 7.0, 721: 7.0}
        found = bound(one, 728, history(one, year | other_weekdays | last_weeks))
        assert found.expectation["kwargs"] == {"min_value": 70.0, "max_value": 130.0}
        assert (
            found.usual == "30% around 100, the median of 5 earlier of the same weekday at this time of earlier years"
        )

    def test_two_years_count_alike_and_a_first_year_is_not_judged(self):
        one = expectation(relative_to="season")
        years = {7 * week: 100.0 for week in range(3)} | {364 + 7 * week: 110.0 for week in range(-2, 3)}
        assert "median of 8 earlier" in bound(one, 728, history(one, years)).usual
        first = bound(one, 300, history(one, {7 * week: 100.0 for week in range(42)}))
        assert first.obstacle.startswith("not judged: 0 earlier of the same weekday at this time of earlier years")

    def test_what_lies_a_year_back_is_not_recent(self):
        for kind in ("weekday", "recent"):
            one = expectation(relative_to=kind)
            found = bound(one, 728, history(one, {364: 7.0, 371: 7.0, 707: 100.0, 714: 100.0, 721: 100.0}))
            assert found.expectation["kwargs"] == {"min_value": 70.0, "max_value": 130.0}

    def test_intervals_of_the_season_come_from_the_schedule_whatever_the_clocks_do(self):
        schedule = Schedule("0 0 * * *", NEW_YORK, datetime(2012, 3, 1, 5, tzinfo=UTC))
        day = Interval(datetime(2014, 3, 14, 4, tzinfo=UTC), datetime(2014, 3, 15, 4, tzinfo=UTC))  # a Friday
        found = [one.start.date().isoformat() for one in binding.of_the_season(schedule, day)]
        earlier = ["2012-03-02", "2012-03-09", "2012-03-16", "2012-03-23", "2012-03-30"]
        assert found == [*earlier, "2013-03-01", "2013-03-08", "2013-03-15", "2013-03-22", "2013-03-29"]

    def test_hours_of_the_season_are_the_same_hour(self):
        schedule = Schedule("0 * * * *", "UTC", datetime(2023, 1, 1, tzinfo=UTC))
        hour = Interval(datetime(2024, 6, 5, 13, tzinfo=UTC), datetime(2024, 6, 5, 14, tzinfo=UTC))
        found = binding.of_the_season(schedule, hour)
        assert {(one.start.weekday(), one.start.hour) for one in found} == {(2, 13)}
        assert len(found) == 5


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0.01, 1))
def test_the_median_itself_is_always_within_its_limits(seen, tolerance):
    middle, low, high = binding.usual(seen, tolerance)
    assert low - 1e-6 <= middle <= high + 1e-6


def test_an_expectation_keeps_its_name_whatever_its_severity_and_notes():
    one = expectation(min_value=1)
    assert binding.identity(one) == binding.identity({**one, "severity": "info", "notes": "why"})
    assert binding.identity(one) != binding.identity(expectation(min_value=2))
    assert binding.identity(one) != binding.identity({**one, "on": "labels"})
