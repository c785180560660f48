"""What a ``ModelSpec`` is made of: its source, windows, policies and candidates. Parses without any heavy library."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

KEEP, DROP, PSEUDONYMISE = "keep", "drop", "pseudonymise"
BINARY, MULTICLASS, REGRESSION = "binary", "multiclass", "regression"
CANDIDATES = {
    BINARY: ("logistic_regression", "hist_gradient_boosting"),
    MULTICLASS: ("logistic_regression", "hist_gradient_boosting"),
    REGRESSION: ("ridge", "hist_gradient_boosting"),
}
"""Model families of each task, simplest first."""
BASELINE = "baseline"
"""A candidate of every task, though none of its own: it says the base rate, class shares or mean for every row."""


@dataclass(frozen=True)
class SqlSource:
    """Rows from SQL over an Airflow Connection.

    The query is bound to ``:start``, ``:end``, ``:as_of`` and ``:since`` and must return nothing that was not known at
    ``:as_of``: a label that is not known yet is NULL.
    """

    connection: str
    query: Path
    lookback: timedelta = timedelta(0)
    """How far before the interval the query may look; bound as ``:since`` = start - lookback."""


@dataclass(frozen=True)
class Windows:
    """Which labelled intervals a run uses."""

    training_intervals: int = 56
    """So many newest labelled intervals, before those held out, are all trained on."""
    minimum_training_intervals: int = 14
    """Fewer than these and the answer is *insufficient data*."""
    holdout_intervals: int = 7
    """Newest labelled intervals that candidates are never fitted on."""
    minimum_rows: int = 100
    """An interval with fewer rows is not worth a validation: *insufficient data*."""
    minimum_completeness: float = 0.8
    """Share of keys, 0 to 1, whose label is known or void before an interval counts as labelled."""
    older_every: int = 4
    """Of older intervals, every so many-th is trained on too, so that a model knows other seasons and ages slowly; 0:
    none. No multiple of a week's intervals, or all would be of one weekday."""
    oldest_intervals: int = 365
    """Nothing older than so many labelled intervals is trained on."""


OFF, IMPORTANCE = "off", "importance"


@dataclass(frozen=True)
class TrainingPolicy:
    """How candidates are judged before one is chosen, and which features they are fitted on."""

    selection: Literal["off", "importance"] = "off"
    """``importance``: a feature that can be left out for free, by folds inside the past of each fold, is left out. It
    takes about five times as long; docs/decisions/0010-training.md says what it bought."""
    gap_intervals: int | None = None
    """Intervals left out between what a fold trains on and what it is judged on. None: as many as the label delay
    spans."""


@dataclass(frozen=True)
class ValidationPolicy:
    """What is expected of every interval without being written in a suite: each a severity, or ``off``."""

    inside: str = "critical"
    """No row lies outside its data interval."""
    unique: str = "critical"
    """No key stands twice, in a snapshot or in its labels."""
    fresh: str = "warning"
    """The newest row lies in the last part of the interval."""
    fresh_percent: Literal[25, 50, 75] = 75
    """So much of an interval has passed when its last part begins."""
    volume: str = "warning"
    """As many rows as on the same weekday before."""
    volume_tolerance: float = 0.3
    """Share by which the rows may differ from the median of those days."""
    repeated: str = "warning"
    """As many rows as usual are new since the interval before, whatever their keys and times say."""
    leakage: str = "critical"
    """No feature tells the label by itself."""
    quarantine_ratio: float = 0.01
    """Up to this share of rows that break critical expectations on single rows is set aside and the run goes on with
    the rest; 0: any such row blocks the run."""
    rows_at_once: int = 2**18
    """Snapshots of more rows are validated from a file, so many rows in memory at once. What is found is the same."""


NEIGHBOURS = 14
"""Intervals at most so far apart are neighbours: whole weeks of days, so that a weekday's own errors are no order."""
FEWEST_JUDGED = 2 * NEIGHBOURS
"""Fewer judged intervals say nothing about order: the world counts as standing still."""


@dataclass(frozen=True)
class DecisionPolicy:
    """When a retrain pays, in a user's terms."""

    price: float = 1.0
    """What a retrain costs against the usual. The shortest wait grows with its square root: at 4 it is doubled."""
    minimum_age_intervals: int = 14
    """While the world moves, a challenger is due after so many intervals, at a price of 1."""
    maximum_age_intervals: int = 112
    """While it does not, every lost challenge doubles the wait, up to so many intervals."""
    cooldown_intervals: int = 7
    """No alarm trains a challenger sooner after the last one, and no price makes the wait shorter."""
    alarms_per_year: float = 0.25
    """So many alarms of a risen loss may come where nothing has changed: each costs a retrain that is not needed. While
    the world moves none is heeded: a challenger is due soon."""
    recent_intervals: int = 7
    """How many newest evaluated intervals are held against the champion's first ones; at least 2."""
    evidence: float = 4.0
    """The world begins to move where neighbouring intervals err more alike than in random order, by more than so many
    standard errors: chance alone gets there in five to ten years of a hundred."""
    evidence_to_stay: float = 1.0
    """It goes on moving until it is no more than so many."""
    evidence_intervals: int = 112
    """Over so many newest intervals at most."""


