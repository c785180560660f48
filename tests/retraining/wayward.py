"""Estimators that a spec may name by import path, and that go wrong in one way each."""

import threading
import time
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier


class Shares(ClassifierMixin, BaseEstimator):
    """Says the class shares; nothing is wrong with it."""

    def fit(self, X: Any, y: Any) -> "Shares":  # noqa: N803
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = counts / len(y)
        return self

    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        return np.tile(self.shares_, (len(X), 1))


class Nothing(Shares):
    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        found = super().predict_proba(X)
        found[::3] = np.nan
        return found


class OneColumn(Shares):
    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        return super().predict_proba(X)[:, 1]


class Words(Shares):
    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        return super().predict_proba(X).astype(str)


class Percentages(Shares):
    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        return 100 * super().predict_proba(X)


class Reversed(Shares):
    def fit(self, X: Any, y: Any) -> "Reversed":  # noqa: N803
        super().fit(X, y)
        self.classes_ = self.classes_[::-1]
        return self


class Classless(Shares):
    def fit(self, X: Any, y: Any) -> "Classless":  # noqa: N803
        super().fit(X, y)
        self.known_ = self.__dict__.pop("classes_")
        return self


class Failing(Shares):
    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        raise KeyError("no such column")


class Unfit(Shares):
    def fit(self, X: Any, y: Any) -> "Unfit":  # noqa: N803
        raise RuntimeError("the solver gave up")


class Unstorable(Shares):
    def fit(self, X: Any, y: Any) -> "Unstorable":  # noqa: N803
        self.lock_ = threading.Lock()
        return super().fit(X, y)


class Slow(Shares):
    """Takes its time for every thousand rows."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds

    def fit(self, X: Any, y: Any) -> "Slow":  # noqa: N803
        time.sleep(self.seconds * len(X) / 1000)
        return super().fit(X, y)


class Large(Shares):
    """Reserves so many megabytes."""

    def __init__(self, megabytes: int = 1) -> None:
        self.megabytes = megabytes

    def fit(self, X: Any, y: Any) -> "Large":  # noqa: N803
        held = np.ones((self.megabytes, 1 << 17))
        return super().fit(X, y) if held.any() else self


class Crashing(Shares):
    def fit(self, X: Any, y: Any) -> "Crashing":  # noqa: N803
        import os

        os.abort()


class Means(BaseEstimator):
    """A regression whose answers have a column too many."""

    def fit(self, X: Any, y: Any) -> "Means":  # noqa: N803
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803
        return np.full((len(X), 1), self.mean_)


def three_neighbours() -> KNeighborsClassifier:
    """Return an estimator that needs no settings."""
    return KNeighborsClassifier(3)


NO_ESTIMATOR = "a text"
