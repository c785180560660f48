"""Puts what is known of the champion before the rules: what it served, what challenged it, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from include.retraining import comparing, decision, keys, libraries, records, scoring
from include.retraining.desk import Desk
from include.retraining.movement import Order, wait_after
from include.retraining.policies import FEWEST_JUDGED, DecisionPolicy
from include.retraining.promotion import WIN
from include.retraining.promotion_log import Entry

Records = Sequence[Mapping[str, Any]]


def decide(desk: Desk) -> dict[str, Any]:
    """Return the decision's section."""
    spec, evaluation, validation = desk.spec, desk.section("evaluation"), desk.section("validation")
    base = int(desk.inputs.content["base"])
    head = desk.registry.entry(base) if base else None
    manifest = desk.registry.manifest(head.version) if head else {}
    trained_until = datetime.fromisoformat(manifest["training_window"]["end"]) if head else None
    as_of = desk.inputs.as_of
    is_of_head = head is not None and evaluation.get("entry") == head.number  # else another version served then
    holdout = scoring.usable(desk.inputs, validation, "holdout")
    told = _earlier(desk) if head else []
    earlier = [one for one in told if "challenger" in one or "verdict" in one]
    state = decision.State(
        rows=int(desk.inputs.content["rows"]),
        minimum_rows=spec.windows.minimum_rows,
        training_intervals=len(scoring.usable(desk.inputs, validation, "training")),
        minimum_training_intervals=spec.windows.minimum_training_intervals,
        holdout_intervals=sum(trained_until is None or one.start >= trained_until for one in holdout),
        required_holdout=comparing.required_holdout(desk),
        champion=head.version if head else None,
        is_behind=trained_until is not None and as_of <= trained_until,
        is_overtaken=head is not None and as_of < head.effective_from,
        age_intervals=_age(desk, head, earlier) if head else None,
        wait_intervals=wait(earlier, spec.decision),
        order=Order(**evaluation.get("order", {})) if is_of_head else Order(),  # an earlier release did not tell it
        was_moving=was_moving(told),
        recent_losses=_recent(evaluation, spec.decision) if is_of_head else [],
        reference_losses=evaluation["reference_losses"] if is_of_head else [],
        runner_up=_runner_up(evaluation) if is_of_head else None,
        unloadable=libraries.difference(manifest.get("libraries")) if head else None,
        drift=evaluation.get("drift", {}).get("sentence", ""),
        forced=bool(desk.inputs.form["force_retrain"]),
        intervals_per_year=spec.timetable.intervals_per_year,
        task=spec.task,
    )
    return asdict(decision.decide(state, spec.decision, spec.promotion))


def wait(earlier: Records, policy: DecisionPolicy) -> int | None:
    """Return the wait that the challenges so far left, oldest first; None where none met a champion.

    Parameters
    ----------
    earlier : sequence of mapping
        Records of runs that trained or compared; one that failed between the two leaves the wait as it was.
    policy : DecisionPolicy
    """
    newest = next((one for one in reversed(earlier) if one.get("verdict", {}).get("champion")), None)
    if newest is None:
        return None
    numbers = newest["decision"].get("numbers", {})
    won, moving = newest["verdict"]["answer"] == WIN, bool(numbers.get("is_moving"))
    return wait_after(numbers.get("wait_intervals"), won, moving, policy)


def was_moving(earlier: Records) -> bool:
    """Return whether the newest of earlier decisions that had enough to go by found that the world moves."""
    numbers = (one.get("decision", {}).get("numbers", {}) for one in reversed(earlier))
    return next((bool(one["is_moving"]) for one in numbers if one.get("movement_intervals", 0) >= FEWEST_JUDGED), False)


def _earlier(desk: Desk) -> list[dict[str, Any]]:
    """Return the records of earlier runs that knew no more than this one, oldest first."""
    inputs, since = desk.inputs, scoring.remembered_since(desk.spec, desk.inputs)
    earlier = records.history(desk.store, desk.spec.name, inputs.interval, since)
    return [one for one in earlier if keys.parse_stamp(one["report"]["as_of"]) <= inputs.as_of]


def _age(desk: Desk, head: Entry, earlier: Records) -> int:
    """Return how many intervals have passed since a challenger was last trained, or a person chose the champion."""
    tried = [keys.parse_stamp(one["report"]["as_of"]) for one in earlier if "challenger" in one]
    is_runner_up = any(
        one["decision"]["answer"] == decision.RUNNER_UP and one.get("promotion", {}).get("entry") == head.number
        for one in earlier
    )
    last = max([*tried, *([] if is_runner_up and tried else [head.effective_from])])
    return sum(one.end > last for one in desk.spec.timetable.intervals(desk.inputs.as_of))


def _recent(evaluation: Mapping[str, Any], policy: DecisionPolicy) -> list[float]:
    """Return the newest losses of the champion that are not among its first ones, which they are held against."""
    later = max(0, int(evaluation.get("served_intervals", 0)) - policy.recent_intervals)
    return list(evaluation["recent_losses"][-later:]) if later else []


def _runner_up(evaluation: Mapping[str, Any]) -> decision.RunnerUp | None:
    found = evaluation.get("runner_up", {})
    if "losses" not in found:
        return None
    return decision.RunnerUp(found["version"], found["losses"], found["champion_losses"])
