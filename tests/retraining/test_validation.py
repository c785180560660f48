"""Validation: outcomes by severity, failures in words, the same bytes for the same rows, real days of 2013."""

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from include.retraining import expectations
from include.retraining.errors import SpecError
from include.retraining.validation import About, Validation, validate
from include.retraining.windows import Interval

PROJECT = Path(__file__).parents[2]
DAY = Interval(datetime(2013, 2, 8, 5, tzinfo=UTC), datetime(2013, 2, 9, 5, tzinfo=UTC))
ABOUT = About("flight_delays", DAY, "a" * 64, frozenset({"secret"}), "America/New_York")

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")


def suite(*listed: tuple[str, str, dict[str, object]]) -> expectations.Suite:
    content = [{"severity": severity, "type": kind, "kwargs": kwargs} for severity, kind, kwargs in listed]
    return expectations.for_snapshot(expectations.parse({"name": "flights", "expectations": content}, "test"))


def run(frame: pd.DataFrame, *listed: tuple[str, str, dict[str, object]]) -> Validation:
    return validate(frame, suite(*listed), ABOUT)


NULLS = "expect_column_values_to_not_be_null"
FRAME = pd.DataFrame({"a": [1.0, None, 3.0], "b": ["x", "y", "y"], "secret": ["N1", "N2", "N2"]})


@pytest.mark.parametrize(
    ("severities", "outcome"),
    [
        ([], "pass"),
        (["info"], "pass"),
        (["warning"], "warn"),
        (["info", "warning"], "warn"),
        (["critical"], "fail"),
        (["warning", "critical"], "fail"),
    ],
)
def test_outcome_is_the_gravest_failure(severities, outcome):
    listed = [(severity, NULLS, {"column": "a", "mostly": 0.9 + 0.01 * i}) for i, severity in enumerate(severities)]
    found = run(FRAME, ("critical", NULLS, {"column": "b"}), *listed)
    assert found.outcome == found.result["outcome"] == outcome


def test_result_says_all_there_is_to_say():
    found = run(FRAME, ("critical", "expect_column_values_to_be_in_set", {"column": "b", "value_set": ["x"]}))
    assert found.result == {
        "format_version": 1,
        "model": "flight_delays",
        "interval": {"start": "2013-02-08T05:00:00+00:00", "end": "2013-02-09T05:00:00+00:00"},
        "timezone": "America/New_York",
        "on": "snapshot",
        "rows_sha256": "a" * 64,
        "suite_sha256": suite(
            ("critical", "expect_column_values_to_be_in_set", {"column": "b", "value_set": ["x"]})
        ).sha256,
        "suite": "flights",
        "rows": 3,
        "outcome": "fail",
        "sentence": "Refused: 1 of 1 expectations did not hold for 3 rows: "
        "b: values must belong to this set: x (found 2 of 3 unexpected).",
        "expectations": [
            {
                "id": "c27ac7a8ac5f",
                "type": "expect_column_values_to_be_in_set",
                "column": "b",
                "severity": "critical",
                "source": "suite",
                "judged": True,
                "success": False,
                "limit": "values must belong to this set: x",
                "observed": "2 of 3 unexpected",
                "unexpected_count": 2,
                "unexpected_ratio": 0.666667,
                "number": 0.666667,
                "low": None,
                "high": 0.0,
                "examples": ["y"],
                "notes": "",
            }
        ],
    }


def test_sentences():
    assert run(FRAME, ("info", NULLS, {"column": "b"})).result["sentence"] == "All 1 expectations held for 3 rows."
    assert run(FRAME, ("info", NULLS, {"column": "a"})).result["sentence"].startswith("Passed with a remark: 1 of 1 ")
    many = [("warning", NULLS, {"column": "a", "mostly": 0.9 + 0.01 * i}) for i in range(5)]
    assert run(FRAME, *many).result["sentence"].endswith("; and 2 more.")


