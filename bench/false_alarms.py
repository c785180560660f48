"""How often drift alarms in a year where nothing drifts: a table over features, rows, and how much days differ."""

import itertools
import os
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd

from bench.counting import table
from include.retraining import drift
from include.retraining.spec import ModelSpec
from tests.retraining import toy

FEATURES = [int(count) for count in os.environ.get("BENCH_FEATURES", "10 50").split()]
ROWS, SEEDS = (50, 500, 5000), int(os.environ.get("BENCH_SEEDS", "3"))
REFERENCE, YEAR = 56, 365
LEVELS = (2, 5, 20, 100, 5000)
NAMES = np.array([f"v{level:04d}" for level in range(max(LEVELS))], dtype="object")
DIFFER = {"rows are independent": 0.0, "days differ": 1.0}


def report() -> None:
    """Print alarms a year for every size, and for intervals that are smaller or larger than the reference's."""
    lines = [
        ["null", "features", "rows, reference", "rows, current", "intervals beyond a limit", "alarms a year", "most"]
    ]
    sizes = [(one, one) for one in ROWS] + [(500, 50), (500, 5000)]
    for features, null, (usual, rows) in itertools.product(FEATURES, DIFFER, sizes):
        found = [year(features, usual, rows, DIFFER[null], seed) for seed in range(SEEDS)]
        crossed, alarms = np.array(found).T
        told = [f"{crossed.mean():.1f}", f"{alarms.mean():.1f}", f"{alarms.max()}"]
        lines.append([null, str(features), f"{usual:,}", f"{rows:,}", *told])
        print(*lines[-1], file=sys.stderr, flush=True)
    table(f"{YEAR} intervals without drift, {REFERENCE} reference intervals, mean of {SEEDS} worlds", lines)


def year(features: int, usual: int, rows: int, differ: float, seed: int) -> tuple[int, int]:
    """Return in how many intervals of a year anything lay beyond its limit, and in how many twice in a row."""
    random, spec = np.random.default_rng(seed), _spec(features)
    days = [drift.WEEKDAYS[number % 7] for number in range(REFERENCE + YEAR)]
    baseline = drift.sketch(list(intervals(random, spec, usual, REFERENCE, differ)), spec, days[:REFERENCE])
    shifted: list[str] = []
    crossed = alarms = 0
    for day, frame in zip(days[REFERENCE:], intervals(random, spec, rows, YEAR, differ), strict=True):
        found = drift.report(baseline, frame, shifted, day)
        shifted, alarms = found["shifted"], alarms + bool(found["alarms"])
        crossed += bool(shifted)
    return crossed, alarms


def intervals(
    random: np.random.Generator, spec: ModelSpec, rows: int, count: int, differ: float
) -> Iterator[pd.DataFrame]:
    """Yield intervals of normal and heavy-tailed numbers, some missing, and of 2 to 5,000 categories.

    Where days differ, each has a shift of its own that half of every feature's shift is: means move by 0.3 standard
    deviations, missing shares and the commonness of categories by about a third.
    """
    for _ in range(count):
        common = random.normal()
        columns: dict[str, object] = {}
        for place, name in enumerate(spec.numeric):
            moved = differ * 0.3 * (common + random.normal()) / 2**0.5
            values = random.pareto(3, rows) * np.exp(moved) if place % 2 else random.normal(moved, 1, rows)
            missing = random.random(rows) < 0.03 * np.exp(moved)
            columns[name] = np.where(missing, np.nan, values) if place % 3 == 0 else values
        for place, name in enumerate(spec.categorical):
            moved = differ * 0.3 * (common + random.normal()) / 2**0.5
            levels = LEVELS[place % len(LEVELS)]
            drawn = (levels * random.random(rows) ** np.exp(0.5 + moved)).astype(int)
            columns[name] = pd.Series(NAMES[drawn], dtype="object")
        yield pd.DataFrame(columns)


def _spec(features: int) -> ModelSpec:
    numbers = features * 3 // 5
    names = [f"f{place}" for place in range(features)]
    return toy.spec(numeric=tuple(names[:numbers]), categorical=tuple(names[numbers:]), slices=())


if __name__ == "__main__":
    report()
