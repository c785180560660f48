"""Pure: numbers over time as the paths of an SVG drawing. It may be stretched: what is drawn keeps its stroke.

Words, colours and sizes are the templates' and the style's, so a value can never become markup.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, pairwise

WIDTH, HEIGHT = 1000.0, 100.0
STATES = ("held", "failed", "unjudged")
TICK = 14.0
NEAR = 1.5
"""How many times the numbers' own spread a limit may be away from them to be drawn."""
TINY = 1e-90


@dataclass(frozen=True)
class Sample:
    """One interval of a plot."""

    moment: datetime
    state: str
    words: str = ""
    number: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Dot:
    """A mark at a number."""

    x: float
    y: float
    state: str
    words: str
    is_alone: bool
    """No line leads to it or from it."""


@dataclass(frozen=True)
class Mark:
    """A limit and how far down it lies."""

    number: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """Paths in a field of 1000 by 100, and what its edges mean."""

    band: str
    """What is allowed."""
    limits: str
    """Its edges, where they lie within the drawing."""
    marks: tuple[Mark, ...]
    """The newest limits that lie within the drawing."""
    line: str
    ticks: dict[str, str]
    """Per state, marks for the intervals without a number."""
    dots: tuple[Dot, ...]
    bottom: float | None
    """The number at the lower edge; None if nothing has a number."""
    top: float | None

    @property
    def middle(self) -> float | None:
        """Return the number half way up."""
        return None if self.bottom is None or self.top is None else self.bottom / 2 + self.top / 2

    @property
    def salient(self) -> list[Dot]:
        """Return the dots that a small plot shows: the last, those of what did not hold, and those without a line."""
        return [one for one in self.dots if one.is_alone or one.state == "failed" or one is self.dots[-1]]


@dataclass(frozen=True)
class _Stretch:
    """What is allowed around one sample: from its left to its right border; None where there is no limit."""

    left: float
    right: float
    upper: float | None
    lower: float | None


def draw(samples: Sequence[Sample], first: datetime | None = None, last: datetime | None = None) -> Drawing:
    """Return a drawing. A limit far beyond the numbers is left out, and the band then reaches the edge.

    Parameters
    ----------
    samples : sequence of Sample
        The oldest first, with finite numbers.
    first, last : datetime, optional
        What the left and the right edge stand for, by default the first and the last sample.
    """
    moments = [one.moment for one in samples]
    places = _places(moments, first or min(moments, default=None), last or max(moments, default=None))
    bottom, top = _scale(samples)
    runs = [list(run) for has, run in groupby(zip(places, samples, strict=True), key=_has_number) if has]
    dots = [_dot(x, one, bottom, top, len(run) == 1) for run in runs for x, one in run]
    fields = list(_fields(samples, places, bottom, top))
    return Drawing(
        band="".join(_area(several) for several in fields),
        limits="".join(_edge(several, name) for several in fields for name in ("upper", "lower")),
        marks=tuple(_marks(runs[-1][-1][1], bottom, top)) if runs else (),
        line="".join(_line(run, bottom, top) for run in runs if len(run) > 1),
        ticks={state: _ticks(places, samples, state) for state in STATES},
        dots=tuple(dots),
        bottom=bottom if runs else None,
        top=top if runs else None,
    )


def _has_number(placed: tuple[float, Sample]) -> bool:
    return placed[1].number is not None


def _places(moments: Sequence[datetime], first: datetime | None, last: datetime | None) -> list[float]:
    """Return where moments lie from left to right; in the middle if there is no time between the edges."""
    span = (last - first).total_seconds() if first and last else 0
    if first is None or not span:
        return [WIDTH / 2] * len(moments)
    return [round(WIDTH * (moment - first).total_seconds() / span, 2) for moment in moments]


def _scale(samples: Sequence[Sample]) -> tuple[float, float]:
    """Return the numbers at the lower and the upper edge: round ones, around all numbers and the limits near them."""
    numbers = [one.number for one in samples if one.number is not None]
    if not numbers:
        return 0.0, 1.0
    low, high = min(numbers), max(numbers)
    limits = [limit for one in samples if one.number is not None for limit in (one.low, one.high) if limit is not None]
    spread = _spread(low, high, limits)
    near = [limit for limit in limits if low - NEAR * spread <= limit <= high + NEAR * spread]
    bottom, top = min([low, *near]), max([high, *near])
    if top - bottom <= TINY:
        bottom, top = bottom - spread / 2, top + spread / 2
    return _rounded(max(bottom, 0.0) if low >= 0 and min(near, default=0.0) >= 0 else bottom, top)


