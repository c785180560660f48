"""Scores versions on intervals: the champion on what it served, both contenders on the holdout."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import pandas as pd

from include.retraining import (
    drift,
    effects,
    evaluation,
    judging,
    keys,
    labelling,
    libraries,
    records,
    signing,
    snapshots,
    training,
    treated,
)
from include.retraining.errors import DataError, IntegrityError
from include.retraining.phrases import visible
from include.retraining.promotion import Scored
from include.retraining.promotion_log import Entry
from include.retraining.records import Inputs
from include.retraining.registry import BASELINE, Registry
from include.retraining.snapshots import Frozen
from include.retraining.spec import ModelSpec
from include.retraining.store import Store
from include.retraining.windows import Interval

NAMED = 5
"""So many classes are named in a sentence."""


def labelled_rows(
    store: Store, spec: ModelSpec, inputs: Inputs, intervals: Iterable[Interval]
) -> dict[Interval, pd.DataFrame]:
    """Return the rows with known labels of each interval; intervals with too few are left out."""
    return joined(store, spec, {one: (inputs.snapshot(one), inputs.labels(one)) for one in intervals})


def joined(
    store: Store, spec: ModelSpec, frozen: dict[Interval, tuple[Frozen, Frozen]]
) -> dict[Interval, pd.DataFrame]:
    """Return what ``labelled_rows`` does, of each interval's snapshot and labels."""
    features = snapshots.read_many(store, [rows for rows, _ in frozen.values()])
    labels = snapshots.read_many(store, [known for _, known in frozen.values()])
    found = (labelling.labelled(rows, known, spec) for rows, known in zip(features, labels, strict=True))
    return {one: rows for one, rows in zip(frozen, found, strict=True) if len(rows) >= labelling.MINIMUM_ROWS}


def remembered_since(spec: ModelSpec, inputs: Inputs) -> datetime:
    """Return from when on records of earlier intervals matter: the longest window or wait."""
    passed = spec.timetable.intervals(inputs.as_of)
    return passed[-spec.lookback_intervals :][0].start if passed else inputs.interval.start


def usable(inputs: Inputs, validation: dict[str, Any], part: str) -> list[Interval]:
    """Return the intervals of ``training`` or ``holdout`` that validation did not refuse, oldest first."""
    return [one for one in inputs.intervals(part) if keys.span(one) not in validation["refused"]]


def score_each(estimator: Any, rows: dict[Interval, pd.DataFrame], spec: ModelSpec) -> list[dict[str, Any]]:
    """Return one line of metrics per interval, with its span, oldest first."""
    return [{"span": keys.span(one), **training.score(estimator, rows[one], spec)} for one in sorted(rows)]


def score_contender(estimator: Any, rows: dict[Interval, pd.DataFrame], spec: ModelSpec) -> Scored:
    """Return a contender's loss per holdout interval, and per interval for each slice."""
    losses: dict[str, float] = {}
    slices: dict[str, dict[str, float]] = {}
    for interval in sorted(rows):
        frame, span = rows[interval], keys.span(interval)
        labels, (guess, classes) = labelling.labels_of(frame, spec), training.predictions(estimator, frame, spec)
        measured = evaluation.measure(spec.task, classes)
        losses[span] = judging.loss(measured(labels, guess))
        for column in spec.slices:
            for value, loss in evaluation.score_slices(frame, column, labels, guess, measured).items():
                slices.setdefault(f"{column}={value}", {})[span] = loss
    return Scored(losses, slices)


def evaluate(registry: Registry, spec: ModelSpec, inputs: Inputs, validation: dict[str, Any]) -> dict[str, Any]:
    """Return the evaluation of what was live, on labelled intervals that became complete since the last one.

    Unlabelled drift of the interval under test is measured against the stored baseline of the version live then.
    """
    base = int(inputs.content["base"])
    champion = registry.live_at(inputs.interval.start, base) if base else None
    if champion is None:
        return {"champion": None, "intervals": [], "drift": {}, "sentence": "No version was live."}
    earlier = records.history(registry.store, spec.name, inputs.interval, remembered_since(spec, inputs))
    known = {line["span"]: line for one in earlier for line in one.get("evaluation", {}).get("intervals", [])}
    load = _loader(registry)
    fresh, unloadable = _newly_served(registry, spec, inputs, validation, set(known), load)
    served = [line for line in [*known.values(), *fresh] if line["version"] == champion.version]
    recent = sorted(served, key=lambda line: line["span"])[-spec.decision.recent_intervals :]
    rows = snapshots.read(registry.store, inputs.snapshot(inputs.interval))
    shares = treated.touched(rows, registry.manifest(champion.version))
    baseline = signing.read_json(registry.file(champion.version, BASELINE), BASELINE)
    guess = _guess(lambda: load(champion), spec, rows, baseline)
    return {
        "champion": champion.version,
        "entry": champion.number,
        "metric": judging.of(spec.task).key,
        "intervals": fresh,
        "newest_loss": judging.loss(fresh[-1]) if fresh else None,
        "recent": evaluation.summarise(recent),
        "recent_losses": [judging.loss(line) for line in recent],
        "reference_losses": _reference(registry.store, champion),
        "drift": _drift(spec, inputs, rows, baseline, _shifted_before(earlier, champion), guess),
        "treated": shares,
        "unloadable": unloadable,
        "sentence": _sentence(champion.version, fresh, judging.of(spec.task), unloadable)
        + treated.sentence(treated.warnings(shares)),
    }


