"""Pure: whether the world moves, by how alike neighbouring intervals err, and how long to wait for a challenger.

To a user: *"While the live model errs alike on neighbouring days, the world moves: a challenger is due every two
weeks. While its errors come in no order, it stands still, and each lost challenge doubles the wait."* It costs no fit
to look.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from include.retraining.policies import FEWEST_JUDGED, NEIGHBOURS, DecisionPolicy

Floats = npt.NDArray[np.float64]
Errors = Mapping[str, float]
"""How an interval erred, by name: in the mean, and where a feature is larger."""
WITH = "with "
"""So begin the names of errors that go with a feature."""
ROUNDING = 1e-9
"""Errors that differ by a smaller share than this are the same."""


@dataclass(frozen=True)
class Order:
    """How much more alike neighbouring intervals err than intervals in random order would."""

    intervals: int = 0
    standard_errors: float = 0.0
    """Above what random order has on average, in the standard deviation that it has; 0 for too few intervals."""


@dataclass(frozen=True)
class Movement:
    """Whether the order of errors is more than chance."""

    is_moving: bool
    intervals: int
    standard_errors: float
    limit: float
    """More than so many is no chance."""


def order(errors: Sequence[Errors], policy: DecisionPolicy) -> Order:
    """Return how much more alike neighbours err than in random order: in the mean, or with all features together.

    A model that is wrong by as much every day is only biased, and one whose days err in no order gains nothing by
    newer days. Neighbours that err alike say that something moves which newer labels know. Errors are those that a
    linear correction could mend, as in tests whether the parameters of a model are constant (Nyblom, Testing for the
    constancy of parameters over time, Journal of the American Statistical Association 84, 1989; Zeileis and Hornik,
    Generalized M-fluctuation tests for parameter instability, Statistica Neerlandica 61, 2007).

    Parameters
    ----------
    errors : sequence of mapping
        By interval, oldest first, of what served, without corrections: see ``measuring.errors``. Each name counts
        alike, whatever its unit.
    policy : DecisionPolicy
        How many intervals count.

    Examples
    --------
    >>> order([{"mean": 0.1}] * 20 + [{"mean": -0.1}] * 20, DecisionPolicy())
    Order(intervals=40, standard_errors=19.46)
    """
    newest = list(errors)[-policy.evidence_intervals :]
    if len(newest) < FEWEST_JUDGED:
        return Order(len(newest), 0.0)
    means = [{name: one[name] for name in one if not name.startswith(WITH)} for one in newest]
    return Order(len(newest), round(max(alike(_table(means)), alike(_table(newest))), 2))


def movement(found: Order, policy: DecisionPolicy, was_moving: bool = False) -> Movement:
    """Return whether the order of errors is more than chance makes.

    Parameters
    ----------
    found : Order
    policy : DecisionPolicy
        How many standard errors are more than chance.
    was_moving : bool
        Whether the run before found movement: then less is asked, so that the answer does not flutter at a limit.

    Examples
    --------
    >>> movement(Order(40, 4.5), DecisionPolicy())
    Movement(is_moving=True, intervals=40, standard_errors=4.5, limit=4.0)
    >>> movement(Order(40, 2.5), DecisionPolicy()).is_moving
    False
    """
    limit = policy.evidence_to_stay if was_moving else policy.evidence
    is_moving = found.intervals >= FEWEST_JUDGED and found.standard_errors > limit
    return Movement(is_moving, found.intervals, found.standard_errors, limit)


def alike(errors: Floats, reach: int = NEIGHBOURS) -> float:
    """Return by how many standard errors neighbours are more alike than in random order.

    Mantel's statistic: the sum of products of centred errors over all pairs of neighbours, less its mean and divided by
    its standard deviation over all orders of the intervals, both in closed form (Mantel, The detection of disease
    clustering and a generalized regression approach, Cancer Research 27, 1967). For one column it is Moran's I in time
    (Moran, Notes on continuous stochastic phenomena, Biometrika 37, 1950; Cliff and Ord, Spatial processes, 1981).

    Parameters
    ----------
    errors : array, shape (n_intervals, n_outcomes), finite
        In order of time.
    reach : int
        Neighbours lie at most so many intervals apart.

    Returns
    -------
    float
        0 where all are the same, or fewer than four.

    Examples
    --------
    >>> round(alike(np.array([[1.0], [2.0], [3.0], [4.0]]), reach=1), 2)
    1.58
    """
    if len(errors) < 4:
        return 0.0
    centred = errors - errors.mean(axis=0)
    largest = float(np.abs(centred).max(initial=0.0))
    if largest <= ROUNDING * float(np.abs(errors).max(initial=0.0)):
        return 0.0
    products = (centred / largest) @ (centred / largest).T
    np.fill_diagonal(products, 0.0)
    apart = np.abs(np.subtract.outer(np.arange(len(errors)), np.arange(len(errors))))
    near = ((apart > 0) & (apart <= reach)).astype("float64")
    mean, variance = _in_random_order(near, products)
    return float((near * products).sum() - mean) / variance**0.5 if variance > ROUNDING else 0.0


def _in_random_order(near: Floats, products: Floats) -> tuple[float, float]:
    """Return mean and variance of the sum of both, over all orders of the rows and columns of one of them."""
    many = len(near)
    pairs, triples, fours = (math.perm(many, size) for size in (2, 3, 4))  # ways to choose the intervals of two pairs
    (total, same, sharing, apart), (other, its_same, its_sharing, its_apart) = map(_sums, (near, products))
    mean = total * other / pairs
    square = 2 * same * its_same / pairs + 4 * sharing * its_sharing / triples + apart * its_apart / fours
    return mean, square - mean**2


def _sums(one: Floats) -> tuple[float, float, float, float]:
    """Return the sum of a symmetric matrix, and of products of two of its places: the same, in one row, in none."""
    total, same, rows = float(one.sum()), float((one**2).sum()), float((one.sum(axis=0) ** 2).sum())
    return total, same, rows - same, total**2 - 4 * rows + 2 * same


def _table(errors: Sequence[Errors]) -> Floats:
    """Return a row for each interval and a column for each name, in its own standard deviations.

    What an interval does not tell, a class or feature that its version did not know, is no error.
    """
    names = sorted({name for one in errors for name in one})
    found = np.array([[one.get(name, 0.0) for name in names] for one in errors], dtype="float64")
    centred, spread = found - found.mean(axis=0), found.std(axis=0)
    varies = spread > ROUNDING * np.abs(found).max(axis=0)
    scaled: Floats = centred[:, varies] / spread[varies]
    return scaled


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
