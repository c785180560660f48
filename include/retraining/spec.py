"""What a user writes: one frozen, checked ``ModelSpec`` per model. Parses without any heavy library."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from croniter import croniter

from include.retraining.errors import SpecError
from include.retraining.policies import (
    CANDIDATES,
    DROP,
    KEEP,
    PSEUDONYMISE,
    Candidate,
    DecisionPolicy,
    DriftPolicy,
    Keep,
    PromotionPolicy,
    RecalibrationPolicy,
    Retention,
    SqlSource,
    TrainingPolicy,
    ValidationPolicy,
    Windows,
    families,
)
from include.retraining.policy_mistakes import (
    allowed_mistakes,
    candidate_mistakes,
    certainty_mistakes,
    decision_mistakes,
    drift_mistakes,
    gap_mistakes,
    recalibration_mistakes,
    retention_mistakes,
    training_mistakes,
    validation_mistakes,
    window_mistakes,
)
from include.retraining.windows import Schedule, label_gap

__all__ = [
    "Candidate",
    "DecisionPolicy",
    "DriftPolicy",
    "Keep",
    "ModelSpec",
    "PromotionPolicy",
    "Retention",
    "SqlSource",
    "TrainingPolicy",
    "ValidationPolicy",
    "Windows",
]

SLACK = 14
"""Intervals beyond the longest window or wait that a run still looks at."""


@dataclass(frozen=True)
class ModelSpec:
    """All that is said about one model. Construction checks every field and names all mistakes at once."""

    name: str
    """Lower-case letters, digits and ``_``: it is part of DAG ids and object keys."""
    owner: str
    purpose: str
    """What the model is for, in a sentence: it opens the model card."""
    source: SqlSource
    time_column: str
    key_columns: tuple[str, ...]
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    label: str
    """Binary: 0 or 1; multiclass: text; regression: a number. NULL is *void* where ``void_column`` says so, else not
    known yet."""
    label_delay: timedelta
    start: datetime
    """First moment of the first interval, with a time zone."""
    suite: Path
    """The Great Expectations suite, as JSON."""
    end: datetime | None = None
    void_column: str | None = None
    """1 where no label will ever come, such as for a cancelled flight."""
    known_at_column: str | None = None
    """When each row became known; rows known after the as-of are left out."""
    observed: tuple[str, ...] = ()
    """Columns that are validated and monitored but never features."""
    privacy: dict[str, str] = field(default_factory=dict)
    """Per column ``keep`` (default), ``drop`` or ``pseudonymise``."""
    schedule: str = "0 0 * * *"
    timezone: str = "UTC"
    task: Literal["binary", "multiclass", "regression"] = "binary"
    """It implies the loss by which versions are judged: log loss for classes, squared error for numbers."""
    slices: tuple[str, ...] = ()
    """Categorical features whose values are judged apart in every comparison."""
    candidates: tuple[Candidate, ...] = None  # type: ignore[assignment]
    """Simplest first: among equals the simplest wins. All of the task's own by default."""
    validation: ValidationPolicy = field(default_factory=ValidationPolicy)
    """What is expected of every interval beyond the suite, and how many rows may be set aside."""
    windows: Windows = field(default_factory=Windows)
    training: TrainingPolicy = field(default_factory=TrainingPolicy)
    """Which features candidates are fitted on, and how far what judges them lies from what they know."""
    recalibration: RecalibrationPolicy = field(default_factory=RecalibrationPolicy)
    decision: DecisionPolicy = field(default_factory=DecisionPolicy)
    drift: DriftPolicy = field(default_factory=DriftPolicy)
    promotion: PromotionPolicy = field(default_factory=PromotionPolicy)
    retention: Retention = field(default_factory=Retention)
    allowed: tuple[str, ...] = ()
    """``module:name`` of classes and functions that artifacts may name and call beyond the product's own list."""
    notifier: str = "include.retraining.alerts.LogNotifier"
    """Dotted path of the Airflow notifier that gets one message per decision and failure."""
    notifier_arguments: dict[str, Any] = field(default_factory=dict)
    """Its arguments; templated fields may use ``{{ retraining.message }}``, ``.severity`` and ``.model``."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Fill in the task's candidates, then raise one SpecError that names every mistake."""
        if self.candidates is None:
            object.__setattr__(self, "candidates", tuple(Candidate(name) for name in families(self.task)))
        mistakes = list(_mistakes(self))
        if mistakes:
            listed = "\n".join(f"  - {mistake}" for mistake in mistakes)
            raise SpecError(f"Spec {self.name!r} has {len(mistakes)} mistake(s):\n{listed}")

    @property
    def features(self) -> tuple[str, ...]:
        """Numeric features, then categorical ones."""
        return self.numeric + self.categorical

    @property
    def stored(self) -> tuple[str, ...]:
        """Columns of a snapshot, in order: keys, time, features and observed columns that privacy does not drop."""
        named = (*self.key_columns, self.time_column, *self.features, *self.observed)
        return tuple(column for column in dict.fromkeys(named) if self.privacy.get(column) != DROP)

    @property
    def pseudonymised(self) -> frozenset[str]:
        """Columns whose values are stored as pseudonyms, and never shown."""
        return frozenset(column for column, rule in self.privacy.items() if rule == PSEUDONYMISE)

    @property
    def timetable(self) -> Schedule:
        """The schedule as a pure value."""
        return Schedule(self.schedule, self.timezone, self.start, self.end)

    @property
    def training_fields(self) -> dict[str, Any]:
        """Every field that enters training, in one place: a change of any of these makes another version."""
        named = ("name", "numeric", "categorical", "label", "task", "seed")
        training = replace(self.training, gap_intervals=self.gap_intervals)
        return {**{name: getattr(self, name) for name in named}, "training": asdict(training)}

    @property
    def gap_intervals(self) -> int:
        """Intervals between the past of a fold and what it is judged on: their labels would not be known yet."""
        asked = self.training.gap_intervals
        return label_gap(self.timetable, self.label_delay) if asked is None else asked

    @property
    def lookback_intervals(self) -> int:
        """How many intervals before its own a run may look at: the longest window or wait, and some slack."""
        window = self.windows.training_intervals + self.windows.holdout_intervals
        told = max(self.decision.maximum_age_intervals, self.decision.evidence_intervals)
        return max(window, told) + SLACK

    @property
    def allowed_pairs(self) -> frozenset[tuple[str, str]]:
        """What artifacts may name beyond the product's own list, as (module, name)."""
        return frozenset((module, name) for module, _, name in (text.partition(":") for text in self.allowed))

    def digest(self) -> str:
        """Return the sha256 of the whole spec, its query included."""
        content = {**asdict(self), "query": self.source.query.read_text(), "suite": self.suite.name}
        content["source"] = [self.source.connection, self.source.lookback]
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _mistakes(spec: ModelSpec) -> Iterator[str]:
    yield from _name_mistakes(spec)
    yield from _tuple_mistakes(spec)
    yield from _column_mistakes(spec)
    yield from list(_time_mistakes(spec)) or gap_mistakes(spec.windows, spec.gap_intervals)
    yield from window_mistakes(spec.windows)
    yield from decision_mistakes(spec.decision)
    yield from certainty_mistakes(spec.windows, spec.decision, spec.promotion)
    yield from _file_mistakes(spec)
    yield from retention_mistakes(spec.retention, spec.lookback_intervals)
    yield from validation_mistakes(spec.validation)
    yield from training_mistakes(spec.training)
    yield from allowed_mistakes(spec.allowed)
    yield from drift_mistakes(spec.drift)
    yield from recalibration_mistakes(spec.recalibration)


