"""What a ``ModelSpec`` is made of: its source, windows, policies and candidates. Parses without any heavy library."""

from collections.abc import Iterator, Sequence
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
    """How many labelled intervals a run uses."""

    training_intervals: int = 56
    """The most intervals to train on."""
    minimum_training_intervals: int = 14
    """Fewer than these and the answer is *insufficient data*."""
    holdout_intervals: int = 7
    """Newest labelled intervals that candidates are never fitted on."""
    minimum_rows: int = 100
    """An interval with fewer rows is not worth a validation: *insufficient data*."""
    minimum_completeness: float = 0.8
    """Share of keys, 0 to 1, whose label is known or void before an interval counts as labelled."""


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


@dataclass(frozen=True)
class DecisionPolicy:
    """When a retrain pays, in a user's terms."""

    maximum_age_intervals: int = 14
    """Refit at the latest after so many intervals."""
    cooldown_intervals: int = 7
    """Never refit more often than this, however bad the loss looks."""
    confidence: float = 0.99
    """Certainty that the loss has grown before a run refits early."""
    recent_intervals: int = 7
    """How many newest evaluated intervals are held against the champion's first ones; at least 2."""


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
    slice_tolerance: float = 0.05
    """A slice may lose at most this share of the champion's loss before it counts as clearly worse."""


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
    snapshots: Keep = field(default_factory=lambda: Keep(400, 120))
    """Snapshots and labels."""
    quarantines: Keep = field(default_factory=lambda: Keep(90))
    validations: Keep = field(default_factory=lambda: Keep(400, 120))
    """Results and their Data Docs."""
    predictions: Keep = field(default_factory=lambda: Keep(400, 120))
    """Predictions, and the corrections that were in force for them."""
    records: Keep = field(default_factory=lambda: Keep(800, 120))
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


def candidate_mistakes(candidates: Sequence[Candidate], task: str) -> Iterator[str]:
    """Yield what is wrong with the candidates of a spec by their form: nothing is imported here."""
    names, known = [candidate.name for candidate in candidates], (*families(task), BASELINE)
    unknown = [name for name in names if name not in known and not is_import_path(name)]
    if not names or unknown or len(set(names)) < len(names):
        yield (
            f"candidates: found {names}, expected distinct names among {list(known)} or import paths like "
            "'sklearn.ensemble:RandomForestClassifier'."
        )
    for one in candidates:
        for name, value in (("seconds", one.seconds), ("megabytes", one.megabytes)):
            if value is not None and not value > 0:
                yield f"candidates: {one.name} has {name}={value}, expected more than 0, or None for no budget."


def training_mistakes(policy: TrainingPolicy) -> Iterator[str]:
    """Yield what is wrong with a training policy, each as a sentence."""
    if policy.selection not in (OFF, IMPORTANCE):
        yield f"training.selection: found {policy.selection!r}, expected {OFF!r} or {IMPORTANCE!r}."
    if policy.gap_intervals is not None and policy.gap_intervals < 0:
        yield f"training.gap_intervals: found {policy.gap_intervals}, expected 0 or more, or None."


def allowed_mistakes(allowed: Sequence[str]) -> Iterator[str]:
    """Yield which entries of ``allowed`` are no class or function by their form."""
    for text in allowed:
        if not is_import_path(text):
            yield f"allowed: found {text!r}, expected one class or function like 'sklearn.svm._classes:SVC'."


def certainty_mistakes(windows: Windows, decision: DecisionPolicy, promotion: PromotionPolicy) -> Iterator[str]:
    """Yield where intervals are too few to have a spread, or a confidence is none."""
    if windows.holdout_intervals == 1 or windows.minimum_training_intervals == 1:
        yield "windows: holdout_intervals and minimum_training_intervals must be at least 2: one has no spread."
    if decision.recent_intervals == 1:
        yield "DecisionPolicy.recent_intervals: found 1, expected at least 2: one interval has no spread."
    for name, policy in (("decision", decision), ("promotion", promotion)):
        if not 0.5 < policy.confidence < 1:
            yield f"{name}.confidence: found {policy.confidence}, expected a certainty above 0.5 and below 1."


def recalibration_mistakes(policy: RecalibrationPolicy) -> Iterator[str]:
    """Yield what is wrong with a recalibration policy, each as a sentence."""
    for name, least in (("intervals", 0), ("minimum_intervals", 1), ("minimum_proof", 2), ("proof_intervals", 2)):
        if getattr(policy, name) < least:
            yield f"recalibration.{name}: found {getattr(policy, name)}, expected at least {least}."
    if not 0 < policy.weight_intervals < float("inf"):
        yield f"recalibration.weight_intervals: found {policy.weight_intervals}, expected more than 0."
    if policy.minimum_proof > policy.proof_intervals:
        yield "recalibration.minimum_proof: larger than proof_intervals, expected at most that."


def drift_mistakes(policy: DriftPolicy) -> Iterator[str]:
    """Yield what is wrong with a drift policy, as a sentence."""
    if not 0 < policy.alarms_per_year < float("inf"):
        yield f"drift.alarms_per_year: found {policy.alarms_per_year}, expected a number above 0."


def validation_mistakes(policy: ValidationPolicy) -> Iterator[str]:
    """Yield what is wrong with a validation policy, each as a sentence."""
    known = ("critical", "warning", "info", OFF)
    for name in ("inside", "unique", "fresh", "volume", "repeated", "leakage"):
        if getattr(policy, name) not in known:
            yield f"validation.{name}: found {getattr(policy, name)!r}, expected one of {list(known)}."
    if policy.fresh_percent not in (25, 50, 75):
        yield f"validation.fresh_percent: found {policy.fresh_percent}, expected 25, 50 or 75."
    if not 0 <= policy.quarantine_ratio < 1:
        yield f"validation.quarantine_ratio: found {policy.quarantine_ratio}, expected a share from 0 to below 1."
    if policy.rows_at_once < 1:
        yield f"validation.rows_at_once: found {policy.rows_at_once}, expected a number of rows, at least 1."
    if not 0 < policy.volume_tolerance <= 1:
        yield f"validation.volume_tolerance: found {policy.volume_tolerance}, expected a share above 0, at most 1."


def gap_mistakes(windows: Windows, gap_intervals: int) -> Iterator[str]:
    """Yield whether the shortest training window has no fold: a past, the gap, and an interval to be judged on."""
    if windows.minimum_training_intervals < gap_intervals + 2:
        yield (
            f"windows.minimum_training_intervals: found {windows.minimum_training_intervals}, expected at least "
            f"{gap_intervals + 2}: folds leave {gap_intervals} out, whose labels would not be known yet."
        )


def retention_mistakes(retention: Retention, lookback_intervals: int) -> Iterator[str]:
    """Yield what a retention would delete too early, each as a sentence."""
    for name, keep in vars(retention).items():
        if isinstance(keep, Keep) and (keep.days < 1 or keep.newest < 0):
            yield f"retention.{name}: found {keep}, expected at least 1 day and no negative count."
    if retention.live_versions < 1:
        yield f"retention.live_versions: found {retention.live_versions}, expected at least the champion."
    for name in ("snapshots", "validations", "records"):
        if getattr(retention, name).newest < lookback_intervals:
            yield f"retention.{name}.newest: expected at least {lookback_intervals}, so far may a run look back."
