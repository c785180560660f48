"""Candidates, their fits, and the choice among them. Deterministic: same rows, parameters and seed, same model."""

import hashlib
import importlib.util
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib.numpy_pickle import NumpyPickler
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from include.retraining import evaluation, judging, labelling, pipelines
from include.retraining.errors import DataError
from include.retraining.pipelines import Treatment
from include.retraining.policies import BINARY, MULTICLASS
from include.retraining.spec import Candidate, ModelSpec

Floats = npt.NDArray[np.float64]
CLIP_QUANTILES = (0.001, 0.999)
"""Values beyond these quantiles of the training rows are clipped to them."""
FOLDS = 3
Floor = float | dict[str, float]
"""What is predicted for every row without a model: a number, or the share of each class."""


def treatment(rows: pd.DataFrame, spec: ModelSpec) -> Treatment:
    """Return clipping limits and medians of the training rows; a numeric feature without any value is dropped."""
    kept = tuple(name for name in spec.numeric if rows[name].notna().any())
    numbers = rows[list(kept)].astype("float64")
    low, high = (tuple(numbers.quantile(quantile).tolist()) for quantile in CLIP_QUANTILES)
    dropped = tuple(name for name in spec.numeric if name not in kept)
    return Treatment(kept, dropped, low, high, tuple(numbers.median().tolist()))


def fit(candidate: Candidate, rows: pd.DataFrame, spec: ModelSpec) -> Pipeline:
    """Return a fitted pipeline.

    Parameters
    ----------
    candidate : Candidate
        One of the task's names in ``policies.CANDIDATES``, and its parameters.
    rows : pd.DataFrame
        Labelled training rows; nothing else is looked at.
    spec : ModelSpec
        Names features and label.

    Raises
    ------
    DataError
        There is nothing to learn from the label, or a feature is not numeric.
    """
    labels = labelling.check_labels(rows, spec)
    columns = features(rows, spec)
    try:
        pipeline = pipelines.BUILDERS[spec.task, candidate.name](candidate.parameters, treatment(rows, spec), spec)
        # Sums depend on how many threads share them: one thread gives the same bytes on every machine.
        with threadpool_limits(limits=1):
            return pipeline.fit(columns, labels)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"Candidate {candidate.name} cannot be trained: {error}. Check features and parameters."
        ) from error