def _newly_served(
    registry: Registry,
    spec: ModelSpec,
    inputs: Inputs,
    validation: dict[str, Any],
    known: set[str],
    load: Callable[[Entry], Any],
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Score each interval with the version that was live when it began: what it really served.

    Also returns which versions have no scores, since another release of a library wrote them, and why.
    """
    new = [one for part in ("training", "holdout") for one in usable(inputs, validation, part)]
    new = [one for one in new if keys.span(one) not in known]
    live = {one: registry.live_at(one.start, int(inputs.content["base"])) for one in new}
    rows = labelled_rows(registry.store, spec, inputs, [one for one in new if live[one] is not None])
    lines, unloadable = list[dict[str, Any]](), dict[str, str]()
    serving = {entry.version: entry for one, entry in live.items() if entry and one in rows}
    for version, served in sorted(serving.items()):
        try:
            estimator = load(served)
        except IntegrityError as error:
            if error.check != libraries.CHECK:
                raise
            unloadable[version] = str(error)
            continue
        own = {one: rows[one] for one in rows if (entry := live[one]) and entry.version == version}
        lines += [{**line, "version": version} for line in score_each(estimator, own, spec)]
    return sorted(lines, key=lambda line: str(line["span"])), unloadable


def _reference(store: Store, champion: Entry) -> list[float]:
    """Return the champion's losses on the holdout it was chosen on, from the record of the run that promoted it."""
    prefix = champion.content.get("run")
    verdict = records.read_sections(store, prefix).get("verdict", {}) if prefix else {}
    return list(verdict.get("challenger", {}).get("losses", {}).values())


def _loader(registry: Registry) -> Callable[[Entry], Any]:
    """Return what loads the estimator of a champion, each version once, as it was promoted."""
    known: dict[tuple[str, str], Any] = {}

    def load(entry: Entry) -> Any:
        promoted = (entry.version, entry.manifest_sha256)
        if promoted not in known:
            known[promoted] = registry.load_live(entry)
        return known[promoted]

    return load


def _drift(
    spec: ModelSpec,
    inputs: Inputs,
    rows: pd.DataFrame,
    baseline: dict[str, Any],
    previous: list[str],
    guess: training.Floats | str,
) -> dict[str, Any]:
    day, told = drift.weekday(inputs.interval.start, spec.timezone), isinstance(guess, str)
    chance = min(1.0, spec.drift.alarms_per_year / spec.timetable.intervals_per_year)
    found = drift.report(baseline, rows, previous, day, None if isinstance(guess, str) else guess, chance)
    return {**found, "sentence": f"{found['sentence']} {guess}".rstrip()} if told else found


def _guess(
    load: Callable[[], Any], spec: ModelSpec, rows: pd.DataFrame, baseline: dict[str, Any]
) -> training.Floats | str:
    """Return what the champion predicts for the interval under test, or why not: drift informs, it stops no run."""
    if effects.PREDICTIONS not in baseline["features"] or len(rows) < drift.MINIMUM_ROWS:
        return ""
    try:
        return training.predict(load(), rows, spec)
    except (DataError, IntegrityError) as error:
        if isinstance(error, IntegrityError) and error.check != libraries.CHECK:
            raise
        return f"The champion's predictions are not compared: {error}"


def _shifted_before(earlier: list[dict[str, Any]], champion: Entry) -> list[str]:
    """Return what had shifted in the interval before, if it was held against the same champion."""
    before = earlier[-1].get("evaluation", {}) if earlier else {}
    return list(before.get("drift", {}).get("shifted", [])) if before.get("champion") == champion.version else []


def _sentence(version: str, fresh: list[dict[str, Any]], judged: judging.Loss, unloadable: dict[str, str]) -> str:
    if version in unloadable:
        return f"Champion {version} cannot be scored with the libraries installed here. {unloadable[version]}"
    if not fresh:
        return f"Champion {version}: no interval became labelled since the last evaluation."
    losses = [judging.loss(line) for line in fresh]
    told = f"mean {judged.words} {judged.level(sum(losses) / len(losses))}"
    return f"Scored {len(fresh)} newly labelled interval(s): {told}.{_unseen(fresh)}"


def _unseen(fresh: list[dict[str, Any]]) -> str:
    """Return which classes training never saw: their rows count as certain and wrong until a version knows them."""
    names = sorted({name for line in fresh for name in line.get("unseen", {})})
    count = sum(sum(line.get("unseen", {}).values()) for line in fresh)
    told = ", ".join(visible(name) for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
    return f" {count} rows are of a class that training never saw: {told}." if names else ""


def floor_losses(rows: dict[Interval, pd.DataFrame], spec: ModelSpec, floor: training.Floor) -> dict[str, float]:
    """Return the loss per interval of predicting the same for every row: what ``training.floor`` made of the window."""
    return {keys.span(one): judging.loss(training.score(floor, rows[one], spec)) for one in sorted(rows)}
