"""Rows part by part: what is found is what is found of all of them at once, whatever the rows, suite and parts."""

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.retraining import expectations, gx_engine
from include.retraining.expectations import Suite
from include.retraining.parted import Parted, doubled, hashes_of
from include.retraining.validation import About, Validation, validate
from tests.retraining import toy

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")

NUMBERS = st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.0, 2.5, -3.0]), st.floats(-1e6, 1e6, width=32))
TEXTS = st.one_of(
    st.none(), st.sampled_from(["a", "b", "ab", "12", "2024-01-01", '{"a": 1}']), st.text("ab<é", max_size=3)
)
MOMENTS = st.datetimes(pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-03"))
ON_NUMBERS: list[tuple[str, dict[str, Any]]] = [
    ("expect_column_max_to_be_between", {"max_value": 10}),
    ("expect_column_mean_to_be_between", {"min_value": 0, "max_value": 5}),
    ("expect_column_median_to_be_between", {"max_value": 1}),
    ("expect_column_min_to_be_between", {"min_value": 0}),
    ("expect_column_stdev_to_be_between", {"max_value": 10}),
    ("expect_column_sum_to_be_between", {"max_value": 10}),
    ("expect_column_value_z_scores_to_be_less_than", {"threshold": 1, "double_sided": True}),
    ("expect_column_values_to_be_between", {"min_value": 0, "max_value": 2, "mostly": 0.5}),
    ("expect_column_values_to_be_increasing", {}),
    ("expect_column_values_to_be_decreasing", {}),
    ("expect_column_values_to_be_of_type", {"type_": "float64"}),
    ("expect_column_quantile_values_to_be_between",
     {"quantile_ranges": {"quantiles": [0.1, 0.5], "value_ranges": [[0, 1], [None, 2]]}}),
    ("expect_column_kl_divergence_to_be_less_than",
     {"partition_object": {"bins": [-1, 0, 1, 3], "weights": [0.2, 0.3, 0.5]}, "threshold": 0.1}),
]  # fmt: skip
ON_TEXTS: list[tuple[str, dict[str, Any]]] = [
    ("expect_column_value_lengths_to_be_between", {"min_value": 1, "max_value": 2}),
    ("expect_column_value_lengths_to_equal", {"value": 1}),
    ("expect_column_values_to_be_dateutil_parseable", {}),
    ("expect_column_values_to_be_in_type_list", {"type_list": ["str", "object"]}),
    ("expect_column_values_to_be_json_parseable", {}),
    ("expect_column_values_to_match_json_schema", {"json_schema": {"type": "object"}}),
    ("expect_column_values_to_match_regex", {"regex": "^a"}),
    ("expect_column_values_to_match_regex_list", {"regex_list": ["^a", "b$"]}),
    ("expect_column_values_to_match_strftime_format", {"strftime_format": "%Y-%m-%d"}),
    ("expect_column_values_to_not_match_regex", {"regex": "b"}),
    ("expect_column_values_to_not_match_regex_list", {"regex_list": ["b", "é"]}),
]
ON_ANY: list[tuple[str, dict[str, Any]]] = [
    ("expect_column_distinct_values_to_be_in_set", {"value_set": ["a", 1.0]}),
    ("expect_column_distinct_values_to_contain_set", {"value_set": ["a", 1.0]}),
    ("expect_column_distinct_values_to_equal_set", {"value_set": ["a", 1.0]}),
    ("expect_column_most_common_value_to_be_in_set", {"value_set": ["a", 1.0], "ties_okay": True}),
    ("expect_column_proportion_of_non_null_values_to_be_between", {"min_value": 0.9}),
    ("expect_column_proportion_of_unique_values_to_be_between", {"min_value": 0.5}),
    ("expect_column_to_exist", {}),
    ("expect_column_unique_value_count_to_be_between", {"max_value": 2}),
    ("expect_column_values_to_be_in_set", {"value_set": ["a", 1.0]}),
    ("expect_column_values_to_be_null", {}),
    ("expect_column_values_to_be_unique", {}),
    ("expect_column_values_to_not_be_in_set", {"value_set": ["a", 1.0]}),
    ("expect_column_values_to_not_be_null", {}),
    ("expect_column_min_to_be_between", {"max_value": 1}),
    ("expect_column_values_to_match_regex", {"regex": "^a"}),
]
ON_TABLES: list[tuple[str, dict[str, Any]]] = [
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "x", "column_B": "y", "or_equal": True}),
    ("expect_column_pair_values_to_be_equal", {"column_A": "x", "column_B": "y", "ignore_row_if": "neither"}),
    ("expect_column_pair_values_to_be_in_set",
     {"column_A": "x", "column_B": "y", "value_pairs_set": [[1.0, 1.0]], "ignore_row_if": "either_value_is_missing"}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["x", "t"]}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["x", "y"], "ignore_row_if": "never"}),
    ("expect_multicolumn_sum_to_equal", {"column_list": ["x", "y"], "sum_total": 1}),
    ("expect_select_column_values_to_be_unique_within_record", {"column_list": ["x", "y"]}),
    ("expect_table_column_count_to_be_between", {"min_value": 2, "max_value": 3}),
    ("expect_table_column_count_to_equal", {"value": 4}),
    ("expect_table_columns_to_match_ordered_list", {"column_list": ["x", "y", "t", "at"]}),
    ("expect_table_columns_to_match_set", {"column_set": ["x", "z"]}),
    ("expect_table_row_count_to_be_between", {"max_value": 5}),
    ("expect_table_row_count_to_equal", {"value": 3}),
]  # fmt: skip
CONDITION = {"row_condition": {"type": "comparison", "column": {"name": "y"}, "operator": ">", "parameter": 0}}


