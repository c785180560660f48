"""Pure: how long an interval is, where the intervals begin and end, how late labels come, and how many a run uses."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from include.retraining.errors import DataError, SpecError
from include.retraining.labelling import MINIMUM_ROWS
from include.retraining.learning import counted
from include.retraining.policies import Windows
from include.retraining.windows import Interval, Schedule

HOURLY, DAILY, WEEKLY = "hour", "day", "week"
CRON = {HOURLY: "0 * * * *", DAILY: "0 0 * * *", WEEKLY: "0 0 * * 1"}
LENGTH = {HOURLY: timedelta(hours=1), DAILY: timedelta(days=1), WEEKLY: timedelta(weeks=1)}
ROWS = 2 * MINIMUM_ROWS
"""Fewer typical rows than this make an interval too small: some would have too few known labels to be used."""
FEWEST = 9
"""Labelled intervals that a first version needs: six to train on, so that folds have a past, and three to judge by."""
FAR, STRAY = pd.Timedelta(days=31), 0.01
LATE = 0.75
"""An interval is taken as whole if its outermost rows lie in its first and last quarter."""


@dataclass(frozen=True)
class Sizes:
    """What a table's volume over time makes of the spec."""

    interval: str
    start: datetime
    end: datetime
    """Of the newest whole interval."""
    delay: timedelta
    has_void: bool
    """Whether rows older than the delay lack a label."""
    windows: Windows
    rows: tuple[tuple[Interval, int], ...]
    """Rows of each whole interval, oldest first."""
    is_dated: bool
    """Whether every moment is a midnight."""
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def cron(self) -> str:
        """Return the schedule."""
        return CRON[self.interval]

    @property
    def labelled(self) -> list[Interval]:
        """Return the whole intervals whose labels are known at the newest one's end, oldest first."""
        return [one for one, _ in self.rows if one.end + self.delay <= self.end]


def size(
    hours: pd.DataFrame, interval: str | None, delay: timedelta | None, settled: tuple[str, timedelta] | None = None
) -> Sizes:
    """Return the sizes that fit a table's rows.

    Parameters
    ----------
    hours : pd.DataFrame
        One row an hour: ``hour``, ``first``, ``last`` (UTC; NaT for rows without a moment), ``rows``, ``unlabelled``.
    interval : str or None
        ``hour``, ``day`` or ``week``; None takes the first of day, week and hour that fits.
    delay : timedelta or None
        How long after an interval's end its labels are known; None guesses.
    settled : (str, timedelta), optional
        A column that comes with some labels, and how long after the row it comes at the most.

    Raises
    ------
    DataError, SpecError
        No interval fits; the message has the numbers.
    """
    dated = hours.dropna(subset=["hour"])
    if dated.empty:
        raise DataError("No row has a moment. Give another column with --time, or fill it.")
    tried = {}
    dated = _together(dated)
    for name in [interval] if interval else [DAILY, WEEKLY, HOURLY]:
        tried[name] = found = _sized(dated, name, delay, settled)
        if _fits(found):
            return _explained(found, name, is_asked=interval is not None)
    listed = "; ".join(f"by {name}: {_numbers(found)}" for name, found in tried.items())
    error = SpecError if interval else DataError
    raise error(
        f"Too little data: {int(dated['rows'].sum()):,} rows from {dated['first'].min():%Y-%m-%d %H:%M} to "
        f"{dated['last'].max():%Y-%m-%d %H:%M}. {listed}. At least {FEWEST} labelled intervals of typically {ROWS} "
        f"rows are needed. Give more rows{', or another --interval' if interval else ''}."
    )


def _together(hours: pd.DataFrame) -> pd.DataFrame:
    """Return the hours without strays at either end: a hundredth of the rows at most, a month or more from the rest."""
    parts = (hours["hour"].diff() > FAR).cumsum()
    counts = hours.groupby(parts)["rows"].sum()
    whole = counts.index[counts > STRAY * counts.sum()]
    return hours[parts.between(whole.min(), whole.max())] if len(whole) else hours


def _fits(found: Sizes) -> bool:
    return len(found.labelled) >= FEWEST and _typical(found) >= ROWS


def _typical(found: Sizes) -> int:
    return int(np.median([count for _, count in found.rows])) if found.rows else 0


def _numbers(found: Sizes) -> str:
    return f"{len(found.labelled)} labelled intervals of typically {_typical(found):,} rows"


