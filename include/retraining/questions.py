"""Pure: the decision tree, one question per function; each either ends it with an answer or leads to the next."""

from collections.abc import Callable
from dataclasses import dataclass

from include.retraining import judging
from include.retraining.movement import shortest_wait
from include.retraining.policies import FEWEST_JUDGED, DecisionPolicy
from include.retraining.state import Facts, State, mean

KEEP, RETRAIN, INSUFFICIENT, BLOCKED = "keep", "retrain", "insufficient data", "blocked"
RUNNER_UP = "runner-up"


@dataclass(frozen=True)
class Step:
    """One question of the decision tree: what was found, and the answer of the decision if it ends here."""

    question: str
    found: str
    answer: str | None = None
    reason: str = ""
    otherwise: str = ""
    """What would have led to another answer here; empty where nothing could."""


def _enough_rows(state: State, _: DecisionPolicy, __: Facts) -> Step:
    question = "Does the interval have enough rows?"
    found = f"{state.rows} rows, {state.minimum_rows} are needed"
    if state.rows >= state.minimum_rows:
        return Step(question, found)
    reason = f"The interval has {state.rows} rows; at least {state.minimum_rows} are needed."
    return Step(question, found, INSUFFICIENT, reason, f"At least {state.minimum_rows} rows.")


def _enough_history(state: State, _: DecisionPolicy, __: Facts) -> Step:
    question, needed = "Are there enough labelled intervals to train on?", state.minimum_training_intervals
    found = f"{state.training_intervals} intervals, {needed} are needed"
    if state.training_intervals >= needed:
        return Step(question, found)
    reason = f"Only {state.training_intervals} labelled intervals can be trained on; {needed} are needed."
    return Step(question, found, INSUFFICIENT, reason, f"At least {needed} labelled intervals to train on.")


def _in_order(state: State, _: DecisionPolicy, __: Facts) -> Step:
    question = "Does the as-of come after what the champion knows and since when it serves?"
    if state.is_behind:
        reason = f"The as-of is not after the training window of champion {state.champion}."
        return Step(question, "not after its training window", INSUFFICIENT, reason, "A later as-of.")
    if state.is_overtaken:
        reason = f"The as-of is before champion {state.champion} took effect; what served since stays told."
        return Step(question, "before it took effect", INSUFFICIENT, reason, "A later as-of.")
    return Step(question, "yes")


def _first(state: State, _: DecisionPolicy, __: Facts) -> Step:
    question = "Is a version live?"
    if state.champion is None:
        return Step(question, "none", RETRAIN, "No version is live yet.")
    return Step(question, f"champion {state.champion}")


def _forced(state: State, _: DecisionPolicy, __: Facts) -> Step:
    question = "Did a person ask for a retrain?"
    if state.forced:
        return Step(question, "yes", RETRAIN, "A person asked for a retrain, so the decision was skipped.")
    return Step(question, "no")


def _unloadable(state: State, _: DecisionPolicy, __: Facts) -> Step:
    question = "Can the champion be loaded here?"
    if state.unloadable:
        reason = f"Champion {state.champion} cannot be loaded any more: it was written by {state.unloadable}."
        return Step(question, f"no: written by {state.unloadable}", RETRAIN, reason, "The libraries that wrote it.")
    return Step(question, "yes")


def _due(state: State, policy: DecisionPolicy, facts: Facts) -> Step:
    question, age = "Is a challenger due?", state.age_intervals
    found = f"{age} intervals since the last one, due after {facts.due}: {_moving(facts)}"
    if age is None or age < facts.due:
        left = "" if age is None else f"{facts.due - age} more interval(s): then a challenger is due."
        return Step(question, found, otherwise=left + _sooner(facts, policy))
    reason = (
        f"The last challenger was trained {age} intervals ago; one is due after {facts.due}, since {_moving(facts)}."
    )
    return Step(question, found, RETRAIN, reason, f"Fewer than {facts.due} intervals since the last challenger.")


