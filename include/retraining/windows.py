"""Pure: as-of and schedule become intervals and windows. All half-open ``[start, end)``, all in UTC."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from croniter import croniter

from include.retraining.errors import DataError

USUAL = 15
"""So many intervals say how long a usual one is: a day of a workweek, however long its weekends."""


@dataclass(frozen=True, order=True)
class Interval:
    """A data interval ``[start, end)`` of aware UTC moments."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse naive or reversed bounds: a window off by a time zone is wrong in silence."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"Interval bounds need a time zone, found {self.start!r} and {self.end!r}.")
        if self.start >= self.end:
            raise ValueError(f"Interval ends at {self.end.isoformat()}, not after its start {self.start.isoformat()}.")

    def __contains__(self, moment: datetime) -> bool:
        """Return whether a moment lies in ``[start, end)``."""
        return self.start <= moment < self.end


@dataclass(frozen=True)
class Schedule:
    """When intervals begin and end: cron ticks read on the wall clock of a time zone."""

    cron: str
    timezone: str
    start: datetime
    end: datetime | None = None

    def ticks_from(self, moment: datetime) -> Iterator[datetime]:
        """Yield ticks at or after a moment, as Airflow's CronDataIntervalTimetable places them, in UTC."""
        zone, current = ZoneInfo(self.timezone), moment.astimezone(UTC) - timedelta(days=1)
        is_hourly = croniter(self.cron).expanded[1] == ["*"]
        ticks = croniter(self.cron, _wall(current, zone))
        while True:
            if is_hourly:  # wall clocks skip and repeat hours; hourly ticks must not
                wall = _wall(current, zone)
                current += ticks.get_next(datetime, start_time=wall) - wall
            else:
                current = _moment(ticks.get_next(datetime), zone)
            if current >= moment:
                yield current

    def intervals(self, until: datetime) -> list[Interval]:
        """Return every interval that starts at or after ``start`` and ends by ``until`` (and by the schedule's end)."""
        limit = until if self.end is None else min(until, self.end)
        found: list[Interval] = []
        previous = None
        for tick in self.ticks_from(self.start):
            if tick > limit:
                return found
            if previous is not None and tick > previous:
                found.append(Interval(previous, tick))
            previous = tick
        raise AssertionError("cron ticks never end")

    @property
    def intervals_per_year(self) -> float:
        """How many intervals a year has, by the first hundred of the schedule.

        >>> Schedule("0 0 * * *", "UTC", datetime(2024, 1, 1, tzinfo=UTC)).intervals_per_year
        365.25
        """
        return _intervals_per_year(self)

    def between(self, first: datetime, last: datetime) -> list[Interval]:
        """Return every interval of the schedule that starts in ``[first, last]``, oldest first."""
        ticks = itertools.pairwise(self.ticks_from(max(first, self.start)))
        found = itertools.takewhile(lambda pair: pair[0] <= last, ticks)
        return [Interval(start, end) for start, end in found if end > start]

    def following(self, moment: datetime) -> Interval:
        """Return the first interval that starts at or after a moment, whether the schedule goes on so long or not."""
        pairs = itertools.pairwise(self.ticks_from(max(moment, self.start)))
        return next(Interval(start, end) for start, end in pairs if end > start)


@cache  # a decision asks for it, and a replay for a year of decisions
def _intervals_per_year(schedule: Schedule) -> float:
    ticks = list(itertools.islice(schedule.ticks_from(schedule.start), 101))
    return (len(ticks) - 1) * timedelta(days=365.25) / (ticks[-1] - ticks[0])


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return what the clock on the wall shows, without a zone."""
    return moment.astimezone(zone).replace(tzinfo=None)


def _moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when a clock shows this; the later moment where it shows it twice or, in a gap, never."""
    return max(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


@dataclass(frozen=True)
class Window:
    """What one run works on: the interval under test, and labelled intervals split for training and holdout."""

    as_of: datetime
    current: Interval
    training: tuple[Interval, ...]
    holdout: tuple[Interval, ...]

    @property
    def labelled(self) -> tuple[Interval, ...]:
        """All labelled intervals of the window, oldest first."""
        return self.training + self.holdout


def newest_end(schedule: Schedule, now: datetime, data_until: datetime | None = None) -> datetime:
    """Return the end of the newest interval that is complete by now, by the schedule's end and by the data's end.

    Raises
    ------
    DataError
        No interval is complete yet.
    """
    until = now if data_until is None else min(now, data_until)
    complete = schedule.intervals(until)
    if not complete:
        raise DataError(
            f"No data interval is complete by {until.isoformat()}: the schedule {schedule.cron!r} "
            f"starts at {schedule.start.isoformat()}. Wait for the first interval or give an earlier start."
        )
    return complete[-1].end


def check_as_of(as_of: datetime, limit: datetime) -> datetime:
    """Return a form's as-of in UTC, cut to whole seconds as keys are; raises DataError if it is naive or too late."""
    if as_of.tzinfo is None:
        raise DataError(f"As-of {as_of.isoformat()} has no time zone. Give one, like 2013-02-11T00:00:00-05:00.")
    if as_of > limit:
        raise DataError(
            f"As-of {as_of.isoformat()} lies in the future: nothing is known after {limit.isoformat()}. "
            "Give an earlier as-of, or leave it empty for the newest complete interval."
        )
    return as_of.astimezone(UTC).replace(microsecond=0)


def window(  # noqa: PLR0913 - what a window is made of
    schedule: Schedule,
    as_of: datetime,
    label_delay: timedelta,
    training: int,
    holdout: int,
    older_every: int = 0,
    oldest: int = 0,
) -> Window:
    """Return the window of a run: a pure function of as-of and spec.

    Parameters
    ----------
    schedule : Schedule
    as_of : datetime
        The moment whose knowledge the run may use.
    label_delay : timedelta
        How long after an interval's end its labels are known.
    training, holdout : int
        How many newest labelled intervals to train on whole, and how many after them to hold out, at least 1.
    older_every, oldest : int
        Every so many-th one before those, counted from the start, is trained on too if among so many newest; 0: none.

    Raises
    ------
    DataError
        No interval is complete by the as-of.
    """
    complete = schedule.intervals(as_of)
    if not complete:
        raise DataError(
            f"No data interval of {schedule.cron!r} from {schedule.start.isoformat()} ends by as-of "
            f"{as_of.isoformat()}. Give a later as-of."
        )
    labelled = [interval for interval in complete if interval.end + label_delay <= as_of]
    split = max(0, len(labelled) - holdout)
    whole = max(0, split - training)
    older = range(max(0, split - oldest), whole if older_every else 0)
    trained = [labelled[one] for one in older if one % older_every == 0] + labelled[whole:split]
    return Window(as_of, complete[-1], tuple(trained), tuple(labelled[split:]))


def label_gap(schedule: Schedule, label_delay: timedelta) -> int:
    """Return how many usual intervals of a schedule a label delay spans, rounded up; 0 for a delay of at most one.

    >>> hourly = Schedule("0 * * * *", "UTC", datetime(2024, 1, 1, tzinfo=UTC))
    >>> [label_gap(hourly, timedelta(minutes=minutes)) for minutes in (0, 60, 61, 180)]
    [0, 0, 2, 3]
    """
    ticks = itertools.islice(schedule.ticks_from(schedule.start), USUAL + 1)
    usual = sorted(end - start for start, end in itertools.pairwise(ticks))[USUAL // 2]
    return -(-label_delay // usual) if label_delay > usual else 0
