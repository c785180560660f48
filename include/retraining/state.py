"""Pure: all that a decision may look at, and what is worked out of it before any question is asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from include.retraining import judging
from include.retraining.evaluation import is_clearly_higher
from include.retraining.movement import Movement, Order, due_after, movement
from include.retraining.policies import BINARY, DecisionPolicy, PromotionPolicy
from include.retraining.promotion import Gain, gain_over


@dataclass(frozen=True)
class RunnerUp:
    """Whoever lost the last comparison, on intervals that neither it nor the champion was fitted on."""

    version: str
    losses: Sequence[float]
    """By interval, oldest first, corrected as if it had served."""
    champion_losses: Sequence[float]
    """Of the same intervals, likewise: as if the champion had served all of them."""


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
    wait_intervals: int | None = None
    """The wait that the last challenge left, None if there was none."""
    order: Order = field(default_factory=Order)
    """How much more alike neighbouring intervals erred than in random order, of whatever served."""
    was_moving: bool = False
    """Whether the decision before found that the world moves."""
    recent_losses: Sequence[float] = ()
    """The champion's loss on the newest evaluated intervals it served."""
    reference_losses: Sequence[float] = ()
    """Its loss on the first ones, none of which is among the newest."""
    runner_up: RunnerUp | None = None
    """None where there is none, or it is not its turn to be looked at."""
    unloadable: str | None = None
    """Which library here may not read what wrote the champion, None where it loads."""
    drift: str = ""
    """What drift says, in words: context for people, not a reason."""
    forced: bool = False
    intervals_per_year: float = 365.25
    task: str = BINARY
    """Names the loss."""

    def told(self, value: float) -> str:
        """Return a loss in words."""
        return judging.of(self.task).told(value, decimals=3)


@dataclass(frozen=True)
class Facts:
    """What is worked out of a state before any question is asked."""

    movement: Movement
    due: int
    confidence: float
    """Certainty with which an alarm must be sure of a risen loss."""
    risen: tuple[bool, float] | None
    """Whether the loss has clearly risen and by how much at least; None where too few intervals are evaluated."""
    lead: Gain | None
    """What the runner-up would have brought; None where it is not looked at."""


def alarm_confidence(policy: DecisionPolicy, intervals_per_year: float) -> float:
    """Return how sure an alarm must be, so that about ``alarms_per_year`` come where nothing has changed.

    Neighbouring looks share intervals, so that a year has as many looks as it has stretches of ``recent_intervals``.

    >>> round(alarm_confidence(DecisionPolicy(alarms_per_year=1, recent_intervals=7), 364), 3)
    0.981
    """
    looks = intervals_per_year / policy.recent_intervals
    return 1 - min(0.5, policy.alarms_per_year / looks)


def facts_of(state: State, policy: DecisionPolicy, promotion: PromotionPolicy) -> Facts:
    """Return what the questions are asked of."""
    moving, one = movement(state.order, policy, state.was_moving), state.runner_up
    confidence = alarm_confidence(policy, state.intervals_per_year)
    enough = len(state.recent_losses) >= policy.recent_intervals and len(state.reference_losses) >= 2
    risen = is_clearly_higher(state.recent_losses, state.reference_losses, confidence) if enough else None
    lead = gain_over(one.champion_losses, one.losses, promotion.runner_up_confidence) if one else None
    return Facts(moving, due_after(state.wait_intervals, moving, policy), confidence, risen, lead)


def mean(values: Sequence[float]) -> float:
    """Return the mean of losses, one or more."""
    return sum(values) / len(values)
