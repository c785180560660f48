"""Drift: effect sizes by hand, limits from the reference itself, alarms only twice in a row."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.retraining import drift, signing
from tests.retraining import toy

SPEC = toy.spec()
REFERENCE = [toy.rows(number, 120) for number in range(10)]
BASELINE = drift.sketch(REFERENCE, SPEC)
TODAY = toy.rows(30, 120)


def one(values: list[float | str | None], numeric: bool = True) -> dict[str, dict[str, object]]:
    """Return the sketch of a single feature."""
    spec = toy.spec(numeric=("x",) if numeric else (), categorical=() if numeric else ("x",), slices=())
    return drift.sketch([pd.DataFrame({"x": values})], spec)["features"]


def effect(features: dict[str, dict[str, object]], values: list[float | str | None]) -> tuple[float, float]:
    found = drift.effects(features, pd.DataFrame({"x": values}))
    return round(found["x"], 9), round(found["x" + drift.NULLS], 9)


NAN = float("nan")
NUMBERS = [0.0, 1.0, 2.0, 3.0]
BY_HAND = {
    "the same": (NUMBERS, (0.0, 0.0)),
    "one of four moved across": ([0.0, 0.0, 2.0, 3.0], (0.25, 0.0)),
    "all above": ([9.0, 9.0], (1.0, 0.0)),
    "all below": ([-9.0, -9.0], (1.0, 0.0)),
    "half below": ([-9.0, 3.0], (0.5, 0.0)),
    "half missing": ([*NUMBERS, NAN, NAN, NAN, NAN], (0.0, 0.5)),
    "all missing": ([NAN, NAN], (0.0, 1.0)),
}


@pytest.mark.parametrize(("values", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_the_effect_on_a_number_is_the_largest_distance_of_distributions(values, expected):
    assert effect(one(NUMBERS), values) == expected


WORDS = ["a", "a", "b", "c"]
BY_WORDS = {
    "the same": (["c", "b", "a", "a"], (0.0, 0.0)),
    "one of four changed": (["a", "b", "b", "c"], (0.25, 0.0)),
    "a new category": (["a", "a", "b", "d"], (0.25, 0.0)),
    "nothing in common": (["x", "y"], (1.0, 0.0)),
    "half missing": ([*WORDS, None, None, None, None], (0.0, 0.5)),
    "all missing": ([None, None], (0.0, 1.0)),
}


@pytest.mark.parametrize(("values", "expected"), BY_WORDS.values(), ids=BY_WORDS)
def test_the_effect_on_a_category_is_total_variation(values, expected):
    assert effect(one(WORDS, numeric=False), values) == expected


@pytest.mark.parametrize("values", [[5.0, 5.0, 5.0], [NAN, NAN, NAN]], ids=["constant", "without values"])
def test_degenerate_references_have_an_effect_all_the_same(values):
    assert effect(one(values), values) == (0.0, 0.0)
    assert effect(one([5.0, 5.0]), [6.0, 6.0]) == (1.0, 0.0)
    assert effect(one([NAN, NAN]), [1.0, 2.0]) == (0.0, 1.0)


@settings(max_examples=25)
@given(st.permutations(range(len(TODAY))))
def test_the_order_of_rows_does_not_matter(order):
    assert drift.report(BASELINE, TODAY.iloc[list(order)], []) == drift.report(BASELINE, TODAY, [])


def test_the_order_of_columns_and_intervals_does_not_matter():
    turned = [frame[list(reversed(frame.columns))] for frame in reversed(REFERENCE)]
    assert drift.sketch(turned, SPEC) == BASELINE


@settings(max_examples=25)
@given(st.integers(0, 9))
def test_an_interval_of_the_reference_is_never_beyond_its_limits(number):
    assert drift.report(BASELINE, REFERENCE[number], [])["answer"] == "stable"


def test_all_rows_of_the_reference_have_no_effect():
    effects = drift.effects(BASELINE["features"], pd.concat(REFERENCE))
    assert max(effects.values()) == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(-50, 50))
def test_effects_lie_between_zero_and_one(seed, shift):
    frame = toy.rows(40, 50, seed)
    effects = drift.effects(BASELINE["features"], frame.assign(weight=frame["weight"] + shift))
    assert all(0 <= size <= 1 for size in effects.values())


def test_a_doubled_unit_is_seen_and_alarms_only_twice_in_a_row():
    heavy = TODAY.assign(weight=TODAY["weight"] * 2.2)
    first = drift.report(BASELINE, heavy, [])
    assert (first["answer"], first["shifted"], first["alarms"]) == ("shifted", ["weight"], [])
    assert first["sentence"] == "Shifted today: weight; an alarm needs two intervals in a row."
    second = drift.report(BASELINE, heavy, first["shifted"])
    assert (second["answer"], second["alarms"]) == ("alarm", ["weight"])
    assert second["sentence"] == "Alarm: weight beyond the calibrated limit twice in a row."


def test_other_features_on_two_days_make_no_alarm():
    today = drift.report(BASELINE, TODAY.assign(weight=99.0), ["distance"])
    assert (today["answer"], today["alarms"]) == ("shifted", [])


def test_an_ordinary_day_is_stable_even_after_a_shift():
    assert drift.report(BASELINE, TODAY, ["weight"])["sentence"] == "Stable."


def test_missing_values_are_a_feature_of_their_own():
    gone = drift.report(BASELINE, TODAY.assign(distance=np.nan), [])
    assert gone["shifted"] == ["distance" + drift.NULLS]


def test_limits_are_never_below_what_nobody_would_act_on():
    equal = drift.sketch([REFERENCE[0]] * 9, SPEC)
    assert equal["limits"]["weight"] == drift.FLOOR
    assert equal["limits"]["distance" + drift.NULLS] == drift.NULL_FLOOR


@pytest.mark.parametrize(
    ("reference", "rows", "found"),
    [(REFERENCE, 29, "29 rows against 10"), (REFERENCE[:6], 120, "120 rows against 6"), ([], 120, "against 0")],
    ids=["few rows", "few intervals", "only tiny intervals"],
)
def test_too_little_is_no_answer_and_not_stable(reference, rows, found):
    reference = reference or [frame[:20] for frame in REFERENCE]
    report = drift.report(drift.sketch(reference, SPEC), TODAY[:rows], [])
    assert report["answer"] == "insufficient data"
    assert report["sentence"].startswith("Not tested: ")
    assert found in report["sentence"]


def test_a_baseline_reads_back_from_json_and_says_its_format():
    read = json.loads(signing.canonical(BASELINE))
    assert read == BASELINE
    assert drift.report(read, TODAY, [])["sentence"] == drift.report(BASELINE, TODAY, [])["sentence"]
    assert BASELINE["format_version"] == drift.FORMAT_VERSION


def test_a_baseline_does_not_grow_with_history():
    assert len(signing.canonical(drift.sketch(REFERENCE * 3, SPEC))) < 1.2 * len(signing.canonical(BASELINE))
