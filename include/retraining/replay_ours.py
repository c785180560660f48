"""Pure: the product's own policy in a replay: what a run gathers for ``decision.decide``, made of what is seen."""

from include.retraining import decision, movement
from include.retraining.decision import Decision, State
from include.retraining.replayed import Seen


def ask(seen: Seen) -> Decision:
    """Return what ``decide`` says at this moment."""
    return decision.decide(state(seen), seen.spec.decision, seen.spec.promotion)


def state(seen: Seen) -> State:
    """Return what a run knows: the same as ``deciding.decide`` reads from the store."""
    sizes, recent = seen.spec.windows, seen.spec.decision.recent_intervals
    return State(
        rows=seen.rows,
        minimum_rows=sizes.minimum_rows,
        training_intervals=seen.training_intervals,
        minimum_training_intervals=sizes.minimum_training_intervals,
        holdout_intervals=seen.holdout_intervals,
        required_holdout=max(2, sizes.holdout_intervals),
        champion=seen.champion,
        age_intervals=seen.age_intervals,
        wait_intervals=seen.wait_intervals,
        was_moving=seen.was_moving,
        order=movement.order(seen.errors, seen.spec.decision),
        recent_losses=seen.served[recent:][-recent:],
        reference_losses=seen.served[:recent],
        runner_up=seen.runner_up,
        intervals_per_year=seen.spec.timetable.intervals_per_year,
        task=seen.spec.task,
    )