def features(rows: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
    """Return the features as the pipelines expect them: float64 numbers and text, missing values as NaN.

    Raises
    ------
    DataError
        A numeric feature holds text or infinite numbers.
    """
    columns = {name: _numbers(rows[name]) for name in spec.numeric}
    text = {name: rows[name].astype("object").where(rows[name].notna(), np.nan) for name in spec.categorical}
    return pd.DataFrame({**columns, **text}, index=rows.index)


def _numbers(values: pd.Series) -> pd.Series:
    try:
        found = values.astype("float64")
    except (ValueError, TypeError) as error:
        raise DataError(f"Feature {values.name!r} is not numeric: {error}. Mend the query or the source.") from None
    if infinite := int(np.isinf(found).sum()):
        raise DataError(f"Feature {values.name!r} is infinite in {infinite} rows. Mend the query or the source.")
    return found


def predict(estimator: Any, rows: pd.DataFrame, spec: ModelSpec) -> Floats:
    """Return the predictions for rows, in the shape of the task (see ``judging.predict``).

    Raises
    ------
    DataError
        A feature cannot be used, or the estimator was fitted for another task.
    """
    judging.check_task(estimator, spec.task)
    return judging.predict(estimator, features(rows, spec))


def floor(rows: pd.DataFrame, spec: ModelSpec) -> Floor:
    """Return what every candidate must beat: the mean label of training rows, or the share of each class."""
    labels = labelling.check_labels(rows, spec)
    if spec.task != MULTICLASS:
        return float(labels.mean())
    names, counts = np.unique(labels, return_counts=True)
    return {str(name): float(count / len(labels)) for name, count in zip(names, counts, strict=True)}


def score(model: Any, rows: pd.DataFrame, spec: ModelSpec) -> dict[str, Any]:
    """Return the metrics of an estimator, or of a floor, on the rows of one interval."""
    guess, classes = predictions(model, rows, spec)
    return evaluation.measure(spec.task, classes)(labelling.labels_of(rows, spec), guess)


def predictions(model: Any, rows: pd.DataFrame, spec: ModelSpec) -> tuple[Floats, tuple[str, ...]]:
    """Return what an estimator or a floor predicts, and the classes that its columns stand for."""
    if isinstance(model, dict):
        return np.tile(list(model.values()), (len(rows), 1)), tuple(model)
    if isinstance(model, int | float):
        return np.full(len(rows), model), ()
    return predict(model, rows, spec), judging.classes(model)


def folds(count: int) -> list[tuple[range, range]]:
    """Return temporal folds over interval positions: each trains on the past and is judged on what follows.

    >>> folds(8)
    [(range(0, 5), range(5, 6)), (range(0, 6), range(6, 7)), (range(0, 7), range(7, 8))]
    """
    size = max(1, count // (2 * FOLDS))
    starts = [count - size * left for left in range(FOLDS, 0, -1)]
    return [(range(start), range(start, start + size)) for start in starts if start > 0]


def fold_losses(candidate: Candidate | None, intervals: Sequence[pd.DataFrame], spec: ModelSpec) -> list[float]:
    """Return the loss of each interval of the temporal folds; without a candidate that of the floor."""
    losses: list[float] = []
    for past, judged in folds(len(intervals)):
        rows = pd.concat([intervals[place] for place in past], ignore_index=True)
        model = floor(rows, spec) if candidate is None else fit(candidate, rows, spec)
        losses += [judging.loss(score(model, intervals[place], spec)) for place in judged]
    return losses


def select(
    losses: dict[str, list[float]], order: Sequence[str], floor_losses: list[float], task: str = BINARY
) -> dict[str, Any]:
    """Return the simplest candidate within one standard error of the best, if it beats the floor.

    The one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3), with
    intervals as the unit.

    Parameters
    ----------
    losses : dict
        Loss per interval of the folds, by candidate.
    order : sequence of str
        Candidate names, simplest first.
    floor_losses : list of float
        The same intervals for the trivial baseline.
    task : str
        Names the loss.
    """
    judged = judging.of(task)
    means = {name: float(np.mean(losses[name])) for name in order if name in losses}
    best = min(means, key=lambda name: means[name])
    error = float(np.std(losses[best], ddof=1) / len(losses[best]) ** 0.5) if len(losses[best]) > 1 else 0.0
    floor_mean = float(np.mean(floor_losses))
    above = [name for name in means if means[name] < floor_mean]
    chosen = next((name for name in above if means[name] <= means[best] + error), None)
    numbers = {"losses": means, "standard_error": error, "floor_loss": floor_mean, "best": best}
    if chosen is None:
        reason = f"No candidate beats the {judged.floor} ({judged.told(floor_mean)})."
        return {"candidate": None, "reason": reason, **numbers}
    told = f"({judged.told(error)}) of {best} ({judged.told(means[best])})"
    reason = f"{chosen} is the simplest within one standard error {told}."
    return {"candidate": chosen, "reason": reason, **numbers}


def version_id(
    spec: ModelSpec, candidate: Candidate, digests: Sequence[str], end: datetime, libraries: dict[str, str]
) -> str:
    """Return ``{training window end, YYYYMMDD}-{12 hex}``: same inputs, same version; anything else makes another.

    Parameters
    ----------
    spec, candidate : ModelSpec, Candidate
    digests : sequence of str
        Snapshot and label digests of the training window, in order.
    end : datetime
        End of the training window, dated in the spec's time zone.
    libraries : dict
        Versions of the libraries that training executes.
    """
    identity = {
        "digests": list(digests),
        "fields": spec.training_fields,
        "candidate": asdict(candidate),
        "libraries": libraries,
        "sources": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in _sources()},
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()
    return f"{end.astimezone(ZoneInfo(spec.timezone)):%Y%m%d}-{digest[:12]}"


def dump(estimator: Any) -> bytes:
    """Return an estimator as joblib bytes, uncompressed: nothing can unfold into more than its manifest says."""
    sink = io.BytesIO()

    class PlainPickler(NumpyPickler):  # type: ignore[misc]
        """joblib's pickler with the standard library's own dispatch table.

        dill, which Airflow may import, puts its functions into that table for the whole process: the same estimator
        would then be written as other bytes, with names that no artifact should hold.
        """

        dispatch = _standard_dispatch()

    PlainPickler(sink).dump(estimator)
    return sink.getvalue()


def _standard_dispatch() -> dict[type, Any]:
    found = importlib.util.find_spec("pickle")
    if found is None or found.loader is None:
        raise ImportError("The standard library has no pickle.")
    fresh = importlib.util.module_from_spec(found)
    found.loader.exec_module(fresh)
    return dict(fresh._Pickler.dispatch)


def _sources() -> list[Path]:
    return [Path(str(room.__file__)) for room in (evaluation, judging, labelling, pipelines)] + [Path(__file__)]
