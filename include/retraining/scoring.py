"""Rows with their labels, by interval, and how contenders did on them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from include.retraining import evaluation, judging, keys, labelling, measuring, recalibration, snapshots, training
from include.retraining.promotion import Scored
from include.retraining.records import Inputs
from include.retraining.snapshots import Frozen
from include.retraining.spec import ModelSpec
from include.retraining.store import Store
from include.retraining.windows import Interval


def labelled_rows(
    store: Store, spec: ModelSpec, inputs: Inputs, intervals: Iterable[Interval]
) -> dict[Interval, pd.DataFrame]:
    """Return the rows with known labels of each interval; intervals with too few are left out."""
    return joined(store, spec, {one: (inputs.snapshot(one), inputs.labels(one)) for one in intervals})


def joined(
    store: Store, spec: ModelSpec, frozen: dict[Interval, tuple[Frozen, Frozen]]
) -> dict[Interval, pd.DataFrame]:
    """Return what ``labelled_rows`` does, of each interval's snapshot and labels."""
    features = snapshots.read_many(store, [rows for rows, _ in frozen.values()])
    labels = snapshots.read_many(store, [known for _, known in frozen.values()])
    found = (labelling.labelled(rows, known, spec) for rows, known in zip(features, labels, strict=True))
    return {one: rows for one, rows in zip(frozen, found, strict=True) if len(rows) >= labelling.MINIMUM_ROWS}


def remembered_since(spec: ModelSpec, inputs: Inputs) -> datetime:
    """Return from when on records of earlier intervals matter: the longest window or wait."""
    passed = spec.timetable.intervals(inputs.as_of)
    return passed[-spec.lookback_intervals :][0].start if passed else inputs.interval.start


def usable(inputs: Inputs, validation: dict[str, Any], part: str) -> list[Interval]:
    """Return the intervals of ``training`` or ``holdout`` that validation did not refuse, oldest first."""
    return [one for one in inputs.intervals(part) if keys.span(one) not in validation["refused"]]


def score_contender(
    estimator: Any,
    rows: dict[Interval, pd.DataFrame],
    spec: ModelSpec,
    corrected: Mapping[Interval, Mapping[str, Any]] | None = None,
) -> Scored:
    """Return a contender's loss per holdout interval, and per interval for each slice.

    Parameters
    ----------
    estimator : Any
    rows : dict
        By interval, with known labels.
    spec : ModelSpec
    corrected : mapping, optional
        By interval: the correction that was in force when it was served, for those that had one.
    """
    losses: dict[str, float] = {}
    slices: dict[str, dict[str, float]] = {}
    calibration: dict[str, float] = {}
    for interval in sorted(rows):
        frame, span = rows[interval], keys.span(interval)
        labels, (guess, classes) = labelling.labels_of(frame, spec), training.predictions(estimator, frame, spec)
        if numbers := (corrected or {}).get(interval):
            guess = recalibration.apply(numbers, guess, classes, spec.task)
        measured = evaluation.measure(spec.task, classes)
        told = measuring.measure(spec.task, labels, guess, classes)
        losses[span] = judging.loss(told)
        if "calibration_error" in told:
            calibration[span] = told["calibration_error"]
        for column in spec.slices:
            for value, loss in evaluation.score_slices(frame, column, labels, guess, measured).items():
                slices.setdefault(f"{column}={value}", {})[span] = loss
    return Scored(losses, slices, calibration)


def floor_losses(rows: dict[Interval, pd.DataFrame], spec: ModelSpec, floor: training.Floor) -> dict[str, float]:
    """Return the loss per interval of predicting the same for every row: what ``training.floor`` made of the window."""
    return {keys.span(one): judging.loss(training.score(floor, rows[one], spec)) for one in sorted(rows)}
