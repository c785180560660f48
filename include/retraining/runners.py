"""The runner-up: whoever lost the last comparison goes on being scored, and is put live if it proves clearly better.

It is a challenger that lost by too little to tell, or the champion before this one: both are judged by the same rule.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from include.retraining import correcting, keys, labelling, predicting, scoring
from include.retraining.correcting import Judged
from include.retraining.errors import BadInput
from include.retraining.promotion import Scored
from include.retraining.promotion_log import Entry
from include.retraining.records import Inputs
from include.retraining.registry import Registry
from include.retraining.spec import ModelSpec
from include.retraining.windows import Interval


@dataclass(frozen=True)
class Contest:
    """The last comparison, where its winner is live."""

    runner_up: str
    as_of: datetime


def contest(earlier: Iterable[Mapping[str, Any]], head: Entry) -> Contest | None:
    """Return who lost the last comparison, or None if there was none or somebody else was made champion since.

    Parameters
    ----------
    earlier : iterable of mapping
        Records of earlier runs, oldest first.
    head : Entry
        By which the champion is live.
    """
    for one in reversed(list(earlier)):
        verdict, promoted = one.get("verdict", {}), one.get("promotion", {})
        old, new = verdict.get("champion"), verdict.get("challenger")
        if "verdict" not in one or (old and not new):  # no candidate beat the floor, or it was the champion itself
            continue
        entry = promoted["entry"] if promoted.get("promoted") else one["report"]["base"]
        if not old or not new or entry != head.number:
            return None
        loser = old if promoted.get("promoted") else new
        return Contest(str(loser["version"]), keys.parse_stamp(one["report"]["as_of"]))
    return None


def look(  # noqa: PLR0913 - all that a look needs
    registry: Registry,
    spec: ModelSpec,
    inputs: Inputs,
    validation: dict[str, Any],
    head: Entry,
    earlier: Iterable[Mapping[str, Any]],
    corrected: bool,
) -> dict[str, Any]:
    """Return how the runner-up and the champion did on intervals that neither was fitted on; empty if it is not due.

    Parameters
    ----------
    registry, spec, inputs, validation
        Of the run.
    head : Entry
        By which the champion is live.
    earlier : iterable of mapping
        Records of earlier runs, oldest first.
    corrected : bool
        Whether corrections are in force: then both are judged as corrected by them.
    """
    found, every = contest(earlier, head), spec.promotion.runner_up_every
    if found is None or not every:
        return {}
    passed = sum(one.end > found.as_of for one in spec.timetable.intervals(inputs.as_of))
    if passed == 0 or passed % every:
        return {}
    try:
        spans = [keys.span(one) for one in _unseen(registry, spec, inputs, validation, (head.version, found.runner_up))]
        if len(spans) < spec.promotion.runner_up_intervals:
            return {}
        about = {"version": found.runner_up, "spans": spans, "corrected": corrected}
        old, new = contenders(registry, spec, inputs, head, about)
    except BadInput as error:  # a look is no reason to stop a run
        return {"version": found.runner_up, "sentence": f"Runner-up {found.runner_up} cannot be looked at: {error}"}
    losses = {"losses": [*new.losses.values()], "champion_losses": [*old.losses.values()]}
    return {**about, **losses, "sentence": f"Runner-up {found.runner_up} was scored on {len(spans)} intervals."}


def contenders(
    registry: Registry, spec: ModelSpec, inputs: Inputs, head: Entry, about: Mapping[str, Any]
) -> tuple[Scored, Scored]:
    """Return how the champion and the runner-up did on the intervals of a look, both as if they had served.

    Raises
    ------
    BadInput
        One of them cannot be loaded or scored; the message says why.
    """
    rows = scoring.labelled_rows(registry.store, spec, inputs, map(keys.parse_span, about["spans"]))
    both = (registry.load_live(head), registry.load(about["version"]))
    served = (corrections(one, rows, spec) if about["corrected"] else {} for one in both)
    old, new = (scoring.score_contender(one, rows, spec, found) for one, found in zip(both, served, strict=True))
    return old, new


def corrections(estimator: Any, rows: dict[Interval, pd.DataFrame], spec: ModelSpec) -> dict[Interval, dict[str, Any]]:
    """Return, by interval, the correction that an estimator would have been served with, for those that had one."""
    intervals, judged, classes = sorted(rows), list[Judged](), tuple[str, ...]()
    for one in intervals:
        said, classes = predicting.predict(estimator, rows[one], spec, "a contender")
        judged.append(Judged(labelling.labels_of(rows[one], spec), said))
    known = [sum(other.end + spec.label_delay <= one.start for other in intervals) for one in intervals]
    found = correcting.in_shadow(judged, known, spec.task, classes, spec.recalibration)
    return {one: numbers for one, numbers in zip(intervals, found, strict=True) if numbers}


def _unseen(
    registry: Registry, spec: ModelSpec, inputs: Inputs, validation: dict[str, Any], versions: tuple[str, str]
) -> list[Interval]:
    """Return the newest labelled intervals that neither version was fitted on, oldest first."""
    ends = [datetime.fromisoformat(registry.manifest(one)["training_window"]["end"]) for one in versions]
    labelled = [one for part in ("training", "holdout") for one in scoring.usable(inputs, validation, part)]
    return [one for one in labelled if one.start >= max(ends)][-spec.windows.training_intervals :]
