"""Pure: two evaluations of the same intervals become a verdict. Noise is never promoted."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from include.retraining import judging
from include.retraining.evaluation import bounds
from include.retraining.policies import BINARY, PromotionPolicy

WIN, LOSE, INSUFFICIENT = "win", "lose", "insufficient data"
Losses = Mapping[str, float]
"""Loss by interval, keyed by the interval's span, in time order."""


@dataclass(frozen=True)
class Scored:
    """What one contender did on the holdout."""

    losses: Losses
    slices: Mapping[str, Losses] = field(default_factory=dict)
    """Losses by slice, such as ``origin=JFK``."""
    calibration: Losses = field(default_factory=dict)
    """Calibration error of chances by interval; empty for numbers, whose squared error tells a bias already."""


@dataclass(frozen=True)
class Verdict:
    """The answer, why, and the numbers that were compared."""

    answer: str
    reasons: tuple[str, ...]
    numbers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Gain:
    """By how much one is better than another, per interval, with one-sided bounds."""

    mean: float
    low: float
    high: float
    method: str


def gain_over(first: Sequence[float], second: Sequence[float], confidence: float) -> Gain:
    """Return the mean of first - second, paired by interval, and its bounds, each one-sided at the confidence.

    >>> gain_over([0.5, 0.6, 0.7], [0.4, 0.5, 0.6], 0.95).low > 0.09
    True
    """
    found = bounds([one - other for one, other in zip(first, second, strict=True)], confidence=2 * confidence - 1)
    if confidence == 0.5:  # a lower mean is asked for, and nothing more
        return Gain(found.mean, found.mean, found.mean, found.method)
    return Gain(found.mean, found.low, found.high, found.method)


def compare(  # noqa: PLR0913 - what a verdict is made of
    champion: Scored | None,
    challenger: Scored,
    floor: Losses,
    policy: PromotionPolicy,
    required: int,
    task: str = BINARY,
    confidence: float | None = None,
) -> Verdict:
    """Return whether the challenger is better; raises ValueError unless all were scored on the same intervals.

    Parameters
    ----------
    champion, challenger : Scored
        Of the same intervals; no champion before the first version: then only the trivial baseline has to be beaten.
    floor : Losses
        Loss of always predicting the training window's base rate, class shares or mean.
    policy : PromotionPolicy
        Confidence of the bounds, and what a slice or the calibration may lose.
    required : int
        Fewest intervals for a verdict.
    task : str
        Names the loss.
    confidence : float, optional
        Certainty that the challenger must reach instead of ``policy.confidence``, which slices are judged by anyway.
    """
    if set(floor) != set(challenger.losses) or (champion and set(champion.losses) != set(challenger.losses)):
        raise ValueError("Champion, challenger and floor must be scored on the same intervals.")
    if len(challenger.losses) < required:
        return Verdict(INSUFFICIENT, (f"{len(challenger.losses)} holdout intervals; {required} are needed.",))
    asked = policy.confidence if confidence is None else confidence
    gain = _gain(floor, challenger.losses, asked if champion is None else 0.5)  # whom it beats has beaten it already
    numbers: dict[str, Any] = {"gain_over_floor": asdict(gain), "intervals": len(challenger.losses)}
    numbers |= {"confidence": asked}
    if champion is None or gain.low <= 0:
        return _against_floor(gain, numbers, judging.of(task))
    gain = _gain(champion.losses, challenger.losses, asked)
    numbers |= {"gain": asdict(gain), "worse_slices": _worse_slices(champion, challenger, policy)}
    numbers |= {"calibration_lost": _calibration_lost(champion, challenger, policy)}
    return _against_champion(gain, numbers, policy, judging.of(task))


def _against_floor(gain: Gain, numbers: dict[str, Any], judged: judging.Loss) -> Verdict:
    mean, low = judged.told(gain.mean), judged.told(gain.low)
    if gain.low <= 0:
        reason = f"It does not beat the {judged.floor}: gain {mean}, bounds from {low}."
        return Verdict(LOSE, (reason,), numbers)
    return Verdict(WIN, (f"First version; it beats the {judged.floor} by {mean} {judged.words}.",), numbers)


def _against_champion(gain: Gain, numbers: dict[str, Any], policy: PromotionPolicy, judged: judging.Loss) -> Verdict:
    worse, lost, asked = numbers["worse_slices"], numbers["calibration_lost"], numbers["confidence"]
    moving = asked <= policy.moving_confidence
    clearly = "better, which is enough while the world moves," if moving else "clearly better"
    said = (
        f"{judged.words} lower by {judged.told(gain.mean)}, at least {judged.told(gain.low)} at {asked:.1%} confidence"
    )
    if gain.low <= 0:
        return Verdict(LOSE, (f"Not {clearly} on {numbers['intervals']} unseen intervals: {said}.",), numbers)
    if worse:
        return Verdict(LOSE, (f"Better overall ({said}) but clearly worse for {', '.join(worse)}.",), numbers)
    if lost > policy.calibration_tolerance:
        reason = f"Better overall ({said}) but clearly worse calibrated, by at least {lost:.3f}."
        return Verdict(LOSE, (reason,), numbers)
    return Verdict(WIN, (f"{clearly.capitalize()} on {numbers['intervals']} unseen intervals: {said}.",), numbers)


def _gain(first: Losses, second: Losses, confidence: float) -> Gain:
    """Return what the second gains over the first on the intervals of the second."""
    spans = sorted(second)
    return gain_over([first[span] for span in spans], [second[span] for span in spans], confidence)


def _worse_slices(champion: Scored, challenger: Scored, policy: PromotionPolicy) -> list[str]:
    worse = []
    for name, losses in challenger.slices.items():
        shared = {span: champion.slices[name][span] for span in losses if span in champion.slices.get(name, {})}
        if len(shared) < 2:
            continue
        found = _gain(shared, {span: losses[span] for span in shared}, policy.confidence)
        if found.high < -policy.slice_tolerance * sum(shared.values()) / len(shared):
            worse.append(name)
    return sorted(worse)


def _calibration_lost(champion: Scored, challenger: Scored, policy: PromotionPolicy) -> float:
    """Return by how much at least the challenger's calibration error is higher; 0 where it may be no higher."""
    shared = {span: one for span, one in challenger.calibration.items() if span in champion.calibration}
    if len(shared) < 2:
        return 0.0
    return max(0.0, -_gain(champion.calibration, shared, policy.confidence).high)
