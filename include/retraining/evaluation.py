"""Pure: how well predictions did, per interval and slice, with bounds over intervals.

Rows of one interval share their weather and their news, so they are not independent. The interval is the unit of
every statistic here: a bound resamples intervals, never rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn import metrics

from include.retraining import judging
from include.retraining.policies import MULTICLASS, REGRESSION

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]
Measure = Callable[[Labels, Floats], dict[str, Any]]
"""Labels and predictions of one interval become its metrics."""
MINIMUM_BLOCKS = 7
"""Fewer intervals than this cannot be resampled in blocks; the t bound is used and said."""
RESAMPLES = 2000
MISSING = "missing"
EMPTY = "No rows to score: an interval without known labels has no metrics."


@dataclass(frozen=True)
class Bounds:
    """A mean over intervals with its two-sided bounds."""

    mean: float
    low: float
    high: float
    intervals: int
    method: str


def measure(task: str, classes: Sequence[str] = ()) -> Measure:
    """Return what scores one interval of a model of this task; ``classes`` are those of multiclass predictions."""
    if task == MULTICLASS:
        return partial(score_classes, classes=classes)
    return score_numbers if task == REGRESSION else score


def score(labels: Labels, predictions: Floats) -> dict[str, Any]:
    """Return the metrics of one interval of a binary model.

    Parameters
    ----------
    labels : array, shape (n_rows,), 0.0 or 1.0
    predictions : array, shape (n_rows,), probability of 1, 0 to 1

    Returns
    -------
    dict
        ``rows``, ``log_loss``, ``brier``, ``accuracy``, and ``auc``, which is None where only one class occurred.

    Raises
    ------
    ValueError
        No rows, or a prediction that is not a number.

    Examples
    --------
    >>> score(np.array([0.0, 1.0]), np.array([0.5, 0.5]))["brier"]
    0.25
    """
    if not len(labels):
        raise ValueError(EMPTY)
    both = 0.0 < labels.mean() < 1.0
    return {
        "rows": len(labels),
        "log_loss": float(metrics.log_loss(labels, predictions, labels=[0.0, 1.0])),
        "brier": float(np.mean((predictions - labels) ** 2)),
        "accuracy": float(np.mean((predictions >= 0.5) == (labels == 1.0))),
        "auc": float(metrics.roc_auc_score(labels, predictions)) if both else None,
    }


def score_classes(labels: Labels, predictions: Floats, classes: Sequence[str]) -> dict[str, Any]:
    """Return the metrics of one interval of a multiclass model.

    Parameters
    ----------
    labels : array of text, shape (n_rows,)
    predictions : array, shape (n_rows, n_classes), chances, 0 to 1
    classes : sequence of str
        What the columns stand for.

    Returns
    -------
    dict
        ``rows``, ``log_loss``, ``accuracy``; ``auc``, the plain mean over all classes of each against the rest, which
        is None unless every class occurred; and ``unseen``: how many rows are of each class that training never saw.
        Such a row counts as certain and wrong: it costs much, and not infinitely.

    Raises
    ------
    ValueError
        No rows, or a prediction that is not a number.

    Examples
    --------
    >>> score_classes(np.array(["a", "b"]), np.array([[0.5, 0.5], [0.5, 0.5]]), ["a", "b"])["accuracy"]
    0.5
    """
    if not len(labels):
        raise ValueError(EMPTY)
    unseen = {name: int((labels == name).sum()) for name in sorted(set(labels) - set(classes))}
    named = np.array([*classes, *unseen], dtype="object")
    order, chances = np.argsort(named), np.column_stack([predictions, np.zeros((len(labels), len(unseen)))])
    return {
        "rows": len(labels),
        "log_loss": float(metrics.log_loss(labels, chances[:, order], labels=named[order])),
        "accuracy": float(np.mean(named[chances.argmax(axis=1)] == labels)),
        "auc": _auc(labels, predictions, classes),
        "unseen": unseen,
    }


def _auc(labels: Labels, predictions: Floats, classes: Sequence[str]) -> float | None:
    if not set(labels) >= set(classes):
        return None
    return float(np.mean([metrics.roc_auc_score(labels == name, predictions[:, n]) for n, name in enumerate(classes)]))


def score_numbers(labels: Labels, predictions: Floats) -> dict[str, Any]:
    """Return the metrics of one interval of a regression.

    Parameters
    ----------
    labels : array, shape (n_rows,), finite
    predictions : array, shape (n_rows,), in the label's unit

    Returns
    -------
    dict
        ``rows``, ``squared_error``, ``absolute_error``, and ``r2``, which is None where all labels are the same.

    Raises
    ------
    ValueError
        No rows, or a label or prediction that is not a finite number.

    Examples
    --------
    >>> score_numbers(np.array([1.0, 3.0]), np.array([2.0, 2.0]))
    {'rows': 2, 'squared_error': 1.0, 'absolute_error': 1.0, 'r2': 0.0}
    """
    if not len(labels):
        raise ValueError(EMPTY)
    if wrong := int((~np.isfinite(labels) | ~np.isfinite(predictions)).sum()):
        raise ValueError(f"{wrong} of {len(labels)} labels or predictions are no finite numbers, so nothing is scored.")
    squared, spread = float(np.mean((labels - predictions) ** 2)), float(np.var(labels))
    return {
        "rows": len(labels),
        "squared_error": squared,
        "absolute_error": float(np.mean(np.abs(labels - predictions))),
        "r2": 1 - squared / spread if spread > 0 else None,
    }


def score_slices(
    rows: pd.DataFrame, column: str, labels: Labels, predictions: Floats, measured: Measure = score
) -> dict[str, float]:
    """Return the loss of one interval by value of a categorical column; rows without one are a slice too."""
    values = rows[column].astype("object").where(rows[column].notna(), MISSING).astype("str").to_numpy()
    return {
        str(value): judging.loss(measured(labels[values == value], predictions[values == value]))
        for value in sorted(set(values))
    }


def bounds(values: Sequence[float], confidence: float = 0.95, seed: int = 0) -> Bounds:
    """Return the mean of one value per interval with two-sided bounds.

    From 7 intervals on by circular-block bootstrap, since days are autocorrelated, and so that the first and the last
    count as much as the others (Politis and Romano, A circular block-resampling procedure for stationary data, in
    Exploring the Limits of Bootstrap, 1992); with fewer by Student's t. The percentiles
    are expanded for small samples (Hesterberg, What teachers should know about the bootstrap, The American Statistician
    69, 2015).

    Parameters
    ----------
    values : sequence of float, shape (n_intervals,), in time order
    confidence : float
        Coverage of the two-sided bounds, 0 to 1.
    seed : int
        Of the resampling: the same values give the same bounds.

    Raises
    ------
    ValueError
        No values, or one that is not finite.

    Examples
    --------
    >>> bounds([1.0, 1.0, 1.0])
    Bounds(mean=1.0, low=1.0, high=1.0, intervals=3, method='Student t over 3 intervals')
    """
    found = np.asarray(values, dtype="float64")
    if not len(found) or not np.isfinite(found).all():
        raise ValueError(f"Bounds need at least one interval and finite values, found {list(values)}.")
    if len(found) < MINIMUM_BLOCKS:
        return _t_bounds(found, confidence)
    means, count = block_means(found, np.random.default_rng(seed)), len(found)
    # Few blocks vary too little: the level that Student's t would need corrects for it, and stays monotone.
    level = float(stats.norm.cdf(stats.t.ppf((1 - confidence) / 2, count - 1) * (count / (count - 1)) ** 0.5))
    low, high = (float(one) for one in np.quantile(means, [level, 1 - level]))
    return Bounds(float(found.mean()), low, high, count, f"circular-block bootstrap over {count} intervals")


def block_means(values: Floats, random: np.random.Generator) -> Floats:
    """Return the means of resampled series, shape (RESAMPLES,), each made of blocks of neighbouring intervals."""
    count, length = len(values), max(2, round(len(values) ** (1 / 3)))
    starts = random.integers(0, count, size=(RESAMPLES, -(-count // length)))
    index = (starts[:, :, None] + np.arange(length)).reshape(RESAMPLES, -1)[:, :count] % count
    means: Floats = values[index].mean(axis=1)
    return means


def is_clearly_higher(recent: Sequence[float], reference: Sequence[float], confidence: float) -> tuple[bool, float]:
    """Return whether recent intervals lie above reference intervals, and the lower bound of the difference.

    One-sided Welch test on intervals (Welch, The generalization of Student's problem, Biometrika 34, 1947). A
    decrease is never "higher": an improvement cannot count against a champion.

    Examples
    --------
    >>> is_clearly_higher([0.9, 1.0, 1.1], [0.1, 0.2, 0.3], 0.95)[0]
    True
    """
    first, second = np.asarray(recent, dtype="float64"), np.asarray(reference, dtype="float64")
    variances = first.var(ddof=1) / len(first), second.var(ddof=1) / len(second)
    difference, total = float(first.mean() - second.mean()), float(sum(variances))
    if total == 0:
        return difference > 0, difference
    sides = zip(variances, (first, second), strict=True)
    freedom = 1 / sum((part / total) ** 2 / (len(side) - 1) for part, side in sides)
    low = difference - float(stats.t.ppf(confidence, freedom)) * total**0.5
    return low > 0, low


def _t_bounds(values: Floats, confidence: float) -> Bounds:
    mean, count = float(values.mean()), len(values)
    method = f"Student t over {count} intervals"
    if count == 1:
        return Bounds(mean, -np.inf, np.inf, 1, "one interval has no bound")
    half = float(stats.t.ppf((1 + confidence) / 2, count - 1) * values.std(ddof=1) / count**0.5)
    return Bounds(mean, mean - half, mean + half, count, method)
