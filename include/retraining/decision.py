"""Pure: what is known of the champion becomes a decision: keep, retrain or insufficient data, with reasons and numbers.

To a user: *"A challenger is trained every 14 intervals, or earlier when the champion's loss on the last week of
labelled intervals is clearly higher than on the week it was chosen on. It goes live only if it beats the champion on
intervals neither has seen."* Unlabelled drift informs; it never retrains.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from include.retraining import judging
from include.retraining.evaluation import is_clearly_higher
from include.retraining.policies import BINARY
from include.retraining.spec import DecisionPolicy

KEEP, RETRAIN, INSUFFICIENT, BLOCKED = "keep", "retrain", "insufficient data", "blocked"


@dataclass(frozen=True)
class State:
    """All that a decision may look at."""

    rows: int
    """Rows of the interval under test."""
    minimum_rows: int
    training_intervals: int
    """Labelled, validated intervals to train on."""
    minimum_training_intervals: int
    holdout_intervals: int
    """Labelled, validated intervals that neither the champion nor a challenger was fitted on."""
    required_holdout: int
    champion: str | None = None
    """Version that is live, None before the first."""
    is_behind: bool = False
    """Whether the as-of is not after the champion's training end: the clock is not turned back."""
    is_overtaken: bool = False
    """Whether the as-of is before the champion took effect: who was live since then does not change."""
    age_intervals: int | None = None
    """Intervals since the last challenger was trained."""
    recent_losses: Sequence[float] = ()
    """The champion's loss on the newest evaluated intervals it served."""
    reference_losses: Sequence[float] = ()
    """Its loss on the holdout it was chosen on."""
    unloadable: str | None = None
    """Which library here may not read what wrote the champion, None where it loads."""
    drift: str = ""
    """What drift says, in words: context for people, not a reason."""
    forced: bool = False
    task: str = BINARY
    """Names the loss."""

    def told(self, value: float) -> str:
        """Return a loss in words."""
        return judging.of(self.task).told(value, decimals=3)


@dataclass(frozen=True)
class Decision:
    """The answer, why, and the numbers that were compared."""

    answer: str
    reasons: tuple[str, ...]
    sentences: tuple[str, str]
    numbers: dict[str, Any] = field(default_factory=dict)
    forced: bool = False


def decide(state: State, policy: DecisionPolicy) -> Decision:
    """Return the decision: the first rule that applies, read from top to bottom."""
    numbers = _numbers(state, policy)
    for rule in (_too_little, _behind, _first, _forced, _unloadable, _no_holdout, _aged, _worse):
        found = rule(state, policy, numbers)
        if found is not None:
            answer, reason = found
            return Decision(answer, (reason,), (reason, _next_step(answer, state)), numbers, state.forced)
    reason = _why_keep(state, policy, numbers)
    return Decision(KEEP, (reason,), (reason, _next_step(KEEP, state)), numbers, state.forced)


Found = tuple[str, str] | None


def _numbers(state: State, policy: DecisionPolicy) -> dict[str, Any]:
    numbers: dict[str, Any] = {
        "age_intervals": state.age_intervals,
        "maximum_age_intervals": policy.maximum_age_intervals,
        "evaluated_intervals": len(state.recent_losses),
    }
    if is_comparable(state, policy):
        recent, reference = list(state.recent_losses), list(state.reference_losses)
        higher, low = is_clearly_higher(recent, reference, policy.confidence)
        numbers |= {"recent_loss": sum(recent) / len(recent), "reference_loss": sum(reference) / len(reference)}
        numbers |= {"is_clearly_higher": higher, "increase_at_least": low, "confidence": policy.confidence}
    return numbers


def is_comparable(state: State, policy: DecisionPolicy) -> bool:
    """Return whether there are enough evaluated intervals on both sides to speak of a worse loss."""
    return len(state.recent_losses) >= policy.recent_intervals and len(state.reference_losses) >= 2


