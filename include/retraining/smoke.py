"""Pure: rows stored with a version, and the predictions that must come out again when it is loaded.

The rows are made, not taken: each feature's values are spread over its own training distribution, so no row is a
person's. Rare categories are left out, since one of them may name somebody.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from include.retraining import judging
from include.retraining.errors import IntegrityError

FORMAT_VERSION = 1
ROWS = 32
COMMON_ROWS = 20
"""Categories seen less often in training are not shown."""
SPREAD = (0.01, 0.99)
"""Quantiles between which numbers are spread: the largest income is somebody's."""
TOLERANCE = 1e-6
"""The same artifact may differ in the last digits between processors; a share of the largest prediction beyond 1."""


def rows(training_rows: pd.DataFrame, numeric: Sequence[str], categorical: Sequence[str]) -> pd.DataFrame:
    """Return made-up rows that cover each feature's range, its common categories, and a missing value.

    >>> rows(pd.DataFrame({"weight": [0.0, 1.0]}), ["weight"], [])["weight"].round(2).tolist()[:3]
    [nan, 0.01, 0.04]
    """
    columns: dict[str, Any] = {}
    for place, name in enumerate(numeric):
        columns[name] = np.roll(_numbers(training_rows[name]), 7 * place)
    for place, name in enumerate(categorical):
        columns[name] = np.roll(_categories(training_rows[name]), 5 * place)
    return pd.DataFrame(columns)


def record(estimator: Any, made: pd.DataFrame, numeric: Sequence[str]) -> dict[str, Any]:
    """Return the rows and what the estimator predicts for them, as JSON content."""
    values = json.loads(made.to_json(orient="values", double_precision=15))
    return {
        "format_version": FORMAT_VERSION,
        "numeric": list(numeric),
        "categorical": [name for name in made.columns if name not in numeric],
        "rows": values,
        "predictions": judging.predict(estimator, _frame(values, list(made.columns), numeric)).tolist(),
    }


def predictions(estimator: Any, recorded: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Return what an estimator predicts for recorded rows, in the shape of its task (see ``judging.predict``)."""
    numeric = recorded["numeric"]
    return judging.predict(estimator, _frame(recorded["rows"], [*numeric, *recorded["categorical"]], numeric))


def check(estimator: Any, recorded: dict[str, Any], what: str) -> None:
    """Raise IntegrityError unless the recorded predictions come out again.

    Parameters
    ----------
    estimator : fitted estimator
    recorded : dict
        What ``record`` returned.
    what : str
        The artifact's key, for messages.
    """
    try:
        found, expected = predictions(estimator, recorded), np.asarray(recorded["predictions"], dtype="float64")
        is_alike = found.shape == expected.shape and len(found)
        distance = float(np.max(np.abs(found - expected))) if is_alike else np.inf
        tolerance = TOLERANCE * max(1.0, float(np.max(np.abs(found)))) if is_alike else TOLERANCE
    except Exception as error:  # an estimator of another release can fail in any way
        raise IntegrityError(
            f"{what} loads but cannot predict the rows stored with it: {error}. Check the library versions.",
            "smoke test",
        ) from error
    if not distance <= tolerance:
        count = len(expected) if expected.ndim > 1 else expected.size
        raise IntegrityError(
            f"{what} predicts otherwise than when it was trained (by up to {distance:.3g} in {count} rows). Check "
            "the library versions; `reproduce` trains it again.",
            "smoke test",
        )


def _numbers(values: pd.Series) -> np.ndarray[Any, Any]:
    known = values.dropna().astype("float64")
    spread = np.quantile(known, np.linspace(*SPREAD, ROWS - 1)) if len(known) else np.full(ROWS - 1, np.nan)
    return np.concatenate([[np.nan], spread])


def _categories(values: pd.Series) -> np.ndarray[Any, Any]:
    counts = values.value_counts()
    common = sorted(counts[counts >= COMMON_ROWS].index.tolist(), key=str) or ["other"]
    return np.array([None, *(common * ROWS)[: ROWS - 1]], dtype="object")


def _frame(values: list[list[Any]], columns: list[str], numeric: Sequence[str]) -> pd.DataFrame:
    frame = pd.DataFrame(values, columns=columns, dtype="object")
    numbers = {name: frame[name].astype("float64") for name in numeric}
    text = {name: frame[name].where(frame[name].notna(), np.nan) for name in columns if name not in numeric}
    return pd.DataFrame({**numbers, **text}, columns=columns)