def _risen(state: State, policy: DecisionPolicy, facts: Facts) -> Step:
    question = "Has the champion's loss clearly risen since it went live?"
    if facts.risen is None:
        many, needed = len(state.recent_losses), policy.recent_intervals
        return Step(question, f"{many} of {needed} evaluated intervals are too few to say")
    (is_higher, low), recent, before = facts.risen, *map(mean, (state.recent_losses, state.reference_losses))
    found = f"{state.told(recent)} against {state.told(before)} at first, with {facts.confidence:.1%} confidence"
    limit = state.told(recent - low)
    if not is_higher:
        return Step(question, f"no: {found}", otherwise=f"A mean loss above {limit} over as many intervals.")
    if facts.movement.is_moving:
        return Step(question, f"yes, but while the world moves a challenger is due after {facts.due} anyway: {found}")
    if _is_cooling(state, policy):
        return Step(question, f"yes, but {policy.cooldown_intervals} intervals must pass after a challenge: {found}")
    reason = (
        f"The champion's loss rose from {state.told(before)} to {state.told(recent)} over the last "
        f"{len(state.recent_losses)} labelled intervals, clearly at {facts.confidence:.1%} confidence."
    )
    return Step(question, f"yes: {found}", RETRAIN, reason, f"A mean loss of at most {limit} over them.")


def _better_runner_up(state: State, _: DecisionPolicy, facts: Facts) -> Step:
    question, one = "Is the runner-up clearly better?", state.runner_up
    if one is None or facts.lead is None:
        return Step(question, "none is looked at in this run")
    least, words = state.told(facts.lead.low), judging.of(state.task).words
    about = f"{words} lower by {state.told(facts.lead.mean)}, at least {least}"
    found = f"{one.version} over {len(one.losses)} intervals that neither was fitted on: {about}"
    if facts.lead.low <= 0:
        return Step(question, f"no: {found}", otherwise=f"A runner-up better by {state.told(-facts.lead.low)} more.")
    return Step(question, f"yes: {found}", RUNNER_UP, f"Runner-up {found}.", "A runner-up that is not clearly better.")


Question = Callable[[State, DecisionPolicy, Facts], Step]
QUESTIONS: tuple[Question, ...] = (
    _enough_rows, _enough_history, _in_order, _first, _forced, _unloadable, _due, _risen, _better_runner_up,
)  # fmt: skip
"""The decision tree: each question either ends it or leads to the next."""


def comparable(step: Step, state: State) -> Step:
    """Return a step that would retrain as insufficient data where a challenger could not be compared fairly."""
    if step.answer != RETRAIN or state.holdout_intervals >= state.required_holdout:
        return step
    reason = (
        f"A retrain is due, but only {state.holdout_intervals} labelled intervals lie after both training windows; "
        f"{state.required_holdout} are needed to compare fairly."
    )
    needed = f"{state.required_holdout} labelled intervals that neither was fitted on."
    return Step(step.question, step.found, INSUFFICIENT, reason, needed)


def _is_cooling(state: State, policy: DecisionPolicy) -> bool:
    return state.age_intervals is not None and state.age_intervals < policy.cooldown_intervals


def _moving(facts: Facts) -> str:
    seen = facts.movement
    if not seen.intervals:
        return "no interval has been judged yet"
    if seen.intervals < FEWEST_JUDGED:
        least = f"{FEWEST_JUDGED} are needed"
        return f"{seen.intervals} intervals are too few to tell whether neighbours err alike, {least}"
    about = f"{seen.standard_errors:.1f} standard errors over {seen.intervals} intervals, limit {seen.limit:g}"
    found = "err alike, so the world moves" if seen.is_moving else "do not clearly err alike"
    return f"neighbouring intervals {found} ({about})"


def _sooner(facts: Facts, policy: DecisionPolicy) -> str:
    least = shortest_wait(policy)
    if facts.due <= least:
        return ""
    return f" Or neighbours that err alike by more than {policy.evidence:g} standard errors: then after {least}."
