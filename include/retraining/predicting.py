"""Pure: what a version predicts for rows, checked, as a table by key, and found again for the rows of that key."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.retraining import judging, training
from include.retraining.errors import DataError
from include.retraining.policies import BINARY, MULTICLASS, REGRESSION
from include.retraining.spec import ModelSpec

Floats = npt.NDArray[np.float64]
PREDICTION, RAW = "prediction", "raw"
"""The columns that follow the key; of a multiclass version one of each a class: ``prediction:late``."""
SUM_TOLERANCE = 1e-6
"""So far from 1 the chances of a row may sum up."""


def usable(rows: pd.DataFrame, spec: ModelSpec) -> pd.Series:
    """Return which rows a version can be asked for: those whose numeric features are missing or finite numbers.

    Of float columns an infinite value is a missing one (see ``labelling.finite``).
    """
    found = pd.Series(True, index=rows.index)
    for name in spec.numeric:
        numbers = pd.to_numeric(rows[name], errors="coerce").astype("float64")
        found &= (rows[name].isna() | numbers.notna()) & ~np.isinf(numbers.fillna(0.0))
    return found


def predict(estimator: Any, rows: pd.DataFrame, spec: ModelSpec, version: str) -> tuple[Floats, tuple[str, ...]]:
    """Return what a version predicts, and the classes that its columns stand for, after checking both.

    Parameters
    ----------
    estimator : Any
        The version's.
    rows : pd.DataFrame
        Features as a snapshot has them.
    spec : ModelSpec
    version : str
        For messages.

    Returns
    -------
    tuple
        Predictions in the shape of the task (see ``judging.predict``), and classes, none unless it is multiclass.

    Raises
    ------
    DataError
        A feature cannot be used, or what comes out has another shape, other classes, or values that are no chances (or
        finite numbers): nothing of it is used.
    """
    classes = _classes(estimator, spec, version)
    found = np.asarray(training.predict(estimator, rows, spec), dtype="float64")
    expected = (len(rows), len(classes)) if classes else (len(rows),)
    if found.shape != expected:
        raise _refused(version, f"predictions of shape {found.shape}", f"{expected} for {len(rows)} rows")
    wrong = ~np.isfinite(found) if spec.task == REGRESSION else ~((found >= 0) & (found <= 1))
    if count := int(wrong.reshape(len(rows), -1).any(axis=1).sum()):
        wanted = "a finite number" if spec.task == REGRESSION else "chances from 0 to 1"
        raise _refused(version, f"NaN or values out of range for {count} of {len(rows)} rows", wanted)
    if classes and (count := int((np.abs(found.sum(axis=1) - 1) > SUM_TOLERANCE).sum())):
        raise _refused(version, f"chances that do not sum to 1 for {count} of {len(rows)} rows", "those of all classes")
    return found, classes


def table(
    rows: pd.DataFrame, spec: ModelSpec, corrected: Floats, raw: Floats | None, classes: Sequence[str]
) -> pd.DataFrame:
    """Return key columns and predictions, one line a row, with ``raw`` beside where a correction was in force.

    Raises
    ------
    DataError
        A key column has the name of a prediction.
    """
    parts = {PREDICTION: corrected} | ({} if raw is None else {RAW: raw})
    named = {
        one: values if values.ndim == 1 else values[:, place]
        for kind, values in parts.items()
        for place, one in enumerate(columns(kind, classes))
    }
    if taken := sorted(set(named) & set(spec.key_columns)):
        raise DataError(f"Key columns {taken} are named like predictions. Rename them in the query of {spec.name}.")
    return pd.DataFrame({**{name: rows[name] for name in spec.key_columns}, **named}).reset_index(drop=True)


def columns(kind: str, classes: Sequence[str]) -> list[str]:
    """Return the columns of predictions, or of raw ones, by class."""
    return [f"{kind}:{name}" for name in classes] if classes else [kind]


def matched(
    served: pd.DataFrame, rows: pd.DataFrame, spec: ModelSpec, classes: Sequence[str], kind: str = PREDICTION
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the prediction of each row by its key, and whether it has one; what stands twice for a key is none.

    Where rows had another key when they were predicted, none is theirs.

    Parameters
    ----------
    served : pd.DataFrame
        As ``table`` makes it.
    rows : pd.DataFrame
        Each key once.
    spec : ModelSpec
    classes : sequence of str
        Those of the table.
    kind : str
        ``RAW`` for what the version said before a correction; the same where there was none.
    """
    key = list(spec.key_columns)
    if not set(key) <= set(served):
        return np.full((len(rows), len(classes)) if classes else len(rows), np.nan), np.zeros(len(rows), dtype="bool")
    single = served[~served.duplicated(key, keep=False)]
    places = pd.MultiIndex.from_frame(single[key]).get_indexer(pd.MultiIndex.from_frame(rows[key]))
    wanted = columns(kind, classes)
    wanted = wanted if set(wanted) <= set(single) else columns(PREDICTION, classes)
    values = single[wanted].to_numpy(dtype="float64")
    found: Floats = np.full((len(rows), values.shape[1]), np.nan)
    found[places >= 0] = values[places[places >= 0]]
    return (found if classes else found[:, 0]), places >= 0


def _classes(estimator: Any, spec: ModelSpec, version: str) -> tuple[str, ...]:
    judging.check_task(estimator, spec.task)
    if spec.task == BINARY and list(getattr(estimator, "classes_", (0, 1))) != [0, 1]:
        raise _refused(version, f"the classes {list(estimator.classes_)}", "0 and 1")
    found = judging.classes(estimator)
    if spec.task == MULTICLASS and len(set(found)) < len(found):
        raise _refused(version, f"{len(found)} classes of which some have the same name", "each once")
    return found


def _refused(version: str, found: str, expected: str) -> DataError:
    return DataError(
        f"Version {version} gives {found}; expected {expected}. Nothing of it is used: look at the rows' features, and "
        "roll back to an earlier version if they are as always."
    )
