"""Temporal folds: fitted on the past, judged on what follows, and labels that were not known then lie between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining.errors import DataError
from include.retraining.folds import folds


@given(st.integers(2, 80), st.integers(0, 20))
def test_folds_train_on_the_past_and_are_judged_on_what_follows_the_gap(known, gap):
    for past, judged in folds(known + gap, gap):
        assert past.start == 0
        assert past.stop + gap == judged.start
        assert past.stop > 0
        assert judged.start < judged.stop <= known + gap
    judged = [place for _, places in folds(known + gap, gap) for place in places]
    assert judged == sorted(set(judged))
    assert judged[-1] == known + gap - 1


@pytest.mark.parametrize(
    ("count", "gap", "number"), [(2, 0, 1), (3, 0, 2), (4, 0, 3), (56, 0, 3), (5, 3, 1), (6, 3, 2)]
)
def test_a_fold_needs_a_past(count, gap, number):
    assert len(folds(count, gap)) == number


def test_folds_with_a_gap_worked_by_hand():
    """Labels come two intervals late: what is judged first, interval 5, was served when 3 and 4 had no labels yet."""
    assert folds(8, 2) == [(range(3), range(5, 6)), (range(4), range(6, 7)), (range(5), range(7, 8))]


@pytest.mark.parametrize(("count", "gap"), [(0, 0), (1, 0), (4, 3), (3, 30)])
def test_without_a_past_it_is_said_how_many_intervals_are_needed(count, gap):
    message = rf"{count} training interval\(s\) with a gap of {gap} leave nothing .* expected at least {gap + 2}\."
    with pytest.raises(DataError, match=message):
        folds(count, gap)
