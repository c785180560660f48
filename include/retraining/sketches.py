"""Pure: what a column holds as counts in a few cells, how far two such counts lie apart, and how far by chance alone.

A shape says what the cells are: ``edges`` of numbers, ``levels`` of categories, or ``classes`` of chances. Counts of
one shape add up, so intervals, weekdays and parts of a file are sums, and leaving an interval out is a difference. The
last count is always that of missing values.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammaln

CELLS = 50
"""Numbers are counted between so many quantiles of the reference."""
LEVELS = 500
"""So many categories are counted by name, the most common; all others together."""
ROWS_AT_ONCE = 2**16
"""Rows are counted so many at a time, which fit a processor's cache."""
UNSEEN = 100
"""So many unnamed categories of each part are remembered."""
KOLMOGOROV_MEAN = float(np.sqrt(np.pi / 2) * np.log(2))
Floats = npt.NDArray[np.float64]
Shape = Mapping[str, Any]


@dataclass
class Tally:
    """The counts of one interval, by name, and the categories that its shapes do not name."""

    rows: int = 0
    counts: dict[str, Floats] = field(default_factory=dict)
    unseen: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, name: str, counts: Floats) -> None:
        """Add the counts of one part."""
        self.counts[name] = self.counts.get(name, 0.0) + counts


def of_numbers(values: Floats) -> dict[str, Any]:
    """Return the shape of numbers: cells between their quantiles, one below them and one above.

    >>> of_numbers(np.array([5.0, 5.0]))["edges"]
    [4.999999999999999, 5.0]
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return {"edges": []}
    edges = np.unique(np.quantile(known, np.linspace(0, 1, CELLS + 1)))
    return {"edges": [float(np.nextafter(edges[0], -np.inf)), *edges.tolist()]}


def of_categories(values: pd.Series) -> dict[str, Any]:
    """Return the shape of categories: the most common by name, equally common ones in the alphabet's order."""
    found = _by_level(values)
    return {"levels": sorted(sorted(found, key=lambda level: (-found[level], level))[:LEVELS])}


def of_chances(chances: Floats) -> dict[str, Any]:
    """Return the shape of class probabilities, shape (n_rows, n_classes): one cell a class, and how they spread."""
    return {"classes": chances.shape[1], "spread": np.round(chances.std(axis=0), 6).tolist()}


def numbers_of(values: pd.Series) -> Floats:
    """Return a column as float64 without a copy where it is that already; missing values are NaN."""
    return values.to_numpy(dtype="float64", na_value=np.nan)


def tally(shapes: Mapping[str, Shape], parts: Iterable[pd.DataFrame]) -> Tally:
    """Return the counts of one interval, looking at every row once, part by part.

    Parameters
    ----------
    shapes : mapping
        By column: what ``of_numbers`` and ``of_categories`` made of the reference.
    parts : iterable of pd.DataFrame
        The interval's rows; only the columns named in ``shapes`` are looked at.
    """
    found = Tally()
    for part in parts:
        found.rows += len(part)
        for name, shape in shapes.items():
            if "edges" in shape:
                found.add(name, count_numbers(shape, numbers_of(part[name])))
            else:
                counts, unseen = count_categories(shape, part[name])
                found.add(name, counts)
                found.unseen.setdefault(name, Counter()).update(unseen)
    return found


def count_numbers(shape: Shape, values: Floats) -> Floats:
    """Return how many numbers lie in each cell, shape (n_edges + 2,): at or below the first edge, …, above the last.

    >>> count_numbers({"edges": [0.0, 1.0]}, np.array([-9.0, 0.5, 1.0, 7.0, np.nan]))
    array([1., 2., 1., 1.])
    """
    cuts = np.array([*shape["edges"], np.inf])
    found = np.zeros(len(cuts) + 1)
    for start in range(0, len(values), ROWS_AT_ONCE):
        # numpy sorts with vector instructions: to cut sorted numbers takes half the time of placing each by itself.
        part = np.sort(values[start : start + ROWS_AT_ONCE])  # missing ones come last, behind infinity
        found += np.diff(np.searchsorted(part, cuts, side="right"), prepend=0, append=len(part))
    return found


