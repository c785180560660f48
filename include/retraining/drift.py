"""Pure: a champion's baseline, and the drift of one interval against limits that the baseline's own intervals give.

A champion keeps a small sketch of the rows it was trained on; the current interval is compared with that sketch
alone, so cost never grows with history. No row-level p-value occurs: rows of one interval are not independent. A limit
is what reference intervals reached against all others, each left out in turn; an alarm needs two intervals in a row.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from include.retraining import crossings, effects
from include.retraining.effects import PREDICTIONS
from include.retraining.phrases import visible
from include.retraining.sketches import Floats, Shape, Tally
from include.retraining.spec import ModelSpec

FORMAT_VERSION = 2
MINIMUM_INTERVALS = 7
MINIMUM_ROWS = 30
SAME_WEEKDAY = 3
"""With so many reference intervals of its weekday, an interval is compared with those alone."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ALL = "all"
NAMED = 5
ONCE_A_YEAR = 1 / 365
SHARE_ROWS = 10**9
"""The first format told shares and no counts: they are read as of so many rows."""


class Against(NamedTuple):
    """What one interval is compared with."""

    name: str
    intervals: int
    counts: Mapping[str, Floats]


def weekday(start: datetime, timezone: str) -> str:
    """Return the day of the week on which an interval begins, by the clock of the spec's time zone."""
    return WEEKDAYS[start.astimezone(ZoneInfo(timezone)).weekday()]


def sketch(
    intervals: Sequence[pd.DataFrame],
    spec: ModelSpec,
    weekdays: Sequence[str] = (),
    predictions: Sequence[Floats] = (),
) -> dict[str, Any]:
    """Return the baseline of a version: distributions of its training rows and how far its own intervals strayed.

    Its size is bounded: at most 8 (all, and each weekday) times 53 counts a number and 502 a category.

    Parameters
    ----------
    intervals : sequence of pd.DataFrame
        Training rows, one frame per reference interval, oldest first.
    spec : ModelSpec
        Names the features.
    weekdays : sequence of str
        That of each interval, as ``weekday`` tells it; without them there is no reference of the same weekday.
    predictions : sequence of array
        What the version predicts for each interval, shape (n_rows,) or (n_rows, n_classes).
    """
    # In-sample: a version knows these rows, so its predictions for them spread a little wider than for rows it has not
    # seen. That is part of every later effect, and of no limit. Folds would cost as many fits again.
    shapes = effects.shapes_of(intervals, spec, predictions)
    guesses: Sequence[Floats | None] = predictions or [None] * len(intervals)
    tallies = [effects.tally(shapes, rows, guess) for rows, guess in zip(intervals, guesses, strict=True)]
    rows = np.array([one.rows for one in tallies], dtype="float64")
    groups = _groups(rows >= MINIMUM_ROWS, weekdays or [ALL] * len(rows))
    counts = {name: np.array([one.counts[name] for one in tallies]) for name in shapes if tallies}
    typical = float(np.median(rows[rows >= MINIMUM_ROWS])) if (rows >= MINIMUM_ROWS).any() else 0.0
    return {
        "format_version": FORMAT_VERSION,
        "intervals": int((rows >= MINIMUM_ROWS).sum()),
        "rows_per_interval": typical,
        "groups": {name: int((members & (rows >= MINIMUM_ROWS)).sum()) for name, members in groups.items()},
        "features": {name: {**shapes[name], "counts": _summed(counts[name], groups)} for name in counts},
        **_learned(shapes, counts, groups, rows, typical),
    }


