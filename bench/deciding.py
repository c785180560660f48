"""``make bench-decisions``: the product's rule against calendars and triggers, with and without drift.

QUICK=1: fewer days, one model. Every fit is kept, so that a second run takes minutes.
"""

import json
import os
import sys
import timeit
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import deciding_faults, decision_figure, triggers
from bench.counting import table
from bench.streams import Stream
from include.retraining import movement, replay_report, replaying, rivals
from include.retraining.decision import RunnerUp, State, decide
from include.retraining.policies import DecisionPolicy, PromotionPolicy
from include.retraining.refits import default_folder, private
from include.retraining.replay_scores import Scores

QUICK = bool(os.environ.get("QUICK"))
DAYS = 120 if QUICK else None
FIRST = 31
"""The first champion knows January."""
MODELS, DELAYS = (("lr",), (1,)) if QUICK else (("lr", "hgb"), (1, 7))
DRIFTING = [Stream(model, delay, days=DAYS) for model in MODELS for delay in DELAYS]
SEEDS = {"lr": (1,) if QUICK else (1, 2, 3, 4, 5, 6), "hgb": (1, 2, 3)}
STATIONARY = [Stream(model, 1, seed, DAYS) for model in MODELS for seed in SEEDS[model]]
FIRSTS = (16, 31) if QUICK else (16, 23, 31, 37, 44, 51)
"""Days that a first champion knows: each is another draw of luck, worth some points."""
MEASURE = "14+recalibration"
CALENDARS = [f"{every}{more}" for every in ("7", "14", "21", "30") for more in ("", "+recalibration")]
POLICIES = [rivals.NEVER, "never+recalibration", rivals.EVERY, *CALENDARS, rivals.OURS]
NULL_POLICIES = [rivals.NEVER, "never+recalibration", "14", "14+recalibration", "30+recalibration", rivals.OURS]
IMAGE = Path(__file__).resolve().parents[1] / "docs" / "images" / "decisions.svg"


def main() -> int:
    """Print a table for the streams that drift, and one for those that do not."""
    drifting = [replayed(one, POLICIES, with_triggers=True) for one in DRIFTING]
    table("Gain of refitting every interval (mean, least); cost of it; fits and promotions a year", gains(drifting))
    for stream, found in zip(DRIFTING, drifting, strict=True):
        lines = replay_report.table(found)
        table(stream.name, [list(lines[0]), *(list(one.values()) for one in lines)])
    table(f"Gain in % of {MEASURE}, by days of the first champion; fits; days trained on", starts(DRIFTING[0]))
    stationary = [replayed(one, NULL_POLICIES) for one in STATIONARY]
    table("Days in random order: fits, promotions and loss against never refitting", nulls(stationary))
    if not QUICK:
        table(
            "Faults from 1 July on (lr, delay 1): days until they are noticed, and what is done",
            deciding_faults.lines(),
        )
        IMAGE.write_text(decision_figure.figure(drifting[0]))
    table("One decision with a year behind it, beyond loading", speed())
    return 0


def replayed(stream: Stream, names: Sequence[str], with_triggers: bool = False) -> dict[str, Any]:
    """Return the report of a stream under policies; fits that were made before are read."""
    history = stream.history()
    fits = triggers.Known(history, stream.candidates, default_folder())
    scores = Scores(history, fits)
    begun = replaying.stage(history, scores, FIRST)
    asked = rivals.parse_all(names) + (triggers.rivals(history, scores, fits) if with_triggers else [])
    played = []
    for rival in asked:
        played.append(replaying.play(begun, scores, rival))
        told = f"{stream.name}: {rival.name} {replay_report.mean_loss(played[-1]):.4f}"
        print(f"{told}, {played[-1].fits} fits, {fits.made} made", file=sys.stderr, flush=True)
    found = replay_report.report(history, begun, played, {"stream": stream.name})
    kept = private(default_folder().parent / "bench") / f"{stream.name.replace(', ', '-').replace(' ', '')}.json"
    kept.write_text(json.dumps(found))
    return found


