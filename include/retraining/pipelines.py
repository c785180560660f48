"""Pure: the unfitted pipeline of each candidate, by task. Library estimators only, no class of ours: an artifact loads
wherever scikit-learn does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from include.retraining.policies import BASELINE, BINARY, MULTICLASS, REGRESSION
from include.retraining.spec import ModelSpec

RARE_ROWS = 20
"""Categories seen less often in training share one column, as unseen ones do."""
MOST_CATEGORIES = 250


@dataclass(frozen=True)
class Treatment:
    """How missing values and outliers of numeric features are treated, learned from training rows only."""

    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    medians: tuple[float, ...]


def logistic_regression(parameters: dict[str, Any], treated: Treatment, spec: ModelSpec) -> Pipeline:
    """Return an unfitted logistic regression, of two classes or more, on scaled numbers and one-hot categories.

    The penalty is strong: rows of one interval share their news, so evidence grows with intervals, not with rows.
    """
    settings = {"C": 0.005, "solver": "newton-cholesky", "max_iter": 100, **parameters}
    return prepared(LogisticRegression(**settings), treated, spec)


def ridge(parameters: dict[str, Any], treated: Treatment, spec: ModelSpec) -> Pipeline:
    """Return an unfitted ridge regression on scaled numbers and one-hot categories, as strongly penalised."""
    return prepared(Ridge(**{"alpha": 1000.0, "solver": "cholesky", **parameters}), treated, spec)


def boosted_classes(parameters: dict[str, Any], treated: Treatment, spec: ModelSpec) -> Pipeline:
    """Return unfitted histogram gradient boosting of classes."""
    return _boosted(HistGradientBoostingClassifier, parameters, treated, spec)


def boosted_numbers(parameters: dict[str, Any], treated: Treatment, spec: ModelSpec) -> Pipeline:
    """Return unfitted histogram gradient boosting of a number, by its squared error."""
    return _boosted(HistGradientBoostingRegressor, parameters, treated, spec)


def base_rate(parameters: dict[str, Any], treated: Treatment, spec: ModelSpec) -> Pipeline:
    """Return an unfitted candidate that says the base rate or the class shares for every row."""
    return prepared(DummyClassifier(**{"strategy": "prior", **parameters}), treated, spec)


def mean_label(parameters: dict[str, Any], treated: Treatment, spec: ModelSpec) -> Pipeline:
    """Return an unfitted candidate that says the mean label for every row."""
    return prepared(DummyRegressor(**{"strategy": "mean", **parameters}), treated, spec)


BUILDERS: dict[tuple[str, str], Callable[[dict[str, Any], Treatment, ModelSpec], Pipeline]] = {
    (BINARY, BASELINE): base_rate,
    (MULTICLASS, BASELINE): base_rate,
    (REGRESSION, BASELINE): mean_label,
    (BINARY, "logistic_regression"): logistic_regression,
    (BINARY, "hist_gradient_boosting"): boosted_classes,
    (MULTICLASS, "logistic_regression"): logistic_regression,
    (MULTICLASS, "hist_gradient_boosting"): boosted_classes,
    (REGRESSION, "ridge"): ridge,
    (REGRESSION, "hist_gradient_boosting"): boosted_numbers,
}
"""By task and candidate."""


def prepared(model: Any, treated: Treatment, spec: ModelSpec) -> Pipeline:
    """Return an unfitted pipeline of scaled numbers, their missing values, and one-hot categories, before any model."""
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE_ROWS, sparse_output=False)
    return Pipeline([("prepare", _prepare(treated, spec, encoder)), ("model", model)])


def _boosted(kind: Any, parameters: dict[str, Any], treated: Treatment, spec: ModelSpec) -> Pipeline:
    """Return a pipeline in which categories are split as sets, not as numbers."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        min_frequency=RARE_ROWS,
        max_categories=MOST_CATEGORIES,
    )
    first = 2 * len(treated.kept)
    settings: dict[str, Any] = {
        "learning_rate": 0.06,
        "max_iter": 80,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 100,
        "l2_regularization": 1.0,
        "early_stopping": False,
        "categorical_features": list(range(first, first + len(spec.categorical))),
        "random_state": spec.seed,
        **parameters,
    }
    return Pipeline([("prepare", _prepare(treated, spec, encoder)), ("model", kind(**settings))])


def _prepare(treated: Treatment, spec: ModelSpec, encoder: Any) -> ColumnTransformer:
    kept, limits = list(treated.kept), {"a_min": list(treated.low), "a_max": list(treated.high)}
    numbers = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("clip", FunctionTransformer(np.clip, kw_args=limits)),
            ("scale", StandardScaler()),
        ]
    )
    parts: list[tuple[str, Any, list[str]]] = []
    if kept:
        parts = [("numbers", numbers, kept), ("missing", MissingIndicator(features="all"), kept)]
    if spec.categorical:
        parts.append(("categories", encoder, list(spec.categorical)))
    return ColumnTransformer(parts)