def count_categories(shape: Shape, values: pd.Series) -> tuple[Floats, dict[str, int]]:
    """Return how many rows are of each level, of any other and missing, shape (n_levels + 2,); and the others by name.

    Only the ``UNSEEN`` most common of the others are named.
    """
    places = {level: place for place, level in enumerate(shape["levels"])}
    found, others, rest = np.zeros(len(places) + 2), {}, len(places)
    for level, number in _by_level(values).items():
        found[places.get(level, rest)] += number
        if level not in places:
            others[level] = number
    found[-1] = len(values) - found.sum()
    return found, dict(sorted(others.items(), key=lambda one: (-one[1], one[0]))[:UNSEEN])


def count_chances(chances: Floats) -> Floats:
    """Return the sum of each class's probabilities, shape (n_classes + 1,): as many rows as one would expect of it."""
    return np.append(chances.sum(axis=0), 0.0)


def _by_level(values: pd.Series) -> Counter[str]:
    """Return how many rows have each value, as text: 1 and "1" are one level."""
    found: Counter[str] = Counter()
    counted = values.value_counts(sort=False)
    for level, number in zip(counted.index.tolist(), counted.tolist(), strict=True):
        if number:  # pandas tells categories that no row has, too
            found[str(level)] += number
    return found


def distance(shape: Shape, reference: Floats, current: Floats) -> float:
    """Return how far two counts of one shape lie apart, 0 to 1; 0 where one of them has no value at all.

    Numbers by the largest distance of their distribution functions at the edges (Kolmogorov 1933), categories and
    classes by total variation.

    >>> distance({"levels": ["a", "b"]}, np.array([2.0, 2.0, 0.0, 0.0]), np.array([3.0, 1.0, 0.0, 4.0]))
    0.25
    """
    if not reference[:-1].sum() or not current[:-1].sum():
        return 0.0
    gaps = reference[:-1] / reference[:-1].sum() - current[:-1] / current[:-1].sum()
    if "edges" in shape:
        return min(1.0, float(np.abs(np.cumsum(gaps)).max()))  # sums of shares are rounded
    return min(1.0, float(np.abs(gaps).sum() / 2))


def missing_distance(reference: Floats, current: Floats) -> float:
    """Return how far two shares of missing values lie apart, 0 to 1; 0 where one of them has no row."""
    if not reference.sum() or not current.sum():
        return 0.0
    return abs(float(current[-1] / current.sum() - reference[-1] / reference.sum()))


def expected(shape: Shape, reference: Floats, rows: float) -> float:
    """Return the distance that so many rows show on average if they are drawn from the reference one by one.

    Source: Kolmogorov's distribution has the mean sqrt(pi / 2) ln 2 (Marsaglia, Tsang and Wang, 2003), an upper bound
    where numbers repeat or are told by cells; probabilities of classes spread normally about their mean.
    """
    known = reference[:-1].sum()
    if not known or rows <= 0:
        return 0.0
    if "classes" in shape:
        return float(np.sum(shape["spread"]) / np.sqrt(2 * np.pi * rows))
    varied = expected_variation(reference[:-1] / known, rows)
    return min(KOLMOGOROV_MEAN / rows**0.5, varied) if "edges" in shape else varied


def expected_missing(reference: Floats, rows: float) -> float:
    """Return the distance of missing shares that so many rows of the reference show on average."""
    total = reference.sum()
    if not total or rows <= 0:
        return 0.0
    return expected_variation(np.array([reference[-1], total - reference[-1]]) / total, rows)


def expected_variation(shares: Floats, rows: float) -> float:
    """Return the mean total variation between shares and what independent rows of them show.

    Each count is binomial, and its mean absolute deviation is known exactly (de Moivre 1730; Diaconis and Zabell,
    Statistical Science 1991), also where a category is expected less than once.

    Parameters
    ----------
    shares : array, shape (n_cells,), sums to 1
    rows : float, at least 1 after rounding

    Examples
    --------
    >>> expected_variation(np.array([0.5, 0.5]), 1)
    0.5
    """
    count = max(1.0, float(round(rows)))
    share = shares[(shares > 0) & (shares < 1)]
    above = np.floor(count * share) + 1
    ways = gammaln(count + 1) - gammaln(above + 1) - gammaln(count - above + 1)
    chance = np.exp(ways + above * np.log(share) + (count - above + 1) * np.log1p(-share))
    return float(np.round(np.sum(above * chance) / count, 12))
