"""One validation of one Parquet file by one contender, in a process of its own: prints what it cost as JSON.

Every contender is asked the same 20 questions and has to give the same answers.
"""

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from include.retraining import gx_door

NUMBERS = [f"n{place}" for place in range(12)]
LEVELS = {"c0": 3, "c1": 10, "c2": 20, "c3": 50, "c4": 300, "c5": 5000}
COLUMNS = ["at", "key", *NUMBERS, *LEVELS]
EXPECTATIONS: list[tuple[str, dict[str, Any]]] = [
    ("expect_table_row_count_to_be_between", {"min_value": 1, "max_value": 100_000_000}),
    ("expect_table_columns_to_match_set", {"column_set": COLUMNS}),
    ("expect_column_values_to_not_be_null", {"column": "at"}),
    ("expect_column_values_to_not_be_null", {"column": "key"}),
    ("expect_column_values_to_be_unique", {"column": "key"}),
    ("expect_column_values_to_be_in_set", {"column": "c0", "value_set": ["v0000", "v0001", "v0002"]}),
    ("expect_column_values_to_match_regex", {"column": "c1", "regex": "^v[0-9]{4}$"}),
    ("expect_column_values_to_not_be_null", {"column": "c2"}),
    ("expect_column_unique_value_count_to_be_between", {"column": "c5", "min_value": 100, "max_value": 6000}),
    ("expect_column_values_to_be_of_type", {"column": "n0", "type_": "float64"}),
    ("expect_column_values_to_be_of_type", {"column": "n1", "type_": "float64"}),
    ("expect_column_values_to_be_between", {"column": "n0", "min_value": -10, "max_value": 10}),
    ("expect_column_values_to_be_between", {"column": "n1", "min_value": 0, "max_value": 100, "mostly": 0.99}),
    ("expect_column_values_to_be_between", {"column": "n2", "min_value": -3, "max_value": 3}),
    ("expect_column_mean_to_be_between", {"column": "n3", "min_value": 0, "max_value": 10}),
    ("expect_column_stdev_to_be_between", {"column": "n4", "min_value": 0, "max_value": 10}),
    ("expect_column_median_to_be_between", {"column": "n5", "min_value": 0, "max_value": 10}),
    ("expect_column_proportion_of_non_null_values_to_be_between", {"column": "n6", "min_value": 0.9, "max_value": 1}),
    ("expect_column_min_to_be_between", {"column": "n7", "min_value": 0, "max_value": 1}),
    ("expect_column_max_to_be_between", {"column": "n8", "min_value": 0, "max_value": 1e9}),
]
BROKEN = {"n2"}
"""What does not hold: about one value in 400 lies beyond three standard deviations."""


def ours(path: Path) -> int:
    """Validate as a run does, page included: of so many rows, part by part."""
    import pandas as pd

    from include.retraining.expectations import Suite
    from include.retraining.parted import Parted
    from include.retraining.policies import ValidationPolicy
    from include.retraining.validation import About, validate
    from include.retraining.windows import Interval

    listed = ({"type": kind, "kwargs": kwargs, "severity": "warning", "notes": ""} for kind, kwargs in EXPECTATIONS)
    suite = Suite("bench", tuple({**one, "on": "snapshot"} for one in listed), "snapshot")
    parted = Parted(path, ValidationPolicy().rows_at_once)
    rows = parted if len(parted) > parted.rows_at_once else pd.read_parquet(path)
    day = Interval(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC))
    found = validate(rows, suite, About("bench", day, "a" * 64))
    assert "did not hold" in found.html
    return sum(not row["success"] for row in found.result["expectations"])