def _name_mistakes(spec: ModelSpec) -> Iterator[str]:
    if not (spec.name.isascii() and spec.name.replace("_", "").isalnum() and spec.name == spec.name.lower()):
        yield f"name: found {spec.name!r}, expected lower-case letters, digits and `_`."
    for name in ("owner", "purpose"):
        if not getattr(spec, name).strip():
            yield f"{name}: empty, expected a sentence that colleagues understand."
    if spec.task not in CANDIDATES:
        yield f"task: found {spec.task!r}, expected 'binary', 'multiclass' or 'regression'."
    yield from candidate_mistakes(spec.candidates, spec.task)
    if spec.promotion.mode != "auto":
        yield f"promotion.mode: found {spec.promotion.mode!r}, expected 'auto'."


def _column_mistakes(spec: ModelSpec) -> Iterator[str]:
    if not spec.features:
        yield "numeric and categorical: both empty, expected at least one feature."
    if not spec.key_columns:
        yield "key_columns: empty, expected the columns that name a row."
    for column in sorted({column for column in spec.features if spec.features.count(column) > 1}):
        yield f"numeric and categorical: {column!r} stands twice, expected each feature once."
    if spec.label in spec.observed:
        yield f"observed: {spec.label!r} is the label, which is stored apart; leave it out."
    forbidden = {spec.label, spec.void_column, *spec.observed}
    for column in sorted(column for column in set(spec.features) if column in forbidden):
        yield f"numeric and categorical: {column!r} is the label or an observed column, and can never be a feature."
    if unknown := sorted(set(spec.slices) - set(spec.categorical)):
        yield f"slices: {unknown} are not categorical features, expected some of {list(spec.categorical)}."
    yield from _privacy_mistakes(spec)


