"""Pure: what became of a history under several policies, side by side: numbers and sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from include.retraining import judging, keys, phrases
from include.retraining.decision import INSUFFICIENT
from include.retraining.replayed import History, Played
from include.retraining.replaying import Stage
from include.retraining.rivals import EVERY, NEVER, OURS

FORMAT_VERSION = 1
CHEAP = 0.1
"""So much of the cost of refitting every interval may a policy take that is praised."""


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
            "against never": _percent(one["against_never"]),
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
    told = f"{found['judged']['intervals']} intervals, {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    told += ", in random order, so that nothing drifts" if found.get("shuffle") is not None else ""
    return f"{told}. {' '.join(_findings(found))}"


def _findings(found: Mapping[str, Any]) -> Iterator[str]:
    known = [one for one in found["policies"] if one["gain"] is not None and one["cost"] is not None]
    known = [one for one in known if one["name"] not in (NEVER, EVERY)]
    if not known:
        best, judged = ranked(found)[0], judging.of(found["task"])
        yield f"{title(best['name']).capitalize()} has the lowest {judged.words}, {judged.level(best['loss'])}."
    for one in known:
        if one["name"] == OURS:
            brings = f"{_percent(one['gain'])} of what a refit every interval brings"
            yield f"Ours gets {brings}, for {_percent(one['cost'])} of its CPU time."
    if cheap := [one for one in known if one["cost"] <= CHEAP]:
        best = max(cheap, key=lambda one: (one["gain"], -one["cost"]))
        gets = f"gets most, {_percent(best['gain'])} for {_percent(best['cost'])}"
        yield f"Of those at up to a tenth of its cost, {title(best['name'])} {gets}."


def title(name: str) -> str:
    """Return a policy's name as people say it.

    >>> title("14+recalibration"), title("every"), title("mine:policy")
    ('every 14 + recalibration', 'every interval', 'mine:policy')
    """
    kind, *extras = name.split("+")
    kind = f"every {kind}" if kind.isdecimal() else "every interval" if kind == EVERY else kind
    return phrases.visible(" + ".join([kind, *extras]))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
