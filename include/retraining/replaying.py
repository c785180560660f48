"""Pure: walks through a history under one policy: what is known is judged, corrected, decided, fitted and compared.

In the order of a run of the DAG, by the same functions; docs/replay.md says where a replay is simpler.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from include.retraining import correcting, promotion, replay_runners, rivals
from include.retraining.decision import INSUFFICIENT, RETRAIN, RUNNER_UP, Decision
from include.retraining.errors import DataError
from include.retraining.movement import Errors, wait_after
from include.retraining.policies import FEWEST_JUDGED
from include.retraining.promotion import Verdict
from include.retraining.replay_scores import NONE, Numbers, Scores
from include.retraining.replayed import Fitted, History, Moment, Played, Seen, Step, beginning, moments
from include.retraining.rivals import Rival
from include.retraining.windows import Interval

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Stage:
    """What is the same for every policy: the moments, and the first champion."""

    moments: tuple[Moment, ...]
    """That which chose the first champion, and all later ones."""
    first: Fitted


@dataclass(frozen=True)
class _Line:
    """What an interval that was served turned out to be, once it was labelled."""

    version: str
    start: datetime
    served: float
    raw: float
    errors: Errors
    """How it erred, without a correction."""
    gain: float | None
    """By how much the correction that was fitted before it lowered its loss, or would have."""


@dataclass
class _World:
    """Where a policy stands."""

    champion: Fitted
    live_from: datetime
    fitted_at: int = 0
    """Place of the moment at which a challenger was last fitted."""
    lost: int = 0
    wait: int | None = None
    moving: bool = False
    runner_up: Fitted | None = None
    compared_at: int = 0
    """Place of the moment of the last comparison."""
    cpu_s: float = 0.0
    serving: dict[Interval, Fitted] = field(default_factory=dict)
    proposed: dict[Interval, tuple[Fitted, Numbers]] = field(default_factory=dict)
    """By interval, the correction that was fitted before it, in force or not."""
    in_force: dict[Interval, Numbers] = field(default_factory=dict)
    lines: list[_Line] = field(default_factory=list)
    """Of labelled intervals that were served, oldest first."""
    steps: list[Step] = field(default_factory=list)

    @property
    def gains(self) -> list[float]:
        """Of corrections, on intervals that they were not fitted on."""
        return [one.gain for one in self.lines if one.gain is not None]


def stage(history: History, scores: Scores, first: int) -> Stage:
    """Return where every policy begins: with a champion of the first intervals.

    Raises
    ------
    DataError
        The history is too short, or its first intervals cannot be learned from.
    """
    listed = moments(history)
    place = beginning(history, listed, first)
    begin = listed[place]
    found = scores.fits.get(begin.training)
    if found is None:
        raise DataError(
            f"No candidate of {history.spec.name} beats the floor on the first {len(begin.training)} intervals."
        )
    return Stage(tuple(listed[place:]), found)


def play(begun: Stage, scores: Scores, rival: Rival, tell: Tell = lambda _: None) -> Played:
    """Return what becomes of every interval under a policy.

    Parameters
    ----------
    begun : Stage
    scores : Scores
        Of the same history.
    rival : Rival
    tell : callable
        Is told after each interval how many fits there were.

    Raises
    ------
    SpecError
        The policy fails or answers nonsense.
    """
    world = _World(begun.first, begun.moments[0].interval.end)
    if rival.is_corrected and len(begun.moments) > 1:  # on trial from the first interval on, as a promotion leaves it
        _recalibrate(world, scores, begun.moments[0], begun.moments[1].interval)
    for place, moment in enumerate(begun.moments[1:], 1):
        world.serving[moment.interval] = world.champion
        world.lines += [_line(world, scores, one) for one in moment.fresh if one in world.serving]
        following = begun.moments[place + 1].interval if place + 1 < len(begun.moments) else None
        served_by = world.champion
        is_in_force = rival.is_corrected and _recalibrate(world, scores, moment, following)
        step = _decide(world, scores, rival, moment, place, is_in_force)
        if world.champion is not served_by and following is not None:
            world.in_force.pop(following, None)  # it was fitted for the version that served
            if rival.is_corrected:
                _recalibrate(world, scores, moment, following)
        world.steps.append(step)
        tell(sum(one.is_fit for one in world.steps))
    return Played(rival.name, tuple(_judged(world, scores, one) for one in world.steps), world.cpu_s)


def _recalibrate(world: _World, scores: Scores, moment: Moment, following: Interval | None) -> bool:
    """Fit the correction of the champion for the next interval; say whether it is in force: they have helped so far."""
    champion, policy = world.champion, scores.spec.recalibration
    unseen = [one for one in (*moment.training, *moment.holdout) if one.start >= champion.until]
    numbers = scores.correction(champion, unseen)
    if following is None or not numbers:
        return False
    world.proposed[following] = (champion, numbers)
    is_in_force: bool = correcting.proof(world.gains, policy)["in_force"]
    if is_in_force:
        world.in_force[following] = numbers
    return is_in_force


def _line(world: _World, scores: Scores, interval: Interval) -> _Line:
    served, raw = _losses(world, scores, interval)
    fitted, numbers = world.proposed.get(interval, (None, NONE))
    is_own = fitted is not None and fitted.key == world.serving[interval].key
    gain = raw - scores.loss(world.serving[interval], interval, numbers) if is_own else None
    errors = scores.errors(world.serving[interval], interval)
    return _Line(world.serving[interval].key, interval.start, served, raw, errors, gain)


def _losses(world: _World, scores: Scores, interval: Interval) -> tuple[float, float]:
    """Return the loss of an interval as it was served, and without a correction."""
    fitted = world.serving[interval]
    return scores.loss(fitted, interval, world.in_force.get(interval, NONE)), scores.loss(fitted, interval)


def _seen(world: _World, scores: Scores, moment: Moment, place: int) -> Seen:
    own = [one for one in world.lines if one.version == world.champion.key and one.start >= world.live_from]
    return Seen(
        spec=scores.spec,
        interval=moment.interval,
        number=place,
        rows=scores.history.counts.get(moment.interval, 0),
        age_intervals=place - world.fitted_at,
        champion=world.champion.key,
        served=tuple(one.served for one in own),
        raw=tuple(one.raw for one in own),
        wait_intervals=world.wait,
        was_moving=world.moving,
        history=tuple(one.served for one in world.lines),
        gains=tuple(world.gains),
        errors=tuple(one.errors for one in world.lines),
        training_intervals=len(moment.training),
        holdout_intervals=sum(one.start >= world.champion.until for one in moment.holdout),
        lost_challenges=world.lost,
    )


def _decide(world: _World, scores: Scores, rival: Rival, moment: Moment, place: int, is_in_force: bool) -> Step:
    """Ask the policy, and do what it says."""
    passed, up = place - world.compared_at, world.runner_up if rival.name == rivals.OURS else None
    looked = replay_runners.look(scores, moment, passed, world.champion, up, is_in_force)
    told = looked.told(up.key) if looked and up else None
    seen = replace(_seen(world, scores, moment, place), runner_up=told)
    found = (None if rival.name == rivals.OURS else _short(seen)) or rivals.answer(rival, seen)
    if found.numbers.get("movement_intervals", 0) >= FEWEST_JUDGED:
        world.moving = bool(found.numbers["is_moving"])
    if found.answer == RETRAIN and rival.is_gated:
        found = _short_of_holdout(seen) or found
    about: dict[str, Any] = {"is_fit": False}
    if found.answer == RETRAIN:
        about = _retrain(world, scores, rival, moment, place, found)
    elif found.answer == RUNNER_UP and looked:
        about = {"is_fit": False, **_swap(world, scores, moment, place, looked)}
    return Step(moment.interval, seen.champion, found.answer, " ".join(found.reasons), **about)


def _short(seen: Seen) -> Decision | None:
    """Return that an interval has too few rows: then nobody is asked, as in a run."""
    least = seen.spec.windows.minimum_rows
    if seen.rows >= least:
        return None
    return _insufficient(f"The interval has {seen.rows} rows; at least {least} are needed.")


def _short_of_holdout(seen: Seen) -> Decision | None:
    needed = max(2, seen.spec.windows.holdout_intervals)
    if seen.holdout_intervals >= needed:
        return None
    return _insufficient(f"Only {seen.holdout_intervals} of {needed} intervals lie after both training windows.")


def _insufficient(reason: str) -> Decision:
    return Decision(INSUFFICIENT, (reason,), (reason, ""))


def _retrain(
    world: _World, scores: Scores, rival: Rival, moment: Moment, place: int, found: Decision
) -> dict[str, Any]:
    """Fit a challenger, and let it go live at once or if it wins."""
    try:
        challenger = scores.fits.get(moment.training if rival.is_gated else moment.everything)
    except DataError as error:  # a run would fail, and the champion stay
        return {"verdict": str(error)}
    world.fitted_at = place
    if challenger is None:
        world.lost += 1
        return {"is_fit": True, "verdict": "No candidate beats the floor."}
    world.cpu_s += challenger.cpu_s
    if not rival.is_gated:
        _go_live(world, challenger, moment)
        return {"is_fit": True, "is_promoted": True}
    if challenger.key == world.champion.key:
        world.lost += 1
        return {"is_fit": True, "verdict": "The challenger is the champion itself."}
    policy = scores.spec.promotion
    asked = policy.moving_confidence if found.numbers.get("is_moving") else policy.confidence
    verdict = _compare(world, scores, moment, challenger, asked)
    return {"is_fit": True, **_settle(world, scores, moment, place, challenger, verdict)}


def _swap(world: _World, scores: Scores, moment: Moment, place: int, looked: replay_runners.Look) -> dict[str, Any]:
    """Compare the runner-up once more, slice by slice, and let it go live if it wins."""
    if world.runner_up is None:
        return {}
    floor, policy = scores.floor(world.runner_up.trained, looked.unseen), scores.spec.promotion
    asked = (policy.runner_up_intervals, scores.spec.task, policy.runner_up_confidence)
    verdict = promotion.compare(looked.champion, looked.runner_up, floor, policy, *asked)
    return _settle(world, scores, moment, place, world.runner_up, verdict)


def _settle(
    world: _World, scores: Scores, moment: Moment, place: int, challenger: Fitted, verdict: Verdict
) -> dict[str, Any]:
    """Let a winner go live; whoever lost is the runner-up, and the wait follows from it."""
    is_promoted = verdict.answer == promotion.WIN
    world.lost = 0 if is_promoted else world.lost + 1
    world.wait = wait_after(world.wait, is_promoted, world.moving, scores.spec.decision)
    world.compared_at = place
    world.runner_up = world.champion if is_promoted else challenger
    if is_promoted:
        _go_live(world, challenger, moment)
    return {"is_promoted": is_promoted, "verdict": " ".join(verdict.reasons)}


def _go_live(world: _World, challenger: Fitted, moment: Moment) -> None:
    world.champion, world.live_from = challenger, moment.interval.end


def _compare(world: _World, scores: Scores, moment: Moment, challenger: Fitted, asked: float) -> Verdict:
    """Return the verdict: the champion as it served, the challenger raw, on the same unseen intervals."""
    own = {one for one, fitted in world.serving.items() if fitted.key == world.champion.key}
    served = {one: numbers for one, numbers in world.in_force.items() if one in own}
    old = scores.scored(world.champion, moment.holdout, served)
    floor = scores.floor(challenger.trained, moment.holdout)
    required = max(2, scores.spec.windows.holdout_intervals)
    new = scores.scored(challenger, moment.holdout)
    return promotion.compare(old, new, floor, scores.spec.promotion, required, scores.spec.task, asked)


def _judged(world: _World, scores: Scores, step: Step) -> Step:
    """Return a step with the loss of its interval, which is known by the end of the history if ever."""
    if step.interval not in scores.history.rows:
        return step
    served, raw = _losses(world, scores, step.interval)
    return replace(step, loss=served, raw_loss=raw, is_corrected=step.interval in world.in_force)