def test_an_expectation_that_raises_has_failed():
    found = run(FRAME, ("warning", NULLS, {"column": "gone"}), ("critical", NULLS, {"column": "b"}))
    raised, held = found.result["expectations"]
    assert found.outcome == "warn"
    assert not raised["success"]
    assert raised["observed"] == 'Error: The column "gone" in BatchData does not exist.'
    assert held["success"], "the others are still judged"
    assert "raised an error" in found.html
    assert "Traceback" not in found.html


def test_an_exception_outside_great_expectations_own_care_has_failed(monkeypatch):
    from great_expectations.validator.validator import Validator

    def broken(*_, **__):
        raise OSError("disk on fire")

    monkeypatch.setattr(Validator, "graph_validate", broken)
    found = run(FRAME, ("critical", NULLS, {"column": "gone"}))
    assert found.outcome == "fail"
    assert found.result["expectations"][0]["observed"] == "OSError: disk on fire"


def test_wrong_type_of_a_column_is_found():
    frame = pd.DataFrame({"distance": ["1400", "980"]})
    found = run(
        frame,
        ("critical", "expect_column_values_to_be_of_type", {"column": "distance", "type_": "float64"}),
        ("critical", "expect_column_values_to_be_between", {"column": "distance", "min_value": 50}),
    )
    assert [row["success"] for row in found.result["expectations"]] == [False, False]


def test_no_rows_at_all():
    found = run(
        FRAME.head(0),
        ("critical", "expect_table_row_count_to_be_between", {"min_value": 1, "max_value": 5}),
        ("warning", NULLS, {"column": "a"}),
        ("warning", "expect_column_mean_to_be_between", {"column": "a", "min_value": 0}),
    )
    assert found.outcome == "fail"
    assert found.result["rows"] == 0
    assert found.result["expectations"][0]["observed"] == "0"


def test_masked_columns_show_counts_only():
    found = run(
        FRAME,
        ("critical", "expect_column_values_to_be_in_set", {"column": "secret", "value_set": ["N1"]}),
        ("critical", "expect_column_most_common_value_to_be_in_set", {"column": "secret", "value_set": ["N9"]}),
        ("critical", "expect_column_max_to_be_between", {"column": "secret", "min_value": "2030-01-01"}),
        ("critical", "expect_compound_columns_to_be_unique", {"column_list": ["b", "secret"]}),
        ("warning", "expect_column_unique_value_count_to_be_between", {"column": "secret", "min_value": 5}),
    )
    rows = found.result["expectations"]
    assert [row["success"] for row in rows] == [False] * 5
    assert [row["examples"] for row in rows] == [[]] * 5
    assert [row["observed"] for row in rows] == [
        "2 of 3 unexpected",
        "hidden, because the column is pseudonymised",
        "It raised an error.",
        "2 of 3 unexpected",
        "2",
    ]
    assert "N2" not in found.html + json.dumps(found.result)


def test_examples_are_distinct_few_and_cut():
    frame = pd.DataFrame({"a": [f"value {i} {'long ' * 100}" for i in range(500)]})
    found = run(frame, ("warning", "expect_column_values_to_be_in_set", {"column": "a", "value_set": []}))
    (row,) = found.result["expectations"]
    assert len(row["examples"]) == 20
    assert max(map(len, row["examples"])) == 160
    assert len(found.html.encode()) < 100_000


def test_long_notes_are_kept_and_values_stand_as_they_are():
    frame = pd.DataFrame({"flight": [1117.0, 1117.0, 3.5], "day": ["", "", "x"]})
    kwargs = {"column_list": ["flight", "day"]}
    content = {"type": "expect_compound_columns_to_be_unique", "kwargs": kwargs, "notes": "why " * 100}
    parsed = expectations.parse({"name": "flights", "expectations": [content]}, "test")
    (row,) = validate(frame, expectations.for_snapshot(parsed), ABOUT).result["expectations"]
    assert row["examples"] == ["flight=1117, day=(empty text)"]
    assert row["notes"] == "why " * 100


