"""What a result says in short: old results and odd values too, and which intervals are looked for."""

import pytest

from include.retraining import keys
from include.retraining.ui.documents import Document, Entry, Wanted, identity, summary
from tests.retraining.ui.conftest import failed_row, held_row

INTERVAL = keys.parse_span("20130208T050000Z--20130209T050000Z")
RESULT = {"outcome": "warn", "rows": 900, "sentence": "Warning.", "timezone": "America/New_York"}


def told(*rows: dict[str, object], **more: object) -> Document:
    return summary("a-f.html", {**RESULT, "expectations": list(rows), **more})


def entry(*rows: dict[str, object], **more: object) -> Entry:
    return Entry(INTERVAL, (told(*rows, **more),))


def test_a_result_of_an_earlier_release_lacks_numbers_and_counts_as_judged_by_the_suite():
    (one,) = told(failed_row("departed")).judgements
    assert (one.source, one.judged, one.state) == ("suite", True, "failed")
    assert (one.number, one.low, one.high) == (None, None, None)


def test_a_result_of_today_has_a_number_and_its_limits():
    (one,) = told({**failed_row("departed"), "number": 0.49, "low": 0.9, "high": 1, "source": "default"}).judgements
    assert (one.number, one.low, one.high, one.source) == (0.49, 0.9, 1.0, "default")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0.0),
        (1014, 1014.0),
        (-0.5, -0.5),
        (None, None),
        (True, None),
        ("0.5", None),
        ([1], None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        (-1e200, None),
    ],
)
def test_only_numbers_that_can_be_drawn_are_numbers(value, number):
    (one,) = told({**held_row("departed"), "number": value, "low": value}).judgements
    assert (one.number, one.low) == (number, number)


@pytest.mark.parametrize(
    ("success", "judged", "state"),
    [(True, True, "held"), (True, False, "unjudged"), (False, True, "failed"), (False, False, "failed")],
)
def test_an_expectation_held_did_not_hold_or_was_not_judged(success, judged, state):
    assert told({**held_row("a"), "success": success, "judged": judged}).judgements[0].state == state


def test_an_expectation_has_the_same_id_in_every_result_whatever_its_limit_and_finding():
    changed = {**failed_row("departed"), "limit": "mean must be at least 0.8", "observed": "0.7", "number": 0.7}
    assert told(failed_row("departed")).judgements[0].id == told(changed).judgements[0].id
    assert told(changed).judgements[0].id == identity(
        "snapshot", "expect_column_mean_to_be_between", "departed", "warning", "suite", "1"
    )


def test_expectations_that_differ_have_ids_that_differ():
    row = failed_row("departed")
    rows = [row, row, {**row, "column": "late"}, {**row, "column": None}, {**row, "severity": "info"}]
    rows += [{**row, "type": "expect_column_max_to_be_between"}, {**row, "source": "default"}]
    ids = [one.id for one in (*told(*rows).judgements, *told(*rows, on="labels").judgements)]
    assert len(set(ids)) == len(ids) == 14


def test_what_did_not_hold_comes_the_gravest_first():
    document = told(failed_row("a", "info"), held_row("b"), failed_row("c"), failed_row("d", "critical"))
    assert [one.column for one in document.failed] == ["d", "c", "a"]


def test_rows_that_were_set_aside_are_told():
    assert told(quarantined={"rows": 12, "ratio": 0.004, "key": "k"}).set_aside == "12 rows set aside (0.4 %)"
    assert told(quarantined={"rows": 1, "ratio": 0.0001, "key": "k"}).set_aside == "1 row set aside (under 0.1 %)"
    assert told(quarantined=None).set_aside == told().set_aside == ""


@pytest.mark.parametrize(
    "row", [{}, {**held_row("a"), "severity": "grave"}, {**held_row("a"), "limit": 3}, {**held_row("a"), "type": None}]
)
def test_what_is_no_result_of_ours_is_refused(row):
    with pytest.raises((KeyError, TypeError, ValueError)):
        told(row)


DEPARTED = identity("snapshot", "expect_column_mean_to_be_between", "departed", "warning", "suite", "1")
ORIGIN = identity("snapshot", "expect_column_mean_to_be_between", "origin", "critical", "suite", "1")


@pytest.mark.parametrize(
    ("wanted", "is_admitted"),
    [
        (Wanted(), True),
        (Wanted(outcome="warn"), True),
        (Wanted(outcome="pass"), False),
        (Wanted(failed=DEPARTED), True),
        (Wanted(failed=ORIGIN), False),
        (Wanted(failed=DEPARTED, outcome="fail"), False),
        (Wanted(text="departed"), True),
        (Wanted(text="DEPART"), True),
        (Wanted(text="mean"), True),
        (Wanted(text="expect_column_mean_to_be_between"), True),
        (Wanted(text="february"), True),
        (Wanted(text="8 february"), True),
        (Wanted(text="2013-02-08"), True),
        (Wanted(text="2013-02"), True),
        (Wanted(text="friday departed warning"), True),
        (Wanted(text="distance"), False),
        (Wanted(text="parted"), False),
        (Wanted(text="2 february"), False),
        (Wanted(text="18 february"), False),
        (Wanted(text="friday origin"), False),
        (Wanted(text="   "), True),
        (Wanted(text=".*"), False),
        (Wanted(text="("), True),
    ],
)
def test_an_interval_is_found_by_its_outcome_by_what_did_not_hold_and_by_words(wanted, is_admitted):
    """Words match from their beginning, numbers as a whole; what held is not looked into."""
    assert wanted.admits(entry(failed_row("departed"), held_row("distance"))) == is_admitted


def test_words_must_stand_in_one_thing_that_did_not_hold():
    both = entry(failed_row("departed"), failed_row("origin", "critical"))
    assert Wanted(text="departed warning").admits(both)
    assert not Wanted(text="departed critical").admits(both)


def test_an_interval_on_which_all_held_is_found_by_its_date():
    assert Wanted(text="friday 8").admits(entry(held_row("distance")))
    assert not Wanted(text="distance").admits(entry(held_row("distance")))


def test_what_is_asked_for_can_be_asked_for_again():
    assert Wanted("warn", "", "friday 8").query == {"outcome": "warn", "text": "friday 8"}
    assert not Wanted()
    assert Wanted(text="x")
