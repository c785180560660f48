"""Pure: which days the demo replays, and what it has to have shown by then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
FIRST_DAY = date(2013, 1, 27)
LAST_DAY = date(2013, 12, 31)
STORM = (date(2013, 2, 8), date(2013, 2, 9))
DEFAULT_DAYS = 15
REFIT_DAYS = 14  # the rule of `flight_delays` challenges a first champion this many intervals after its promotion
KEEP_DAYS = 3  # labels are a day late, so the third day is the first that can judge a champion


@dataclass(frozen=True)
class Goal:
    """The last day to replay, and whether an earlier demo reached it.

    Parameters
    ----------
    until : date
        Last day, inclusive.
    is_reached : bool
        Whether every run up to it succeeded; if not, the next demo goes on with it.
    """

    until: date
    is_reached: bool = False

    def next(self, days: int) -> Goal:
        """Return the goal of the next demo: this one if it was not reached, else `days` more."""
        return Goal(min(self.until + timedelta(days=days), LAST_DAY)) if self.is_reached else self


def first_goal(days: int) -> Goal:
    """Return the goal of the first demo in a folder."""
    return Goal(FIRST_DAY - timedelta(days=1), is_reached=True).next(days)


def days_until(until: date) -> list[date]:
    """List every demo day up to `until`, inclusive."""
    return [FIRST_DAY + timedelta(days=n) for n in range((until - FIRST_DAY).days + 1)]


def midnight(day: date) -> datetime:
    """Return the moment in UTC at which a New York day begins: the logical date of its run."""
    return datetime.combine(day, time(), NEW_YORK).astimezone(UTC)


def day_of(moment: datetime) -> date:
    """Return the New York day to which a moment belongs."""
    return moment.astimezone(NEW_YORK).date()


def data_until(until: date) -> str:
    """Return the newest moment that the warehouse may know when `until` is the last replayed day."""
    return midnight(until + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(days: Sequence[date]) -> str:
    """Tell some days in words: the first, the last and how many."""
    if len(days) == 1:
        return f"{days[0]:%-d %B %Y}"
    return f"{min(days):%-d %B} to {max(days):%-d %B %Y} ({len(days)} days)"


def missing(days: Iterable[date], states: Mapping[date, str]) -> list[date]:
    """List the days without a successful run."""
    return [day for day in days if states.get(day) != "success"]


def gaps(rows: Sequence[Mapping[str, object]], until: date) -> list[str]:
    """Say what the replayed days should have shown and did not.

    Parameters
    ----------
    rows : sequence of mapping
        Run summaries, oldest first, each with the date of its interval as `day`.
    until : date
        Last replayed day. Fewer days than the default can show less, and less is asked of them.
    """
    days = days_until(until)
    first = next((row["day"] for row in rows if row["promoted"]), None)
    promised = [
        (True, first is not None, "a first champion"),
        (len(days) >= KEEP_DAYS, any(row["decision"] == "keep" for row in rows), "a day on which the champion is kept"),
        (len(days) > REFIT_DAYS, any(_is_rules_retrain(row, first) for row in rows), "a retrain by the rule itself"),
        *((day in days, any(_passed(row, day) for row in rows), f"the storm of {day:%-d %B}") for day in STORM),
    ]
    return [what for is_due, is_shown, what in promised if is_due and not is_shown]


def _is_rules_retrain(row: Mapping[str, object], first_champion: object) -> bool:
    """Tell whether a run retrained although there was a champion and nobody forced it."""
    has_champion = first_champion is not None and row["day"] > first_champion  # type: ignore[operator]
    return row["decision"] == "retrain" and not row["forced"] and has_champion


def _passed(row: Mapping[str, object], day: date) -> bool:
    return row["day"] == day and row["validation"] in {"pass", "warn"}


def by_day(summaries: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return one summary a day with its date as `day`, oldest first; a replayed run goes before a person's own."""
    chosen: dict[date, dict[str, object]] = {}
    for summary in summaries:
        day = day_of(datetime.fromisoformat(str(summary["start"])))
        if day not in chosen or str(summary["run"]).startswith("backfill"):
            chosen[day] = {**summary, "day": day}
    return [chosen[day] for day in sorted(chosen)]
