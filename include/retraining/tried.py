"""Pure: what became of a suite's expectations on many intervals, counted and in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from include.retraining import phrases
from include.retraining.expectations import CRITICAL
from include.retraining.windows import Interval

LONGEST_WORST, NAMED = 70, 3
DIVERGENCE = "expect_column_kl_divergence_to_be_less_than"


@dataclass(frozen=True)
class Outcome:
    """What became of one expectation on one interval: its row of the validation's result."""

    interval: Interval
    row: dict[str, Any]

    @property
    def is_judged(self) -> bool:
        """Whether there was enough history to compare with."""
        return bool(self.row["judged"])

    @property
    def has_failed(self) -> bool:
        """Whether it did not hold."""
        return self.is_judged and not self.row["success"]

    @property
    def excess(self) -> float:
        """How far the observed number lies beyond its limits, in widths of what they allow; below 0 inside."""
        number, low, high = (self.row[name] for name in ("number", "low", "high"))
        if number is None:
            return 0.0
        is_open = "proportion" in self.row["type"] and high == 1  # no share can be higher
        beyond = [low - number] if low is not None else []
        beyond += [number - high] if high is not None and not is_open else []
        width = high - low if low is not None and high is not None and high > low else 1.0
        return float(max(beyond, default=0.0) / width)


@dataclass(frozen=True)
class Tried:
    """One expectation of the snapshot's or the labels' half on every interval, oldest first."""

    on: str
    outcomes: tuple[Outcome, ...]

    @property
    def about(self) -> dict[str, Any]:
        """What does not change from interval to interval: type, column and severity."""
        return self.outcomes[-1].row

    @property
    def judged(self) -> tuple[Outcome, ...]:
        """The intervals on which it could be judged."""
        return tuple(one for one in self.outcomes if one.is_judged)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The intervals on which it did not hold, newest first."""
        return tuple(one for one in reversed(self.outcomes) if one.has_failed)

    @property
    def is_refusal(self) -> bool:
        """Whether a run would have been refused."""
        return self.about["severity"] == CRITICAL and bool(self.failed)

    @property
    def worst(self) -> Outcome | None:
        """The interval that failed most clearly, or came nearest to it; the newest of equals."""
        return max(reversed(self.judged), key=lambda one: (one.has_failed, one.excess), default=None)


def limit(row: dict[str, Any]) -> str:
    """Return all that an expectation asks for, in words."""
    if row["type"] == DIVERGENCE and row.get("high") is not None:
        return f"mix of values within {row['high']:g} of the learned one"
    return phrases.visible(row["limit"], len(row["limit"]))


def summary(tried: Tried, days: dict[Interval, str]) -> dict[str, Any]:
    """Return one expectation's counts as plain values.

    Parameters
    ----------
    tried : Tried
    days : dict
        What each interval is called.
    """
    about, worst = tried.about, tried.worst
    return {
        "on": tried.on,
        "source": about["source"],
        "severity": about["severity"],
        "type": about["type"],
        "column": about["column"],
        "limit": limit(about),
        "judged": len(tried.judged),
        "held": len(tried.judged) - len(tried.failed),
        "failed_on": [days[one.interval] for one in tried.failed],
        "worst": worst.row["observed"] if worst else None,
        "worst_on": days[worst.interval] if worst else None,
        "notes": about["notes"],
    }


def table(summaries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return summaries as the rows of a table for people."""
    return [
        {
            "on": one["on"],
            "source": one["source"],
            "severity": one["severity"],
            "column": one["column"],
            "expectation": one["limit"],
            "held": f"{one['held']} of {one['judged']}" if one["judged"] else "not judged",
            "failed on": _named(one["failed_on"]),
            "worst": phrases.visible(one["worst"] or "", LONGEST_WORST),
        }
        for one in summaries
    ]


def _named(days: Sequence[str]) -> str:
    more = f" and {len(days) - NAMED} more" if len(days) > NAMED else ""
    return ", ".join(days[:NAMED]) + more


def sentence(summaries: Sequence[dict[str, Any]]) -> str:
    """Return in one sentence or two how a suite held."""
    failed = [one for one in summaries if one["failed_on"]]
    if not failed:
        return f"All {len(summaries)} expectations held on every interval on which they could be judged."
    grave = [one for one in failed if one["severity"] == CRITICAL]
    days = {day for one in grave for day in one["failed_on"]}
    refused = "1 interval" if len(days) == 1 else f"{len(days)} intervals"
    held = f"{len(summaries) - len(failed)} of {len(summaries)} expectations held on every interval"
    verdict = f"{len(grave)} critical: {refused} would have been refused" if grave else "none critical"
    return f"{held}; {len(failed)} did not, {verdict}."