def starts(stream: Stream) -> list[list[str]]:
    """Return a line for each policy: its gain over never in percent of a calendar's, from several first champions."""
    history = stream.history()
    fits = triggers.Known(history, stream.candidates, default_folder())
    scores, names = Scores(history, fits), [MEASURE, "21+recalibration", rivals.OURS]
    losses, counts, days = ({name: list[float]() for name in [rivals.NEVER, *names]} for _ in range(3))
    for first in FIRSTS:
        begun = replaying.stage(history, scores, first)
        for name in losses:
            fits.asked_days = 0
            found = replaying.play(begun, scores, rivals.parse(name))
            losses[name].append(replay_report.mean_loss(found) or 0)
            counts[name].append(found.fits)
            days[name].append(fits.asked_days)
    never, usual = np.array(losses[rivals.NEVER]), np.array(losses[MEASURE])
    lines = [["policy", "mean", "each", "fits", "days trained on, mean share"]]
    for name in names:
        each = 100 * (never - np.array(losses[name])) / (never - usual)
        share = _mean([one / other for one, other in zip(days[name], days[MEASURE], strict=True)])
        told = ", ".join(f"{one:.0f}" for one in each)
        lines.append([name, f"{each.mean():.1f} %", told, f"{_mean(counts[name]):.1f}", f"{share:.2f}"])
    return lines


def speed() -> list[list[str]]:
    """Return how long one decision takes beyond loading, with a year of losses and errors behind it."""
    random = np.random.default_rng(0)
    losses, policy = random.normal(0.5, 0.05, 365).tolist(), DecisionPolicy()
    names = ["mean", *(f"with feature {number}" for number in range(30))]
    errors = [dict(zip(names, line, strict=True)) for line in random.normal(0.0, 0.1, (365, len(names))).tolist()]
    about = {"rows": 900, "minimum_rows": 100, "training_intervals": 133, "minimum_training_intervals": 14}
    about |= {"holdout_intervals": 7, "required_holdout": 7, "age_intervals": 9, "wait_intervals": 42}
    told = {"recent_losses": losses[-7:], "reference_losses": losses[:7]}
    up = RunnerUp("v1", losses[-56:], losses[:56])

    def one() -> None:
        state = State(**about, **told, champion="v2", runner_up=up, order=movement.order(errors, policy))
        decide(state, policy, PromotionPolicy())

    seconds = min(timeit.repeat(one, number=10, repeat=5)) / 10
    return [["one decision, a year behind it", "goal"], [f"{1000 * seconds:.1f} ms", "1,000 ms"]]


def gains(found: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return a line for each policy over all streams that drift, the best first."""
    lines = []
    for name in [one["name"] for one in found[0]["policies"]]:
        each = [next(one for one in stream["policies"] if one["name"] == name) for stream in found]
        gain, cost, fits, promoted = (
            [float(one[key] or 0) for one in each] for key in ("gain", "cost", "fits", "promotions")
        )
        told = [f"{100 * _mean(gain):.1f} %", f"{100 * min(gain):.1f} %", f"{100 * _mean(cost):.1f} %"]
        lines.append((_mean(gain), [name, *told, f"{_mean(fits):.1f}", f"{_mean(promoted):.1f}"]))
    head = ["policy", "mean gain", "least gain", "cost", "fits", "promotions"]
    return [head, *(line for _, line in sorted(lines, key=lambda one: -one[0]))]


def nulls(found: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return a line for each policy over all orders in which nothing drifts."""
    lines = [["policy", "fits, mean", "most", "promotions, mean", "most", "loss against never, mean", "worst"]]
    for name in [one["name"] for one in found[0]["policies"]]:
        each = [next(one for one in stream["policies"] if one["name"] == name) for stream in found]
        fits, promoted, loss = ([float(one[key]) for one in each] for key in ("fits", "promotions", "against_never"))
        told = [f"{_mean(fits):.1f}", f"{max(fits):.0f}", f"{_mean(promoted):.1f}", f"{max(promoted):.0f}"]
        lines.append([name, *told, f"{100 * _mean(loss):+.2f} %", f"{100 * max(loss):+.2f} %"])
    return lines


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    sys.exit(main())
