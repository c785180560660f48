"""Pure: what is known of the champion becomes a decision, with its reasons and the way there.

To a user: *"While the live model errs alike on neighbouring days, a challenger is trained every two weeks and goes
live if it is better on intervals neither has seen. While its errors come in no order, every lost challenge doubles the
wait and only a clear win counts."* A loss that has clearly risen is then answered at once. Whoever lost the last
comparison goes live if it proves clearly better later. Unlabelled drift informs; it never retrains.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from include.retraining.policies import DecisionPolicy, PromotionPolicy
from include.retraining.questions import (
    BLOCKED,
    INSUFFICIENT,
    KEEP,
    QUESTIONS,
    RETRAIN,
    RUNNER_UP,
    Step,
    comparable,
)
from include.retraining.state import Facts, RunnerUp, State, facts_of, mean

__all__ = ["BLOCKED", "INSUFFICIENT", "KEEP", "RETRAIN", "RUNNER_UP", "Decision", "RunnerUp", "State", "decide"]


@dataclass(frozen=True)
class Decision:
    """The answer, why, the way there, and the numbers that were compared."""

    answer: str
    reasons: tuple[str, ...]
    sentences: tuple[str, str]
    numbers: dict[str, Any] = field(default_factory=dict)
    forced: bool = False
    path: tuple[dict[str, str], ...] = ()
    """Every question that was asked, in order, with what was found."""
    would_change: tuple[str, ...] = ()
    """What would have changed the answer."""


def decide(state: State, policy: DecisionPolicy, promotion: PromotionPolicy | None = None) -> Decision:
    """Return the decision: the first question, read from top to bottom, that has an answer.

    Parameters
    ----------
    state : State
    policy : DecisionPolicy
    promotion : PromotionPolicy, optional
        How sure of a runner-up one must be.
    """
    facts = facts_of(state, policy, promotion or PromotionPolicy())
    path: list[Step] = []
    for ask in QUESTIONS:
        path.append(comparable(ask(state, policy, facts), state))
        if path[-1].answer:
            break
    last = path[-1]
    answer, reason = last.answer or KEEP, last.reason or _why_keep(state, policy, facts)
    return Decision(
        answer,
        (reason,),
        (reason, _next_step(answer, state)),
        _numbers(state, facts),
        state.forced,
        tuple({"question": one.question, "found": one.found, "answer": one.answer or "go on"} for one in path),
        tuple(one.otherwise for one in ([last] if last.answer else path) if one.otherwise),
    )


def _numbers(state: State, facts: Facts) -> dict[str, Any]:
    numbers: dict[str, Any] = {
        "age_intervals": state.age_intervals,
        "due_intervals": facts.due,
        "wait_intervals": state.wait_intervals,
        "is_moving": facts.movement.is_moving,
        "movement_standard_errors": facts.movement.standard_errors,
        "movement_intervals": facts.movement.intervals,
        "movement_limit": facts.movement.limit,
        "evaluated_intervals": len(state.recent_losses),
    }
    if facts.risen:
        numbers |= {"recent_loss": mean(state.recent_losses), "reference_loss": mean(state.reference_losses)}
        numbers |= {"is_clearly_higher": facts.risen[0], "increase_at_least": facts.risen[1]}
        numbers |= {"confidence": facts.confidence}
    if state.runner_up and facts.lead:
        numbers |= {"runner_up": state.runner_up.version, "runner_up_gain": facts.lead.mean}
        numbers |= {"runner_up_gain_at_least": facts.lead.low, "runner_up_intervals": len(state.runner_up.losses)}
    return numbers


def _why_keep(state: State, policy: DecisionPolicy, facts: Facts) -> str:
    age = f"{state.age_intervals} of {facts.due} intervals have passed since the last challenger"
    if facts.risen is None:
        needed = policy.recent_intervals
        return f"{age}, and {len(state.recent_losses)} of {needed} evaluated intervals are too few to call it worse."
    recent, reference = state.told(mean(state.recent_losses)), state.told(mean(state.reference_losses))
    found = f"its loss is {recent} against {reference} when it went live"
    if facts.risen[0] and facts.movement.is_moving:
        return f"{age}, and {found}: clearly worse, and while the world moves the next one is never far."
    if facts.risen[0]:
        return f"{age}, and {found}: clearly worse, but too soon, {policy.cooldown_intervals} must pass."
    return f"{age}, and {found}: not clearly worse."


def _next_step(answer: str, state: State) -> str:
    drift = f" Drift (informs, never decides): {state.drift}" if state.drift else ""
    if answer == RETRAIN:
        return "Candidates are trained and must beat the champion on intervals neither has seen." + drift
    if answer == RUNNER_UP:
        return "It is compared with the champion once more, slice by slice, and goes live if it still wins." + drift
    if answer == KEEP:
        return f"Champion {state.champion} goes on serving.{drift}"
    live = f"champion {state.champion} goes on serving" if state.champion else "no version is live"
    return f"Nothing was trained; {live}.{drift}"


def describe(found: Mapping[str, Any]) -> str:
    """Return a decision's section as the log tells it: the answer, every question on the way, what would change it.

    >>> told = {"answer": "keep", "sentences": ["All is well.", "The champion stays."], "path": [], "would_change": []}
    >>> describe(told)
    'keep: All is well. The champion stays.'
    """
    lines = [f"{found['answer']}: {' '.join(found['sentences'])}"]
    lines += [f"  {one['question']} {one['found']} -> {one['answer']}" for one in found["path"]]
    lines += [f"  Would change it: {one}" for one in found["would_change"]]
    return "\n".join(lines)
