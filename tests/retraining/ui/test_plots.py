"""Plots: where marks lie, worked by hand; odd numbers; and that everything stays within the drawing."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining.ui.plots import HEIGHT, STATES, WIDTH, Drawing, Sample, draw

FIRST = datetime(2013, 2, 1, tzinfo=UTC)


def sample(day: float, number: float | None = None, state: str = "held", low=None, high=None) -> Sample:
    return Sample(FIRST + timedelta(days=day), state, "", number, low, high)


def places(drawing: Drawing) -> list[tuple[float, float, str]]:
    return [(one.x, one.y, one.state) for one in drawing.dots]


def test_numbers_lie_between_the_edges_and_time_runs_to_the_right():
    drawing = draw([sample(0, 10), sample(1, 20), sample(4, 15)])
    assert (drawing.bottom, drawing.middle, drawing.top) == (10, 15, 20)
    assert places(drawing) == [(0, 100, "held"), (250, 0, "held"), (1000, 50, "held")]
    assert drawing.line == "M0 100L250 0L1000 50"


def test_limits_near_the_numbers_widen_the_drawing_and_make_the_band():
    drawing = draw([sample(0, 10, low=5, high=30), sample(1, 20, low=5, high=30)])
    assert (drawing.bottom, drawing.top) == (5, 30)
    assert drawing.band == "M0 0L1000 0L1000 100L0 100Z"
    assert [(one.number, one.y) for one in drawing.marks] == [(30, 0), (5, 100)]


def test_a_limit_far_away_leaves_the_numbers_their_room():
    drawing = draw([sample(0, 10, high=5000), sample(1, 20, high=5000)])
    assert (drawing.bottom, drawing.top) == (10, 20)
    assert drawing.band == "M0 0L1000 0L1000 100L0 100Z"
    assert (drawing.limits, drawing.marks) == ("", ())


def test_what_has_one_limit_is_allowed_to_the_edge():
    drawing = draw([sample(0, 0), sample(1, 10, low=5)])
    assert drawing.band == "M500 0L1000 0L1000 50L500 50Z"
    assert drawing.limits == "M500 50H1000"


def test_a_limit_that_moves_is_a_staircase():
    drawing = draw([sample(0, 0, high=5), sample(1, 10, high=5), sample(2, 10, high=8)])
    assert drawing.limits == "M0 50H750L750 20H1000"
    assert drawing.band == "M0 50L750 50L750 20L1000 20L1000 100L750 100L750 100L0 100Z"


def test_a_gap_breaks_the_line():
    drawing = draw([sample(0, 1), sample(1, 2), sample(2), sample(3, 1), sample(4, 2)])
    assert drawing.line.count("M") == 2
    assert drawing.ticks == {"held": "M500 100V86", "failed": "", "unjudged": ""}


def test_a_number_between_gaps_stands_alone():
    drawing = draw([sample(0), sample(1, 5), sample(2), sample(3, 5), sample(4, 5)])
    assert [one.is_alone for one in drawing.dots] == [True, False, False]
    assert len(drawing.salient) == 2


def test_intervals_without_numbers_are_bars_long_where_it_did_not_hold():
    drawing = draw([sample(0), sample(1, state="failed"), sample(2, state="unjudged")])
    assert drawing.ticks == {"held": "M0 100V86", "failed": "M500 100V0", "unjudged": "M1000 100V86"}
    assert (drawing.bottom, drawing.middle, drawing.top, drawing.dots) == (None, None, None, ())


def test_a_small_plot_marks_what_did_not_hold_and_the_last():
    drawing = draw([sample(0, 1), sample(1, 2, "failed"), sample(2, 1), sample(3, 1)])
    assert [(one.x, one.state) for one in drawing.salient] == [(333.33, "failed"), (1000, "held")]


def test_plots_can_share_their_edges():
    drawing = draw([sample(5, 1)], FIRST, FIRST + timedelta(days=10))
    assert [one.x for one in drawing.dots] == [500]


@pytest.mark.parametrize(
    ("samples", "edges"),
    [
        ([sample(0, 0.0)], (0, 0.5)),
        ([sample(0, 7.0)], (6.65, 7.35)),
        ([sample(0, -7.0)], (-7.35, -6.65)),
        ([sample(0, 0.0, high=0.01), sample(1, 0.0, high=0.01)], (0, 0.01)),
        ([sample(0, 1.0, low=0.9, high=1.0), sample(1, 1.0, low=0.9, high=1.0)], (0.9, 1.0)),
        ([sample(0, 0.0, high=0.0), sample(1, 0.0, high=0.0)], (0, 0.5)),
        ([sample(0, 0.123456), sample(1, 0.187654)], (0.123, 0.188)),
        ([sample(0, 612), sample(1, 1014)], (610, 1020)),
    ],
)
def test_the_edges_are_round_numbers_around_what_is_drawn(samples, edges):
    drawing = draw(samples)
    assert (drawing.bottom, drawing.top) == pytest.approx(edges)


def test_nothing_is_an_empty_drawing():
    drawing = draw([])
    assert (drawing.line, drawing.band, drawing.dots, drawing.top) == ("", "", (), None)


finite = st.none() | st.floats(-1e100, 1e100) | st.floats(-1, 1) | st.integers(-3, 3).map(float)
samples = st.builds(sample, st.just(0), finite, st.sampled_from(STATES), finite, finite)


@given(st.lists(samples, max_size=12))
def test_everything_drawn_lies_within_the_drawing(several):
    moments = [FIRST + timedelta(days=number) for number in range(len(several))]
    spread = [Sample(when, one.state, "", one.number, one.low, one.high) for when, one in zip(moments, several)]  # noqa: B905
    drawing = draw(spread)
    for path in (drawing.band, drawing.limits, drawing.line, *drawing.ticks.values()):
        assert re.fullmatch(r"(?:[MLHVZ]|-?\d+(?:\.\d+)?| )*", path), "no nan, no inf, no exponent"
    for numbers in re.findall(r"[ML](\S+) ([\d.]+)", drawing.band + drawing.line):
        x, y = map(float, numbers)
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
    assert all(0 <= one.x <= WIDTH and 0 <= one.y <= HEIGHT for one in drawing.dots)
    assert all(0 <= one.y <= HEIGHT for one in drawing.marks)
    assert len(drawing.dots) == sum(one.number is not None for one in several)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12))
def test_a_larger_number_never_lies_lower(numbers):
    drawing = draw([sample(day, number) for day, number in enumerate(numbers)])
    ordered = sorted(zip(numbers, drawing.dots, strict=True), key=lambda one: one[0])
    heights = [dot.y for _, dot in ordered]
    assert heights == sorted(heights, reverse=True)
    unseen = (drawing.top - drawing.bottom) / 10_000
    assert drawing.bottom <= min(numbers) + unseen
    assert drawing.top >= max(numbers) - unseen