def _sized(
    hours: pd.DataFrame, interval: str, delay: timedelta | None, settled: tuple[str, timedelta] | None = None
) -> Sizes:
    length, first, last = LENGTH[interval], hours["first"].min(), hours["last"].max()
    spans = _intervals(interval, first.to_pydatetime(), last.to_pydatetime())
    is_dated = bool((hours["first"].dt.normalize() == hours["first"]).all() and (hours["last"] == hours["first"]).all())
    gap = timedelta(days=1) if is_dated else timedelta(0)
    if spans and first > spans[0].start + (1 - LATE) * length:
        spans = spans[1:]
    if spans and last + gap < spans[-1].start + LATE * length:
        spans = spans[:-1]
    rows, unlabelled = (_per_interval(hours, spans, name) for name in ("rows", "unlabelled"))
    late = _late(rows, unlabelled)
    shown = -(-settled[1] // length) if settled else 0
    waits = delay if delay is not None else max(1, late, shown) * length
    known = [place for place, one in enumerate(spans) if one.end + waits <= spans[-1].end]
    has_void = any(unlabelled[place] for place in known)
    start, end = (spans[0].start, spans[-1].end) if spans else (first.to_pydatetime(), last.to_pydatetime())
    listed = tuple(zip(spans, rows, strict=True))
    reasons = {"--label-delay": _why(delay, late, interval)}
    if settled and delay is None and shown >= max(1, late):
        reasons["--label-delay"] = f"{settled[0]!r} comes with some labels, up to {counted(shown, interval)} later"
    return Sizes(interval, start, end, waits, has_void, _windows(len(known), rows), listed, is_dated, reasons)


def _intervals(interval: str, first: datetime, last: datetime) -> list[Interval]:
    """Return the intervals that hold two moments and all between."""
    length = LENGTH[interval]
    ticks = Schedule(CRON[interval], "UTC", first - length).intervals(last + 2 * length)
    return [one for one in ticks if one.end > first and one.start <= last]


def _per_interval(hours: pd.DataFrame, spans: Sequence[Interval], name: str) -> list[int]:
    counts = np.concatenate([[0], np.cumsum(hours[name].to_numpy())])
    moments = hours["hour"].to_numpy("datetime64[us]")
    places = [np.searchsorted(moments, np.datetime64(bound.replace(tzinfo=None), "us")) for one in spans
              for bound in (one.start, one.end)]  # fmt: skip
    return [int(counts[end] - counts[start]) for start, end in zip(places[::2], places[1::2], strict=True)]


def _late(rows: Sequence[int], unlabelled: Sequence[int]) -> int:
    """Return how many of the newest intervals mostly lack their labels."""
    newest = zip(reversed(rows), reversed(unlabelled), strict=True)
    return next((place for place, (many, without) in enumerate(newest) if without <= many / 2), 0)


def _why(delay: timedelta | None, late: int, interval: str) -> str:
    if delay is not None:
        return "as asked"
    if late:
        return f"the labels of the newest {counted(late, interval)} are mostly missing"
    return f"a guess: nothing tells when labels become known, so one {interval} is allowed for"


def _windows(labelled: int, rows: Sequence[int]) -> Windows:
    """Return windows that leave a first version enough to train on, and grow to the default ones with the table."""
    usual = Windows()
    holdout = min(usual.holdout_intervals, max(3, labelled // 4))
    minimum = min(usual.minimum_training_intervals, max(2, labelled - holdout))
    typical = int(np.median(rows)) if rows else 0
    fewest = min(usual.minimum_rows, max(MINIMUM_ROWS, typical // 2))
    return Windows(usual.training_intervals, minimum, holdout, fewest)


def _explained(found: Sizes, name: str, *, is_asked: bool) -> Sizes:
    windows, many = found.windows, len(found.labelled)
    trained = min(windows.training_intervals, many - windows.holdout_intervals)
    found.reasons["--interval"] = (
        f"{'as asked' if is_asked else 'the first of day, week and hour that fits'}; it gives "
    )
    found.reasons["--interval"] += _numbers(found)
    found.reasons["windows"] = (
        f"a first run trains on {trained} {name}s and holds {windows.holdout_intervals} out; it needs at least "
        f"{windows.minimum_training_intervals} to train on, and {windows.minimum_rows} rows in each"
    )
    return found


def parse_delay(text: str) -> timedelta:
    """Return a duration such as ``36h``, ``1d`` or ``2w``; raises SpecError.

    >>> parse_delay("36h"), parse_delay("0")
    (datetime.timedelta(days=1, seconds=43200), datetime.timedelta(0))
    """
    units = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
    if text.strip() == "0":
        return timedelta(0)
    number, unit = text.strip()[:-1], text.strip()[-1:]
    if not number.isdecimal() or unit not in units:
        raise SpecError(f"--label-delay: found {text!r}. Give hours, days or weeks, like 36h, 1d or 2w, or 0.")
    return int(number) * units[unit]
