"""Pure: recent labels become a correction of a version's outputs, and the proof that such corrections help.

To a user: *"Each run corrects the live model from the last two weeks of labels; the correction is applied while it has
made the model better on intervals it was not fitted on."* It costs milliseconds, where a refit costs minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from include.retraining.policies import BINARY, MULTICLASS, RecalibrationPolicy
from include.retraining.recalibration import LEAST

Floats = npt.NDArray[np.float64]
STEPS = 25
"""Newton's method is done after fewer; a ridge keeps it from running away."""


@dataclass(frozen=True)
class Judged:
    """What a version said of one interval, and what came true."""

    labels: npt.NDArray[Any]
    predictions: Floats
    """Uncorrected, in the shape of the task."""


def fit(judged: Sequence[Judged], task: str, classes: Sequence[str], policy: RecalibrationPolicy) -> dict[str, Any]:
    """Return the correction that the newest intervals ask for, shrunk towards none; nothing while there are too few.

    Shrunk as if ``policy.weight_intervals`` intervals had been seen in which the version was right: few intervals say
    little, since the rows of one share their news.

    Parameters
    ----------
    judged : sequence of Judged
        Labelled intervals that the version was not fitted on, oldest first; the newest ``policy.intervals`` are used.
    task : str
    classes : sequence of str
        What the columns of multiclass predictions stand for.
    policy : RecalibrationPolicy

    Returns
    -------
    dict
        What ``recalibration.apply`` takes; empty if fewer than ``policy.minimum_intervals`` are given.

    Examples
    --------
    >>> says, came = np.array([0.5] * 4), np.array([1.0, 1.0, 1.0, 0.0])
    >>> found = fit([Judged(came, says)] * 3, "binary", (), RecalibrationPolicy(weight_intervals=1))
    >>> round(found["shift"], 2), found["slope"]
    (0.77, 1.0)
    """
    newest = list(judged)[-policy.intervals :]
    if len(newest) < policy.minimum_intervals:
        return {}
    labels = np.concatenate([one.labels for one in newest])
    said = np.concatenate([one.predictions for one in newest])
    weight = policy.weight_intervals * len(labels) / len(newest)
    if task == MULTICLASS:
        return _tilt(labels, said, classes, weight)
    return (_logistic if task == BINARY else _linear)(labels.astype("float64"), said, weight)


def in_shadow(
    judged: Sequence[Judged], known: Sequence[int], task: str, classes: Sequence[str], policy: RecalibrationPolicy
) -> list[dict[str, Any]]:
    """Return the correction that each interval would have been served with, had the version been live all along.

    Parameters
    ----------
    judged : sequence of Judged, shape (n_intervals,)
        Labelled intervals that the version was not fitted on, oldest first.
    known : sequence of int, shape (n_intervals,)
        Of how many of them the labels were known when each began.
    task, classes, policy
        As ``fit`` takes them.

    Examples
    --------
    >>> seen = [Judged(np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.5] * 4))] * 5
    >>> [sorted(one) for one in in_shadow(seen, [0, 0, 1, 2, 3], "binary", (), RecalibrationPolicy())]
    [[], [], [], [], ['shift', 'slope']]
    """
    return [fit(judged[:count], task, classes, policy) for count in known]


def proof(gains: Sequence[float], policy: RecalibrationPolicy) -> dict[str, Any]:
    """Return whether corrections have lowered the loss of intervals they were not fitted on, with the numbers.

    A mean gain above zero is enough: a shrunk correction costs little where it is not needed, and to ask for a standard
    error more would leave it off where it helps (docs/decisions/0011-recalibration.md has both measured).

    Parameters
    ----------
    gains : sequence of float
        By interval, oldest first: the loss without a correction less the loss with the one that was fitted before the
        interval began, whether it was in force or not, whichever version served.
    policy : RecalibrationPolicy

    Examples
    --------
    >>> proof([0.01, 0.03], RecalibrationPolicy(minimum_proof=2))["in_force"]
    True
    """
    newest = np.asarray(list(gains)[-policy.proof_intervals :], dtype="float64")
    mean = float(newest.mean()) if len(newest) else 0.0
    error = float(newest.std(ddof=1) / len(newest) ** 0.5) if len(newest) > 1 else 0.0
    is_enough = len(newest) >= policy.minimum_proof
    return {
        "in_force": bool(is_enough and mean > 0),
        "intervals": len(newest),
        "needed": policy.minimum_proof,
        "mean_gain": mean,
        "standard_error": error,
    }


def _logistic(labels: Floats, said: Floats, weight: float) -> dict[str, Any]:
    """Return shift and slope of the log-odds by penalised maximum likelihood (le Cessie and van Houwelingen, Ridge
    estimators in logistic regression, Applied Statistics 41, 1992).
    """
    clipped = np.clip(said, LEAST, 1 - LEAST)
    odds = np.log(clipped / (1 - clipped))
    ridge = weight * float(np.mean(clipped * (1 - clipped))) * np.array([1.0, max(float(np.mean(odds**2)), LEAST)])
    found = np.array([0.0, 1.0])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(found[0] + found[1] * odds, -30, 30)))
        pull = chance * (1 - chance)
        slope = np.array([np.sum(labels - chance), np.sum((labels - chance) * odds)]) - ridge * (found - [0.0, 1.0])
        bend = np.array([[pull.sum(), (pull * odds).sum()], [(pull * odds).sum(), (pull * odds**2).sum()]])
        step = np.linalg.solve(bend + np.diag(ridge), slope)
        found = found + step
        if np.abs(step).max() < 1e-10:
            break
    return {"shift": float(found[0]), "slope": float(found[1])}


def _linear(labels: Floats, said: Floats, weight: float) -> dict[str, Any]:
    """Return shift and slope of the number by ridge regression of what is left on what was said."""
    left, centred = labels - said, said - said.mean()
    share = len(labels) / (len(labels) + weight)
    spread = float(np.sum(centred**2))
    tilt = share * float(np.sum(centred * left)) / spread if spread > 0 else 0.0
    return {"shift": share * float(left.mean()) - tilt * float(said.mean()), "slope": 1 + tilt}


def _tilt(labels: npt.NDArray[Any], said: Floats, classes: Sequence[str], weight: float) -> dict[str, Any]:
    """Return one shift per class: how much oftener it came than was said, in logarithms."""
    came = np.array([float(np.sum(labels == name)) for name in classes])
    expected = said.sum(axis=0)
    prior = weight * expected / len(labels)
    shifts = np.log((came + prior) / (expected + prior), where=prior > 0, out=np.zeros(len(classes)))
    return {"shifts": {str(name): float(shift) for name, shift in zip(classes, shifts, strict=True)}}
