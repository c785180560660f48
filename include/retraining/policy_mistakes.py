"""What is wrong with the policies of a spec, each mistake as a sentence. Parses without any heavy library."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from include.retraining.policies import (
    BASELINE,
    FEWEST_JUDGED,
    IMPORTANCE,
    OFF,
    Candidate,
    DecisionPolicy,
    DriftPolicy,
    Keep,
    PromotionPolicy,
    RecalibrationPolicy,
    Retention,
    TrainingPolicy,
    ValidationPolicy,
    Windows,
    families,
    is_import_path,
)


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


def window_mistakes(windows: Windows) -> Iterator[str]:
    """Yield what is wrong with windows, each as a sentence."""
    for name, value in asdict(windows).items():
        if isinstance(value, int) and value < 1 and name != "older_every":
            yield f"Windows.{name}: found {value}, expected at least 1."
    if windows.older_every < 0:
        yield f"windows.older_every: found {windows.older_every}, expected 0 for no older interval, or more."
    if not 0 < windows.minimum_completeness <= 1:
        yield f"windows.minimum_completeness: found {windows.minimum_completeness}, expected a share between 0 and 1."
    if windows.minimum_training_intervals > windows.training_intervals:
        yield "windows.minimum_training_intervals: larger than training_intervals, expected at most that."


def decision_mistakes(policy: DecisionPolicy) -> Iterator[str]:
    """Yield what is wrong with a decision policy, each as a sentence."""
    for name, value in asdict(policy).items():
        if name.endswith("_intervals") and value < 1:
            yield f"DecisionPolicy.{name}: found {value}, expected at least 1."
    for name in ("price", "alarms_per_year"):
        if not 0 < getattr(policy, name) < float("inf"):
            yield f"decision.{name}: found {getattr(policy, name)}, expected a number above 0."
    if not policy.evidence_to_stay <= policy.evidence:
        yield f"decision.evidence_to_stay: found {policy.evidence_to_stay}, expected at most evidence."
    if 0 < policy.evidence_intervals < FEWEST_JUDGED:
        least = f"expected at least {FEWEST_JUDGED}, or nothing would ever count as moving"
        yield f"decision.evidence_intervals: found {policy.evidence_intervals}, {least}."
    if policy.maximum_age_intervals < policy.cooldown_intervals:
        yield "decision.maximum_age_intervals: smaller than cooldown_intervals, expected at least that."


def certainty_mistakes(windows: Windows, decision: DecisionPolicy, promotion: PromotionPolicy) -> Iterator[str]:
    """Yield where intervals are too few to have a spread, or a certainty or tolerance is none."""
    if windows.holdout_intervals == 1 or windows.minimum_training_intervals == 1:
        yield "windows: holdout_intervals and minimum_training_intervals must be at least 2: one has no spread."
    if decision.recent_intervals == 1:
        yield "DecisionPolicy.recent_intervals: found 1, expected at least 2: one interval has no spread."
    yield from _promotion_mistakes(promotion)


def _promotion_mistakes(promotion: PromotionPolicy) -> Iterator[str]:
    for name in ("confidence", "runner_up_confidence"):
        if not 0.5 < getattr(promotion, name) < 1:
            yield f"promotion.{name}: found {getattr(promotion, name)}, expected a certainty above 0.5 and below 1."
    if not 0.5 <= promotion.moving_confidence < 1:
        yield f"promotion.moving_confidence: found {promotion.moving_confidence}, expected 0.5 or more, and below 1."
    for name in ("slice_tolerance", "calibration_tolerance"):
        if not 0 < getattr(promotion, name) <= 1:
            yield f"promotion.{name}: found {getattr(promotion, name)}, expected a share between 0 and 1."
    if promotion.runner_up_every < 0 or promotion.runner_up_intervals < 2:
        yield "promotion: runner_up_every must be 0 or more, runner_up_intervals at least 2."


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
