"""Pure: what the tasks differ in: by which loss a model is judged, what has to be beaten, and how it is asked.

Each task has one loss, a mean over rows, for which an honest answer is best: log loss for chances, squared error for
an expected number (Gneiting and Raftery, Strictly proper scoring rules, prediction, and estimation, Journal of the
American Statistical Association 102, 2007). docs/decisions/0007-three-tasks.md says why regression is not judged by its
absolute error, which is told beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.retraining.errors import DataError
from include.retraining.policies import BINARY, MULTICLASS, REGRESSION

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

LOG_LOSS, SQUARED_ERROR = "log_loss", "squared_error"


@dataclass(frozen=True)
class Loss:
    """The loss of a task, and what is predicted for every row where there is no model."""

    key: str
    """Its name in records."""
    words: str
    floor: str

    def told(self, value: float, decimals: int = 4) -> str:
        """Return a loss, or a difference of two, in words.

        >>> of("binary").told(0.52351), of("regression").told(1826.56), of("regression").told(0.0012345)
        ('0.5235', '1,827', '0.001234')
        """
        if self.key == LOG_LOSS:
            return f"{value:.{decimals}f}"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"

    def level(self, value: float) -> str:
        """Return a loss in words, a squared one with its root, which has the label's own unit.

        >>> of("regression").level(1826.56)
        '1,827 (root 42.74)'
        """
        return self.told(value) + (f" (root {value**0.5:.4g})" if self.key == SQUARED_ERROR else "")


LOSSES = {
    BINARY: Loss(LOG_LOSS, "log loss", "base rate"),
    MULTICLASS: Loss(LOG_LOSS, "log loss", "class shares"),
    REGRESSION: Loss(SQUARED_ERROR, "squared error", "training mean"),
}


def of(task: str) -> Loss:
    """Return the loss of a task."""
    return LOSSES[task]


def loss(line: Mapping[str, Any]) -> float:
    """Return the loss among the metrics of one interval, whatever the task."""
    return float(next(line[key] for key in (LOG_LOSS, SQUARED_ERROR) if key in line))


def task_of(estimator: Any) -> str:
    """Return the task that an estimator was fitted for."""
    if not hasattr(estimator, "predict_proba"):
        return REGRESSION
    return MULTICLASS if any(isinstance(name, str) for name in getattr(estimator, "classes_", ())) else BINARY


def classes(estimator: Any) -> tuple[str, ...]:
    """Return what the columns of a multiclass estimator's predictions stand for; nothing for other tasks."""
    return tuple(map(str, estimator.classes_)) if task_of(estimator) == MULTICLASS else ()


def predict(estimator: Any, columns: "pd.DataFrame") -> "np.ndarray[Any, Any]":
    """Return an estimator's predictions in the shape of its task.

    Returns
    -------
    array
        Binary: the chance of label 1, shape (n_rows,), 0 to 1. Multiclass: the chance of each class, shape (n_rows,
        n_classes), in the order of ``classes``. Regression: the expected label, shape (n_rows,).
    """
    task = task_of(estimator)
    found: np.ndarray[Any, Any] = (estimator.predict if task == REGRESSION else estimator.predict_proba)(columns)
    return found[:, 1] if task == BINARY else found


def check_task(estimator: Any, task: str) -> None:
    """Raise DataError unless an estimator was fitted for this task."""
    fitted = task_of(estimator)
    if fitted != task:
        raise DataError(
            f"The version was trained for task {fitted!r}, the spec says {task!r}. A version is judged by its own loss "
            "only: set the spec's task back, or give the new model another name."
        )
