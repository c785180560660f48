"""Pure: two evaluations of the same intervals become a verdict. Noise is never promoted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from include.retraining import judging
from include.retraining.evaluation import bounds
from include.retraining.policies import BINARY
from include.retraining.spec import PromotionPolicy

WIN, LOSE, INSUFFICIENT = "win", "lose", "insufficient data"
Losses = Mapping[str, float]
"""Loss by interval, keyed by the interval's span, in time order."""


@dataclass(frozen=True)
class Scored:
    """What one contender did on the holdout."""

    losses: Losses
    slices: Mapping[str, Losses] = field(default_factory=dict)
    """Losses by slice, such as ``origin=JFK``."""


@dataclass(frozen=True)
class Verdict:
    """The answer, why, and the numbers that were compared."""

    answer: str
    reasons: tuple[str, ...]
    numbers: dict[str, Any] = field(default_factory=dict)


def compare(
    champion: Scored | None,
    challenger: Scored,
    floor: Losses,
    policy: PromotionPolicy,
    required: int,
    task: str = BINARY,
) -> Verdict:
    """Return whether the challenger is better; raises ValueError unless all were scored on the same intervals.

    Parameters
    ----------
    champion : Scored or None
        None before the first version: then only the trivial baseline has to be beaten.
    challenger : Scored
        Same intervals as the champion.
    floor : Losses
        Loss of always predicting the training window's base rate, class shares or mean.
    policy : PromotionPolicy
        Confidence of the bound, and what a slice may lose.
    required : int
        Fewest intervals for a verdict.
    task : str
        Names the loss.
    """
    if set(floor) != set(challenger.losses) or (champion and set(champion.losses) != set(challenger.losses)):
        raise ValueError("Champion, challenger and floor must be scored on the same intervals.")
    if len(challenger.losses) < required:
        return Verdict(INSUFFICIENT, (f"{len(challenger.losses)} holdout intervals; {required} are needed.",))
    gain = _gain(floor, challenger.losses, policy)
    numbers: dict[str, Any] = {"gain_over_floor": gain, "intervals": len(challenger.losses)}
    if champion is not None and gain["low"] > 0:
        numbers["gain"] = _gain(champion.losses, challenger.losses, policy)
        numbers["worse_slices"] = _worse_slices(champion, challenger, policy)
        return _against_champion(numbers, policy, judging.of(task))
    return _against_floor(gain, numbers, judging.of(task))


def _against_floor(gain: dict[str, Any], numbers: dict[str, Any], judged: judging.Loss) -> Verdict:
    mean, low = judged.told(gain["mean"]), judged.told(gain["low"])
    if gain["low"] <= 0:
        reason = f"It does not beat the {judged.floor}: gain {mean}, bounds from {low}."
        return Verdict(LOSE, (reason,), numbers)
    return Verdict(WIN, (f"First version; it beats the {judged.floor} by {mean} {judged.words}.",), numbers)


def _against_champion(numbers: dict[str, Any], policy: PromotionPolicy, judged: judging.Loss) -> Verdict:
    gain, worse = numbers["gain"], numbers["worse_slices"]
    bound = f"at least {judged.told(gain['low'])} at {policy.confidence:.0%} confidence"
    said = f"{judged.words} lower by {judged.told(gain['mean'])}, {bound}"
    if gain["low"] <= 0:
        return Verdict(LOSE, (f"Not clearly better on {numbers['intervals']} unseen intervals: {said}.",), numbers)
    if worse:
        return Verdict(LOSE, (f"Better overall ({said}) but clearly worse for {', '.join(worse)}.",), numbers)
    return Verdict(WIN, (f"Clearly better on {numbers['intervals']} unseen intervals: {said}.",), numbers)


def _gain(first: Losses, second: Losses, policy: PromotionPolicy) -> dict[str, Any]:
    """Return the mean of first - second per interval and its one-sided lower bound."""
    found = bounds([first[span] - second[span] for span in sorted(second)], confidence=2 * policy.confidence - 1)
    return {"mean": found.mean, "low": found.low, "high": found.high, "method": found.method}


def _worse_slices(champion: Scored, challenger: Scored, policy: PromotionPolicy) -> list[str]:
    worse = []
    for name, losses in challenger.slices.items():
        shared = {span: champion.slices[name][span] for span in losses if span in champion.slices.get(name, {})}
        if len(shared) < 2:
            continue
        found = _gain(shared, {span: losses[span] for span in shared}, policy)
        if found["high"] < -policy.slice_tolerance * sum(shared.values()) / len(shared):
            worse.append(name)
    return sorted(worse)
