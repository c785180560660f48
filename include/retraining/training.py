"""Candidates and their fits. Deterministic: same rows, parameters and seed, same model."""

import hashlib
import importlib.util
import io
import json
from collections.abc import Sequence
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

from include.retraining import estimators, evaluation, judging, labelling, pipelines
from include.retraining.errors import BadInput, DataError
from include.retraining.pipelines import Treatment
from include.retraining.policies import MULTICLASS, REGRESSION, is_import_path
from include.retraining.spec import Candidate, ModelSpec

Floats = npt.NDArray[np.float64]
CLIP_QUANTILES = (0.001, 0.999)
"""Values beyond these quantiles of the training rows are clipped to them."""
SAMPLE_ROWS = 500
"""So many training rows are predicted at once after a fit, to see that an estimator answers as its task asks."""
SOURCES = ("estimators", "evaluation", "folds", "importance", "judging", "labelling", "pipelines", "training")
"""The rooms that make a candidate and its losses what they are."""
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
        One of the task's names in ``pipelines.BUILDERS`` or an import path, and its parameters.
    rows : pd.DataFrame
        Labelled training rows; nothing else is looked at.
    spec : ModelSpec
        Names features and label.

    Raises
    ------
    DataError
        There is nothing to learn from the label, a feature is not numeric, or the estimator fails or answers what the
        task cannot use.
    SpecError
        The import path leads to nothing that can be used.
    """
    labels = labelling.check_labels(rows, spec)
    columns = features(rows, spec)
    try:
        pipeline = _pipeline(candidate, treatment(rows, spec), spec)
        # Sums depend on how many threads share them: one thread gives the same bytes on every machine.
        with threadpool_limits(limits=1):
            fitted = pipeline.fit(columns, labels)
    except (BadInput, MemoryError):
        raise
    except Exception as error:  # an estimator may be anybody's
        told = f"{type(error).__name__}: {error}"
        raise DataError(
            f"Candidate {candidate.name} cannot be trained: {told}. Check features and parameters."
        ) from error
    if spec.task != REGRESSION:
        estimators.check_classes(candidate.name, fitted, labels.tolist())
    estimators.answers(candidate.name, fitted, columns.iloc[:: -(-len(columns) // SAMPLE_ROWS)], spec.task)
    return fitted


def _pipeline(candidate: Candidate, treated: Treatment, spec: ModelSpec) -> Pipeline:
    if is_import_path(candidate.name):
        return pipelines.prepared(estimators.made(candidate, spec.task, spec.seed), treated, spec)
    return pipelines.BUILDERS[spec.task, candidate.name](candidate.parameters, treated, spec)


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


def losses(name: str, fitted: Any, intervals: Sequence[pd.DataFrame], spec: ModelSpec) -> list[float]:
    """Return a candidate's loss on each interval; what it predicts is checked first.

    Raises
    ------
    DataError
        A feature cannot be used, or the estimator answers what the task cannot use; the candidate is named.
    """
    measured = evaluation.measure(spec.task, judging.classes(fitted))
    columns = features(pd.concat(intervals, ignore_index=True), spec)
    found = estimators.answers(name, fitted, columns, spec.task)
    pairs = zip(intervals, np.split(found, np.cumsum([len(one) for one in intervals])[:-1]), strict=True)
    return [judging.loss(measured(labelling.labels_of(rows, spec), guess)) for rows, guess in pairs]


def constant(rows: pd.DataFrame, spec: ModelSpec) -> list[str]:
    """Return which features have one and the same value in every row: nothing can be learned from them.

    >>> from types import SimpleNamespace
    >>> constant(pd.DataFrame({"a": [1, 1], "b": [1, None]}), SimpleNamespace(features=("a", "b")))
    ['a']
    """
    return [name for name in spec.features if (rows[name] == rows[name].iloc[0]).all()]


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
        "candidate": {"name": candidate.name, "parameters": candidate.parameters},  # a budget makes no other model
        "libraries": {**libraries, **estimators.identity(candidate.name)},
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
    return [Path(__file__).with_name(f"{name}.py") for name in SOURCES]
