"""Pure: whether the world moves, by what corrections brought, and how long to wait for the next challenger.

To a user: *"Once corrections by the newest labels clearly help, the world moves: a challenger is due every two
weeks. When they help no more, it stands still, and each lost challenge doubles the wait."* It costs no fit to look.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from include.retraining.policies import DecisionPolicy

FEWEST = 14
"""So few gains say nothing about movement: the world counts as standing still."""


@dataclass(frozen=True)
class Movement:
    """What corrections brought on intervals that they were not fitted on, against how much that swings."""

    is_moving: bool
    intervals: int
    standard_errors: float
    """Mean gain of a correction in its own standard errors; 0 where there are too few intervals."""
    limit: float
    """By more than so many it had to help."""


def movement(gains: Sequence[float], policy: DecisionPolicy, was_moving: bool = False) -> Movement:
    """Return whether corrections help by more than chance, on the newest intervals.

    A correction by past labels can only help later intervals if neighbours tell of each other, that is if something
    moves. The statistic is Student's t of the mean gain; the unit is the interval, whatever its rows.

    Parameters
    ----------
    gains : sequence of float
        By interval, oldest first: loss without a correction less the loss with the one fitted before it.
    policy : DecisionPolicy
        How many intervals count, and how many standard errors are more than chance.
    was_moving : bool
        Whether the run before found movement: then less is asked, so that the answer does not flutter at a limit.

    Examples
    --------
    >>> movement([0.01, 0.03] * 10, DecisionPolicy())
    Movement(is_moving=True, intervals=20, standard_errors=8.72, limit=1.5)
    >>> movement([0.5] * 3, DecisionPolicy()).is_moving
    False
    """
    limit = policy.evidence_to_stay if was_moving else policy.evidence
    newest = np.asarray(list(gains)[-policy.evidence_intervals :], dtype="float64")
    if len(newest) < FEWEST:
        return Movement(False, len(newest), 0.0, limit)
    mean, error = float(newest.mean()), float(newest.std(ddof=1) / len(newest) ** 0.5)
    found = mean / error if error else float(np.sign(mean)) * (policy.evidence + 1)  # all the same: no chance at work
    return Movement(found > limit, len(newest), round(found, 2), limit)


def shortest_wait(policy: DecisionPolicy) -> int:
    """Return the wait between two challengers while the world moves, in intervals.

    What ageing costs grows with the time since a fit, so the best wait grows with the square root of what a fit costs
    (Harris, How many parts to make at once, Factory 10, 1913).

    >>> shortest_wait(DecisionPolicy(price=4)), shortest_wait(DecisionPolicy(price=0.01))
    (28, 7)
    """
    asked: int = round(policy.minimum_age_intervals * float(policy.price) ** 0.5)
    return min(max(asked, policy.cooldown_intervals), policy.maximum_age_intervals)


def wait_after(wait: int | None, won: bool, moving: bool, policy: DecisionPolicy) -> int:
    """Return the wait after a challenge: doubled by one that was lost, as it was after one that was won.

    What happens while the world moves says nothing of how it stands still: then the waits begin anew.

    Parameters
    ----------
    wait : int or None
        In intervals, before the challenge; None before the first.
    won : bool
    moving : bool
        Whether the world moved when the challenger was trained.
    policy : DecisionPolicy

    Examples
    --------
    >>> policy = DecisionPolicy()
    >>> wait_after(None, False, False, policy), wait_after(42, True, False, policy), wait_after(84, False, True, policy)
    (28, 42, 14)
    """
    least = shortest_wait(policy)
    before = least if wait is None or moving else max(least, wait)
    return before if won or moving else min(policy.maximum_age_intervals, 2 * before)


def due_after(wait: int | None, moving: Movement, policy: DecisionPolicy) -> int:
    """Return after how many intervals the next challenger is due: at once the shortest wait while the world moves."""
    least = shortest_wait(policy)
    return least if moving.is_moving or wait is None else max(least, wait)
