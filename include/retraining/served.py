"""Judges what versions really predicted, once labels are known; where that was not kept, what they would have said."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.retraining import (
    corrections,
    evaluation,
    judging,
    keys,
    labelling,
    libraries,
    measuring,
    predicting,
    predictions,
    recalibration,
)
from include.retraining.errors import IntegrityError
from include.retraining.promotion_log import Entry
from include.retraining.registry import Registry
from include.retraining.spec import ModelSpec
from include.retraining.windows import Interval

Floats = npt.NDArray[np.float64]
Proposed = Mapping[tuple[str, str], Mapping[str, Any]]
SERVED, AGAIN = "served", "re-scored"
"""Where the predictions of a line come from: they were kept, or were made again with the version that was live."""


@dataclass(frozen=True)
class Answers:
    """Predictions for the labelled rows of one interval."""

    predictions: Floats
    raw: Floats
    """Without any correction."""
    classes: tuple[str, ...]
    source: str
    correction_sha256: str | None
    missing: int | None = None
    """How many rows had no prediction, where only a part had one."""


@dataclass
class Versions:
    """Loads versions, each once and only when it is needed, and takes down which cannot be."""

    registry: Registry
    loaded: dict[str, Any] = field(default_factory=dict)
    unloadable: dict[str, str] = field(default_factory=dict)
    """By version, why: another release of a library wrote it."""

    def load(self, entry: Entry) -> Any:
        """Return the estimator that was live by an entry, or None if it needs another release of a library."""
        if entry.version not in {*self.loaded, *self.unloadable}:
            try:
                self.loaded = {entry.version: self.registry.load_live(entry)}  # one at a time: they may be large
            except IntegrityError as error:
                if error.check != libraries.CHECK:
                    raise
                self.unloadable[entry.version] = str(error)
        return self.loaded.get(entry.version)


def judge(
    versions: Versions,
    spec: ModelSpec,
    rows: Mapping[Interval, pd.DataFrame],
    live: Mapping[Interval, Entry],
    proposed: Proposed | None = None,
) -> list[dict[str, Any]]:
    """Return one line of metrics per interval, oldest first; versions that cannot be loaded have none.

    Parameters
    ----------
    versions : Versions
        Takes down which could not be scored again, and why.
    spec : ModelSpec
    rows : mapping
        By interval: rows with their known labels, each key once.
    live : mapping
        By interval: the entry by which a version was live when it began.
    proposed : mapping, optional
        By version and span: the correction that was fitted before the interval, in force or not. Its line then tells
        the loss with and without.
    """
    lines = list[dict[str, Any]]()
    for interval in sorted(rows, key=lambda one: (live[one].version, one)):
        if answers := _answers(versions, spec, interval, rows[interval], live[interval]):
            version = live[interval].version
            numbers = (proposed or {}).get((version, keys.span(interval)))
            gain = _with_and_without(spec, rows[interval], answers, numbers) if numbers else {}
            lines.append(line(spec, interval, rows[interval], answers) | {"version": version} | gain)
    return sorted(lines, key=lambda one: str(one["span"]))


def line(spec: ModelSpec, interval: Interval, rows: pd.DataFrame, answers: Answers) -> dict[str, Any]:
    """Return what is told of one interval: metrics, slices, errors without a correction, and whence its predictions."""
    labels, shown = labelling.labels_of(rows, spec), [one for one in spec.slices if one not in spec.pseudonymised]
    about: dict[str, Any] = {"span": keys.span(interval), "source": answers.source}
    if answers.missing is not None:
        about["missing"] = answers.missing
    if answers.correction_sha256:
        about["correction"] = answers.correction_sha256[:12]
    given = (labels, answers.predictions, answers.classes)
    return {
        **about,
        **measuring.measure(spec.task, *given),
        "slices": measuring.slices(spec.task, rows, shown, *given),
        "raw_errors": measuring.errors(spec.task, labels, answers.raw, answers.classes, rows, spec.numeric),
    }


def _with_and_without(
    spec: ModelSpec, rows: pd.DataFrame, answers: Answers, numbers: Mapping[str, Any]
) -> dict[str, float]:
    """Return the loss without a correction and with one, whichever served."""
    labels, measured = labelling.labels_of(rows, spec), evaluation.measure(spec.task, answers.classes)
    corrected = recalibration.apply(numbers, answers.raw, answers.classes, spec.task)
    losses = (judging.loss(measured(labels, guess)) for guess in (answers.raw, corrected))
    return dict(zip(("raw_loss", "corrected_loss"), losses, strict=True))


def _answers(
    versions: Versions, spec: ModelSpec, interval: Interval, rows: pd.DataFrame, entry: Entry
) -> Answers | None:
    """Return what was kept of the version that was live, if every row has a prediction; else what it says again."""
    store, keyring = versions.registry.store, versions.registry.keyring
    kept, missing = predictions.find(store, keyring, spec.name, interval, entry.version), None
    if kept:
        table = predictions.read(store, kept)
        found, is_there = predicting.matched(table, rows, spec, kept.classes)
        if is_there.all():
            raw, _ = predicting.matched(table, rows, spec, kept.classes, predicting.RAW)
            return Answers(found, raw, kept.classes, SERVED, kept.correction_sha256)
        missing = int((~is_there).sum())
    estimator = versions.load(entry)
    if estimator is None:
        return None
    raw, classes = predicting.predict(estimator, rows, spec, entry.version)
    correction = corrections.in_force(store, keyring, spec.name, interval, entry.version)
    if correction is None:
        return Answers(raw, raw, classes, AGAIN, None, missing)
    found = recalibration.apply(correction.numbers, raw, classes, spec.task)
    return Answers(found, raw, classes, AGAIN, correction.digest, missing)
