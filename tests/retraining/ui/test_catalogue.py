"""The catalogue: newest first, a bounded cost, nothing but what a listing names."""

from datetime import UTC, datetime, timedelta

import pytest

from include.retraining import keys, signing
from include.retraining.ui.catalogue import LOOKED_AT, SHOWN, Catalogue
from include.retraining.windows import Interval

MODEL = "flight_delays"
FIRST = datetime(2012, 11, 20, 5, tzinfo=UTC)


class Counting:
    """A store that counts what is asked of it."""

    def __init__(self, store):
        self._store = store
        self.gets = self.lists = 0

    def get(self, key):
        self.gets += 1
        return self._store.get(key)

    def list(self, prefix):
        self.lists += 1
        return self._store.list(prefix)


@pytest.fixture
def many(store):
    """Return a store of 120 days across a new year; every tenth one is refused."""
    for number in range(120):
        interval = Interval(FIRST + timedelta(days=number), FIRST + timedelta(days=number + 1))
        outcome = "fail" if number % 10 == 3 else "pass"
        result = {"outcome": outcome, "rows": number, "sentence": "", "expectations": [], "on": "snapshot"}
        store.put(keys.data_docs_page(MODEL, interval, "a" * 64, "f" * 64), b"page")
        store.put(keys.validation(MODEL, interval, "a" * 64, "f" * 64), signing.seal(result))
    return Counting(store)


def test_pages_follow_each_other_without_gap_or_overlap(many):
    catalogue, seen, before = Catalogue(many), [], ""
    while True:
        listing = catalogue.listing(MODEL, before=before)
        seen += [entry.documents[0].rows for entry in listing.entries]
        if listing.older is None:
            break
        before = listing.older
    assert seen == list(range(119, -1, -1))


def test_one_page_costs_the_same_however_much_there_is(many):
    Catalogue(many).listing(MODEL)
    assert many.gets == SHOWN
    assert many.lists <= 2 * (datetime.now(UTC).year + 2 - 2012)


def test_results_are_read_once(many):
    catalogue = Catalogue(many)
    catalogue.listing(MODEL)
    catalogue.listing(MODEL)
    assert many.gets == SHOWN


def test_outcomes_are_found_further_back(many):
    listing = Catalogue(many).listing(MODEL, "fail")
    assert [entry.documents[0].rows for entry in listing.entries] == list(range(113, 0, -10))
    assert listing.looked_at == 120 < LOOKED_AT
    assert listing.older is None


def test_a_short_list_says_that_there_is_more(many):
    listing = Catalogue(many).listing(MODEL, shown=5)
    assert len(listing.entries) == 5
    assert listing.older == listing.entries[-1].span


def test_no_data_docs_at_all(store):
    listing = Catalogue(store).listing(MODEL)
    assert (listing.entries, listing.older, listing.looked_at) == ((), None, 0)


def test_neighbours_reach_across_a_new_year(many):
    catalogue = Catalogue(many)
    newest, *_, oldest = [
        keys.span(Interval(FIRST + timedelta(days=n), FIRST + timedelta(days=n + 1))) for n in range(119, -1, -1)
    ]
    assert catalogue.neighbours(MODEL, newest)[1] is None
    assert catalogue.neighbours(MODEL, oldest)[0] is None
    before, after = catalogue.neighbours(MODEL, "20130101T050000Z--20130102T050000Z")
    assert before == "20121231T050000Z--20130101T050000Z"
    assert after == "20130102T050000Z--20130103T050000Z"
    assert catalogue.neighbours(MODEL, "20121231T050000Z--20130101T050000Z")[1] == "20130101T050000Z--20130102T050000Z"
    assert catalogue.neighbours(MODEL, "nonsense") == (None, None)


def test_an_interval_has_the_gravest_outcome_of_its_pages(store, publish):
    publish("2013-02-08", "warn")
    publish("2013-02-08", "pass", on="labels")
    entry = Catalogue(store).entry(MODEL, "20130208T050000Z--20130209T050000Z")
    assert entry.outcome == "warn"
    assert entry.title == "Friday 8 February 2013"
    assert [one.on for one in entry.documents] == ["snapshot", "labels"]
    assert entry.documents[0].failed == ("departed: mean must be at least 0.9 (found 0.49)",)


def test_of_several_snapshots_the_newest_rows_come_first(store, publish):
    interval = keys.parse_span("20130208T050000Z--20130209T050000Z")
    for rows, as_of in (("b", datetime(2013, 2, 9, 5, tzinfo=UTC)), ("a", datetime(2013, 3, 1, 5, tzinfo=UTC))):
        publish("2013-02-08", rows=rows)
        store.put(keys.snapshot_rows(MODEL, interval, as_of, rows * 64), b"")
    publish("2013-02-08", on="labels", rows="c")
    entry = Catalogue(store).entry(MODEL, keys.span(interval))
    assert [(one.on, one.name[0], one.as_of) for one in entry.documents] == [
        ("snapshot", "a", "2013-03-01 05:00 UTC"),
        ("snapshot", "b", "2013-02-09 05:00 UTC"),
        ("labels", "c", ""),
    ]


@pytest.mark.parametrize("content", [None, b"{", b"[]", b"{}", b'{"outcome": "pass"}', b'{"outcome": 1, "rows": 1}'])
def test_a_page_whose_result_cannot_be_read_is_still_listed(store, publish, content):
    publish("2013-02-08")
    key = keys.validation(MODEL, keys.parse_span("20130208T050000Z--20130209T050000Z"), "a" * 64, "f" * 64)
    store.delete(key)
    if content is not None:
        store.put(key, content)
    (entry,) = Catalogue(store).listing(MODEL).entries
    assert entry.outcome == "unknown"
    assert entry.documents[0].sentence == "Its result cannot be read."


def test_what_is_not_listed_is_not_read(store, publish):
    name = publish("2013-02-08")
    counting = Counting(store)
    catalogue = Catalogue(counting)
    assert catalogue.html(MODEL, "20130208T050000Z--20130209T050000Z", name).startswith(b"<!DOCTYPE html>")
    assert counting.gets == 1
    assert catalogue.html(MODEL, "20130208T050000Z--20130209T050000Z", f"../{name}") is None
    assert catalogue.html(MODEL, "20130208T050000Z--20130209T050000Z/..", name) is None
    assert counting.gets == 1


@pytest.mark.parametrize("folder", ["", "20121120T050000Z--20121121T050000Z/"])
def test_what_a_desktop_left_between_the_pages_is_no_page(many, folder):
    before = Catalogue(many).listing(MODEL).entries
    many._store.put(f"{keys.data_docs(MODEL)}{folder}.DS_Store", b"x")
    assert Catalogue(many).listing(MODEL).entries == before
    oldest = Catalogue(many).entry(MODEL, "20121120T050000Z--20121121T050000Z")
    assert [one.rows for one in oldest.documents] == [0]
