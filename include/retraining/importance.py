"""Which features a candidate can do without, by permutation importance over intervals.

Breiman (Random forests, Machine Learning 45, 2001, section 10) permutes a feature among the rows that a tree was not
grown on and asks by how much the loss grows. Here the rows are those of the intervals that a fold is judged on, and
the unit is the interval: one difference of losses each, with bounds over intervals. Values are drawn from the rows of
the fold's past, not shuffled within an interval: what is the same for a whole interval, such as the weekday, would
never change. Features are asked one by one, so two that tell the same may both look free; the losses of the folds,
which come from models without either, then tell whether they were.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.retraining import estimators, evaluation, judging, labelling, training
from include.retraining.errors import DataError
from include.retraining.folds import Split, folds
from include.retraining.policies import BASELINE, IMPORTANCE, MULTICLASS, REGRESSION, Candidate
from include.retraining.spec import ModelSpec

Floats = npt.NDArray[np.float64]
CONFIDENCE = 0.95
Scores = dict[str, dict[str, float | None]]
"""By feature: ``mean`` growth of the loss per interval without it, and its upper bound ``high``, None for no bound."""
Selected = dict[str, Scores]
"""The features ``kept`` and ``dropped``, with their scores."""


def select(candidate: Candidate, intervals: Sequence[pd.DataFrame], spec: ModelSpec) -> Selected | None:
    """Return which features of these intervals a candidate keeps, or None where nothing is to be selected.

    Nothing else than these intervals is looked at: whoever judges on later ones gives the past alone. Too few
    intervals for a fold of their own keep every feature.

    Parameters
    ----------
    candidate : Candidate
        Fitted once a fold with all features.
    intervals : sequence of pd.DataFrame
        Labelled rows of one interval each, oldest first.
    spec : ModelSpec
        Names features, seed and whether to select at all (``training.selection``).
    """
    if spec.training.selection != IMPORTANCE or candidate.name == BASELINE:
        return None
    try:
        splits = folds(len(intervals), spec.gap_intervals)
    except DataError:
        return keep(dict.fromkeys(spec.features, ()), spec.seed)
    grown: dict[str, list[float]] = {name: [] for name in spec.features}
    for number, split in enumerate(splits):
        for name, differences in _grown(candidate, intervals, split, spec, number).items():
            grown[name] += differences
    return keep(grown, spec.seed)


def keep(grown: Mapping[str, Sequence[float]], seed: int = 0) -> Selected:
    """Return features kept and dropped: dropped is what is free to drop, and one always stays.

    Parameters
    ----------
    grown : mapping
        By feature, how much the loss of each interval grows without it, oldest first; nothing: never measured.
    seed : int
        Of the bounds.

    Examples
    --------
    >>> found = keep({"weight": [0.1, 0.2, 0.3], "constant": [0.0, 0.0, 0.0]})
    >>> list(found["kept"]), list(found["dropped"])
    (['weight'], ['constant'])
    """
    scores = {name: _score(differences, seed) for name, differences in grown.items()}
    free = {name for name, one in scores.items() if one["high"] is not None and one["high"] <= 0}
    if free == set(scores):
        free -= {max(scores, key=lambda name: scores[name]["mean"] or 0.0)}
    return {
        "kept": {name: one for name, one in scores.items() if name not in free},
        "dropped": {name: one for name, one in scores.items() if name in free},
    }


def narrow(spec: ModelSpec, selected: Selected | None) -> ModelSpec:
    """Return a spec with the features that were kept alone; nothing selected, the spec as it is."""
    if selected is None:
        return spec
    numeric, categorical = (
        tuple(name for name in names if name in selected["kept"]) for names in (spec.numeric, spec.categorical)
    )
    return replace(spec, numeric=numeric, categorical=categorical, slices=(), privacy={})


def _score(differences: Sequence[float], seed: int) -> dict[str, float | None]:
    if not differences:
        return {"mean": None, "high": None}
    found = evaluation.bounds(differences, CONFIDENCE, seed)
    return {"mean": found.mean, "high": found.high if np.isfinite(found.high) else None}


def _grown(
    candidate: Candidate, intervals: Sequence[pd.DataFrame], split: Split, spec: ModelSpec, number: int
) -> dict[str, list[float]]:
    """Return by feature how much the loss of each judged interval grows when the feature says nothing of its row."""
    past, rows = (pd.concat([intervals[place] for place in part], ignore_index=True) for part in split)
    fitted, labels = training.fit(candidate, past, spec), labelling.labels_of(rows, spec)
    starts = np.cumsum([0, *(len(intervals[place]) for place in split[1])])
    known, columns = training.features(past, spec), training.features(rows, spec)

    def losses(frame: pd.DataFrame) -> Floats:
        guess = estimators.answers(candidate.name, fitted, frame, spec.task)
        found = row_losses(spec.task, judging.classes(fitted), labels, guess)
        return np.add.reduceat(found, starts[:-1]) / np.diff(starts)

    whole, grown = losses(columns), {}
    for place, name in enumerate(spec.features):
        drawn = np.random.default_rng([spec.seed, number, place]).integers(0, len(known), len(columns))
        grown[name] = (losses(columns.assign(**{name: known[name].array[drawn]})) - whole).tolist()
    return grown


def row_losses(task: str, classes: Sequence[str], labels: npt.NDArray[Any], guess: Floats) -> Floats:
    """Return the loss of each row, whose mean over an interval is its loss in ``evaluation``.

    All metrics of an interval would take most of a selection's time, for this one.

    Parameters
    ----------
    task : str
    classes : sequence of str
        What the columns of a multiclass guess stand for; a label that is none of them had no chance.
    labels : array, shape (n_rows,)
    guess : array, shape (n_rows,) or (n_rows, n_classes)
        Predictions in the shape of the task (see ``judging.predict``).

    Examples
    --------
    >>> row_losses("regression", (), np.array([1.0, 2.0]), np.array([1.0, 4.0])).tolist()
    [0.0, 4.0]
    """
    if task == REGRESSION:
        return np.asarray((labels - guess) ** 2, dtype="float64")
    if task == MULTICLASS:
        chances = np.where(labels[:, None] == np.array(classes, dtype="object"), guess, 0.0).sum(axis=1)
    else:
        chances = np.where(labels == 1.0, guess, 1.0 - guess)
    least = np.finfo(guess.dtype).eps
    return np.asarray(-np.log(np.clip(chances, least, 1.0 - least)), dtype="float64")
