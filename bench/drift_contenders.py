"""One drift step of one contender, in a process of its own: prints what it cost as JSON.

Those that answer by distances have to give the same ones. Each gets its rows in memory, in the form that it likes best,
and what it learns from the reference beforehand: only the step itself is timed.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bench.contenders import LEVELS, NUMBERS, peak_mib

BASELINE, REFERENCE, CURRENT = "baseline.json", "reference.parquet", "current.parquet"
Step = Callable[[], dict[str, float] | None]


def ours(folder: Path) -> Step:
    """Compare a frame with the stored sketch."""
    import pandas as pd

    from include.retraining import drift

    rows, baseline = pd.read_parquet(folder / CURRENT), _baseline(folder)
    return lambda: _effects(drift.report(baseline, rows, []))


def ours_in_parts(folder: Path) -> Step:
    """Compare a file with the stored sketch, reading it part by part: the only one whose reading is timed."""
    from include.retraining import drift
    from include.retraining.parted import Parted

    parted, baseline = Parted(folder / CURRENT, 2**18), _baseline(folder)
    return lambda: _effects(drift.report(baseline, parted.parts([*NUMBERS, *LEVELS]), []))


def numpy_floor(folder: Path) -> Step:
    """Count each column once with what numpy and pandas have for it, and do nothing else."""
    import numpy as np
    import pandas as pd

    rows, features = pd.read_parquet(folder / CURRENT), _baseline(folder)["features"]

    def step() -> dict[str, float]:
        found = {}
        for name in NUMBERS:
            edges, values = np.array(features[name]["edges"]), rows[name].to_numpy()
            cells = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
            cells[-1] -= np.isnan(values).sum()
            found[name] = _numbers(features[name], np.cumsum(cells))
        return found | {name: _levels(features[name], rows[name].value_counts(sort=False).items()) for name in LEVELS}

    return step


def direct_polars(folder: Path) -> Step:
    """Count with polars, by hand."""
    import polars as pl

    rows, features = pl.read_parquet(folder / CURRENT), _baseline(folder)["features"]

    def step() -> dict[str, float]:
        found = {}
        for name in NUMBERS:
            ordered = rows[name].drop_nulls().sort()
            below = ordered.search_sorted(pl.Series(features[name]["edges"]), side="right").to_list()
            found[name] = _numbers(features[name], [*below, len(ordered)])
        return found | {name: _levels(features[name], rows[name].value_counts().iter_rows()) for name in LEVELS}

    return step


def direct_duckdb(folder: Path) -> Step:
    """Count with DuckDB, by hand."""
    import duckdb
    import numpy as np

    features, base = _baseline(folder)["features"], duckdb.connect()
    base.execute("SET threads = 1")
    base.execute("CREATE TABLE rows AS SELECT * FROM read_parquet(?)", [str(folder / CURRENT)])

    def step() -> dict[str, float]:
        found = {}
        for name in NUMBERS:
            edges = features[name]["edges"]
            (bins,) = base.execute(f"SELECT histogram({name}, ?::DOUBLE[]) FROM rows", [edges]).fetchone()
            found[name] = _numbers(features[name], np.cumsum([bins.get(edge, 0) for edge in [*edges, np.inf]]))
        counted = {name: f"SELECT {name}, count(*) FROM rows GROUP BY 1" for name in LEVELS}
        return found | {
            name: _levels(features[name], base.execute(asked).fetchall()) for name, asked in counted.items()
        }

    return step


def scipy_loop(folder: Path) -> Step:
    """Test each column against the reference's rows, as many a script does."""
    import pandas as pd
    from scipy import stats

    rows, reference = (pd.read_parquet(folder / name) for name in (CURRENT, REFERENCE))

    def step() -> dict[str, float]:
        found = {
            name: float(stats.ks_2samp(reference[name].dropna(), rows[name].dropna()).statistic) for name in NUMBERS
        }
        for name in LEVELS:
            both = pd.concat([one[name].value_counts() for one in (reference, rows)], axis=1).fillna(0.0)
            stats.chi2_contingency(both.T)
            shares = both / both.sum()
            found[name] = float((shares.iloc[:, 0] - shares.iloc[:, 1]).abs().sum() / 2)
        return found

    return step


def evidently(folder: Path) -> Step:
    """Run Evidently's preset."""
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    columns = [*NUMBERS, *LEVELS]
    definition = DataDefinition(numerical_columns=NUMBERS, categorical_columns=list(LEVELS))
    rows, reference = (pd.read_parquet(folder / name)[columns] for name in (CURRENT, REFERENCE))
    sets = [Dataset.from_pandas(one, data_definition=definition) for one in (rows, reference)]

    def step() -> None:
        Report([DataDriftPreset()]).run(*sets)

    return step


def nannyml(folder: Path) -> Step:
    """Run NannyML's univariate calculator, the interval as one chunk; it is fitted on the reference beforehand."""
    import pandas as pd
    from nannyml import UnivariateDriftCalculator

    columns = [*NUMBERS, *LEVELS]
    rows, reference = (pd.read_parquet(folder / name)[columns] for name in (CURRENT, REFERENCE))
    fitted = UnivariateDriftCalculator(column_names=columns, chunk_number=1).fit(reference)

    def step() -> None:
        fitted.calculate(rows)

    return step


CONTENDERS: dict[str, Callable[[Path], Step]] = {
    "this product": ours,
    "this product, a file in parts": ours_in_parts,
    "numpy floor": numpy_floor,
    "polars, by hand": direct_polars,
    "DuckDB, by hand": direct_duckdb,
    "scipy, column by column": scipy_loop,
    "Evidently": evidently,
    "NannyML": nannyml,
}


def _baseline(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / BASELINE).read_text())
    return found


def _effects(report: dict[str, Any]) -> dict[str, float]:
    return {one["name"]: one["effect"] for one in report["features"] if not one["name"].endswith(" missing")}


def _numbers(feature: dict[str, Any], below: Any) -> float:
    import numpy as np

    shares = [np.cumsum(feature["counts"]["all"][:-1]), np.asarray(below, dtype="float64")]
    return float(np.abs(shares[0] / shares[0][-1] - shares[1] / shares[1][-1]).max())


def _levels(feature: dict[str, Any], counted: Iterable[Any]) -> float:
    import numpy as np

    places = {level: place for place, level in enumerate(feature["levels"])}
    reference = np.array(feature["counts"]["all"][:-1])
    found = np.zeros(len(reference))
    for level, count in counted:
        if level is not None:
            found[places.get(level, -1)] += count
    return float(np.abs(reference / reference.sum() - found / found.sum()).sum() / 2)


def main(name: str, folder: Path) -> None:
    """Run one contender and print its CPU seconds, and the peaks of memory before and after."""
    step = CONTENDERS[name](folder)
    before, started, clock = peak_mib(), time.process_time(), time.perf_counter()
    found = step()
    cost = {"cpu_s": time.process_time() - started, "seconds": time.perf_counter() - clock}
    print(json.dumps({**cost, "before_mib": before, "peak_mib": peak_mib(), "effects": found}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
