"""Pure: what is told of one interval that was served: its metrics, why one is undefined, its calibration, its slices.

Training needs less and has it in ``evaluation.py``, whose source is part of what makes a version what it is.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import metrics

from include.retraining import evaluation, movement
from include.retraining.phrases import visible
from include.retraining.policies import BINARY, MULTICLASS, REGRESSION

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]
METRICS = (
    "log_loss",
    "auc",
    "average_precision",
    "brier",
    "accuracy",
    "calibration_error",
    "squared_error",
    "absolute_error",
    "r2",
    "bias",
    "spread_ratio",
)
UNDEFINED = {
    BINARY: ("auc", "average_precision"),
    MULTICLASS: ("auc", "average_precision"),
    REGRESSION: ("r2", "spread_ratio"),
}
"""Metrics of each task that an interval may not have."""
BINS = 10
MOST_VALUES = 20
"""So many values of a column are slices of their own, those with the most rows."""
OTHER = "other"
"""What the rows of all further values are called together."""
NAMED = 5


def measure(task: str, labels: Labels, predictions: Floats, classes: Sequence[str] = ()) -> dict[str, Any]:
    """Return every metric of one interval.

    Parameters
    ----------
    task : str
    labels : array, shape (n_rows,)
        0.0 or 1.0; text; or numbers: as the task says.
    predictions : array, shape (n_rows,), or (n_rows, n_classes) for a multiclass model
        Chances, 0 to 1, or numbers in the label's unit.
    classes : sequence of str, shape (n_classes,)
        What the columns stand for.

    Returns
    -------
    dict
        What ``evaluation.measure`` tells, and: for chances ``average_precision`` and ``calibration_error``, for numbers
        ``bias``, the mean of prediction - label, and ``spread_ratio``, the standard deviation of the predictions over
        that of the labels. What an interval does not have is None, and ``undefined`` says why, by metric.

    Raises
    ------
    ValueError
        No rows, or a prediction that is not a number.
    """
    found = evaluation.measure(task, classes)(labels, predictions)
    own = {BINARY: _binary, MULTICLASS: _named, REGRESSION: _numbers}[task](labels, predictions, classes)
    found |= own
    missing = [name for name in UNDEFINED[task] if found[name] is None]
    return {**found, "undefined": dict.fromkeys(missing, _why(task, labels, classes)) if missing else {}}


def calibration_error(hits: Floats, chances: Floats) -> float:
    """Return how far chances lie from what came true, on average over rows.

    The expected calibration error with 10 bins of equal width (Naeini, Cooper and Hauskrecht, Obtaining well calibrated
    probabilities using Bayesian binning, AAAI 2015; Guo et al., On calibration of modern neural networks, ICML 2017).

    Parameters
    ----------
    hits : array, shape (n_rows,), 0.0 or 1.0
        Whether it came true.
    chances : array, shape (n_rows,), 0 to 1
        Binary: of label 1. Multiclass: of the likeliest class.

    Examples
    --------
    >>> calibration_error(np.array([0.0, 1.0, 1.0, 1.0]), np.array([0.5, 0.5, 0.9, 0.9]))
    0.05
    """
    bins = np.minimum((chances * BINS).astype("int64"), BINS - 1)
    gaps = np.bincount(bins, weights=hits - chances, minlength=BINS)
    return round(float(np.abs(gaps).sum() / len(hits)), 12)  # a bin's gap times its share of rows


def calibration(task: str, labels: Labels, predictions: Floats, classes: Sequence[str] = ()) -> float:
    """Return the calibration error of one interval of chances, as ``measure`` tells it, without the other metrics.

    >>> calibration("multiclass", np.array(["a", "b"]), np.array([[0.75, 0.25], [0.75, 0.25]]), ["a", "b"])
    0.25
    """
    if task == BINARY:
        return calibration_error(labels, predictions)
    hits = np.asarray(classes, dtype="object")[predictions.argmax(axis=1)] == labels
    return calibration_error(hits.astype("float64"), predictions.max(axis=1))


def errors(
    task: str,
    labels: Labels,
    predictions: Floats,
    classes: Sequence[str],
    rows: pd.DataFrame,
    numeric: Sequence[str],
) -> dict[str, float]:
    """Return how an interval erred, in the mean and where a numeric feature is larger: what a linear correction mends.

    Parameters
    ----------
    task, labels, predictions, classes
        As ``measure`` takes them.
    rows : pandas.DataFrame, shape (n_rows, n_columns)
        Of the same interval.
    numeric : sequence of str
        Its numeric features.

    Returns
    -------
    dict
        ``mean``: the mean of prediction - label; ``with FEATURE``: the mean of its product with the feature less the
        feature's mean, over rows that have one. A multiclass model tells both of each class: ``mean: CLASS``.

    Examples
    --------
    >>> rows = pd.DataFrame({"distance": [1.0, 3.0]})
    >>> errors("binary", np.array([0.0, 1.0]), np.array([0.75, 0.75]), (), rows, ["distance"])
    {'mean': 0.25, 'with distance': -0.5}
    """
    named = {"": predictions - labels} if task != MULTICLASS else {}
    if task == MULTICLASS:
        named = {f": {name}": predictions[:, place] - (labels == name) for place, name in enumerate(classes)}
    found = {f"mean{name}": float(error.mean()) for name, error in named.items()}
    for column in [one for one in numeric if one in rows]:  # an older snapshot may lack a new feature
        for name, error in named.items():
            found[f"{movement.WITH}{column}{name}"] = _with(error, rows[column])
    return found


def _with(error: Floats, values: pd.Series) -> float:
    """Return the mean product of errors and a centred feature, over rows that have a number; 0 where it overflows."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    known = np.isfinite(numbers)
    if not known.any():
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        found = float((error[known] * (numbers[known] - numbers[known].mean())).mean())
    return found if np.isfinite(found) else 0.0


