"""A replay as paths: what was saved against never retraining, when each fitted, and round numbers at the left."""

from itertools import pairwise

import pytest

from include.retraining import replay_drawing
from include.retraining.replay_drawing import _round_numbers
from tests.retraining.test_replay_report import REPORT, reported

DRAWN = replay_drawing.draw(REPORT)
LINES = {one.name: one for one in DRAWN.lines}


def points(path):
    return [tuple(map(float, point.split())) for point in path.removeprefix("M").split("L")]


def test_never_is_the_zero_line_and_what_saves_lies_above():
    zero = dict(DRAWN.ticks)[0.0]
    assert {height for _, height in points(LINES["never"].path)} == {zero}
    assert all(height < zero for _, height in points(LINES["every"].path)[1:])


def test_lines_begin_when_there_is_a_mean_and_reach_the_last_interval():
    assert DRAWN.rolling == 3
    across = [place for place, _ in points(LINES["5"].path)]
    assert len(across) == 14 - 2
    assert across[0] == pytest.approx(1000 * 2.5 / 14, abs=0.1)
    assert across[-1] == pytest.approx(1000 * 13.5 / 14, abs=0.1)


def test_fits_that_went_live_are_long_marks_and_others_short():
    assert LINES["5"].promoted.count("M") == 2
    assert LINES["5"].promoted.count("V0") == 2
    assert LINES["5"].lost == ""
    gated = replay_drawing.draw(reported(["never", "5+gate"])).lines[1]
    assert (gated.promoted, gated.lost.count("V6")) == ("", 2)


def test_kinds_share_a_colour_and_what_is_added_is_dashed():
    assert LINES["5"].colour == LINES["5+recalibration"].colour != LINES["every"].colour
    assert [one.is_dashed for one in DRAWN.lines] == [False, False, False, True]


def test_dates_are_those_of_the_models_time_zone():
    assert DRAWN.dates[0] == "7 Jan 2024"
    assert DRAWN.dates[-1] == "20 Jan 2024"


RANGES = [(0, 0), (-0.001, 0), (0, 12345), (-3e-9, 4e-9), (-0.3, 0.7), (0, 1), (-5, 0.01)]


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_round_numbers_hold_everything_and_zero(low, high):
    found = _round_numbers(low, high)
    assert found[0] <= low <= high <= found[-1]
    assert 2 <= len(found) <= 8
    assert 0.0 in found
    assert len({round((after - before) / (found[1] - found[0]), 6) for before, after in pairwise(found)}) == 1


def test_equal_policies_can_be_drawn():
    same = replay_drawing.draw(reported(["never"]))
    assert same.lines[0].path
    assert "nan" not in same.lines[0].path
