"""What one column showed becomes expectations: their kind, their severity, their limits and their evidence."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from include.retraining import expectations, learning
from include.retraining.learning import Column, Seen
from include.retraining.validation import About, validate
from tests.retraining import toy

COUNT = 28


def seen(count: int = COUNT) -> Seen:
    return Seen(tuple(toy.day(number) for number in range(count)), "UTC")


def column(listed: Sequence[object], dtype: object = None, **more: bool) -> Column:
    return Column("a", tuple(pd.Series(values, dtype=dtype) for values in listed), **more)


def learned(learn: Callable, listed: Sequence[object], dtype: object = None, **more: bool) -> list[tuple]:
    found = learn(column(listed, dtype, **more), seen(len(listed)))
    return [(one["type"].removeprefix("expect_column_"), one["severity"], one["kwargs"], one["meta"]) for one in found]


MOMENTS = pd.to_datetime(["2024-01-01", None]).astype("datetime64[us]")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.Series(["a", None], dtype="str"), "str"),
        (pd.Series([None, None], dtype="str"), "str"),
        (pd.Series(["a", None], dtype="string"), "str"),
        (pd.Series([1.5, None]), "float64"),
        (pd.Series([1, 2]), "int64"),
        (pd.Series([1, 2], dtype="int32"), "int32"),
        (pd.Series([True, False]), "bool"),
        (pd.Series(MOMENTS), "datetime64"),
        (pd.Series(MOMENTS.tz_localize("UTC")), "Timestamp"),
        (pd.Series(MOMENTS.tz_localize("America/New_York")), "Timestamp"),
        (pd.Series(["a", 1], dtype=object), None),
        (pd.Series(["a", "b"], dtype="category"), None),
        (pd.Series([1, None], dtype="Int64"), None),
    ],
)
def test_a_type_is_named_as_great_expectations_knows_it(values, kind):
    found = learned(learning.types, [values, values])
    if kind is None:
        assert found == []
        return
    ((name, severity, kwargs, meta),) = found
    assert (name, severity, kwargs) == ("values_to_be_of_type", "critical", {"column": "a", "type_": kind})
    assert meta["notes"] == f"Seen in 2 intervals: always {kind}."
    one = {"type": f"expect_column_{name}", "kwargs": kwargs}
    suite = expectations.parse({"name": "x", "expectations": [one]}, "x")
    about = About("parcels", toy.day(0), "a" * 64)
    assert validate(pd.DataFrame({"a": values}), suite, about).outcome == "pass"
    assert validate(pd.DataFrame({"a": [object(), 1]}), suite, about).outcome == "fail"


def test_types_that_differ_say_nothing():
    assert learned(learning.types, [pd.Series([1]), pd.Series([1.5])]) == []


@pytest.mark.parametrize(("is_needed", "severity"), [(True, "critical"), (False, "warning")])
def test_never_null_is_critical_where_no_row_can_be_used_without_it(is_needed, severity):
    ((name, found, kwargs, meta),) = learned(learning.nulls, [[1.0]] * 3, is_needed=is_needed)
    assert (name, found, kwargs) == ("values_to_not_be_null", severity, {"column": "a"})
    assert meta["notes"].startswith("Seen in 3 intervals: never null.")


def nulls(share: float) -> list[float | None]:
    return [None] * int(1000 * share) + [1.0] * (1000 - int(1000 * share))


@pytest.mark.parametrize(
    ("shares", "fewest", "evidence"),
    [
        ([0.0, 0.012, 0.004], 0.98, "0.0 % to 1.2 % null."),
        ([0.3, 0.36, 0.31], 0.46, "30.0 % to 36.0 % null."),
        ([0.01] * 27 + [0.6], 0.98, "1.0 % to 1.0 % null, but not 2024-01-28."),
    ],
)
def test_null_shares_get_a_margin(shares, fewest, evidence):
    ((name, severity, kwargs, meta),) = learned(learning.nulls, [nulls(share) for share in shares])
    assert name == "proportion_of_non_null_values_to_be_between"
    assert severity == "warning"
    assert kwargs == {"column": "a", "min_value": fewest, "max_value": 1}
    assert meta["notes"] == f"Seen in {len(shares)} intervals: {evidence}"


def test_a_column_that_may_be_all_null_is_not_asked_for_values():
    assert learned(learning.nulls, [nulls(0.1), nulls(1.0)]) == []


def test_ranges_say_what_was_seen_and_what_stays_outside():
    random = np.random.default_rng(0)
    days = [[*random.normal(100, 10, 500), -999.0] for _ in range(10)]
    ((name, severity, kwargs, meta),) = learned(learning.ranges, days)
    assert (name, severity) == ("values_to_be_between", "warning")
    assert kwargs == {"column": "a", "min_value": 53, "max_value": 147, "mostly": 0.996}
    assert meta["notes"] == "Seen in 10 intervals: -999 to 132.572, in the worst of them 0.2 % outside these limits."
    assert learned(learning.ranges, [[None, None]], dtype="float64") == []


STEADY = [["x", "y", "y"]] * 8


@pytest.mark.parametrize(
    ("days", "name", "severity", "evidence"),
    [
        (
            STEADY,
            "values_to_be_in_set",
            "critical",
            "2 values, all of them every time; none was new in the second half.",
        ),
        (STEADY[:6], "distinct_values_to_be_in_set", "warning", "2 values, all of them every time. A new value may be"),
        ([*STEADY, ["z"]], "distinct_values_to_be_in_set", "warning", "3 values, none of them every time. A new value"),
        ([[*"abcdefghijklmno"]] * 8, "distinct_values_to_be_in_set", "warning", "15 values, all of them every time."),
    ],
)
def test_a_set_is_critical_only_where_it_is_closed(days, name, severity, evidence):
    ((found, weight, kwargs, meta),) = learned(learning.sets, days, dtype="str")
    assert (found, weight) == (name, severity)
    assert kwargs["value_set"] == sorted({value for values in days for value in values})
    assert evidence in meta["notes"]


def test_no_set_of_many_values_or_of_none():
    assert learned(learning.sets, [[f"value {number}" for number in range(51)]] * 8, dtype="str") == []
    assert learned(learning.sets, [[None]] * 8, dtype="str") == []


CODES = [f"{one}{other}X" for one in "ABCD" for other in "EFG"]


@pytest.mark.parametrize(
    ("days", "regex"),
    [
        ([[*CODES, None]], "^[A-Z]{3}$"),
        ([CODES, [None], ["1AB"]], "^[0-9A-Z]{3}$"),
        ([[f"{number:05d}" for number in range(20)]], "^[0-9]{5}$"),
        ([[*CODES, "EWRX"]], None),
        ([[*CODES, "Ewr"]], None),
        ([[*CODES, "ÄWR"]], None),
        ([CODES[:9]], None),
        ([[None]], None),
        ([[f"{number:032d}" for number in range(20)]], None),
    ],
)
def test_formats_are_expected_only_where_every_value_has_it(days, regex):
    found = [kwargs["regex"] for _, _, kwargs, _ in learned(learning.formats, days, dtype="str")]
    assert found == ([regex] if regex else [])


def mixed(share: float) -> list[str]:
    return ["x"] * int(100 * share) + ["y"] * (100 - int(100 * share))


def test_a_mix_is_held_against_that_of_the_other_intervals():
    ((name, severity, kwargs, meta),) = learned(learning.mixes, [mixed(0.5), mixed(0.6)] * 6, dtype="str")
    assert (name, severity) == ("kl_divergence_to_be_less_than", "warning")
    assert kwargs["partition_object"] == {"values": ["x", "y"], "weights": [0.55, 0.45]}
    assert (kwargs["threshold"], kwargs["tail_weight_holdout"]) == (0.01, 0.01)
    assert meta["notes"] == "Seen in 12 intervals: each at most 0.006 from the mix of the others."
    ((*_, meta),) = learned(learning.mixes, [*([mixed(0.5), mixed(0.6)] * 10), mixed(0.1)], dtype="str")
    assert meta["notes"].endswith("from the mix of the others, but not 2024-01-21.")


@pytest.mark.parametrize(
    "days",
    [
        [["x"], ["y"], ["z"], ["x"], ["y"], ["z"]],
        [mixed(0.5), [None]] * 4,
        [mixed(0.5)] * 3,
        [["x"]] * 8,
        [["x", "x"], ["y"], ["y"], ["y"], ["y"]],
    ],
)
def test_no_mix_where_it_would_say_nothing_or_cannot_be_judged(days):
    assert learned(learning.mixes, days, dtype="str") == []


def test_means_are_relative_to_what_tells_more():
    ((*_, meta),) = learned(learning.averages, [[100.0 + number % 7 * 10] for number in range(COUNT)])
    assert meta == {
        "relative_to": "weekday",
        "tolerance": 0.05,
        "notes": "Seen in 28 intervals: each within 0.0 % of the median of the others of its weekday.",
    }
    ((*_, meta),) = learned(learning.averages, [[100.0 + number % 3 * 10] for number in range(COUNT)])
    assert (meta["relative_to"], meta["tolerance"]) == ("recent", 0.15)
    ((*_, meta),) = learned(learning.averages, [[100.0 + (number == 9) * 90] for number in range(COUNT)])
    assert meta["notes"] == "Seen in 28 intervals: each within 0.0 % of the median of the others, but not 2024-01-10."


@pytest.mark.parametrize(
    "numbers",
    [[1.0, 5.0, 25.0] * 8, [0.0, 1.0] * 8, [1.0] * 3, [1.0] * 9 + [float("nan")], [1.0] * 9 + [float("inf")]],
)
def test_no_mean_where_its_limits_would_say_nothing_or_cannot_be_judged(numbers):
    assert learned(learning.averages, [[number] for number in numbers]) == []


def test_hours_are_not_compared_by_weekday():
    hours = tuple(toy.Interval(toy.START + toy.DAY / 24 * n, toy.START + toy.DAY / 24 * (n + 1)) for n in range(100))
    numbers = [100.0 + place // 24 for place in range(100)]
    assert learning.relation(numbers, Seen(hours, "UTC"), ["weekday"]) is None
    assert learning.relation(numbers, Seen(hours, "UTC"), ["recent"])["relative_to"] == "recent"
    assert learning.day(hours[3], "UTC") == "2024-01-01 03:00"
