"""What Great Expectations found, in words: read off its own results."""

import numpy as np
import pandas as pd
import pytest

from include.retraining import phrases
from include.retraining.expectations import Suite
from include.retraining.gx_engine import judge
from include.retraining.validation import About, validate
from tests.retraining import toy

ROWS = pd.DataFrame(
    {
        "origin": ["EWR", "EWR", "JFK", "LGA"],
        "distance": ["1,089", "200", None, "M"],
        "temp": [np.nan] * 4,
        "flight": [0.0, 100.0, 200.0, 300.0],
        "dest": [f"D{place:02d}" for place in range(4)],
    }
)
QUANTILES = "expect_column_quantile_values_to_be_between"
RANGES = {"quantiles": [0.25, 0.5, 0.75], "value_ranges": [[400, 700], [None, 1100], [1100, None]]}
THIRDS = {"values": ["EWR", "JFK", "LGA"], "weights": [0.3, 0.3, 0.4]}
MIX = "expect_column_kl_divergence_to_be_less_than"


def told(rows: pd.DataFrame, kind: str, column: str, **kwargs) -> tuple[str, str]:
    expectation = {"type": kind, "kwargs": {"column": column, **kwargs}, "severity": "warning", "notes": ""}
    suite = Suite("phrases", ({**expectation, "on": "snapshot"},))
    (row,) = validate(rows, suite, About("parcels", toy.day(0), "a" * 64)).result["expectations"]
    return row["limit"], row["observed"]


@pytest.mark.parametrize(
    ("kind", "column", "kwargs", "limit", "observed"),
    [
        (
            MIX,
            "origin",
            {"partition_object": THIRDS, "threshold": 0.04},
            "mix must be within 0.04 of EWR 30 %, JFK 30 %, LGA 40 %",
            "0.09233: EWR 50 %, JFK 25 %, LGA 25 %",
        ),
        (
            MIX,
            "origin",
            {"partition_object": {"values": ["EWR", "JFK"], "weights": [0.5, 0.5]}, "threshold": 0.04},
            "mix must be within 0.04 of EWR 50 %, JFK 50 %",
            "values that the expected mix has not: EWR 50 %, JFK 25 %, LGA 25 %",
        ),
        (
            "expect_column_distinct_values_to_contain_set",
            "origin",
            {"value_set": ["EWR", "SWF", "ISP"]},
            "distinct values must contain this set: EWR, SWF, ISP",
            "no ISP, SWF",
        ),
        (
            QUANTILES,
            "flight",
            {"quantile_ranges": RANGES},
            "quantiles: 0.25 must be between 400 and 700, 0.5 must be at most 1,100, 0.75 must be at least 1,100",
            "0.25 is 100, 0.5 is 200, 0.75 is 200",
        ),
        (
            "expect_column_mean_to_be_between",
            "temp",
            {"min_value": 0},
            "mean must be at least 0",
            "no value",
        ),
        (
            "expect_column_mean_to_be_between",
            "distance",
            {"min_value": 0},
            "mean must be at least 0",
            "text where numbers are expected",
        ),
        (
            "expect_column_values_to_be_between",
            "distance",
            {"min_value": 0},
            "values must be at least 0",
            "text where numbers are expected",
        ),
        (
            "expect_column_values_to_be_of_type",
            "distance",
            {"type_": "float64"},
            "values must be of type float64",
            "text",
        ),
        (
            "expect_column_mean_to_be_between",
            "flight",
            {"min_value": 24.330059229, "max_value": 97.320236917},
            "mean must be between 24.3301 and 97.3202",
            "150",
        ),
        (
            "expect_column_unique_value_count_to_be_between",
            "origin",
            {"min_value": 2, "max_value": 2},
            "must have exactly 2 unique values",
            "3",
        ),
        (
            QUANTILES,
            "dest",
            {"quantile_ranges": {"quantiles": [0.5], "value_ranges": [[1, 2]]}},
            "quantiles: 0.5 must be between 1 and 2",
            "text where numbers are expected",
        ),
    ],
)
def test_what_is_asked_for_and_what_was_found(kind, column, kwargs, limit, observed):
    assert told(ROWS, kind, column, **kwargs) == (limit, observed)


def test_a_mix_of_many_values_is_not_spelt_out():
    many = pd.DataFrame({"dest": [f"D{place:03d}" for place in range(90)] + ["D000"] * 30})
    values = sorted(set(many["dest"]))
    limit, observed = told(
        many, MIX, "dest", partition_object={"values": values, "weights": [1 / 90] * 90}, threshold=0.01
    )
    assert limit == "mix must be within 0.01 of the expected one"
    assert observed == "0.5994: D000 25.8 %, D001 0.8 %, D002 0.8 %, D003 0.8 %, D004 0.8 %"


def test_a_mix_that_cannot_be_measured_is_told_without_numbers():
    suite = Suite("phrases", ({"type": MIX, "kwargs": {"column": "temp", "partition_object": THIRDS, "threshold": 0.1},
                               "severity": "warning", "notes": "", "on": "snapshot"},))  # fmt: skip
    (raw,) = judge(ROWS, suite)
    assert not raw["success"]
    assert phrases.limit(raw) == "mix must be within 0.1 of EWR 30 %, JFK 30 %, LGA 40 %"


def test_one_row_is_not_told_as_several():
    assert phrases.aside(1, 200) == " 1 row (0.5 %) was set aside, with its reason; the rest goes on."
