"""Which days are replayed, and what they must have shown."""

from datetime import UTC, date, datetime, timedelta

import pytest

from demo import plan
from demo.plan import Goal

FIRST = date(2013, 1, 27)


def day(number):
    """Return a demo day by its number, from 1."""
    return FIRST + timedelta(days=number - 1)


def row(number, decision="keep", validation="pass", promoted=False, forced=False):
    return {
        "day": day(number),
        "run": f"backfill__{day(number)}",
        "decision": decision,
        "validation": validation,
        "promoted": promoted,
        "forced": forced,
    }


def good_rows():
    rows = [row(1, "retrain", promoted=True), *(row(n) for n in range(2, 15)), row(15, "retrain")]
    rows[12]["validation"] = "warn"
    return rows


def test_default_covers_the_storm_and_ends_with_the_first_refit():
    goal = plan.first_goal(plan.DEFAULT_DAYS)
    days = plan.days_until(goal.until)
    assert (days[0], days[-1], len(days)) == (FIRST, date(2013, 2, 10), 15)
    assert set(plan.STORM) < set(days)


def test_a_reached_goal_is_followed_by_more_days():
    assert Goal(date(2013, 2, 10), is_reached=True).next(15) == Goal(date(2013, 2, 25))


def test_an_unreached_goal_stays_whatever_is_asked():
    assert Goal(date(2013, 2, 10)).next(3) == Goal(date(2013, 2, 10))


def test_the_replay_ends_with_the_year():
    assert Goal(date(2013, 12, 30), is_reached=True).next(15).until == date(2013, 12, 31)


def test_one_day():
    assert plan.days_until(plan.first_goal(1).until) == [FIRST]


@pytest.mark.parametrize(
    ("local", "moment"),
    [
        (date(2013, 1, 27), datetime(2013, 1, 27, 5, tzinfo=UTC)),
        (date(2013, 3, 10), datetime(2013, 3, 10, 5, tzinfo=UTC)),
        (date(2013, 3, 11), datetime(2013, 3, 11, 4, tzinfo=UTC)),
    ],
)
def test_midnight_is_that_of_new_york(local, moment):
    assert plan.midnight(local) == moment
    assert plan.day_of(moment) == local
    assert plan.day_of(moment - timedelta(seconds=1)) == local - timedelta(days=1)


def test_warehouse_knows_nothing_after_the_last_replayed_day():
    assert plan.data_until(date(2013, 2, 10)) == "2013-02-11T05:00:00Z"
    assert plan.data_until(date(2013, 3, 10)) == "2013-03-11T04:00:00Z"


def test_only_success_counts():
    days = [day(n) for n in (1, 2, 3, 4)]
    assert plan.missing(days, {day(1): "success", day(2): "failed", day(3): "running"}) == days[1:]


def test_span_in_words():
    assert plan.span([day(1)]) == "27 January 2013"
    assert plan.span([day(1), day(2), day(3)]) == "27 January to 29 January 2013 (3 days)"


def test_good_days_have_no_gaps():
    assert plan.gaps(good_rows(), day(15)) == []


def test_each_promise_is_missed():
    rows = good_rows()
    without_champion = [{**line, "promoted": False} for line in rows]
    assert "a first champion" in plan.gaps(without_champion, day(15))
    without_keep = [{**line, "decision": "insufficient data"} if line["decision"] == "keep" else line for line in rows]
    assert plan.gaps(without_keep, day(15)) == ["a day on which the champion is kept"]
    assert plan.gaps([line for line in rows if line["day"] != plan.STORM[1]], day(15)) == ["the storm of 9 February"]
    refused = [{**line, "validation": "fail"} if line["day"] == plan.STORM[0] else line for line in rows]
    assert plan.gaps(refused, day(15)) == ["the storm of 8 February"]


def test_first_champion_and_forced_retrains_are_not_the_rules_own():
    rows = good_rows()[:-1]
    assert plan.gaps([*rows, row(15)], day(15)) == ["a retrain by the rule itself"]
    assert plan.gaps([*rows, row(15, "retrain", forced=True)], day(15)) == ["a retrain by the rule itself"]


def test_less_is_asked_of_fewer_days():
    rows = good_rows()
    assert plan.gaps(rows[:1], day(1)) == []
    assert plan.gaps([], day(1)) == ["a first champion"]
    assert plan.gaps(rows[:14], day(14)) == []


def test_a_replayed_run_goes_before_a_persons_own():
    summaries = [
        {"start": "2013-01-27T05:00:00+00:00", "run": "backfill__1"},
        {"start": "2013-01-27T05:00:00+00:00", "run": "manual__1"},
        {"start": "2013-01-26T05:00:00+00:00", "run": "manual__2"},
    ]
    assert [(line["day"], line["run"]) for line in plan.by_day(summaries)] == [
        (date(2013, 1, 26), "manual__2"),
        (FIRST, "backfill__1"),
    ]
