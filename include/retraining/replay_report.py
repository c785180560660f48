"""Pure: what became of a history under several policies, side by side: numbers, sentences and what a page draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from include.retraining import judging, keys, phrases
from include.retraining.decision import INSUFFICIENT
from include.retraining.replayed import History, Played
from include.retraining.replaying import Stage
from include.retraining.rivals import EVERY, NEVER
from include.retraining.windows import Interval

FORMAT_VERSION = 1
ROLLING = 28
"""Intervals whose mean is drawn: four of each weekday."""
WIDTH, HEIGHT, LANE = 1000.0, 300.0, 12.0


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
    zero: float
    """How far down ``never`` lies."""
    top: float
    bottom: float
    dates: tuple[str, ...]
    rolling: int


def report(history: History, begun: Stage, played: Sequence[Played], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that is told of a replay, as plain values.

    Parameters
    ----------
    history : History
    begun : Stage
    played : sequence of Played
        ``never`` and ``every`` among them give gains and costs their scale.
    about : mapping
        How it was asked for; told as it is.
    """
    by_name = {one.name: one for one in played}
    judged = [one for one in begun.moments[1:] if one.interval in history.rows]
    if not judged:
        raise ValueError("Nothing was judged.")
    return {
        "format_version": FORMAT_VERSION,
        "model": history.spec.name,
        "task": history.spec.task,
        "timezone": history.spec.timezone,
        "loss": judging.of(history.spec.task).key,
        **about,
        "first_champion": {
            "candidate": begun.first.candidate,
            "trained": [keys.span(one) for one in begun.first.trained],
            "live_from": begun.moments[0].interval.end.isoformat(),
        },
        "judged": {
            "intervals": len(judged),
            "start": judged[0].interval.start.isoformat(),
            "end": judged[-1].interval.end.isoformat(),
        },
        "left_out": list(history.left_out),
        "policies": [_policy(one, by_name) for one in played],
    }


def _policy(played: Played, by_name: Mapping[str, Played]) -> dict[str, Any]:
    loss, never, every = mean_loss(played), by_name.get(NEVER), by_name.get(EVERY)
    least, most = (None if one is None else mean_loss(one) for one in (every, never))
    return {
        "name": played.name,
        "loss": loss,
        "against_never": None if not most else loss / most - 1,
        "gain": _share(most - loss, most - least) if most is not None and least is not None else None,
        "fits": played.fits,
        "promotions": played.promotions,
        "cpu_s": played.cpu_s,
        "cost": None if every is None else _share(played.cpu_s, every.cpu_s),
        "corrected": sum(one.is_corrected for one in played.steps),
        "insufficient": sum(one.answer == INSUFFICIENT for one in played.steps),
        "steps": [
            {
                **{name: value for name, value in vars(one).items() if name != "interval"},
                "span": keys.span(one.interval),
            }
            for one in played.steps
        ],
    }


def mean_loss(played: Played) -> float:
    """Return the mean over intervals: an interval counts once, however many rows it has."""
    losses = list(played.losses.values())
    return sum(losses) / len(losses)


def _share(part: float, whole: float) -> float | None:
    """Return a share; None where there is nothing to share."""
    return part / whole if whole > 0 else None


def table(found: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return one line a policy for people, the lowest loss first."""
    judged = judging.of(found["task"])
    return [
        {
            "policy": one["name"],
            judged.words: judged.told(one["loss"]),
            "gain": _percent(one["gain"]),
            "fits": str(one["fits"]),
            "promoted": str(one["promotions"]),
            "CPU": f"{one['cpu_s']:.1f} s",
            "cost": _percent(one["cost"]),
        }
        for one in ranked(found)
    ]


def ranked(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the policies, the lowest loss first; among equals the cheapest."""
    return sorted(found["policies"], key=lambda one: (one["loss"], one["cpu_s"]))


def sentence(found: Mapping[str, Any]) -> str:
    """Return what a replay found, in words."""
    zone = ZoneInfo(found["timezone"])
    spans = [keys.parse_span(one["span"]) for one in found["policies"][0]["steps"]]
    first, last = spans[0].start.astimezone(zone), spans[-1].start.astimezone(zone)
    best, words = ranked(found)[0], judging.of(found["task"])
    told = f"{found['judged']['intervals']} intervals, {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    told += ", in random order, so that nothing drifts" if found.get("shuffle") is not None else ""
    told += f": {phrases.visible(best['name'])} has the lowest {words.words}, {words.level(best['loss'])}."
    ours = next((one for one in found["policies"] if one["name"] == "ours"), None)
    if ours is not None and ours["gain"] is not None and ours["cost"] is not None:
        told += f" Ours gets {_percent(ours['gain'])} of what a refit every interval brings"
        told += f", for {_percent(ours['cost'])} of its CPU time."
    return told


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def drawing(found: Mapping[str, Any]) -> Drawing:
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
    top, bottom = (reach(0.0, *(reach(values) for values in saved)) for reach in (max, min))
    top = top if top > bottom else bottom + 1.0
    across = _across(spans)
    places = [across[at] for at in judged[rolling - 1 :]]
    kinds = list(dict.fromkeys(one["name"].partition("+")[0] for one in policies))
    lines = [
        _line(one, values, places, (top, bottom), across, kinds) for one, values in zip(policies, saved, strict=True)
    ]
    ticks = [spans[round(part * (len(spans) - 1) / 4)].start.astimezone(zone) for part in range(5)]
    dates = tuple(f"{one.day} {one:%b %Y}" for one in dict.fromkeys(ticks))
    return Drawing(tuple(lines), _height(0.0, top, bottom), top, bottom, dates, rolling)


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


def _height(value: float, top: float, bottom: float) -> float:
    return round(HEIGHT * (top - value) / (top - bottom), 1)