def _too_little(state: State, _: DecisionPolicy, __: dict[str, Any]) -> Found:
    if state.rows < state.minimum_rows:
        return INSUFFICIENT, f"The interval has {state.rows} rows; at least {state.minimum_rows} are needed."
    if state.training_intervals < state.minimum_training_intervals:
        return INSUFFICIENT, (
            f"Only {state.training_intervals} labelled intervals can be trained on; "
            f"{state.minimum_training_intervals} are needed."
        )
    return None


def _behind(state: State, _: DecisionPolicy, __: dict[str, Any]) -> Found:
    if state.is_behind:
        return INSUFFICIENT, f"The as-of is not after the training window of champion {state.champion}."
    if state.is_overtaken:
        return INSUFFICIENT, f"The as-of is before champion {state.champion} took effect; what served since stays told."
    return None


def _first(state: State, policy: DecisionPolicy, numbers: dict[str, Any]) -> Found:
    if state.champion is not None:
        return None
    return _no_holdout(state, policy, numbers, wanted=True) or (RETRAIN, "No version is live yet.")


def _forced(state: State, policy: DecisionPolicy, numbers: dict[str, Any]) -> Found:
    if not state.forced:
        return None
    lacking = _no_holdout(state, policy, numbers, wanted=True)
    return lacking or (RETRAIN, "A person asked for a retrain, so the decision was skipped.")


def _unloadable(state: State, policy: DecisionPolicy, numbers: dict[str, Any]) -> Found:
    if not state.unloadable:
        return None
    lacking = _no_holdout(state, policy, numbers, wanted=True)
    reason = f"Champion {state.champion} cannot be loaded any more: it was written by {state.unloadable}."
    return lacking or (RETRAIN, reason)


def _no_holdout(state: State, policy: DecisionPolicy, numbers: dict[str, Any], wanted: bool = False) -> Found:
    wanted = wanted or _aged(state, policy, numbers) is not None or _worse(state, policy, numbers) is not None
    if wanted and state.holdout_intervals < state.required_holdout:
        return INSUFFICIENT, (
            f"A retrain is due, but only {state.holdout_intervals} labelled intervals lie after both training windows; "
            f"{state.required_holdout} are needed to compare fairly."
        )
    return None


def _aged(state: State, policy: DecisionPolicy, _: dict[str, Any]) -> Found:
    if state.age_intervals is None or state.age_intervals < policy.maximum_age_intervals:
        return None
    return RETRAIN, (
        f"The last challenger was trained {state.age_intervals} intervals ago; "
        f"one is due every {policy.maximum_age_intervals}."
    )


def _worse(state: State, policy: DecisionPolicy, numbers: dict[str, Any]) -> Found:
    cooling = state.age_intervals is not None and state.age_intervals < policy.cooldown_intervals
    if cooling or not numbers.get("is_clearly_higher"):
        return None
    return RETRAIN, (
        f"The champion's loss rose from {state.told(numbers['reference_loss'])} to "
        f"{state.told(numbers['recent_loss'])} over the last {len(state.recent_losses)} labelled intervals, clearly at "
        f"{policy.confidence:.0%} confidence."
    )


def _why_keep(state: State, policy: DecisionPolicy, numbers: dict[str, Any]) -> str:
    age = f"{state.age_intervals} of {policy.maximum_age_intervals} intervals have passed since the last challenger"
    if "recent_loss" not in numbers:
        needed = policy.recent_intervals
        return f"{age}, and {len(state.recent_losses)} of {needed} evaluated intervals are too few to call it worse."
    recent, reference = state.told(numbers["recent_loss"]), state.told(numbers["reference_loss"])
    found = f"its loss is {recent} against {reference} when it was chosen"
    if numbers["is_clearly_higher"]:
        return f"{age}, and {found}: clearly worse, but too soon, {policy.cooldown_intervals} must pass."
    return f"{age}, and {found}: not clearly worse."


def _next_step(answer: str, state: State) -> str:
    drift = f" Drift (informs, never decides): {state.drift}" if state.drift else ""
    if answer == RETRAIN:
        return "Candidates are trained and must beat the champion on intervals neither has seen." + drift
    if answer == KEEP:
        return f"Champion {state.champion} goes on serving.{drift}"
    live = f"champion {state.champion} goes on serving" if state.champion else "no version is live"
    return f"Nothing was trained; {live}.{drift}"
