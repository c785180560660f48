"""Limits learned from intervals: they hold on what they were learned from, and are no wider than they must be."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import expectations, limits
from include.retraining.validation import About, validate
from tests.retraining import toy

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
PARTS = st.lists(st.lists(NUMBERS, max_size=30), min_size=1, max_size=6)


def parts(*listed: list[float]) -> list[pd.Series]:
    return [pd.Series(values, dtype="float64") for values in listed]


@given(PARTS)
def test_a_range_leaves_no_more_outside_than_it_says(listed):
    found = limits.number_range(parts(*listed))
    if found is None:
        return
    assert math.isfinite(found.low)
    assert math.isfinite(found.high)
    for values in (part.dropna() for part in parts(*listed)):
        share = float(((values < found.low) | (values > found.high)).mean()) if len(values) else 0.0
        assert share <= found.outside + 1e-12
        assert 1 - share >= (1.0 if found.mostly is None else found.mostly) - 1e-12


def test_a_range_has_a_margin_and_stops_at_the_ends_of_the_domain():
    random = np.random.default_rng(0)
    spread = [list(random.normal(100, 10, 500)) for _ in range(10)]
    found = limits.number_range(parts(*spread))
    assert (found.low, found.high, found.outside) == (54.0, 146.0, 0.0)
    shares = limits.number_range(parts(*[list(random.uniform(0, 0.9, 500)) for _ in range(10)]))
    assert (shares.low, shares.high) == (0.0, 1.0), "a share"
    stacked = limits.number_range(parts(*[[3.0, 10.0, *random.uniform(3, 10, 20)] for _ in range(10)]))
    assert (stacked.low, stacked.high) == (3.0, 10.0), "instruments that report nothing beyond"
    assert limits.number_range(parts([5.0] * 9, [5.0])) == limits.Range(5.0, 5.0, 0.0)


def test_a_few_wild_values_stay_outside():
    random = np.random.default_rng(0)
    days = [[*random.normal(100, 10, 500), -999.0] for _ in range(10)]
    found = limits.number_range(parts(*days))
    assert found.low == 53.0
    assert found.outside == pytest.approx(1 / 501)
    assert found.mostly == 0.996


@pytest.mark.parametrize("listed", [[[]], [[math.nan], []], [[math.inf], [-math.inf]], [[-1e308, 1e308]]])
def test_no_numbers_that_mean_anything_no_range(listed):
    assert limits.number_range(parts(*listed)) is None


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_rounding_outward_never_cuts(one, other):
    low, high = sorted([one, other])
    least, most = limits.outward(low, high)
    assert least <= low <= high <= most


@given(st.lists(st.one_of(st.none(), st.floats(0, 100)), max_size=40), st.sampled_from([1.25, 1.5]))
def test_a_spread_covers_all_but_what_it_names(deviations, margin):
    found = limits.spread(deviations, margin, 0.05)
    if found is None:
        assert not [one for one in deviations if one is not None]
        return
    for place, one in enumerate(deviations):
        assert one is None or (one > found.limit / margin) == (place in found.outliers) or one <= found.limit
    assert len(found.outliers) <= len(deviations) / 14


@pytest.mark.parametrize(
    ("deviations", "expected"),
    [
        ([], None),
        ([None, None], None),
        ([0.0, 0.0], limits.Spread(0.05, 0.0, ())),
        ([0.1, 0.08, None], limits.Spread(0.15, 0.1, ())),
        ([0.5, 0.08, 0.04], limits.Spread(0.65, 0.5, ())),
        ([0.04] * 20 + [0.6] + [0.08] * 7, limits.Spread(0.1, 0.08, (20,))),
        ([0.5] + [0.04] * 20 + [0.6] + [0.08] * 7, limits.Spread(0.1, 0.08, (0, 21))),
        ([0.6, 0.5, 0.4] + [0.08] * 25, limits.Spread(0.75, 0.6, ())),
        ([math.inf] + [0.04] * 27, limits.Spread(0.05, 0.04, (0,))),
        ([math.inf] * 9, None),
    ],
)
def test_spreads_by_hand(deviations, expected):
    assert limits.spread(deviations, 1.25, 0.05) == expected


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 10**6), min_size=1, max_size=50))
def test_shares_are_a_whole_in_the_order_of_the_values(counts):
    found = limits.shares(pd.Series(counts))
    assert list(found) == sorted(counts)
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) > 0


@pytest.mark.parametrize("values", ["aab", "abcd", "aaaaaaaaax", "xyz", "a", "aaaaaaabbbbbbccc"])
def test_a_divergence_is_that_of_great_expectations(values):
    expected = {"a": 0.6, "b": 0.3, "c": 0.1}
    found = limits.divergence(pd.Series(list(values)).value_counts(), expected)
    for threshold, holds in ((found * 1.001 + 1e-9, True), (found * 0.999 - 1e-9, False)):
        partition = {"values": list(expected), "weights": list(expected.values())}
        kwargs = {"column": "x", "partition_object": partition, "threshold": max(0, threshold)}
        one = {"type": "expect_column_kl_divergence_to_be_less_than", "kwargs": kwargs | {"tail_weight_holdout": 0.01}}
        suite = expectations.parse({"name": "x", "expectations": [one]}, "x")
        frame = pd.DataFrame({"x": list(values)})
        (row,) = validate(frame, suite, About("parcels", toy.day(0), "a" * 64)).result["expectations"]
        assert row["success"] is holds, row["observed"]
