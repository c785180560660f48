"""Trends: one per expectation, the worst first, and only what was judged counts."""

from datetime import UTC, datetime, timedelta

from include.retraining.ui.documents import Document, Entry, summary
from include.retraining.ui.trends import Trend, trends
from include.retraining.windows import Interval
from tests.retraining.ui.conftest import failed_row, held_row

FIRST = datetime(2013, 2, 8, tzinfo=UTC)


def document(*rows: dict[str, object], on: str = "snapshot", name: str = "a-f.html") -> Document:
    result = {"outcome": "pass", "rows": 9, "sentence": "", "on": on, "expectations": list(rows)}
    return summary(name, result)


def days(*documents: Document | tuple[Document, ...]) -> list[Entry]:
    """Return one interval a day, given the oldest first, as the catalogue does: the newest first."""
    found = []
    for number, one in enumerate(documents):
        start = FIRST + timedelta(days=number)
        found.append(Entry(Interval(start, start + timedelta(days=1)), one if isinstance(one, tuple) else (one,)))
    return found[::-1]


def only(entries: list[Entry]) -> Trend:
    (trend,) = trends(entries)
    return trend


def row(column: str, *, holds: bool = True, severity: str = "warning", **more: object) -> dict[str, object]:
    return {**(held_row(column) if holds else failed_row(column)), "severity": severity, **more}


def test_points_are_the_intervals_from_the_oldest_to_the_newest():
    trend = only(days(document(row("a", observed="1")), document(row("a", observed="2"))))
    assert [one.judgement.observed for one in trend.points] == ["1", "2"]
    assert [one.entry.date for one in trend.points] == ["2013-02-08", "2013-02-09"]
    assert trend.newest.observed == "2"


def test_the_share_is_of_intervals_that_were_judged():
    states = [row("a", judged=False), row("a", holds=False), row("a"), row("a")]
    trend = only(days(*map(document, states)))
    assert (trend.held, trend.failed, trend.judged, len(trend.points)) == (2, 1, 3, 4)
    assert trend.words == "Held on 2 of 3 (66.7 %)"


def test_nothing_judged_yet_is_no_failure():
    trend = only(days(document(row("a", judged=False))))
    assert (trend.share, trend.words) == (1.0, "Not judged yet")


def test_the_worst_come_first():
    """Severity before share among those that failed; the others keep the order of the suite."""
    first = document(row("z"), row("y"), row("often", holds=False), row("once"), row("grave", severity="critical"))
    second = document(
        row("z"), row("y"), row("often", holds=False), row("once", holds=False), failed_row("grave", "critical")
    )
    assert [one.newest.column for one in trends(days(first, second))] == ["grave", "often", "once", "z", "y"]


def test_of_several_pages_of_one_kind_the_first_counts():
    again = (document(row("a"), name="new.html"), document(row("a", holds=False), name="old.html"))
    trend = only(days(again))
    assert (trend.held, trend.points[0].name) == (1, "new.html")


def test_snapshot_and_labels_are_told_apart():
    both = (document(row("a")), document(row("a"), on="labels"))
    assert [one.newest.on for one in trends(days(both))] == ["snapshot", "labels"]


def test_a_page_whose_result_cannot_be_read_leaves_a_gap():
    trend = only(days(document(row("a")), Document("gone.html"), document(row("a"))))
    assert [one.entry.date for one in trend.points] == ["2013-02-08", "2013-02-10"]


def test_what_the_newest_suite_has_no_more_comes_last_however_bad_it_was():
    found = trends(days(document(row("gone", holds=False), row("a")), document(row("a"))))
    assert [(one.newest.column, one.is_current) for one in found] == [("a", True), ("gone", False)]


def test_labels_that_are_not_known_yet_do_not_end_a_trend():
    both = (document(row("a")), document(row("late"), on="labels"))
    assert all(one.is_current for one in trends(days(both, document(row("a")))))


def test_a_trend_is_described_in_words():
    trend = only(days(document(row("a", holds=False)), document(row("a"))))
    assert trend.description == (
        "2 intervals. Held on 1 of 2 (50 %). The last one on which it did not: Friday 8 February 2013. "
        "Found last: 0.95."
    )


def test_a_limit_that_moves_is_noticed():
    assert not only(days(document(row("a")), document(row("a")))).has_moving_limit
    assert only(days(document(row("a", limit="1")), document(row("a", limit="2")))).has_moving_limit


def test_no_interval_no_trend():
    assert trends([]) == []
