"""What the rule and drift notice of faults that begin on 1 July: after how many days, and what is done about them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from bench import triggers
from bench.streams import Stream
from include.retraining import drift, replay_report, replaying, rivals
from include.retraining.refits import default_folder
from include.retraining.replay_scores import Scores
from include.retraining.replayed import History, Played
from include.retraining.windows import Interval

SINCE = datetime(2013, 7, 1, tzinfo=UTC)
WATCHED = 120
"""So many days after it begins."""
Fault = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame | None]


def flipped(rows: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """A fifth of the labels turn round: the concept changes, no feature does."""
    return rows.assign(late=rows["late"].where(random.random(len(rows)) > 0.2, 1 - rows["late"]))


def kilometres(rows: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    """Miles become kilometres."""
    return rows.assign(distance=rows["distance"] * 1.609)


def mixed(rows: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Of one airport only every other row comes."""
    return rows[(rows["origin"] != "JFK") | (random.random(len(rows)) < 0.5)].reset_index(drop=True)


def unknown(rows: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """A fifth of a feature is missing."""
    return rows.assign(humid=rows["humid"].where(random.random(len(rows)) > 0.2))


def gone(_: pd.DataFrame, __: np.random.Generator) -> None:
    """Nothing comes for two weeks."""


FAULTS: dict[str, tuple[Fault | None, int]] = {
    "nothing": (None, WATCHED),
    "20 % of labels flipped": (flipped, WATCHED),
    "miles become kilometres": (kilometres, WATCHED),
    "half of JFK missing": (mixed, WATCHED),
    "humidity 20 % missing": (unknown, WATCHED),
    "no rows for 14 days": (gone, 14),
}
HEAD = ["fault", "drift alarm", "challenger", "promoted", "fits", "promotions", "loss", "loss if never refitted"]


def lines() -> list[list[str]]:
    """Return a line for each fault: days until drift alarms, a challenger is trained, one goes live; what it cost."""
    whole = Stream("lr", 1, days=180 + WATCHED).history()
    return [HEAD, *(_line(name, struck(whole, fault, days)) for name, (fault, days) in FAULTS.items())]


def struck(history: History, fault: Fault | None, days: int) -> History:
    """Return a history whose days are changed from 1 July on."""
    random, rows = np.random.default_rng(1), dict(history.rows)
    counts = dict(history.counts)
    for one in [held for held in history.rows if held.start >= SINCE][:days] if fault else []:
        changed = fault(rows[one], random) if fault else None
        if changed is None:
            del rows[one]
            counts[one] = 0
        else:
            rows[one], counts[one] = changed, len(changed)
    return replace(history, rows=rows, counts=counts)


def _line(name: str, history: History) -> list[str]:
    stream = Stream("lr", 1)
    fits = triggers.Known(history, stream.candidates, default_folder())
    scores = Scores(history, fits)
    begun = replaying.stage(history, scores, 31)
    ours, never = (replaying.play(begun, scores, rivals.parse(one)) for one in (rivals.OURS, rivals.NEVER))
    since = [one for one in ours.steps if one.interval.start >= SINCE]
    told = [
        _alarm(history, fits.by_key[since[0].champion].trained),
        _days(next((one.interval for one in since if one.is_fit), None)),
        _days(next((one.interval for one in since if one.is_promoted), None)),
        str(sum(one.is_fit for one in since)),
        str(sum(one.is_promoted for one in since)),
    ]
    return [name, *told, *(f"{replay_report.mean_loss(_after(one)):.4f}" for one in (ours, never))]


def _after(played: Played) -> Played:
    return replace(played, steps=tuple(one for one in played.steps if one.interval.start >= SINCE))


def _alarm(history: History, trained: tuple[Interval, ...]) -> str:
    """Return after how many days the features alarm, against what the champion of 1 July was fitted on."""
    spec = history.spec
    days = [drift.weekday(one.start, spec.timezone) for one in trained]
    baseline = drift.sketch([history.rows[one] for one in trained], spec, days)
    shifted: list[str] = []
    for one in [held for held in history.intervals if held.start >= SINCE]:
        if one not in history.rows:
            continue
        found = drift.report(baseline, history.rows[one], shifted, drift.weekday(one.start, spec.timezone))
        shifted = found["shifted"]
        if found["alarms"]:
            return f"{_days(one)} ({', '.join(found['alarms'])})"
    return "none"


def _days(interval: Interval | None) -> str:
    return "none" if interval is None else str((interval.start - SINCE).days)
