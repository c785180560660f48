"""What a replay is made of: the windows of each moment, when labels become known, and days in random order."""

from dataclasses import replace
from datetime import timedelta

import pytest

from include.retraining import windows
from include.retraining.errors import DataError
from include.retraining.replayed import beginning, moments, shuffled
from tests.retraining import replays, toy


def delayed(delay):
    return replace(replays.SPEC, label_delay=delay, windows=replace(replays.SPEC.windows, minimum_training_intervals=5))


@pytest.mark.parametrize("delay", [timedelta(0), timedelta(hours=30), 3 * toy.DAY])
def test_moments_have_the_windows_that_runs_have(delay):
    spec = delayed(delay)
    found = replays.history(15, spec)
    for one in moments(found):
        expected = windows.window(spec.timetable, one.interval.end, delay, 6, 2)
        assert (one.training, one.holdout) == (expected.training, expected.holdout)
        assert one.everything == expected.labelled[-6:]


def test_older_intervals_are_those_that_a_run_trains_on():
    spec = replace(delayed(toy.DAY), windows=replace(replays.SPEC.windows, older_every=4, oldest_intervals=10))
    last = moments(replays.history(20, spec))[-1]
    expected = windows.window(spec.timetable, last.interval.end, toy.DAY, 6, 2, 4, 10)
    assert (last.training, last.holdout) == (expected.training, expected.holdout)
    assert [replays.number(one) for one in last.training] == [8, *range(11, 17)]
    assert [replays.number(one) for one in last.everything] == [12, *range(13, 19)]


def test_labels_become_known_once_their_delay_has_passed():
    found, soon = moments(replays.history(6, delayed(2 * toy.DAY))), moments(replays.history(3, delayed(0 * toy.DAY)))
    assert [[replays.number(one) for one in each.fresh] for each in found] == [[], [], [0], [1], [2], [3]]
    assert [len(each.fresh) for each in soon] == [1, 1, 1]


def test_an_interval_without_labels_keeps_its_place_in_the_windows():
    whole = replays.history(12)
    found = replace(whole, rows={one: rows for one, rows in whole.rows.items() if replays.number(one) != 9})
    last = moments(found)[-1]
    assert [replays.number(one) for one in last.training] == [3, 4, 5, 6, 7, 8]
    assert [replays.number(one) for one in last.holdout] == [10]


def test_the_first_champion_waits_for_a_holdout():
    found = replays.history(8)
    assert beginning(found, moments(found), 3) == replays.START - 1
    assert beginning(found, moments(found), 4) == replays.START


def test_a_history_that_is_too_short_says_so():
    found = replays.history(6)
    with pytest.raises(DataError, match=r"has 6 labelled intervals: too few to fit a first champion on 3, hold out 2"):
        beginning(found, moments(found), 3)


def test_shuffled_days_keep_their_moments_and_swap_contents():
    found = replays.history(12)
    mixed, again, other = (shuffled(found, seed) for seed in (1, 1, 2))
    order = [mixed.rows[one]["parcel"].iloc[0] for one in mixed.intervals]
    assert mixed.intervals == found.intervals
    assert sorted(order) == [found.rows[one]["parcel"].iloc[0] for one in found.intervals]
    assert order != sorted(order)
    assert order == [again.rows[one]["parcel"].iloc[0] for one in again.intervals]
    assert order != [other.rows[one]["parcel"].iloc[0] for one in other.intervals]


def test_shuffling_leaves_what_cannot_be_judged_where_it_is():
    whole = replays.history(8, rows=lambda number: toy.rows(number, 40 + number))
    rows = {one: frame for one, frame in whole.rows.items() if replays.number(one) != 3}
    mixed = shuffled(replace(whole, rows=rows), 1)
    assert toy.day(3) not in mixed.rows
    assert mixed.counts[toy.day(3)] == 43
    assert {one: mixed.counts[one] for one in mixed.rows} == {one: len(frame) for one, frame in mixed.rows.items()}