def plain_gx(path: Path) -> int:
    """Validate as Great Expectations' own guide does: a checkpoint with default settings, and its Data Docs."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations.checkpoint import UpdateDataDocsAction
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    with tempfile.TemporaryDirectory() as folder:
        context = gx.get_context(mode="file", project_root_dir=folder)
        suite = gx.ExpectationSuite(name="bench")
        for kind, kwargs in EXPECTATIONS:
            suite.add_expectation(ExpectationConfiguration(type=kind, kwargs=kwargs).to_domain_obj())
        suite = context.suites.add(suite)
        asset = context.data_sources.add_pandas("bench").add_dataframe_asset("rows")
        batch = asset.add_batch_definition_whole_dataframe("all")
        wanted = context.validation_definitions.add(gx.ValidationDefinition(name="bench", data=batch, suite=suite))
        docs = UpdateDataDocsAction(name="docs")
        checkpoint = context.checkpoints.add(gx.Checkpoint(name="b", validation_definitions=[wanted], actions=[docs]))
        found = checkpoint.run(batch_parameters={"dataframe": pd.read_parquet(path)})
        (result,) = found.run_results.values()
        return sum(not one.success for one in result.results)


def pandera_pandas(path: Path) -> int:
    """Validate with a lazy pandera schema."""
    import pandas as pd
    import pandera.pandas as pa

    between = pa.Check.in_range
    nulls = pa.Check(lambda found: found.notna().mean() >= 0.9, element_wise=False, ignore_na=False)
    schema = pa.DataFrameSchema(
        {
            "at": pa.Column(nullable=False),
            "key": pa.Column(nullable=False, unique=True),
            "c0": pa.Column(checks=pa.Check.isin(["v0000", "v0001", "v0002"])),
            "c1": pa.Column(checks=pa.Check.str_matches("^v[0-9]{4}$")),
            "c2": pa.Column(nullable=False),
            "c3": pa.Column(),
            "c4": pa.Column(),
            "c5": pa.Column(checks=pa.Check(lambda found: 100 <= found.nunique() <= 6000)),
            "n0": pa.Column("float64", between(-10, 10), nullable=True),
            "n1": pa.Column("float64", pa.Check(lambda f: f.dropna().between(0, 100).mean() >= 0.99), nullable=True),
            "n2": pa.Column("float64", between(-3, 3), nullable=True),
            "n3": pa.Column("float64", pa.Check(lambda found: 0 <= found.mean() <= 10), nullable=True),
            "n4": pa.Column("float64", pa.Check(lambda found: 0 <= found.std() <= 10), nullable=True),
            "n5": pa.Column("float64", pa.Check(lambda found: 0 <= found.median() <= 10), nullable=True),
            "n6": pa.Column("float64", nulls, nullable=True),
            "n7": pa.Column("float64", pa.Check(lambda found: 0 <= found.min() <= 1), nullable=True),
            "n8": pa.Column("float64", pa.Check(lambda found: 0 <= found.max() <= 1e9), nullable=True),
            **{name: pa.Column("float64", nullable=True) for name in ("n9", "n10", "n11")},
        },
        strict=True,
    )
    try:
        schema.validate(pd.read_parquet(path), lazy=True)
    except pa.errors.SchemaErrors as error:
        return error.failure_cases["column"].nunique()
    return 0


def direct_polars(path: Path) -> int:
    """Compute the same answers with polars, by hand."""
    import polars as pl

    col, frame = pl.col, pl.read_parquet(path)
    answers = frame.select(
        rows=pl.len() >= 1, at=col("at").null_count() == 0, key=col("key").null_count() == 0,
        unique=col("key").n_unique() == pl.len(), c0=col("c0").is_in(["v0000", "v0001", "v0002"]).all(),
        c1=col("c1").str.contains("^v[0-9]{4}$").all(), c2=col("c2").null_count() == 0,
        c5=col("c5").n_unique().is_between(100, 6000), n0=col("n0").is_between(-10, 10).all(),
        n1=col("n1").is_between(0, 100).mean() >= 0.99, n2=col("n2").is_between(-3, 3).all(),
        n3=col("n3").mean().is_between(0, 10), n4=col("n4").std().is_between(0, 10),
        n5=col("n5").median().is_between(0, 10), n6=col("n6").is_not_null().mean() >= 0.9,
        n7=col("n7").min().is_between(0, 1), n8=col("n8").max().is_between(0, 1e9),
    )  # fmt: skip
    typed = frame.schema["n0"] == frame.schema["n1"] == pl.Float64 and set(frame.columns) == set(COLUMNS)
    return sum(not value for value in answers.row(0)) + (not typed)


def direct_duckdb(path: Path) -> int:
    """Compute the same answers with DuckDB, by hand."""
    import duckdb

    asked = """
        count(*) >= 1, count("at") = count(*), count("key") = count(*), count(distinct "key") = count(*),
        bool_and(c0 in ('v0000', 'v0001', 'v0002')), bool_and(regexp_matches(c1, '^v[0-9]{4}$')),
        count(c2) = count(*), count(distinct c5) between 100 and 6000, bool_and(n0 between -10 and 10),
        avg((n1 between 0 and 100)::int) >= 0.99, bool_and(n2 between -3 and 3), avg(n3) between 0 and 10,
        stddev_samp(n4) between 0 and 10, median(n5) between 0 and 10, count(n6) / count(*) >= 0.9,
        min(n7) between 0 and 1, max(n8) between 0 and 1e9
    """
    (answers,) = duckdb.connect().execute(f"SELECT {asked} FROM read_parquet(?)", [str(path)]).fetchall()
    return sum(not value for value in answers)


CONTENDERS: dict[str, Callable[[Path], int]] = {
    "this product, page included": ours,
    "plain GX, default settings, Data Docs": plain_gx,
    "pandera on pandas": pandera_pandas,
    "polars, by hand": direct_polars,
    "DuckDB, by hand": direct_duckdb,
}


def _ours_imported() -> None:
    gx_door.load()
    import_module("include.retraining.validation")


IMPORTS: dict[str, Callable[[], object]] = {
    "this product, page included": _ours_imported,
    "plain GX, default settings, Data Docs": partial(import_module, "great_expectations"),
    "pandera on pandas": partial(import_module, "pandera.pandas"),
    "polars, by hand": partial(import_module, "polars"),
    "DuckDB, by hand": partial(import_module, "duckdb"),
}


def main(name: str, path: Path) -> None:
    """Run one contender and print CPU seconds of imports and of the rest, and the peak of memory."""
    IMPORTS[name]()
    imported, started, before = time.process_time(), time.perf_counter(), peak_mib()
    broken = CONTENDERS[name](path)
    assert broken == len(BROKEN), f"{name} finds {broken} broken"
    cost = {"imports": imported, "rest": time.process_time() - imported, "seconds": time.perf_counter() - started}
    print(json.dumps({**cost, "imports_mib": before, "peak_mib": peak_mib()}))


def peak_mib() -> float:
    """Return the most memory that this program has held; ``ru_maxrss`` would count the process that started it too."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
