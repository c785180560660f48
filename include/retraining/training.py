"""Candidates, their pipelines, and the choice among them. Deterministic: same rows, parameters and seed, same model.

Pipelines hold library estimators only, no class of ours: an artifact loads wherever scikit-learn does.
"""

import hashlib
import importlib.util
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib.numpy_pickle import NumpyPickler
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from include.retraining import evaluation, labelling
from include.retraining.errors import DataError
from include.retraining.spec import Candidate, ModelSpec

Floats = npt.NDArray[np.float64]
CLIP_QUANTILES = (0.001, 0.999)
"""Values beyond these quantiles of the training rows are clipped to them."""
RARE_ROWS = 20
"""Categories seen less often in training share one column, as unseen ones do."""
MOST_CATEGORIES = 250
FOLDS = 3


@dataclass(frozen=True)
class Treatment:
    """How missing values and outliers of numeric features are treated, learned from training rows only."""

    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    medians: tuple[float, ...]


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
        A name of ``spec.CANDIDATES`` and its parameters.
    rows : pd.DataFrame
        Labelled training rows; nothing else is looked at.
    spec : ModelSpec
        Names features and label.

    Raises
    ------
    DataError
        The label has one class only, or a feature is not numeric.
    """
    labels = check_labels(rows, spec)
    columns = features(rows, spec)
    try:
        pipeline = BUILDERS[candidate.name](candidate.parameters, treatment(rows, spec), spec)
        # Sums depend on how many threads share them: one thread gives the same bytes on every machine.
        with threadpool_limits(limits=1):
            return pipeline.fit(columns, labels)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"Candidate {candidate.name} cannot be trained: {error}. Check features and parameters."
        ) from error


def check_labels(rows: pd.DataFrame, spec: ModelSpec) -> Floats:
    """Return the labels; raises DataError unless both classes occur and nothing else."""
    found = sorted(rows[spec.label].unique().tolist())
    if found != [0.0, 1.0]:
        raise DataError(
            f"Label {spec.label!r} takes the values {found} in {len(rows)} training rows; both 0 and 1 are needed. "
            "Lengthen the training window or mend the label."
        )
    return rows[spec.label].to_numpy(dtype="float64")


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
    """Return the probability of label 1 for each row, shape (n_rows,), 0 to 1."""
    found: Floats = estimator.predict_proba(features(rows, spec))[:, 1]
    return found


def logistic_regression(parameters: dict[str, Any], treated: Treatment, spec: ModelSpec) -> Pipeline:
    """Return an unfitted logistic regression on scaled numbers and one-hot categories.

    The penalty is strong: rows of one interval share their news, so evidence grows with intervals, not with rows.
    """
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE_ROWS, sparse_output=False)
    settings = {"C": 0.005, "solver": "newton-cholesky", "max_iter": 100, **parameters}
    return Pipeline([("prepare", _prepare(treated, spec, encoder)), ("model", LogisticRegression(**settings))])


def hist_gradient_boosting(parameters: dict[str, Any], treated: Treatment, spec: ModelSpec) -> Pipeline:
    """Return unfitted histogram gradient boosting; categories are split as sets, not as numbers."""
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
    model = HistGradientBoostingClassifier(**settings)
    return Pipeline([("prepare", _prepare(treated, spec, encoder)), ("model", model)])


BUILDERS: dict[str, Callable[[dict[str, Any], Treatment, ModelSpec], Pipeline]] = {
    "logistic_regression": logistic_regression,
    "hist_gradient_boosting": hist_gradient_boosting,
}


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


def folds(count: int) -> list[tuple[range, range]]:
    """Return temporal folds over interval positions: each trains on the past and is judged on what follows.

    >>> folds(8)
    [(range(0, 5), range(5, 6)), (range(0, 6), range(6, 7)), (range(0, 7), range(7, 8))]
    """
    size = max(1, count // (2 * FOLDS))
    starts = [count - size * left for left in range(FOLDS, 0, -1)]
    return [(range(start), range(start, start + size)) for start in starts if start > 0]


def fold_losses(candidate: Candidate | None, intervals: Sequence[pd.DataFrame], spec: ModelSpec) -> list[float]:
    """Return the log loss of each interval of the temporal folds.

    Without a candidate that of the floor: the base rate for every row, which every candidate must beat.
    """
    losses: list[float] = []
    for past, judged in folds(len(intervals)):
        rows = pd.concat([intervals[place] for place in past], ignore_index=True)
        model = None if candidate is None else fit(candidate, rows, spec)
        base_rate = float(check_labels(rows, spec).mean())
        for place in judged:
            labels = intervals[place][spec.label].to_numpy(dtype="float64")
            guess = np.full(len(labels), base_rate) if model is None else predict(model, intervals[place], spec)
            losses.append(evaluation.score(labels, guess)["log_loss"])
    return losses


def select(losses: dict[str, list[float]], order: Sequence[str], floor_losses: list[float]) -> dict[str, Any]:
    """Return the simplest candidate within one standard error of the best, if it beats the floor.

    The one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3), with
    intervals as the unit.

    Parameters
    ----------
    losses : dict
        Log loss per interval of the folds, by candidate.
    order : sequence of str
        Candidate names, simplest first.
    floor_losses : list of float
        The same intervals for the trivial baseline.
    """
    means = {name: float(np.mean(losses[name])) for name in order if name in losses}
    best = min(means, key=lambda name: means[name])
    error = float(np.std(losses[best], ddof=1) / len(losses[best]) ** 0.5) if len(losses[best]) > 1 else 0.0
    floor_mean = float(np.mean(floor_losses))
    above = [name for name in means if means[name] < floor_mean]
    chosen = next((name for name in above if means[name] <= means[best] + error), None)
    numbers = {"losses": means, "standard_error": error, "floor_loss": floor_mean, "best": best}
    if chosen is None:
        return {"candidate": None, "reason": f"No candidate beats the base rate ({floor_mean:.4f}).", **numbers}
    reason = f"{chosen} is the simplest within one standard error ({error:.4f}) of {best} ({means[best]:.4f})."
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
    return [Path(__file__), Path(evaluation.__file__), Path(labelling.__file__)]