def _spread(low: float, high: float, limits: Sequence[float]) -> float:
    """Return how far numbers lie apart; of equal ones how far the nearest limit is, or a tenth of their size."""
    if high - low > TINY:
        return high - low
    distances = [abs(limit - low) for limit in limits if abs(limit - low) > TINY]
    return min(distances) if distances else abs(high) / 10 or 1.0


def _rounded(bottom: float, top: float) -> tuple[float, float]:
    step = 10.0 ** (math.floor(math.log10(top - bottom)) - 1)
    return math.floor(round(bottom / step, 6)) * step, math.ceil(round(top / step, 6)) * step


def _height(number: float, bottom: float, top: float) -> float:
    return round(HEIGHT * min(max((top - number) / (top - bottom), 0.0), 1.0), 2)


def _dot(x: float, one: Sample, bottom: float, top: float, is_alone: bool) -> Dot:
    return Dot(x, _height(one.number or 0.0, bottom, top), one.state, one.words, is_alone)


def _line(run: Sequence[tuple[float, Sample]], bottom: float, top: float) -> str:
    points = (f"{x:g} {_height(one.number or 0.0, bottom, top):g}" for x, one in run)
    return "M" + "L".join(points)


def _ticks(places: Sequence[float], samples: Sequence[Sample], state: str) -> str:
    end = 0.0 if state == "failed" else HEIGHT - TICK
    found = (x for x, one in zip(places, samples, strict=True) if one.number is None and one.state == state)
    return "".join(f"M{x:g} {HEIGHT:g}V{end:g}" for x in found)


def _fields(samples: Sequence[Sample], places: list[float], bottom: float, top: float) -> Iterator[list[_Stretch]]:
    """Yield runs of neighbouring stretches in which something is limited."""
    if not samples:
        return
    inner = [(before + after) / 2 for before, after in pairwise(places)]
    borders = [places[0], *inner, places[-1]] if inner else [0.0, WIDTH]
    stretches = zip(samples, pairwise(borders), strict=True)
    for is_limited, several in groupby(stretches, key=lambda one: _is_limited(one[0])):
        if is_limited:
            yield _merged(_stretch(one, left, right, bottom, top) for one, (left, right) in several)


def _is_limited(one: Sample) -> bool:
    return one.number is not None and (one.low is not None or one.high is not None)


def _stretch(one: Sample, left: float, right: float, bottom: float, top: float) -> _Stretch:
    upper, lower = (None if limit is None else _height(limit, bottom, top) for limit in (one.high, one.low))
    return _Stretch(left, right, upper, lower)


def _merged(stretches: Iterable[_Stretch]) -> list[_Stretch]:
    """Return stretches with neighbours of the same limits as one."""
    alike = [list(run) for _, run in groupby(stretches, key=lambda one: (one.upper, one.lower))]
    return [replace(run[0], right=run[-1].right) for run in alike]


def _area(several: Sequence[_Stretch]) -> str:
    """Return the outline of what is allowed: along its upper edge to the right, along its lower one back."""
    upper = (f"{x:g} {one.upper or 0.0:g}" for one in several for x in (one.left, one.right))
    lower = (
        f"{x:g} {HEIGHT if one.lower is None else one.lower:g}"
        for one in reversed(several)
        for x in (one.right, one.left)
    )
    return "M" + "L".join([*upper, *lower]) + "Z"


def _edge(several: Sequence[_Stretch], name: str) -> str:
    """Return one edge of what is allowed, without the parts that lie at the edge of the drawing or beyond."""
    path = ""
    for is_inside, run in groupby(((one, getattr(one, name)) for one in several), key=lambda one: _is_inside(one[1])):
        steps = [f"{one.left:g} {height:g}H{one.right:g}" for one, height in run] if is_inside else []
        path += f"M{'L'.join(steps)}" if steps else ""
    return path


def _is_inside(height: float | None) -> bool:
    return height is not None and 0 < height < HEIGHT


def _marks(newest: Sample, bottom: float, top: float) -> Iterator[Mark]:
    """Yield the limits of the newest number, the upper one first; two that lie too close cannot both be read."""
    for limit in (newest.high, newest.low):
        if limit is not None and bottom <= limit <= top:
            yield Mark(limit, _height(limit, bottom, top))