@dataclass(frozen=True)
class RecalibrationPolicy:
    """How the champion's outputs are corrected by recent labels, between one retrain and the next."""

    intervals: int = 14
    """Fitted on at most so many newest labelled intervals that the champion was not trained on; 0: never corrected."""
    minimum_intervals: int = 3
    """Fewer say too little."""
    weight_intervals: float = 7.0
    """Shrunk towards no correction as if the champion had been right on so many intervals more."""
    proof_intervals: int = 56
    """In force only while corrections lowered the mean loss of the newest so many intervals none was fitted on."""
    minimum_proof: int = 7
    """Fewer intervals prove nothing."""


@dataclass(frozen=True)
class DriftPolicy:
    """How loud drift may be. It informs people and decides nothing."""

    alarms_per_year: float = 1.0
    """So many alarms may come where nothing drifts. Fewer of them need a larger shift: limits follow from this number
    and from how far the champion's own intervals stray."""


@dataclass(frozen=True)
class PromotionPolicy:
    """What a challenger must show."""

    mode: Literal["auto"] = "auto"
    """``auto`` promotes a winner at once."""
    confidence: float = 0.9
    """Certainty that the challenger's loss is lower, from the holdout's intervals."""
    moving_confidence: float = 0.5
    """The same while the world moves, where the newer version is likely the better one: 0.5 asks for a lower mean."""
    runner_up_confidence: float = 0.995
    """The same for whoever lost the last comparison: it is looked at again and again, so more is asked."""
    runner_up_every: int = 7
    """It is looked at each time so many intervals have passed since that comparison; 0: never."""
    runner_up_intervals: int = 14
    """Over at least so many intervals."""
    slice_tolerance: float = 0.05
    """A slice may lose at most this share of the champion's loss before it counts as clearly worse."""
    calibration_tolerance: float = 0.05
    """By so much may the calibration error of chances grow before a challenger counts as clearly worse calibrated."""


@dataclass(frozen=True)
class Keep:
    """How long one kind of object is kept: while it is younger than ``days`` or among the ``newest``."""

    days: int
    """Counted from when it was stored, by the store's clock."""
    newest: int = 0
    """So many newest intervals (or versions) are kept however old."""


@dataclass(frozen=True)
class Retention:
    """What maintenance may delete. What the champion, a recent live version or an open run needs is never deleted."""

    collect: bool = False
    """Whether the daily maintenance deletes; else it only tells what it would free."""
    snapshots: Keep = field(default_factory=lambda: Keep(400, 150))
    """Snapshots and labels."""
    quarantines: Keep = field(default_factory=lambda: Keep(90))
    validations: Keep = field(default_factory=lambda: Keep(400, 150))
    """Results and their Data Docs."""
    predictions: Keep = field(default_factory=lambda: Keep(400, 150))
    """Predictions, and the corrections that were in force for them."""
    records: Keep = field(default_factory=lambda: Keep(800, 150))
    """Inputs and records of runs."""
    versions: Keep = field(default_factory=lambda: Keep(400, 10))
    candidates: Keep = field(default_factory=lambda: Keep(7))
    live_versions: int = 5
    """So many last champions are kept whole, with the snapshots they were trained on, so that each can be reproduced
    and rolled back to."""


@dataclass(frozen=True)
class Candidate:
    """One model family in the running, with its parameters."""

    name: str
    """One of the task's own, ``baseline``, or ``module:Name`` of a scikit-learn-compatible class (or of a function that
    returns such an estimator): it gets the preparation of the linear ones."""
    parameters: dict[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    """Wall-clock time for folds and final fit; a candidate that needs more fails, the others go on."""
    megabytes: int | None = None
    """Memory beyond its own rows and libraries; a candidate that needs more fails, the others go on (on Linux)."""


def is_import_path(name: str) -> bool:
    """Return whether a name has the form ``package.module:Name``.

    >>> is_import_path("sklearn.ensemble:RandomForestClassifier"), is_import_path("ridge")
    (True, False)
    """
    module, colon, attribute = name.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), attribute))


def families(task: str) -> tuple[str, ...]:
    """Return the model families of a task, simplest first."""
    return CANDIDATES.get(task, CANDIDATES[BINARY])