def on(columns: list[str], listed: list[tuple[str, dict[str, Any]]]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """Return expectations on a column, some only where another is above zero."""
    drawn = st.tuples(st.sampled_from(listed), st.sampled_from(columns), st.sampled_from([{}, {}, CONDITION]))
    return drawn.map(lambda one: (one[0][0], {"column": one[1], **one[0][1], **_possible(one[0][0], one[2])}))


def _possible(kind: str, condition: dict[str, Any]) -> dict[str, Any]:
    return {} if kind == "expect_column_to_exist" else condition


EXPECTATIONS = st.one_of(
    on(["x", "y"], ON_NUMBERS), on(["t"], ON_TEXTS), on(["x", "t", "at"], ON_ANY), st.sampled_from(ON_TABLES)
)
FRAMES = st.lists(st.tuples(NUMBERS, NUMBERS, TEXTS, MOMENTS), max_size=12)


def frame_of(lines: list[tuple[Any, ...]]) -> pd.DataFrame:
    frame = pd.DataFrame(lines, columns=["x", "y", "t", "at"])
    at = pd.to_datetime(frame["at"], utc=True).astype("datetime64[us, UTC]")
    return frame.assign(at=at, t=frame["t"].astype("string")).astype({"x": "float64", "y": "float64", "t": "str"})


def suite_of(listed: list[tuple[str, dict[str, Any]]]) -> Suite:
    known = {str(one): {"type": one[0], "kwargs": one[1], "severity": "critical", "notes": ""} for one in listed}
    return Suite("parts", tuple({**one, "on": "snapshot"} for one in known.values()), "snapshot")


def parted(folder: Path, frame: pd.DataFrame, rows_at_once: int) -> Parted:
    path = folder / "copy"
    frame.to_parquet(path, compression="zstd", index=False)
    return Parted(path, rows_at_once)


def assert_alike(one: Any, other: Any, scale: float, place: str = "") -> None:
    """Assert that two JSON values are equal, numbers to a billionth of what the rows hold."""
    if isinstance(one, float) and isinstance(other, float | int) and not isinstance(other, bool):
        assert math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9 * scale) or (one != one and other != other), place
    elif isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), place
        for name in one:
            assert_alike(one[name], other[name], scale, f"{place}.{name}")
    elif isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other), place
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_alike(*pair, scale, f"{place}[{number}]")
    else:
        assert one == other, f"{place}: {one!r} or {other!r}"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(FRAMES, st.lists(EXPECTATIONS, min_size=1, max_size=4), st.integers(1, 13), st.sampled_from([0.0, 0.4]))
