"""Pure: which effect sizes are limits, learned from how far each reference interval lay from all the others.

An effect has two parts: what a sample of so many rows shows by chance, which shrinks with their number, and how much
days differ, which does not. Both are learned for each effect by itself, so that a feature which often strays makes no
other one deaf. One factor common to all then sets how many reference intervals would have crossed any limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from include.retraining.sketches import Floats

CHANCE = 3.3
"""So many times its mean may an effect be by chance alone: what a normal deviate reaches in some sixty intervals."""
KEPT = 200
"""So many of the largest crossings are remembered."""


@dataclass(frozen=True)
class Learned:
    """What reference intervals teach about the effects, in the order of these."""

    between: Floats
    """How far days themselves strayed, shape (n_effects,), 0 to 1."""
    chance: Floats
    """How many times the mean of chance they reached, shape (n_effects,), 0 to ``CHANCE``."""
    crossings: list[float]
    """How many times the limit that all others gave each interval reached at the most, largest first."""
    paired: float
    """The same for two intervals in a row and one effect, the largest."""


def learn(effects: Floats, expected: Floats, floors: Floats) -> Learned:
    """Return what at least two reference intervals teach.

    Parameters
    ----------
    effects : array, shape (n_intervals, n_effects), 0 to 1
        Of each interval against all others, oldest first.
    expected : array, shape (n_intervals, n_effects), 0 to 1
        What chance alone shows on average in so many rows.
    floors : array, shape (n_effects,), above 0
        Effects that nobody would act on.
    """
    beyond, times = _beyond(effects, expected), _times(effects, expected)
    known = limits(_largest_of_others(beyond), _largest_of_others(times), expected, floors)
    strayed = effects / known
    pairs = np.minimum(strayed[1:], strayed[:-1])
    crossings = sorted(strayed.max(axis=1).tolist(), reverse=True)[:KEPT]
    return Learned(beyond.max(axis=0), times.max(axis=0), crossings, float(pairs.max(initial=0.0)))


def limits(between: Floats, chance: Floats, expected: Floats, floors: Floats) -> Floats:
    """Return the limits that a factor of one gives: days and chance add up as variances do.

    >>> limits(np.array([0.3]), np.array([2.0]), np.array([0.2]), np.array([0.02]))
    array([0.5])
    """
    found: Floats = np.maximum(floors, np.hypot(between, chance * expected))
    return found


def factor(crossings: Sequence[float], paired: float, intervals: int, chance_of_alarm: float) -> float:
    """Return by what to multiply limits, at least 1: few enough intervals cross any, and no two of them in a row did.

    Parameters
    ----------
    crossings : sequence of float
        Of ``learn``, largest first.
    paired : float
        Of ``learn``.
    intervals : int
        How many reference intervals there were.
    chance_of_alarm : float
        How likely an alarm may be in an interval without drift, 0 to 1.
    """
    place = min(allowed(intervals, chance_of_alarm), len(crossings)) - 1
    return max(1.0, paired, crossings[place])


def allowed(intervals: int, chance_of_alarm: float) -> int:
    """Return the place of the crossing that is the limit: a new interval is beyond it with chance place / (n + 1).

    That is how ranks of exchangeable intervals fall (Vovk, Gammerman and Shafer, 2005, chapter 2). Two such intervals
    in a row have the square of it.

    >>> allowed(56, 1 / 365)
    2
    """
    return max(1, int(chance_of_alarm**0.5 * (intervals + 1)))


def promised(intervals: int, chance_of_alarm: float) -> float:
    """Return the chance of an alarm that so many reference intervals can hold, which few of them cannot hold small.

    >>> round(365 * promised(14, 1 / 365), 1)
    1.6
    """
    return float((allowed(intervals, chance_of_alarm) / (intervals + 1)) ** 2)


def plain(learned: Learned, names: Sequence[str]) -> dict[str, Any]:
    """Return what was learned as JSON knows it."""
    rows = zip(names, learned.between.tolist(), learned.chance.tolist(), strict=True)
    spread = {name: {"between": between, "chance": chance} for name, between, chance in rows}
    return {"spread": spread, "crossings": learned.crossings, "paired": learned.paired}


def _beyond(effects: Floats, expected: Floats) -> Floats:
    """Return the part of effects that chance cannot explain."""
    found: Floats = np.sqrt(np.maximum(0.0, effects**2 - (CHANCE * expected) ** 2))
    return found


def _times(effects: Floats, expected: Floats) -> Floats:
    found: Floats = np.divide(effects, expected, out=np.zeros_like(effects), where=expected > 0)
    return np.minimum(CHANCE, found)


def _largest_of_others(values: Floats) -> Floats:
    """Return for each interval and effect the largest of all other intervals, shape (n_intervals, n_effects)."""
    two = np.sort(values, axis=0)[-2:]
    found: Floats = np.where(values == two[1], two[0], two[1])
    return found