def test_conditions_on_rows_are_judged_and_drawn():
    condition = {"type": "comparison", "column": {"name": "b"}, "operator": "==", "parameter": "y"}
    found = run(FRAME, ("warning", NULLS, {"column": "a", "row_condition": condition}))
    assert found.outcome == "warn"
    assert found.result["expectations"][0]["limit"] == "if b == y, then values must never be null"
    assert found.html.count("if b == y, then values must never be null") == 3
    assert "could not draw" not in found.html


def test_arguments_that_are_no_free_text_are_drawn():
    found = run(
        FRAME,
        (
            "warning",
            "expect_compound_columns_to_be_unique",
            {"column_list": ["a", "b"], "ignore_row_if": "any_value_is_missing"},
        ),
        ("warning", "expect_column_max_to_be_between", {"column": "a", "min_value": "2030-01-01T00:00:00+00:00"}),
    )
    assert "could not draw" not in found.html


def test_results_are_strict_json_even_with_numbers_that_are_none():
    frame = pd.DataFrame({"a": [np.inf, np.nan, 1.0], "when": pd.to_datetime(["2013-01-01"] * 3, utc=True)})
    found = run(
        frame,
        ("warning", "expect_column_max_to_be_between", {"column": "a", "max_value": 1}),
        ("warning", "expect_column_values_to_be_between", {"column": "a", "max_value": 1}),
        ("warning", "expect_column_stdev_to_be_between", {"column": "a", "max_value": 1}),
        ("warning", "expect_column_values_to_be_in_set", {"column": "when", "value_set": ["2013-02-01"]}),
    )
    assert json.loads(json.dumps(found.result, allow_nan=False)) == found.result


def test_a_suite_that_great_expectations_refuses_is_named():
    with pytest.raises(SpecError, match="minimum"):
        run(FRAME, ("critical", "expect_column_values_to_be_between", {"column": "a", "minimum": 1}))


def test_no_context_is_left_behind_and_calls_do_not_meet(tmp_path, monkeypatch):
    from great_expectations.data_context.data_context.context_factory import project_manager
    from great_expectations.exceptions import DataContextRequiredError

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    first = run(FRAME, ("critical", NULLS, {"column": "a"}))
    second = run(FRAME, ("critical", NULLS, {"column": "b"}))
    assert run(FRAME, ("critical", NULLS, {"column": "a"})) == first
    assert [first.outcome, second.outcome] == ["fail", "pass"]
    with pytest.raises(DataContextRequiredError):
        project_manager.get_current_project()
    assert list(tmp_path.iterdir()) == []


EACH_TYPE = {
    "expect_column_kl_divergence_to_be_less_than": {
        "column": "b",
        "partition_object": {"values": ["x", "y"], "weights": [0.9, 0.1]},
        "threshold": 0.01,
    },
    "expect_column_pair_values_a_to_be_greater_than_b": {"column_A": "a", "column_B": "c"},
    "expect_column_pair_values_to_be_equal": {"column_A": "a", "column_B": "c"},
    "expect_column_pair_values_to_be_in_set": {"column_A": "a", "column_B": "c", "value_pairs_set": [[1, 9]]},
    "expect_column_quantile_values_to_be_between": {
        "column": "c",
        "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[8, 9]]},
    },
    "expect_column_value_z_scores_to_be_less_than": {"column": "c", "threshold": 0.1, "double_sided": True},
    "expect_column_value_lengths_to_equal": {"column": "b", "value": 2},
    "expect_column_values_to_be_in_type_list": {"column": "b", "type_list": ["int64"]},
    "expect_column_values_to_be_of_type": {"column": "b", "type_": "int64"},
    "expect_column_values_to_match_json_schema": {"column": "b", "json_schema": {"type": "object"}},
    "expect_column_values_to_match_regex": {"column": "b", "regex": "^q$"},
    "expect_column_values_to_match_regex_list": {"column": "b", "regex_list": ["^q$"]},
    "expect_column_values_to_match_strftime_format": {"column": "b", "strftime_format": "%Y"},
    "expect_column_values_to_not_be_in_set": {"column": "b", "value_set": ["y"]},
    "expect_column_values_to_not_match_regex": {"column": "b", "regex": "^y$"},
    "expect_column_values_to_not_match_regex_list": {"column": "b", "regex_list": ["^y$"]},
    "expect_compound_columns_to_be_unique": {"column_list": ["b", "secret"]},
    "expect_multicolumn_sum_to_equal": {"column_list": ["a", "c"], "sum_total": 99},
    "expect_select_column_values_to_be_unique_within_record": {"column_list": ["c", "d"]},
    "expect_table_column_count_to_be_between": {"max_value": 1},
    "expect_table_column_count_to_equal": {"value": 1},
    "expect_table_columns_to_match_ordered_list": {"column_list": ["z"]},
    "expect_table_columns_to_match_set": {"column_set": ["z"]},
    "expect_table_row_count_to_be_between": {"min_value": 9},
    "expect_table_row_count_to_equal": {"value": 9},
    "expect_column_to_exist": {"column": "z"},
}
EACH_FRAME = pd.DataFrame({**FRAME, "c": [3, 1, 2], "d": [3, 1, 2]})


