"""The shipped suite on all 365 days of 2013: no real day is refused, and only odd ones are warned of."""

import pytest

from include.retraining.validation import FAIL
from tests.data import table
from tests.data.harness import name, year
from tests.data.kinds import DAYS, ODD, ODD_LABELS

pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return {f"{day}": results for day, *results in year(tmp_path_factory.mktemp("year"))}


def warned(found, half: int) -> dict[str, list[str]]:
    """Return on which days each expectation did not hold."""
    days: dict[str, list[str]] = {}
    for day, results in found.items():
        for row in results[half].result["expectations"]:
            if not row["success"]:
                days.setdefault(name(row), []).append(day.removeprefix("2013-"))
    return days


def listed(odd: dict[str, str]) -> dict[str, list[str]]:
    return {finding: days.split() for finding, days in odd.items()}


def test_no_real_day_is_refused(found):
    assert len(found) == 365
    assert [day for day, results in found.items() if any(one.outcome == FAIL for one in results)] == []


def test_no_row_of_a_real_day_is_set_aside(found):
    assert [day for day, results in found.items() if any(one.split for one in results)] == []


def test_only_odd_days_are_warned_of(found):
    assert warned(found, 0) == listed(ODD)


def test_only_days_of_bad_weather_are_warned_of_for_their_labels(found):
    assert warned(found, 1) == listed(ODD_LABELS)


@pytest.mark.parametrize("day", DAYS)
def test_storms_holidays_and_days_of_another_length_do_not_block(found, day):
    assert table.day_row(day, found[day][0]) in table.written(), "Run `make docs-data`."
