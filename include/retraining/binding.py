"""Pure: what an expectation leaves open becomes a limit: the interval's bounds, and what earlier intervals showed."""

import hashlib
import json
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from include.retraining.errors import SpecError
from include.retraining.expectations import RECENT, SEASON, WEEKDAY, Suite
from include.retraining.windows import Interval, Schedule

PARAMETER = "$PARAMETER"
"""How Great Expectations itself writes an argument that is only known when it is judged."""
PERCENT = re.compile(r"interval_(100|[1-9]?[0-9])")
NEEDED = 3
"""Fewer earlier intervals than this say nothing about what is usual."""
ANYTHING = {"min_value": -1e300}
"""The limit of what is only measured, so that later intervals have something to compare with."""
MOST = {WEEKDAY: 8, RECENT: 28, SEASON: 10}
SPREADS = 3 * 1.4826
"""So many standard deviations, told by the median absolute deviation, are usual whatever the tolerance says."""
NAMES = {
    WEEKDAY: "the same weekday",
    RECENT: "recent intervals",
    SEASON: "the same weekday at this time of earlier years",
}
YEAR = timedelta(weeks=52)
"""A year that ends on the weekday it began on."""
YEARS = 2
AROUND = timedelta(days=17)
"""Two weeks before and after; clocks that were put forward or back in between do not count."""


@dataclass(frozen=True)
class Earlier:
    """What an earlier interval showed: each expectation's observed number, by the expectation's id."""

    interval: Interval
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class Bound:
    """An expectation whose limits are known, or that is only measured, with the words why."""

    id: str
    """What names it from interval to interval."""
    expectation: dict[str, Any]
    usual: str = ""
    """Where its limits come from, in words; empty where the suite names them."""
    obstacle: str = ""


def identity(expectation: Mapping[str, Any]) -> str:
    """Return 12 hex digits that name an expectation from interval to interval, whatever its severity and notes."""
    named = [expectation[name] for name in ("type", "kwargs", "on")]
    named.append(expectation.get("relative_to"))
    return hashlib.sha256(json.dumps(named, sort_keys=True, default=str).encode()).hexdigest()[:12]


def earlier(interval: Interval, result: Mapping[str, Any]) -> Earlier:
    """Return what a validation's result says of an interval, for the intervals that follow."""
    rows = result["expectations"]
    return Earlier(interval, {row["id"]: row["number"] for row in rows if row["number"] is not None})


def bind(suite: Suite, interval: Interval, timezone: str, past: Sequence[Earlier]) -> list[Bound]:
    """Return each expectation of a suite with the limits that hold for one interval.

    Parameters
    ----------
    suite : Suite
    interval : Interval
    timezone : str
        Where weekdays are read off the calendar.
    past : sequence of Earlier
        Intervals before this one that were validated, oldest first.

    Raises
    ------
    SpecError
        An expectation asks for a parameter that there is not.
    """
    filled = [{**one, "kwargs": _filled(one["kwargs"], interval, one["type"])} for one in suite.expectations]
    named = zip(suite.expectations, filled, strict=True)
    return [
        _relative(given, one, interval, timezone, past) if one.get("relative_to") else Bound(identity(given), one)
        for given, one in named
    ]


def _filled(kwargs: Mapping[str, Any], interval: Interval, kind: str) -> dict[str, Any]:
    asked = {name: value[PARAMETER] for name, value in kwargs.items() if isinstance(value, dict) and PARAMETER in value}
    return {**kwargs, **{name: _moment(interval, str(wanted), kind) for name, wanted in asked.items()}}


def _moment(interval: Interval, wanted: str, kind: str) -> str:
    """Return the moment that a parameter of a suite means: ``interval_0`` is the start, ``interval_100`` the end."""
    percent = PERCENT.fullmatch({"interval_start": "interval_0", "interval_end": "interval_100"}.get(wanted, wanted))
    if percent is None:
        raise SpecError(
            f"{kind} asks for the parameter {wanted!r}; there are interval_start, interval_end and interval_0 to "
            "interval_100, the moment when so many hundredths of the interval have passed. Mend the suite."
        )
    passed: timedelta = (interval.end - interval.start) * int(percent[1]) / 100
    return (interval.start + passed).isoformat()


def _relative(
    given: Mapping[str, Any], filled: dict[str, Any], interval: Interval, timezone: str, past: Sequence[Earlier]
) -> Bound:
    """Put limits around the median of what earlier intervals showed, where the arguments leave them open."""
    kind = str(given["relative_to"])
    alike = [one for one in past if _is_alike(one.interval, interval, kind, timezone)]
    name = identity(given)
    seen = [one.numbers[name] for one in alike if name in one.numbers][-MOST[kind] :]
    if len(seen) < NEEDED:
        obstacle = f"not judged: {len(seen)} earlier of {NAMES[kind]}, {NEEDED} are needed"
        return Bound(name, {**filled, "kwargs": {**ANYTHING, **filled["kwargs"]}}, obstacle=obstacle)
    middle, low, high = usual(seen, float(given["tolerance"]))
    limits = {"min_value": low, "max_value": high, **filled["kwargs"]}
    told = f"{given['tolerance']:.0%} around {middle:,.6g}, the median of {len(seen)} earlier of {NAMES[kind]}"
    return Bound(name, {**filled, "kwargs": limits}, usual=told)


def _is_alike(one: Interval, interval: Interval, kind: str, timezone: str) -> bool:
    """Return whether an earlier interval is one to compare with."""
    if is_same_season(one, interval):
        return kind == SEASON and is_same_weekday(one, interval, timezone)
    return kind == RECENT or (kind == WEEKDAY and is_same_weekday(one, interval, timezone))


def is_same_season(one: Interval, interval: Interval) -> bool:
    """Return whether an interval lies within 17 days of this one's place in one of the two years before."""
    return any(abs(interval.start - number * YEAR - one.start) <= AROUND for number in range(1, YEARS + 1))


def of_the_season(schedule: Schedule, interval: Interval) -> list[Interval]:
    """Return the intervals of a schedule to compare with for the time of the year, oldest first.

    They lie up to two weeks around the interval's place in each of the two years before, on the same weekday and at
    the same time of the day: at most ten.
    """
    found = [
        one
        for number in range(YEARS, 0, -1)
        for one in schedule.between(interval.start - number * YEAR - AROUND, interval.start - number * YEAR + AROUND)
    ]
    return [one for one in found if is_same_weekday(one, interval, schedule.timezone)]


def usual(seen: Sequence[float], tolerance: float) -> tuple[float, float, float]:
    """Return the median of earlier numbers and the limits around it.

    Parameters
    ----------
    seen : sequence of float
        At least one.
    tolerance : float
        Share of the median that it may differ, 0 to 1; never less than the numbers' own spread.

    >>> usual([90, 100, 110], 0.3)
    (100, 55.522, 144.478)
    """
    middle = statistics.median(seen)
    spread = statistics.median(abs(one - middle) for one in seen)
    width = max(tolerance * abs(middle), SPREADS * spread)
    return middle, round(middle - width, 9), round(middle + width, 9)


def is_same_weekday(one: Interval, other: Interval, timezone: str) -> bool:
    """Return whether two intervals begin on the same weekday at the same time on the clock of a time zone."""
    return _slot(one.start, timezone) == _slot(other.start, timezone)


def _slot(moment: datetime, timezone: str) -> tuple[int, int, int]:
    local = moment.astimezone(ZoneInfo(timezone))
    return local.weekday(), local.hour, local.minute