def arguments(kind: str) -> dict[str, object]:
    if kind in EACH_TYPE:
        return EACH_TYPE[kind]
    if "set" in kind:
        return {"column": "b", "value_set": ["q"]}
    if "creasing" in kind or kind.endswith(("unique", "to_not_be_null", "to_be_null")):
        return {"column": "a" if kind.endswith("not_be_null") else "c" if "creasing" in kind else "b"}
    if kind.endswith("parseable"):
        return {"column": "b"}
    return {"column": "b" if "length" in kind else "c", "min_value": 90, "max_value": 99}


@pytest.mark.parametrize("masked", [(), EACH_FRAME.columns], ids=["shown", "masked"])
def test_every_type_is_judged_and_drawn(masked, caplog):
    about = About("flights", DAY, "a" * 64, frozenset(masked))
    listed = [("warning", kind, arguments(kind)) for kind in sorted(expectations.TYPES)]
    found = validate(EACH_FRAME, suite(*listed), about)
    for row in found.result["expectations"]:
        assert not row["success"], row
        assert row["limit"], row
        assert row["observed"], row
    assert "could not draw" not in found.html
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_same_rows_and_suite_give_the_same_bytes_in_any_process(tmp_path):
    program = f"""
import sys, json, hashlib
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_validation as t
listed = [("warning", kind, t.arguments(kind)) for kind in sorted(t.expectations.TYPES)]
found = t.run(t.EACH_FRAME, *listed)
print(hashlib.sha256((json.dumps(found.result) + found.html).encode()).hexdigest())
"""
    listed = [("warning", kind, arguments(kind)) for kind in sorted(expectations.TYPES)]
    here = run(EACH_FRAME, *listed)
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == hashlib.sha256((json.dumps(here.result) + here.html).encode()).hexdigest()


@pytest.fixture(scope="module")
def departures() -> pd.DataFrame:
    from demo import flights

    return flights.departures()


