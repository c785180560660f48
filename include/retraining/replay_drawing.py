"""Pure: a replay as the paths of an SVG drawing: what each policy saved over time, and when it fitted.

It may be stretched: what is drawn keeps its stroke. Words and colours are the template's and the style's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from include.retraining import keys
from include.retraining.rivals import NEVER
from include.retraining.windows import Interval

ROLLING = 28
"""Intervals whose mean is drawn: four of each weekday."""
WIDTH, HEIGHT, LANE = 1000.0, 300.0, 12.0
STEPS = (0.1, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Line:
    """One policy in the drawing: paths in a field of 1000 by 300, and in a lane of 1000 by 12."""

    name: str
    colour: int
    is_dashed: bool
    """Policies of the same kind share a colour; those with something added are dashed."""
    path: str
    promoted: str
    lost: str
    """Fits that went live, and those that did not."""


@dataclass(frozen=True)
class Drawing:
    """What a page draws, and what its edges mean."""

    lines: tuple[Line, ...]
    ticks: tuple[tuple[float, float], ...]
    """Numbers at the left, and how far down each lies."""
    dates: tuple[str, ...]
    rolling: int


def draw(found: Mapping[str, Any]) -> Drawing:
    """Return what each policy saved against ``never``, as a rolling mean, and when it fitted.

    Without ``never``, against the first policy.
    """
    policies, zone = found["policies"], ZoneInfo(found["timezone"])
    spans = [keys.parse_span(one["span"]) for one in policies[0]["steps"]]
    base = next((one for one in policies if one["name"] == NEVER), policies[0])
    judged = [place for place, one in enumerate(base["steps"]) if one["loss"] is not None]
    rolling = max(1, min(ROLLING, len(judged) // 4))
    saved = [
        _rolled([base["steps"][at]["loss"] - one["steps"][at]["loss"] for at in judged], rolling) for one in policies
    ]
    numbers = _round_numbers(*(reach(0.0, *(reach(values) for values in saved)) for reach in (min, max)))
    bottom, top = numbers[0], numbers[-1]
    across = _across(spans)
    places = [across[at] for at in judged[rolling - 1 :]]
    kinds = list(dict.fromkeys(one["name"].partition("+")[0] for one in policies))
    lines = [
        _line(one, values, places, (top, bottom), across, kinds) for one, values in zip(policies, saved, strict=True)
    ]
    ticks = [spans[round(part * (len(spans) - 1) / 4)].start.astimezone(zone) for part in range(5)]
    dates = tuple(f"{one.day} {one:%b %Y}" for one in dict.fromkeys(ticks))
    heights = tuple((number, _height(number, top, bottom)) for number in numbers)
    return Drawing(tuple(lines), heights, dates, rolling)


def _line(
    one: Mapping[str, Any],
    values: list[float],
    places: list[float],
    edges: tuple[float, float],
    across: list[float],
    kinds: list[str],
) -> Line:
    kind, plus, _ = one["name"].partition("+")
    points = (f"{x:g} {_height(value, *edges):g}" for x, value in zip(places, values, strict=True))
    fits = [(x, step["is_promoted"]) for x, step in zip(across, one["steps"], strict=True) if step["is_fit"]]
    promoted, lost = (
        "".join(f"M{x:g} {LANE:g}V{0 if is_live else LANE / 2:g}" for x, went_live in fits if went_live is is_live)
        for is_live in (True, False)
    )
    return Line(one["name"], kinds.index(kind), bool(plus), "M" + "L".join(points), promoted, lost)


def _rolled(values: Sequence[float], count: int) -> list[float]:
    """Return the mean of each run of so many neighbours.

    >>> _rolled([1.0, 3.0, 5.0], 2)
    [2.0, 4.0]
    """
    return [sum(values[end - count : end]) / count for end in range(count, len(values) + 1)]


def _across(spans: Sequence[Interval]) -> list[float]:
    """Return where intervals lie from left to right, in the middle of each."""
    first, last = spans[0].start, spans[-1].end
    whole = (last - first).total_seconds()
    return [
        round(WIDTH * ((one.start - first) + (one.end - one.start) / 2).total_seconds() / whole, 1) for one in spans
    ]


def _round_numbers(low: float, high: float) -> list[float]:
    """Return a few round numbers in equal steps that reach from below one number to above another.

    >>> _round_numbers(-0.0088, 0.0347)
    [-0.01, 0.0, 0.01, 0.02, 0.03, 0.04]
    """
    wide = (high - low) or 1.0
    digits = 1 - math.floor(math.log10(wide))
    unit = 10.0 ** (1 - digits)
    step = next(one for one in STEPS if wide <= 5 * one * unit) * unit
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, digits + 1) for place in range(first, max(last, first + 1) + 1)]


def _height(value: float, top: float, bottom: float) -> float:
    return round(HEIGHT * (top - value) / (top - bottom), 1)
