"""A few bad rows are set aside with the reason; many, or what is not about single rows, block as before."""

import pandas as pd
import pytest

from include.retraining import expectations
from include.retraining.validation import About, Validation, validate
from tests.retraining import toy

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")
BETWEEN, COUNT = "expect_column_values_to_be_between", "expect_table_row_count_to_be_between"
WEIGHT = ("critical", BETWEEN, {"column": "weight", "min_value": 0, "max_value": 1000})
KEY = ("critical", "expect_column_values_to_be_unique", {"column": "parcel"})


def frame(count: int = 200, bad: int = 0) -> pd.DataFrame:
    found = toy.rows(0, count)[list(toy.spec().stored)]
    found.loc[found.index[:bad], "weight"] = -5.0
    return found


def judged(rows: pd.DataFrame, *listed: tuple[str, str, dict], ratio: float = 0.01) -> Validation:
    content = [{"severity": severity, "type": kind, "kwargs": kwargs} for severity, kind, kwargs in listed]
    half = expectations.for_snapshot(expectations.parse({"name": "parcels", "expectations": content}, "test"))
    return validate(rows, half, About("parcels", toy.day(0), "a" * 64, quarantine_ratio=ratio))


def test_a_few_bad_rows_are_set_aside_and_the_rest_goes_on_with_a_warning():
    found = judged(frame(bad=2), WEIGHT)
    assert found.outcome == "warn"
    assert found.result["rows"] == 198
    assert found.result["quarantined"] == {"rows": 2, "ratio": 0.01}
    assert found.result["sentence"] == (
        "All 1 expectations held for 198 rows. 2 rows (1 %) were set aside, each with its reason; the rest goes on."
    )
    assert found.split.aside["position"].tolist() == [0, 1]
    assert found.split.aside["reason"].tolist() == ["weight: values must be between 0 and 1000"] * 2
    assert found.split.kept["weight"].min() > 0


def test_nothing_is_lost_between_the_two():
    rows = frame(bad=2)
    split = judged(rows, WEIGHT).split
    both = pd.concat([split.aside[rows.columns], split.kept], ignore_index=True)
    pd.testing.assert_frame_equal(both, rows.reset_index(drop=True))


@pytest.mark.parametrize(("bad", "outcome"), [(0, "pass"), (2, "warn"), (3, "fail"), (200, "fail")])
def test_beyond_the_share_of_the_spec_the_run_is_blocked(bad, outcome):
    found = judged(frame(bad=bad), WEIGHT)
    assert found.outcome == outcome
    assert (found.split is not None) == (outcome == "warn")


def test_a_spec_may_allow_none():
    assert judged(frame(bad=1), WEIGHT, ratio=0.0).outcome == "fail"


def test_what_is_not_about_single_rows_blocks_as_it_did():
    found = judged(frame(bad=1), WEIGHT, ("critical", COUNT, {"min_value": 1000}))
    assert found.outcome == "fail"
    assert found.split is None
    assert found.result["expectations"][0]["unexpected_count"] == 1, "and everything is told"


def test_a_rest_that_breaks_something_else_blocks():
    found = judged(frame(bad=2), WEIGHT, ("critical", COUNT, {"min_value": 199}))
    assert found.outcome == "fail"
    assert found.split is None


def test_a_row_with_two_faults_is_set_aside_once_with_both_reasons():
    rows = frame()
    rows.loc[5, ["weight", "region"]] = [-1.0, "nowhere"]
    inside = ("critical", "expect_column_values_to_be_in_set", {"column": "region", "value_set": ["north", "south"]})
    found = judged(rows, WEIGHT, inside)
    assert found.result["quarantined"]["rows"] == 1
    assert found.split.aside["reason"].item() == (
        "weight: values must be between 0 and 1000; region: values must belong to this set: north, south"
    )


def test_both_rows_of_a_doubled_key_are_set_aside():
    rows = frame()
    rows.loc[7, "parcel"] = rows.loc[6, "parcel"]
    assert judged(rows, KEY).split.aside["position"].tolist() == [6, 7]


def test_warnings_set_nothing_aside():
    found = judged(frame(bad=1), ("warning", *WEIGHT[1:]))
    assert found.outcome == "warn"
    assert found.split is None
