"""Two suites: what was added, removed and changed, in words, whatever the order of the file."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import expectations, suite_diff
from include.retraining.suite_diff import ADDED, CHANGED, REMOVED


def between(column: str = "a", severity: str = "warning", meta: dict | None = None, **kwargs: object) -> dict:
    kind = "expect_column_values_to_be_between"
    return {"type": kind, "kwargs": {"column": column, **kwargs}, "severity": severity, "meta": meta or {}}


def rows(severity: str, **kwargs: int) -> dict:
    return {"type": "expect_table_row_count_to_be_between", "kwargs": kwargs, "severity": severity}


def diff(old: list[dict], new: list[dict]) -> suite_diff.Diff:
    return suite_diff.diff(*(expectations.parse({"name": "x", "expectations": some}, "x") for some in (old, new)))


def words(old: list[dict], new: list[dict]) -> list[tuple[str, str | None, str]]:
    return [(one["what"], one["column"], one["in words"]) for one in suite_diff.table(diff(old, new))]


A, B, C = between("a", min_value=0), between("b", min_value=0), between("c", min_value=0)


@pytest.mark.parametrize(
    ("old", "new", "expected", "sentence"),
    [
        ([A], [A], [], "The two suites are the same."),
        (
            [A, B],
            [B, A],
            [],
            "The same expectations under another name or in another order: every interval is validated anew.",
        ),
        ([A], [B, A], [(ADDED, "b", "min_value 0")], "1 added, 0 removed, 0 changed."),
        ([A, B], [A], [(REMOVED, "b", "min_value 0")], "0 added, 1 removed, 0 changed."),
        (
            [A, B],
            [C, A],
            [(ADDED, "c", "min_value 0"), (REMOVED, "b", "min_value 0")],
            "1 added, 1 removed, 0 changed.",
        ),
    ],
)
def test_what_came_and_went(old, new, expected, sentence):
    assert words(old, new) == expected
    assert diff(old, new).sentence == sentence


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (between(max_value=5), between(max_value=6), "max_value 5 → 6"),
        (between(max_value=5), between(max_value=5, mostly=0.9), "mostly 0.9 added"),
        (between(max_value=5, mostly=0.9), between(max_value=5), "mostly 0.9 removed"),
        (between(severity="warning"), between(severity="critical"), 'severity "warning" → "critical"'),
        (between(meta={"notes": "x"}), between(meta={"notes": "y"}), 'notes "x" → "y"'),
        (between(value_set=["x", "y"]), between(value_set=["y", "z"]), 'value_set: "z" added, "x" removed'),
        (between(value_set=["x", "y"]), between(value_set=["y", "x"]), "value_set: another order"),
        (between(max_value=5), between(min_value=4), "max_value 5 removed; min_value 4 added"),
    ],
)  # fmt: skip
def test_what_changed(old, new, expected):
    assert words([old], [new]) == [(CHANGED, "a", expected)]


def test_limits_that_become_relative():
    old = {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "a", "min_value": 1}}
    new = {"type": old["type"], "kwargs": {"column": "a"}, "meta": {"relative_to": "recent", "tolerance": 0.2}}
    assert words([old], [new]) == [
        (CHANGED, "a", 'min_value 1 removed; relative_to "recent" added; tolerance 0.2 added')
    ]


def test_expectations_of_one_type_on_one_column_find_their_like():
    wide, usual = rows("critical", max_value=5000), rows("warning", max_value=1150)
    assert words([wide, usual], [rows("warning", max_value=1200), wide]) == [(CHANGED, None, "max_value 1150 → 1200")]
    assert words([wide, usual], [usual]) == [(REMOVED, None, "max_value 5000")]
    assert words([wide], [usual, wide]) == [(ADDED, None, "max_value 1150")]


def test_the_same_on_the_labels_is_another():
    found = diff([A], [A, {**A, "meta": {"on": "labels"}}])
    assert [(one.what, one.expectation["on"]) for one in found.differences] == [(ADDED, "labels")]


def test_values_that_hide_are_spelt_out_and_long_ones_cut():
    ((_, _, told),) = words([between(value_set=["x"])], [between(value_set=["x", "‮evil"])])
    assert told == 'value_set: "\\u202eevil" added'
    ((_, _, told),) = words([between(regex="x")], [between(regex="y" * 999)])
    assert len(told) < 120


def test_machines_read_the_same():
    (found,) = diff([between(max_value=5)], [between(max_value=6)]).differences
    assert json.loads(json.dumps(found.row())) == {
        "what": "changed",
        "on": "snapshot",
        "severity": "warning",
        "type": "expect_column_values_to_be_between",
        "column": "a",
        "changes": [{"field": "max_value", "old": 5, "new": 6}],
    }


SUITES = st.lists(
    st.builds(
        between,
        st.sampled_from("ab"),
        st.sampled_from(["warning", "critical"]),
        st.sampled_from([{"notes": "x"}, {"on": "labels"}]),
        max_value=st.integers(0, 3),
    ),
    min_size=1,
    max_size=6,
    unique_by=json.dumps,
)


@given(SUITES, SUITES)
def test_every_expectation_is_accounted_for(old, new):
    found = diff(old, new).differences
    count = {what: sum(one.what == what for one in found) for what in (ADDED, REMOVED, CHANGED)}
    assert len(old) - count[REMOVED] + count[ADDED] == len(new)
    assert all(one.changes for one in found if one.what == CHANGED)
    back = diff(new, old).differences
    assert sum(one.what == ADDED for one in back) == count[REMOVED]
    assert not diff(old, old).differences


@given(SUITES, st.randoms(use_true_random=False))
def test_order_alone_is_no_difference(listed, random):
    shuffled = random.sample(listed, len(listed))
    assert diff(listed, shuffled).differences == ()