def about(baseline: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a version's manifest tells of its baseline."""
    weekdays = [name for name in baseline["groups"] if name != ALL]
    return {"intervals": baseline["intervals"], "rows": baseline["rows_per_interval"], "weekdays": weekdays}


def report(
    baseline: Mapping[str, Any],
    rows: effects.Rows,
    previous: Iterable[str],
    day: str = ALL,
    predictions: Floats | None = None,
    chance_of_alarm: float = ONCE_A_YEAR,
) -> dict[str, Any]:
    """Return the drift of one interval: an effect size and its limit per feature, and an answer in words.

    Parameters
    ----------
    baseline : mapping
        What ``sketch`` made of the champion's training rows; of earlier releases too.
    rows : pd.DataFrame or iterable of them
        The interval under test, whole or in parts; no label is needed.
    previous : iterable of str
        What was beyond its limit in the interval before: only that can raise an alarm now.
    day : str
        The interval's, as ``weekday`` tells it.
    predictions : array, shape (n_rows,) or (n_rows, n_classes)
        The champion's, for all rows; None where it has not predicted.
    chance_of_alarm : float
        How likely an alarm may be in an interval without drift, 0 to 1.
    """
    baseline = _upgraded(baseline)
    shapes = dict(sorted(baseline["features"].items()))
    if predictions is None:
        shapes.pop(PREDICTIONS, None)
    tally = effects.tally(shapes, rows, predictions)
    if tally.rows < MINIMUM_ROWS or baseline["intervals"] < MINIMUM_INTERVALS:
        return _untested(tally.rows, baseline["intervals"])
    against = _against(baseline, day)
    features = _lines(baseline, shapes, against, tally, chance_of_alarm)
    unseen = {name: told for name, shape in shapes.items() if (told := _unseen(shape, tally, name))}
    return {
        **_told(features, previous, unseen),
        "reference": {"name": against.name, "intervals": against.intervals},
        "chance_of_alarm": crossings.promised(baseline["intervals"], chance_of_alarm),
    }


def _told(features: list[dict[str, Any]], previous: Iterable[str], unseen: dict[str, Any]) -> dict[str, Any]:
    shifted = sorted(one["name"] for one in features if one["answer"] == "shifted")
    alarms = sorted(set(shifted) & set(previous))
    return {
        "answer": "alarm" if alarms else "shifted" if shifted else "stable",
        "shifted": shifted,
        "alarms": alarms,
        "features": features,
        "unseen": unseen,
        "sentence": _sentence(shifted, alarms, unseen),
    }


def _groups(whole: Any, weekdays: Sequence[str]) -> dict[str, Any]:
    """Return which intervals each reference consists of: all of them, and those of each weekday that has enough."""
    days = np.array(weekdays)
    enough = [day for day in WEEKDAYS if (whole & (days == day)).sum() >= SAME_WEEKDAY]
    return {ALL: np.ones(len(days), dtype=bool), **{day: days == day for day in enough}}


def _summed(counts: Floats, groups: Mapping[str, Any]) -> dict[str, list[float]]:
    return {name: np.round(counts[members].sum(axis=0), 3).tolist() for name, members in groups.items()}


def _learned(
    shapes: Mapping[str, Shape], counts: Mapping[str, Floats], groups: Mapping[str, Any], rows: Floats, typical: float
) -> dict[str, Any]:
    """Return what each interval of enough rows teaches when it is left out of the reference it is compared with."""
    found, usual = [], []
    for place in np.flatnonzero(rows >= MINIMUM_ROWS):
        members = next((at for name, at in groups.items() if name != ALL and at[place]), groups[ALL])
        own = {name: counts[name][place] for name in shapes}
        others = {name: counts[name][members].sum(axis=0) - own[name] for name in shapes}
        found.append(effects.sizes(shapes, others, own))
        usual.append(effects.expected(shapes, others, own, typical))
    if len(found) < MINIMUM_INTERVALS:
        return {"spread": {}, "crossings": [], "paired": 0.0}
    learned = crossings.learn(np.array(found), np.array(usual), effects.floors(shapes))
    return crossings.plain(learned, effects.names(shapes))


def _against(baseline: Mapping[str, Any], day: str) -> Against:
    name = day if day in baseline["groups"] else ALL
    counts = {feature: np.array(held["counts"][name]) for feature, held in baseline["features"].items()}
    return Against(name, baseline["groups"][name], counts)


def _lines(
    baseline: Mapping[str, Any], shapes: Mapping[str, Shape], against: Against, tally: Tally, chance_of_alarm: float
) -> list[dict[str, Any]]:
    """Return one line per effect: its size, its limit at so many rows, and an answer."""
    sizes = effects.sizes(shapes, against.counts, tally.counts)
    usual = effects.expected(shapes, against.counts, tally.counts, baseline["rows_per_interval"])
    spread = [baseline["spread"][name] for name in effects.names(shapes)]
    between, chance = (np.array([one[part] for one in spread]) for part in ("between", "chance"))
    stretch = crossings.factor(baseline["crossings"], baseline["paired"], baseline["intervals"], chance_of_alarm)
    found = stretch * crossings.limits(between, chance, usual, effects.floors(shapes))
    gone = [not min(against.counts[name][:-1].sum(), tally.counts[name][:-1].sum()) for name in shapes]
    told = zip(effects.names(shapes), sizes.tolist(), found.tolist(), gone + [False] * len(gone), strict=True)
    return [
        {"name": name, "effect": size, "limit": limit, "answer": _answer(size, limit, is_gone)}
        for name, size, limit, is_gone in told
        if name != PREDICTIONS + effects.NULLS
    ]


def _answer(size: float, limit: float, is_gone: bool) -> str:
    if is_gone:  # nothing to compare: a feature that is gone shows in its missing share
        return "no values"
    return "shifted" if size > limit else "stable"


def _untested(rows: int, intervals: int) -> dict[str, Any]:
    found = f"{rows} rows against {intervals} reference intervals"
    sentence = f"Not tested: {found} (at least {MINIMUM_ROWS} and {MINIMUM_INTERVALS} are needed)."
    return {"answer": "insufficient data", "shifted": [], "alarms": [], "features": [], "sentence": sentence}


def _unseen(shape: Shape, tally: Tally, name: str) -> dict[str, float]:
    """Return the commonest categories that the sketch does not name, and their shares of all rows.

    Where the reference had more levels than are named, one that is no commoner than those left out is not told.
    """
    counts = np.array(shape["counts"][ALL])
    least = counts[:-2].min(initial=np.inf) if "levels" in shape and counts[-2] else 0.0
    shares = {level: count / tally.rows for level, count in tally.unseen.get(name, {}).items()}
    new = {level: share for level, share in shares.items() if share * counts.sum() > least}
    if new and shape.get("hidden"):
        return {"pseudonyms": sum(new.values())}
    return dict(sorted(new.items(), key=lambda one: (-one[1], one[0]))[:NAMED])


def _sentence(shifted: list[str], alarms: list[str], unseen: Mapping[str, Mapping[str, float]]) -> str:
    told = [
        f"{name} {visible(level)} ({share:.1%})"
        for name, levels in unseen.items()
        for level, share in levels.items()
        if share >= effects.NULL_FLOOR
    ]
    new = f" New categories: {', '.join(told[:NAMED])}." if told else ""
    if alarms:
        return f"Alarm: {', '.join(alarms)} beyond the calibrated limit twice in a row.{new}"
    if shifted:
        return f"Shifted today: {', '.join(shifted)}; an alarm needs two intervals in a row.{new}"
    return f"Stable.{new}"


def _upgraded(baseline: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a baseline of the first format as one of today: it has no weekdays, and limits that no size changes."""
    if baseline["format_version"] != 1:
        return baseline
    features = {name: _upgraded_feature(one) for name, one in baseline["features"].items()}
    spread = {name: {"between": limit, "chance": 0.0} for name, limit in baseline["limits"].items()}
    today = {"groups": {ALL: baseline["intervals"]}, "rows_per_interval": 0.0, "crossings": [1.0], "paired": 0.0}
    return {**baseline, **today, "features": features, "spread": spread}


def _upgraded_feature(one: Mapping[str, Any]) -> dict[str, Any]:
    if "edges" in one:
        below = [0.0, *one["below"]]
        edges = [float(np.nextafter(one["edges"][0], -np.inf)), *one["edges"]] if one["edges"] else []
        shape: dict[str, Any] = {"edges": edges}
        shares = [*np.diff([0.0, *below]), 0.0] if edges else [0.0]
    else:
        shape, shares = {"levels": list(one["shares"])}, [*one["shares"].values(), 0.0]
    known = SHARE_ROWS * (1 - one["null_share"])
    return {**shape, "counts": {ALL: [*(np.array(shares) * known).tolist(), SHARE_ROWS * one["null_share"]]}}