def test_a_validation_by_parts_is_the_one_of_all_rows(tmp_path, lines, listed, rows_at_once, ratio):
    frame, suite = frame_of(lines), suite_of(listed)
    about = About("parts", toy.day(0), "a" * 64, quarantine_ratio=ratio)
    scale = float(np.nan_to_num(frame[["x", "y"]].abs().sum()).sum() + 1)
    whole, found = validate(frame, suite, about), validate(parted(tmp_path, frame, rows_at_once), suite, about)
    assert_alike(found.result, whole.result, scale)
    assert_alike(found.found, whole.found, scale)
    assert_same_split(found, whole)


def assert_same_split(found: Validation, whole: Validation) -> None:
    assert (found.split is None) == (whole.split is None)
    if found.split and whole.split:
        kept = pd.read_parquet(found.split.kept.path)
        pd.testing.assert_frame_equal(kept, whole.split.kept)
        pd.testing.assert_frame_equal(found.split.aside, whole.split.aside)


def test_columns_that_fit_are_read_once_and_judged_as_a_whole(tmp_path, monkeypatch):
    frame = pd.DataFrame(np.arange(400.0).reshape(20, 20)).rename(columns=str)
    listed = [("expect_column_mean_to_be_between", {"max_value": 1}), ("expect_column_values_to_be_unique", {})]
    suite = suite_of([(kind, {"column": column, **kwargs}) for kind, kwargs in listed for column in "57"])
    read: list[list[str]] = []
    whole = Parted.whole
    monkeypatch.setattr(Parted, "whole", lambda rows, columns: read.append(list(columns)) or whole(rows, columns))
    found = gx_engine.judge(parted(tmp_path, frame, 4), suite)
    assert read == [["5"], ["7"]], "20 rows of one column need no more room than 4 of all"
    assert found == gx_engine.judge(frame, suite)


def test_a_column_that_the_file_calls_full_is_not_read_to_say_so(tmp_path, monkeypatch):
    frame = pd.DataFrame({"t": ["a", "b", "c"], "n": ["a", None, "c"]}, dtype="str")
    suite = suite_of([("expect_column_values_to_not_be_null", {"column": column}) for column in "tn"])
    read: list[list[str]] = []
    whole = Parted.whole
    monkeypatch.setattr(Parted, "whole", lambda rows, columns: read.append(list(columns)) or whole(rows, columns))
    found = gx_engine.judge(parted(tmp_path, frame, 3), suite)
    assert read == [["n"]]
    assert found == gx_engine.judge(frame, suite)
    assert [one["success"] for one in found] == [True, False]


def test_every_expectation_of_a_suite_is_tried():
    kinds = {kind for kind, _ in [*ON_NUMBERS, *ON_TEXTS, *ON_ANY, *ON_TABLES]}
    assert kinds == expectations.TYPES


def test_rows_that_only_share_a_hash_are_no_pair(tmp_path):
    one = pd.DataFrame({"x": [1.0], "y": [2.0]})
    two = pd.DataFrame({"x": [3.0], "y": [_colliding(1.0, 2.0, 3.0)]})
    frame = pd.concat([one, two], ignore_index=True)
    assert hashes_of(frame)[0] == hashes_of(frame)[1]
    suite = suite_of([("expect_compound_columns_to_be_unique", {"column_list": ["x", "y"]})])
    rows = parted(tmp_path, frame, 1)
    assert len(doubled(rows, ["x", "y"])) == 2, "both are looked at"
    (found,) = gx_engine.judge(rows, suite)
    assert found["success"]


def _colliding(one: float, beside: float, other: float) -> float:
    """Return the number that, beside another first column, gives a row the same hash: pandas' mixing can be undone."""
    hashes = [int(pd.util.hash_array(np.array([value]))[0]) for value in (one, other, beside)]
    first, second = ((0x345678 ^ each) * 1000003 % 2**64 for each in hashes[:2])
    return struct.unpack("<d", struct.pack("<Q", _unmixed(first ^ second ^ hashes[2])))[0]


def _unmixed(mixed: int) -> int:
    """Return what pandas' hash of a number was made of: the steps of splitmix64 backwards."""
    for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, 1)):
        value = mixed
        for _ in range(64 // shift):
            value = mixed ^ (value >> shift)
        mixed = value * pow(factor, -1, 2**64) % 2**64
    return mixed
