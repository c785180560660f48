"""Pure: how far an expectation's number on one interval lies from its numbers on others, to learn tolerances from."""

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from include.retraining.binding import NEEDED
from include.retraining.expectations import WEEKDAY
from include.retraining.windows import Interval

if TYPE_CHECKING:
    import pandas as pd

NUMBERS: "dict[str, Callable[[pd.Series], Any]]" = {
    "max": lambda values: values.max(),
    "mean": lambda values: values.mean(),
    "median": lambda values: values.median(),
    "min": lambda values: values.min(),
    "proportion_of_non_null_values": lambda values: values.notna().mean(),
    "proportion_of_unique_values": lambda values: values.nunique() / values.count() if values.count() else math.nan,
    "stdev": lambda values: values.std(),
    "sum": lambda values: values.sum(),
    "unique_value_count": lambda values: values.nunique(),
}
"""What Great Expectations observes of a column, by the middle of the type's name."""


def number(frame: "pd.DataFrame", expectation: dict[str, Any]) -> float | None:
    """Return the one number that an expectation observes of rows; None where there is none."""
    if expectation["type"] == "expect_table_row_count_to_be_between":
        return float(len(frame))
    name = str(expectation["type"]).removeprefix("expect_column_").removesuffix("_to_be_between")
    try:
        found = float(NUMBERS[name](frame[expectation["kwargs"]["column"]]))
    except (KeyError, TypeError, ValueError):  # a column that is not there, the mean of texts
        return None
    return found if math.isfinite(found) else None


def deviation(value: float, others: Sequence[float]) -> float | None:
    """Return how far a number lies from the median of others, as a share of it; None if there are too few.

    >>> deviation(120, [100, 90, 400])
    0.2
    """
    if len(others) < NEEDED:
        return None
    middle = median(others)
    if value == middle:
        return 0.0
    return abs(value - middle) / abs(middle) if middle else math.inf


def group(interval: Interval, relative_to: str, timezone: str) -> int:
    """Return what two intervals must share to be compared: the local weekday, or nothing."""
    return interval.start.astimezone(ZoneInfo(timezone)).weekday() if relative_to == WEEKDAY else 0


def is_daily(intervals: Sequence[Interval]) -> bool:
    """Return whether every interval is a day, of 23 or 25 hours too: only then a weekday means something."""
    return all(abs(one.end - one.start - timedelta(days=1)) <= timedelta(hours=1) for one in intervals)
