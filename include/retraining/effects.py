"""Pure: the effects of drift: which there are, their sizes, and what chance alone shows of each in so many rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from include.retraining import sketches
from include.retraining.sketches import Floats, Shape, Tally
from include.retraining.spec import ModelSpec

FLOOR, NULL_FLOOR = 0.02, 0.01
"""Effect sizes that nobody would act on: Kolmogorov-Smirnov D or total variation, and share of missing values."""
NULLS = " missing"
PREDICTIONS = "champion's predictions"
Rows = pd.DataFrame | Iterable[pd.DataFrame]


def shapes_of(intervals: Sequence[pd.DataFrame], spec: ModelSpec, predictions: Sequence[Floats]) -> dict[str, Any]:
    """Return the cells of every feature; a column at a time, so that no second copy of all rows is made."""
    if not intervals:
        return {}
    found: dict[str, Any] = {}
    for name in spec.numeric:
        found[name] = sketches.of_numbers(np.concatenate([sketches.numbers_of(rows[name]) for rows in intervals]))
    for name in spec.categorical:
        shape = sketches.of_categories(pd.concat([rows[name] for rows in intervals], ignore_index=True))
        found[name] = {**shape, "hidden": True} if name in spec.pseudonymised else shape
    if len(predictions):
        every = np.concatenate(predictions)
        found[PREDICTIONS] = sketches.of_numbers(every) if every.ndim == 1 else sketches.of_chances(every)
    return found


def tally(shapes: Mapping[str, Shape], rows: Rows, predictions: Floats | None) -> Tally:
    """Return the counts of one interval, whole or in parts, and of what was predicted for all of it."""
    columns = {name: shape for name, shape in shapes.items() if name != PREDICTIONS}
    found = sketches.tally(columns, [rows] if isinstance(rows, pd.DataFrame) else rows)
    if predictions is not None and PREDICTIONS in shapes:
        shape = shapes[PREDICTIONS]
        counted = (
            sketches.count_numbers(shape, predictions) if "edges" in shape else sketches.count_chances(predictions)
        )
        found.add(PREDICTIONS, counted)
    return found


def sizes(shapes: Mapping[str, Shape], reference: Mapping[str, Floats], current: Mapping[str, Floats]) -> Floats:
    """Return how far an interval lies from a reference, 0 to 1, shape (n_effects,), in the order of ``names``."""
    found = [sketches.distance(shapes[name], reference[name], current[name]) for name in shapes]
    return np.array(found + [sketches.missing_distance(reference[name], current[name]) for name in shapes])


def names(shapes: Iterable[str]) -> list[str]:
    """Return the names of all effects: of each feature, and of its missing share."""
    return [*shapes, *(name + NULLS for name in shapes)]


def expected(
    shapes: Mapping[str, Shape], reference: Mapping[str, Floats], current: Mapping[str, Floats], typical: float
) -> Floats:
    """Return what chance alone shows on average. More rows than reference intervals have make no limit smaller."""
    found = []
    for name, shape in shapes.items():
        rows = _harmonic(current[name][:-1].sum(), reference[name][:-1].sum(), typical)
        found.append(sketches.expected(shape, reference[name], rows))
    for name in shapes:
        rows = _harmonic(current[name].sum(), reference[name].sum(), typical)
        found.append(sketches.expected_missing(reference[name], rows))
    return np.array(found)


def _harmonic(rows: float, reference: float, typical: float) -> float:
    """Return as how many rows against an exact reference two samples count: their variances add up."""
    rows = min(rows, typical)
    return rows * reference / (rows + reference) if rows and reference else 0.0


def floors(shapes: Mapping[str, Shape]) -> Floats:
    """Return the size of each effect that nobody would act on."""
    return np.array([FLOOR] * len(shapes) + [NULL_FLOOR] * len(shapes))
