"""Pure: limits learned from what was seen in each interval, with a margin that grows with what varied."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

TAILS = (0.01, 0.001, 0.0)
"""Shares cut off at either end before the margin is added; the first that leaves few rows outside is taken."""
MOST_OUTSIDE = 0.02
"""The largest share of an interval's values that a range may leave outside."""
PILED = 0.01
"""An end that holds this share of all values, and ends half of the intervals, is an end of the domain."""
HOLDOUT = 0.01
"""The share that a value never seen before is given when a mix is compared."""
HUGE = 1e300
"""Numbers farther apart than this are no measurements, and their distance overflows."""
OUTLIER = 3.0
"""An interval this many times farther off than any other is kept out of what is learned: it deserves a warning."""


@dataclass(frozen=True)
class Range:
    """Limits of a column's numbers."""

    low: float
    high: float
    outside: float
    """The share of values outside, in the worst interval."""

    @property
    def mostly(self) -> float | None:
        """Return the share of values that must lie inside; None where nothing lay outside."""
        return math.floor((1 - 2 * self.outside) * 1000) / 1000 if self.outside else None


@dataclass(frozen=True)
class Spread:
    """How far intervals lay from the others, and the limit that follows."""

    limit: float
    worst: float
    """Of those that the limit covers."""
    outliers: tuple[int, ...]
    """Places of intervals that lay so far off that the limit leaves them outside."""


def number_range(parts: Sequence[pd.Series]) -> Range | None:
    """Return limits around robust quantiles of a column's finite numbers; None if there are none that mean anything.

    Parameters
    ----------
    parts : sequence of Series
        The column's numbers, one an interval.
    """
    present = [part.dropna().to_numpy("float64") for part in parts]
    finite = [values[np.isfinite(values)] for values in present]
    pooled = np.concatenate(finite) if finite else np.array([])
    if not len(pooled) or float(pooled.max()) / 2 - float(pooled.min()) / 2 > HUGE:
        return None
    found = None
    for tail in TAILS:
        low, high = _ends(pooled, [values for values in finite if len(values)], tail)
        worst = max(float(((values < low) | (values > high)).mean()) for values in present if len(values))
        found = Range(low, high, worst)
        if worst <= MOST_OUTSIDE:
            break
    return found


def _ends(pooled: np.ndarray, parts: Sequence[np.ndarray], tail: float) -> tuple[float, float]:
    low, high = (float(found) for found in np.quantile(pooled, [tail, 1 - tail]))
    margin = (high - low) / 2
    low, high = outward(low - margin, high + margin)
    least, most = float(pooled.min()), float(pooled.max())
    low = max(low, 0.0) if least >= 0 else low
    high = min(high, 0.0) if most <= 0 else high
    high = min(high, 1.0) if least >= 0 and most <= 1 else high
    low = least if _is_piled(pooled, least, [values.min() for values in parts]) else low
    high = most if _is_piled(pooled, most, [values.max() for values in parts]) else high
    return low, high


def _is_piled(pooled: np.ndarray, end: float, ends: Sequence[float]) -> bool:
    return float((pooled == end).mean()) >= PILED and 2 * sum(one == end for one in ends) >= len(ends)


def outward(low: float, high: float) -> tuple[float, float]:
    """Return two limits rounded away from each other, to the second digit of their distance.

    >>> outward(-3.21, 118.7), outward(0.4321, 0.4987), outward(5.0, 5.0)
    ((-10.0, 120.0), (0.432, 0.499), (5.0, 5.0))
    """
    apart = high - low
    step = 10.0 ** (math.floor(math.log10(apart)) - 1) if 0 < apart < math.inf else 0.0
    if not step:
        return low, high
    return min(low, _clean(math.floor(low / step) * step)), max(high, _clean(math.ceil(high / step) * step))


def up(value: float, step: float) -> float:
    """Return a value rounded up to a multiple of a step.

    >>> up(0.121, 0.05), up(0.15, 0.05)
    (0.15, 0.15)
    """
    return _clean(math.ceil(value / step - 1e-9) * step)


def _clean(value: float) -> float:
    """Return a multiple of a power of ten as people write it, without the noise of binary fractions."""
    return float(f"{value:.12g}") + 0.0


def spread(deviations: Sequence[float | None], margin: float, step: float) -> Spread | None:
    """Return a limit that every interval keeps but those that lay far off from all others; None if nothing is known.

    Parameters
    ----------
    deviations : sequence of float or None
        Each interval's distance from the others (leave one out); None where it could not be told.
    margin : float
        The limit is so many times the worst distance.
    step : float
        What it is rounded up to, and its least value.
    """
    known = sorted(((found, place) for place, found in enumerate(deviations) if found is not None), reverse=True)
    if not known:
        return None
    most = len(known) // 14
    far = [count for count in range(1, most + 1) if known[count - 1][0] > OUTLIER * max(known[count][0], step)]
    kept, dropped = known[max(far, default=0) :], known[: max(far, default=0)]
    worst = kept[0][0]
    if not math.isfinite(worst):
        return None
    return Spread(max(step, up(margin * worst, step)), worst, tuple(sorted(place for _, place in dropped)))


def shares(counts: pd.Series) -> dict[str, float]:
    """Return each value's share, four digits long and together exactly 1, in the values' order.

    >>> shares(pd.Series({"b": 1, "a": 2}))
    {'a': 0.6667, 'b': 0.3333}
    """
    ordered = {str(value): float(count) for value, count in sorted(counts.items(), key=lambda one: str(one[0]))}
    total = sum(ordered.values())
    units = {value: max(1, round(10_000 * count / total)) for value, count in ordered.items()}
    largest = max(units, key=lambda value: units[value])
    units[largest] += 10_000 - sum(units.values())
    return {value: unit / 10_000 for value, unit in units.items()}


def divergence(counts: pd.Series, expected: dict[str, float]) -> float:
    """Return the Kullback-Leibler divergence of a mix from the expected one, in nats, as Great Expectations does.

    >>> round(divergence(pd.Series({"a": 1, "b": 1}), {"a": 0.25, "b": 0.75}), 4)
    0.1438
    """
    observed = {str(value): count / counts.sum() for value, count in counts.items() if count}
    new = [value for value in observed if value not in expected]
    kept = 1 - HOLDOUT if new else 1.0
    wanted = {
        **{value: kept * share for value, share in expected.items()},
        **dict.fromkeys(new, HOLDOUT / max(1, len(new))),
    }
    return max(0.0, float(sum(share * math.log(share / wanted[value]) for value, share in observed.items())))