def _privacy_mistakes(spec: ModelSpec) -> Iterator[str]:
    allowed = (KEEP, DROP, PSEUDONYMISE)
    for column, rule in spec.privacy.items():
        if rule not in allowed:
            yield f"privacy: {column!r} has {rule!r}, expected one of {list(allowed)}."
    if unknown := sorted(set(spec.privacy) - {*_used(spec), *spec.observed, str(spec.known_at_column)}):
        yield f"privacy: {unknown} are no columns of this spec, so no value would be hidden; mend the names."
    if dropped := sorted(_used(spec) & {column for column, rule in spec.privacy.items() if rule == DROP}):
        yield f"privacy: {dropped} would be dropped but are keys, the time column, features or the label."
    numbers = {*spec.numeric, spec.time_column, spec.label, str(spec.void_column), str(spec.known_at_column)}
    if hidden := sorted(numbers & spec.pseudonymised):
        yield f"privacy: {hidden} are numbers or moments, or the label, and cannot be pseudonymised; keep them."


def _used(spec: ModelSpec) -> set[str]:
    columns = {*spec.features, *spec.key_columns, spec.time_column, spec.label, spec.void_column}
    return {column for column in columns if column is not None}


def _tuple_mistakes(spec: ModelSpec) -> Iterator[str]:
    for name in ("key_columns", "numeric", "categorical", "observed", "slices", "allowed"):
        if isinstance(getattr(spec, name), str):
            yield f"{name}: found the text {getattr(spec, name)!r}, expected a tuple of names."


def _time_mistakes(spec: ModelSpec) -> Iterator[str]:
    if not croniter.is_valid(spec.schedule) or len(spec.schedule.split()) != 5:
        yield f"schedule: found {spec.schedule!r}, expected five cron fields like '0 0 * * *'."
    if spec.timezone not in available_timezones():
        yield f"timezone: found {spec.timezone!r}, expected an IANA name like 'America/New_York'."
    for name in ("start", "end"):
        moment = getattr(spec, name)
        if moment is not None and moment.tzinfo is None:
            yield f"{name}: {moment.isoformat()} has no time zone, expected one."
    if spec.end is not None and spec.end.tzinfo and spec.start.tzinfo and spec.end <= spec.start:
        yield f"end: {spec.end.isoformat()} is not after start {spec.start.isoformat()}."
    if spec.label_delay < timedelta(0):
        yield f"label_delay: found {spec.label_delay}, expected zero or more."


def _file_mistakes(spec: ModelSpec) -> Iterator[str]:
    for name, path in (("source.query", spec.source.query), ("suite", spec.suite)):
        if not path.is_file():
            yield f"{name}: no file at {path}, expected one beside the spec."


def local_midnight(day: str, timezone: str) -> datetime:
    """Return the first moment of a day, ``YYYY-MM-DD``, in a time zone.

    >>> local_midnight("2013-01-01", "America/New_York").isoformat()
    '2013-01-01T00:00:00-05:00'
    """
    return datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(timezone))