def snapshot_and_labels(table: pd.DataFrame, day: str) -> tuple[Interval, pd.DataFrame, pd.DataFrame]:
    """Return what the query of flight_delays returns for a day, and its labels a day later."""
    start = pd.Timestamp(day, tz="America/New_York")
    end = (start + timedelta(days=1)).tz_convert("UTC")
    start = start.tz_convert("UTC")
    rows = table[(table["scheduled_at"] >= start) & (table["scheduled_at"] < end)].reset_index(drop=True)
    known = (table["outcome_known_at"] <= start) & (table["outcome_known_at"] > start - timedelta(days=7))
    week = table[known & table["arr_delay"].notna()]
    late = (week["arr_delay"] > 15).astype(float)
    keys = rows[["carrier", "flight", "origin", "dest", "scheduled_at"]]
    weather = rows[["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]]
    snapshot = pd.concat([keys, rows[["tailnum", "distance", "sched_minute"]], weather], axis=1).assign(
        plane_age=2013 - rows["plane_year"],
        weekday=rows["weekday"].astype(str),
        origin_late_share=rows["origin"].map(late.groupby(week["origin"]).mean()),
        carrier_late_share=rows["carrier"].map(late.groupby(week["carrier"]).mean()),
        departed=(rows["departed_at"] <= end).astype(float),
    )
    void = rows["arr_delay"].isna()
    labels = keys.assign(
        late=(rows["arr_delay"] > 15).astype(float).mask(void), status=void.map({True: "void", False: "known"})
    )
    return Interval(start.to_pydatetime(), end.to_pydatetime()), snapshot, labels


@pytest.mark.parametrize(
    ("day", "outcome", "labels_outcome", "failed"),
    [
        ("2013-01-01", "pass", "pass", set()),  # no outcome is known yet
        ("2013-01-15", "pass", "pass", set()),
        ("2013-02-08", "warn", "warn", {"departed", "tailnum"}),  # the storm
        ("2013-02-09", "warn", "warn", {"departed", "tailnum"}),
        ("2013-03-08", "warn", "warn", set()),
        ("2013-03-10", "pass", "pass", set()),  # a day of 23 hours
        ("2013-07-27", "warn", "pass", {"distance"}),  # Newark to LaGuardia, 17 miles
        ("2013-11-03", "pass", "pass", set()),  # a day of 25 hours
        ("2013-11-28", "pass", "pass", set()),  # Thanksgiving
        ("2013-12-31", "warn", "pass", {"temp"}),  # no weather
    ],
)
def test_real_days(departures, day, outcome, labels_outcome, failed):
    interval, snapshot, labels = snapshot_and_labels(departures, day)
    about = About("flight_delays", interval, "a" * 64, frozenset({"tailnum"}), "America/New_York")
    whole = expectations.load(PROJECT / "include" / "models" / "flight_delays_suite.json")
    found = validate(snapshot, expectations.for_snapshot(whole), about)
    late = validate(labels, expectations.for_labels(whole), about)
    rows = [row for row in found.result["expectations"] if not row["success"] and row["severity"] == "warning"]
    assert (found.outcome, late.outcome) == (outcome, labels_outcome), found.result["sentence"]
    assert failed <= {row["column"] for row in rows}


@pytest.mark.parametrize(
    ("harm", "broken"),
    [
        (lambda rows: rows.rename(columns={"temp": "temperature"}), None),
        (lambda rows: rows.assign(distance=rows["distance"].astype(str)), "distance"),
        (lambda rows: rows.assign(temp=rows["temp"].astype(str)), "temp"),
        (lambda rows: rows.assign(sched_minute=rows["sched_minute"].astype(str)), "sched_minute"),
        (lambda rows: rows.assign(origin=rows["origin"].str.lower()), "origin"),
        (lambda rows: pd.concat([rows, rows]), "carrier, flight, origin, dest, scheduled_at"),
        (lambda rows: rows.assign(distance=np.nan), "distance"),
        (lambda rows: rows.head(0), None),
        (lambda rows: rows.assign(weekday="Monday"), "weekday"),
    ],
    ids=["renamed", "text", "weather as text", "minute as text", "lower case", "doubled", "null", "empty", "weekday"],
)
def test_harmed_days_are_refused(departures, harm, broken):
    interval, snapshot, _ = snapshot_and_labels(departures, "2013-01-15")
    whole = expectations.load(PROJECT / "include" / "models" / "flight_delays_suite.json")
    about = About("flight_delays", interval, "a" * 64)
    found = validate(harm(snapshot), expectations.for_snapshot(whole), about)
    critical = {
        row["column"] for row in found.result["expectations"] if not row["success"] and row["severity"] == "critical"
    }
    assert found.outcome == "fail"
    assert broken in critical