def slices(
    task: str, rows: pd.DataFrame, columns: Sequence[str], labels: Labels, predictions: Floats, classes: Sequence[str]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return ``rows`` and ``loss`` of one interval by column and value: of the 20 most frequent ones, and of the rest.

    Rows without a value are a slice too, ``missing``; those of all further values are ``other``.
    """
    measured, found = evaluation.measure(task, classes), {}
    for column in columns:
        grouped = _grouped(rows[column])
        losses = evaluation.score_slices(grouped.to_frame(column), column, labels, predictions, measured)
        counts = grouped.value_counts()
        found[column] = {value: {"rows": int(counts[value]), "loss": loss} for value, loss in losses.items()}
    return found


def summarise(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return bounds of each metric over intervals; a metric that no interval has is left out.

    One interval has no bound, which JSON tells as null.
    """
    columns = {name: [one[name] for one in lines if one.get(name) is not None] for name in METRICS}
    found = {name: asdict(evaluation.bounds(values)) for name, values in columns.items() if values}
    return {name: {key: _finite(value) for key, value in one.items()} for name, one in found.items()}


def _binary(labels: Labels, chances: Floats, _: Sequence[str]) -> dict[str, Any]:
    both = 0.0 < labels.mean() < 1.0
    precision = float(metrics.average_precision_score(labels, chances)) if both else None
    return {"average_precision": precision, "calibration_error": calibration(BINARY, labels, chances)}


def _named(labels: Labels, chances: Floats, classes: Sequence[str]) -> dict[str, Any]:
    """Return the plain mean over all classes of each against the rest, and how the likeliest class did."""
    precision = None
    if set(labels) >= set(classes):
        each = [metrics.average_precision_score(labels == name, chances[:, n]) for n, name in enumerate(classes)]
        precision = float(np.mean(each))
    return {"average_precision": precision, "calibration_error": calibration(MULTICLASS, labels, chances, classes)}


def _numbers(labels: Labels, predictions: Floats, _: Sequence[str]) -> dict[str, Any]:
    spread = float(np.std(labels))
    ratio = float(np.std(predictions)) / spread if spread > 0 else None
    return {"bias": float(np.mean(predictions - labels)), "spread_ratio": ratio}


def _why(task: str, labels: Labels, classes: Sequence[str]) -> str:
    if task == REGRESSION:
        return f"All {len(labels)} labels are {labels[0]:g}."
    if task == BINARY:
        return f"All {len(labels)} labels are {labels[0]:.0f}."
    absent = sorted(set(classes) - set(labels))
    told = ", ".join(visible(name) for name in absent[:NAMED]) + (", …" if len(absent) > NAMED else "")
    return f"No label is {told}."


def _grouped(values: pd.Series) -> pd.Series:
    """Return the values as text, ``other`` in place of all but the most frequent."""
    texts = values.astype("object").where(values.notna(), evaluation.MISSING).astype("str")
    counts = texts.value_counts()
    ranked = sorted(counts.index, key=lambda value: (-counts[value], value))
    if len(ranked) <= MOST_VALUES:
        return texts
    return texts.where(texts.isin([value for value in ranked[:MOST_VALUES] if value != OTHER]), OTHER)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value
