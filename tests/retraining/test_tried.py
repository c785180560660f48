"""What became of a suite, counted and in words: the worst interval, the newest failures, one sentence."""

import pytest

from include.retraining import tried
from include.retraining.tried import Outcome, Tried
from tests.retraining import toy

DAYS = {toy.day(number): f"day {number}" for number in range(9)}


def row(success: bool = True, observed: str = "5", **more: object) -> dict[str, object]:
    return {
        "type": "expect_table_row_count_to_be_between",
        "column": None,
        "severity": "warning",
        "success": success,
        "limit": "must have between 4 and 8 rows",
        "observed": observed,
        "notes": "why",
        "source": "suite",
        "judged": True,
        "number": None,
        "low": None,
        "high": None,
        **more,
    }


def outcomes(*rows: dict[str, object]) -> Tried:
    return Tried("snapshot", tuple(Outcome(toy.day(number), one) for number, one in enumerate(rows)))


def counts(*numbers: float) -> Tried:
    return outcomes(*[row(4 <= one <= 8, str(one), number=one, low=4, high=8) for one in numbers])


def test_a_summary_counts_and_names_the_newest_first():
    assert tried.summary(counts(5, 3, 6, 2, 9), DAYS) == {
        "on": "snapshot",
        "source": "suite",
        "severity": "warning",
        "type": "expect_table_row_count_to_be_between",
        "column": None,
        "limit": "must have between 4 and 8 rows",
        "judged": 5,
        "held": 2,
        "failed_on": ["day 4", "day 3", "day 1"],
        "worst": "2",
        "worst_on": "day 3",
        "notes": "why",
    }


@pytest.mark.parametrize(
    ("numbers", "worst"),
    [((5, 6, 4.5), "4.5"), ((5, 6, 7.9), "7.9"), ((6, 6, 6), "6"), ((3, 99, 1), "99"), ((4, 3.9), "3.9")],
)
def test_the_worst_failed_most_clearly_or_came_nearest(numbers, worst):
    assert tried.summary(counts(*numbers), DAYS)["worst"] == worst


def test_the_newest_of_equals_is_named():
    assert tried.summary(counts(5, 5, 5), DAYS)["worst_on"] == "day 2"


def test_a_whole_share_is_never_the_worst():
    proportion = {"type": "expect_column_proportion_of_non_null_values_to_be_between", "low": 0.4, "high": 1}
    found = outcomes(*[row(observed=str(one), number=one, **proportion) for one in (1.0, 0.6, 0.9)])
    assert tried.summary(found, DAYS)["worst"] == "0.6"


def test_what_could_not_be_judged_neither_held_nor_failed():
    found = tried.summary(outcomes(row(judged=False), row(), row(False, judged=False)), DAYS)
    assert (found["judged"], found["held"], found["failed_on"]) == (1, 1, [])
    never = tried.summary(outcomes(row(judged=False)), DAYS)
    assert (never["worst"], tried.table([never])[0]["held"]) == (None, "not judged")


def test_limits_are_told_whole_in_words():
    whole = "values must belong to this set: " + ", ".join(f"value {number}" for number in range(99))
    assert tried.limit(row(limit=whole)) == whole
    (line,) = tried.table([tried.summary(outcomes(row(False, "y" * 99, limit=whole + chr(0x202E))), DAYS)])
    assert line["expectation"] == whole + "\\u202e"
    assert line["worst"] == "y" * 69 + "…"
    mix = row(type="expect_column_kl_divergence_to_be_less_than", high=0.02, limit="{…}")
    assert tried.limit(mix) == "mix of values within 0.02 of the learned one"


def test_a_table_names_three_failures_and_counts_the_rest():
    (line,) = tried.table([tried.summary(counts(1, 1, 1, 1, 1, 5), DAYS)])
    assert line["held"] == "1 of 6"
    assert line["failed on"] == "day 4, day 3, day 2 and 2 more"
    assert line["expectation"] == "must have between 4 and 8 rows"


def critical(*held: bool) -> Tried:
    return outcomes(*[row(one, severity="critical") for one in held])


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ([counts(5)], "All 1 expectations held on every interval on which they could be judged."),
        ([counts(5), counts(1)], "1 of 2 expectations held on every interval; 1 did not, none critical."),
        (
            [counts(1), critical(False, True, False), critical(False, False, True)],
            "0 of 3 expectations held on every interval; 3 did not, 2 critical: 3 intervals would have been refused.",
        ),
    ],
)
def test_one_sentence_sums_up(found, sentence):
    assert tried.sentence([tried.summary(one, DAYS) for one in found]) == sentence
