"""Pure: applies a correction to what a version predicts, without refitting the version.

Binary: the log-odds become ``shift + slope * log-odds`` (Cox, Two further applications of a model for binary
regression, Biometrika 45, 1958; Platt, Probabilistic outputs for support vector machines, 1999). Regression: the number
becomes ``shift + slope * number``. Multiclass: each chance is multiplied by ``exp(shift)`` of its class, and a row's
chances sum to 1 again (Saerens, Latinne and Decaestecker, Adjusting the outputs of a classifier to new a priori
probabilities, Neural Computation 14, 2002).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from include.retraining.policies import BINARY, REGRESSION

Floats = npt.NDArray[np.float64]
LEAST = 1e-6
"""Chances are clipped to [LEAST, 1 - LEAST] before their log-odds are taken: a certain one has none."""


def apply(
    correction: Mapping[str, Any], predictions: Floats, classes: Sequence[str] = (), task: str = BINARY
) -> Floats:
    """Return predictions as a correction changes them; one that changes nothing gives them back as they are.

    Parameters
    ----------
    correction : mapping
        ``shift`` and ``slope``, finite; or, with classes, ``shifts``: a finite number by class, 0 where none is named.
    predictions : array, shape (n_rows,), or (n_rows, n_classes) with classes
        Chances, 0 to 1; of a regression numbers in the label's unit. The result has the same shape and unit.
    classes : sequence of str, shape (n_classes,)
        What the columns stand for; empty unless the task is multiclass.
    task : str
        ``regression`` for numbers: those of a binary model look the same and are corrected otherwise.

    Raises
    ------
    ValueError
        The correction is not finite, lacks a number, or names a class that there is not; or a chance is none.

    Examples
    --------
    >>> apply({"shift": 0.0, "slope": 2.0}, np.array([0.75])).round(6)
    array([0.9])
    """
    if classes:
        return _tilted(correction.get("shifts", {}), predictions, classes)
    shift, slope = _finite(correction.get("shift"), "shift"), _finite(correction.get("slope"), "slope")
    if (shift, slope) == (0.0, 1.0):
        return predictions.copy()
    if task == REGRESSION:
        moved: Floats = shift + slope * predictions
        return moved
    return _logistic(shift, slope, predictions)


def _logistic(shift: float, slope: float, predictions: Floats) -> Floats:
    if not ((predictions >= 0) & (predictions <= 1)).all():
        raise ValueError("Some predictions are no chances from 0 to 1; name task='regression' to correct numbers.")
    clipped = np.clip(predictions, LEAST, 1 - LEAST)
    log_odds = shift + slope * np.log(clipped / (1 - clipped))
    small = np.exp(-np.abs(log_odds))  # of large log-odds exp itself would overflow
    found: Floats = np.where(log_odds >= 0, 1 / (1 + small), small / (1 + small))
    return found


def _tilted(shifts: Mapping[str, Any], predictions: Floats, classes: Sequence[str]) -> Floats:
    if unknown := sorted(set(shifts) - set(classes)):
        raise ValueError(f"The correction shifts {len(unknown)} class(es) that the version does not know.")
    told = np.array([_finite(shifts.get(name, 0.0), "shift of a class") for name in classes])
    if not told.any():
        return predictions.copy()
    weighed: Floats = predictions * np.exp(told - told.max())
    totals = weighed.sum(axis=1, keepdims=True)
    found: Floats = np.divide(weighed, totals, out=predictions.copy(), where=totals > 0)
    return found


def _finite(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ValueError(f"The correction's {name} is {value!r}; expected a finite number.")
    return float(value)
