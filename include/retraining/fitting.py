"""A candidate from folds to artifact: judged on temporal folds, fitted on everything, and told line by line."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from include.retraining import importance, judging, signing, smoke, training, unpickling
from include.retraining.errors import DataError, IntegrityError, SpecError
from include.retraining.folds import folds
from include.retraining.importance import Selected
from include.retraining.policies import Candidate, is_import_path
from include.retraining.registry import ARTIFACT, SMOKE
from include.retraining.spec import ModelSpec

log = logging.getLogger(__name__)
CHEAPER = "Raise its `{}`, give it cheaper parameters, or shorten windows.training_intervals."


@dataclass(frozen=True)
class Fitted:
    """What became of a candidate; plain values and bytes."""

    fold_losses: list[float]
    floor_losses: list[float]
    selected: Selected | None
    """Features kept and dropped, where the spec asks for a selection."""
    files: dict[str, bytes]
    """The artifact, and rows with what it predicts for them before it was ever stored."""
    guesses: list[training.Floats] = field(compare=False)
    """What it predicts for each interval that it was fitted on."""


def train(candidate: Candidate, intervals: Sequence[pd.DataFrame], spec: ModelSpec) -> Fitted:
    """Judge a candidate on temporal folds, fit it on all intervals, and return both; a line in the log for each fit.

    Raises
    ------
    DataError
        The rows cannot be used, the candidate answers what the task cannot use, or it would exceed its time.
    SpecError
        Its import path leads nowhere, or to something that could not be loaded again.
    """
    losses, floor_losses = fold_losses(candidate, intervals, spec), fold_losses(None, intervals, spec)
    started, rows = time.monotonic(), pd.concat(intervals, ignore_index=True)
    selected = importance.select(candidate, intervals, spec)
    narrowed = importance.narrow(spec, selected)
    if constant := training.constant(rows, narrowed):
        log.warning(
            "%s: the same value in every training row, nothing to learn from: %s", candidate.name, ", ".join(constant)
        )
    estimator = training.fit(candidate, rows, narrowed)
    files, guesses = (
        _files(candidate, estimator, rows, spec),
        [training.predict(estimator, one, spec) for one in intervals],
    )
    told = f"{_rows(len(rows), time.monotonic() - started)}, an artifact of {len(files[ARTIFACT]):,} bytes"
    log.info("%s: final fit, %s", candidate.name, told)
    return Fitted(losses, floor_losses, selected, files, guesses)


def fold_losses(candidate: Candidate | None, intervals: Sequence[pd.DataFrame], spec: ModelSpec) -> list[float]:
    """Return the loss of each interval of the temporal folds; without a candidate that of the floor.

    Features are selected anew in the past of each fold, so that no loss knows what it is judged on.

    Raises
    ------
    DataError
        As ``train``; too few intervals leave no fold.
    """
    splits = folds(len(intervals), spec.gap_intervals)
    frames = [([intervals[place] for place in past], [intervals[place] for place in judged]) for past, judged in splits]
    if candidate is None:
        return [loss for past, judged in frames for loss in _floor_losses(past, judged, spec)]
    sizes, spent_s, losses = [sum(map(len, past)) for past, _ in frames], 0.0, list[float]()
    for number, (past, judged) in enumerate(frames, 1):
        started = time.monotonic()
        found = _judged(candidate, past, judged, spec, number == 1)
        last_s = time.monotonic() - started
        losses, spent_s = losses + found, spent_s + last_s
        told = f"{_rows(sizes[number - 1], last_s)}, {_loss(found, spec)} over {len(found)} interval(s)"
        log.info("%s: fold %d of %d, %s", candidate.name, number, len(frames), told)
        check_pace(candidate, spent_s, sum(sizes[:number]), sum(sizes) + sum(map(len, intervals)))
    return losses


def check_pace(candidate: Candidate, spent_s: float, fitted_rows: int, all_rows: int) -> None:
    """Raise DataError where what is left of a candidate cannot fit into its time, by the rows of each fit.

    >>> check_pace(Candidate("ridge", seconds=60), 10.0, 1000, 5000)
    """
    needed_s = spent_s * all_rows / fitted_rows
    if candidate.seconds is not None and needed_s > candidate.seconds:
        raise DataError(
            f"Candidate {candidate.name} would take about {needed_s:.1f} s ({spent_s:.1f} s for {fitted_rows:,} of "
            f"{all_rows:,} rows to fit); it may take {candidate.seconds:g} s. {CHEAPER.format('seconds')}"
        )


def _rows(count: int, seconds: float) -> str:
    return f"{count:,} rows in {seconds:.1f} s"


def _loss(losses: list[float], spec: ModelSpec) -> str:
    judged = judging.of(spec.task)
    return f"{judged.words} {judged.told(sum(losses) / len(losses))}"


def _floor_losses(past: list[pd.DataFrame], judged: list[pd.DataFrame], spec: ModelSpec) -> Iterator[float]:
    floor = training.floor(pd.concat(past, ignore_index=True), spec)
    return (judging.loss(training.score(floor, rows, spec)) for rows in judged)


def _judged(
    candidate: Candidate, past: list[pd.DataFrame], judged: list[pd.DataFrame], spec: ModelSpec, is_first: bool
) -> list[float]:
    """Return the losses of a candidate that knows the past alone; what cannot be stored is told at once."""
    narrowed = importance.narrow(spec, importance.select(candidate, past, spec))
    fitted = training.fit(candidate, pd.concat(past, ignore_index=True), narrowed)
    if is_first and is_import_path(candidate.name):
        _artifact(candidate.name, fitted, spec)
    return training.losses(candidate.name, fitted, judged, narrowed)


def _files(candidate: Candidate, fitted: Any, rows: pd.DataFrame, spec: ModelSpec) -> dict[str, bytes]:
    made = smoke.rows(rows, spec.numeric, spec.categorical)
    return {
        ARTIFACT: _artifact(candidate.name, fitted, spec),
        SMOKE: signing.canonical(smoke.record(fitted, made, spec.numeric)),
    }


def _artifact(name: str, fitted: Any, spec: ModelSpec) -> bytes:
    """Return an estimator as bytes that a task can load again by the spec's own list."""
    try:
        data = training.dump(fitted)
        unlisted = unpickling.unlisted(data, f"The artifact of candidate {name}", spec.allowed_pairs)
    except IntegrityError as error:
        raise SpecError(f"{error} No entry of `allowed` can help: leave the candidate out.") from error
    except Exception as error:  # what cannot be pickled can fail in any way
        raise SpecError(f"Candidate {name} cannot be stored: {type(error).__name__}: {error}.") from error
    if unlisted:
        listed = ", ".join(f'"{module}:{attribute}"' for module, attribute in unlisted)
        raise SpecError(
            f"Candidate {name} makes an artifact that no task would load: it holds {len(unlisted)} thing(s) beyond the "
            f"product's own list. If you trust them, add these to `allowed` of the spec: {listed}."
        )
    return data
