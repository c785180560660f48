"""Pure: the simplest candidate that is good enough, and what more complexity bought or would have bought."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from include.retraining import judging
from include.retraining.policies import BASELINE, BINARY


def select(
    losses: Mapping[str, Sequence[float]], order: Sequence[str], floor_losses: Sequence[float], task: str = BINARY
) -> dict[str, Any]:
    """Return the simplest candidate within one standard error of the best, if it beats the floor.

    The one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3), with
    intervals as the unit. The candidate ``baseline`` is the floor itself, so it need not beat it: whoever names it
    wants to hear that nothing is worth more.

    Parameters
    ----------
    losses : mapping
        Loss per interval of the folds, by candidate.
    order : sequence of str
        Candidate names, simplest first.
    floor_losses : sequence of float
        The same intervals for the trivial baseline.
    task : str
        Names the loss.

    Examples
    --------
    >>> select({"ridge": [510, 530], "trees": [505, 535]}, ("ridge", "trees"), [700, 700], "regression")["reason"]
    'ridge (520) is kept: none of the more complex ones is better.'
    """
    judged = judging.of(task)
    means = {name: float(np.mean(losses[name])) for name in order if name in losses}
    best = min(means, key=lambda name: means[name])
    error = float(np.std(losses[best], ddof=1) / len(losses[best]) ** 0.5) if len(losses[best]) > 1 else 0.0
    floor = float(np.mean(floor_losses))
    above = [name for name in means if means[name] < floor or name == BASELINE]
    chosen = next((name for name in above if means[name] <= means[best] + error), None)
    numbers = {"losses": means, "standard_error": error, "floor_loss": floor, "best": best}
    if chosen is None:
        reason = f"No candidate beats the {judged.floor} ({judged.told(floor)})."
        return {"candidate": None, "reason": reason, **numbers}
    return {"candidate": chosen, "reason": _reason(chosen, best, means, error, judged), **numbers}


def _reason(chosen: str, best: str, means: dict[str, float], error: float, judged: judging.Loss) -> str:
    """Return in one sentence what the next step of complexity bought, or would have bought."""
    if chosen != best:
        gain = _gain(means[chosen], means[best], judged)
        return (
            f"{best} would have been {gain}, within one standard error ({judged.told(error)}): the simpler {chosen} "
            "is kept."
        )
    simpler = list(means)[: list(means).index(chosen)]
    if not simpler:
        others = "none of the more complex ones is better" if len(means) > 1 else "no other was trained"
        return f"{chosen} ({judged.told(means[chosen])}) is kept: {others}."
    rival = min(simpler, key=lambda name: means[name])
    gain = _gain(means[rival], means[chosen], judged)
    if means[rival] > means[chosen] + error:
        return f"{chosen} is {gain} than {rival}, more than one standard error ({judged.told(error)})."
    return f"{chosen} is {gain} than {rival}, and the simplest that beats the {judged.floor}."


def _gain(simple: float, better: float, judged: judging.Loss) -> str:
    share = f" ({(simple - better) / simple:.1%})".replace("%", " %") if simple else ""
    return f"{judged.told(simple - better)} better{share}"
