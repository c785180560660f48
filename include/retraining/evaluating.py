"""The evaluation of a run: the champion on what it served and is labelled by now, and drift of what is not yet."""

from dataclasses import asdict
from typing import Any

import pandas as pd

from include.retraining import (
    drift,
    effects,
    judging,
    keys,
    labelling,
    measuring,
    movement,
    recalibrating,
    records,
    runners,
    scoring,
    served,
    signing,
    snapshots,
    training,
    treated,
)
from include.retraining.errors import DataError
from include.retraining.phrases import visible
from include.retraining.promotion_log import Entry
from include.retraining.records import Inputs
from include.retraining.registry import BASELINE, Registry
from include.retraining.served import Proposed, Versions
from include.retraining.spec import ModelSpec

NAMED = 5
"""So many classes are named in a sentence."""
Lines = list[dict[str, Any]]


def evaluate(registry: Registry, spec: ModelSpec, inputs: Inputs, validation: dict[str, Any]) -> dict[str, Any]:
    """Return the evaluation of what was live, on labelled intervals that became complete since the last one.

    Unlabelled drift of the interval under test is measured against the stored baseline of the version live then.
    """
    base = int(inputs.content["base"])
    champion = registry.live_at(inputs.interval.start, base) if base else None
    if champion is None:
        return {"champion": None, "intervals": [], "drift": {}, "sentence": "No version was live."}
    earlier = records.history(registry.store, spec.name, inputs.interval, scoring.remembered_since(spec, inputs))
    known = {line["span"]: line for one in earlier for line in one.get("evaluation", {}).get("intervals", [])}
    versions = Versions(registry)
    fresh = _newly_labelled(versions, spec, inputs, validation, known, recalibrating.proposed(earlier))
    lines = {**known, **{line["span"]: line for line in fresh}}  # of several evaluations of an interval the newest
    mine, gains = _of_the_champion(lines, champion), recalibrating.gains(lines)
    rows = labelling.finite(snapshots.read(registry.store, inputs.snapshot(inputs.interval)), spec)
    shares = treated.touched(rows, registry.manifest(champion.version))
    correction, runner_up = _next(versions, spec, inputs, validation, champion, earlier, gains)
    return {
        "champion": champion.version,
        "entry": champion.number,
        "metric": judging.of(spec.task).key,
        "intervals": fresh,
        **_losses(fresh, mine, spec.decision.recent_intervals),
        "gains": gains[-spec.recalibration.proof_intervals :],
        "order": asdict(movement.order(_errors(lines), spec.decision)),
        "runner_up": runner_up,
        "drift": _drift(versions, spec, inputs, rows, champion, _shifted_before(earlier, champion)),
        "recalibration": correction,
        "treated": shares,
        "unloadable": versions.unloadable,
        "sentence": _told(champion, fresh, versions.unloadable, spec)
        + _waiting(inputs, champion)
        + (f" {correction['sentence']}" if correction else "")
        + (f" {runner_up['sentence']}" if runner_up else "")
        + treated.sentence(treated.warnings(shares)),
    }


def _losses(fresh: Lines, mine: Lines, many: int) -> dict[str, Any]:
    """Return the newest loss, and what the champion lost on its first and on its newest intervals."""
    recent, new = mine[-many:], [line for line in fresh if not line["again"]]
    return {
        "newest_loss": judging.loss(new[-1]) if new else None,
        "recent": measuring.summarise(recent),
        "recent_losses": [judging.loss(line) for line in recent],
        "reference_losses": [judging.loss(line) for line in mine[:many]],
        "served_intervals": len(mine),
    }


def _next(  # noqa: PLR0913 - all that the two need
    versions: Versions,
    spec: ModelSpec,
    inputs: Inputs,
    validation: dict[str, Any],
    champion: Entry,
    earlier: Lines,
    gains: list[float],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return how the champion is corrected next, and how the runner-up would have done."""
    correction = recalibrating.propose(versions, spec, inputs, validation, champion, gains)
    in_force = bool(correction and correction["proof"]["in_force"])
    return correction, runners.look(versions.registry, spec, inputs, validation, champion, earlier, in_force)


def _errors(lines: dict[str, dict[str, Any]]) -> list[movement.Errors]:
    """Return how what served erred, by interval, oldest first, of the lines that tell it."""
    return [lines[span]["raw_errors"] for span in sorted(lines) if "raw_errors" in lines[span]]


def _newly_labelled(
    versions: Versions,
    spec: ModelSpec,
    inputs: Inputs,
    validation: dict[str, Any],
    known: dict[str, dict[str, Any]],
    proposed: Proposed,
) -> Lines:
    """Judge each interval that no earlier run did, or did on other labels, by the version that was live as it began."""
    registry = versions.registry
    wanted = [one for part in ("training", "holdout") for one in scoring.usable(inputs, validation, part)]
    judged_on = {one: inputs.labels(one).sha256[:12] for one in wanted}
    wanted = [one for one in wanted if _is_unjudged(known.get(keys.span(one)), judged_on[one])]
    live = {one: registry.live_at(one.start, int(inputs.content["base"])) for one in wanted}
    serving = {one: entry for one, entry in live.items() if entry}
    rows = scoring.labelled_rows(registry.store, spec, inputs, serving)
    lines = served.judge(versions, spec, rows, serving, proposed)
    digests = {keys.span(one): digest for one, digest in judged_on.items()}
    return [{**line, "labels": digests[line["span"]], "again": line["span"] in known} for line in lines]


def _is_unjudged(line: dict[str, Any] | None, labels: str) -> bool:
    """Return whether an interval has no line, or one on labels that were corrected or completed since."""
    return line is None or line.get("labels", labels) != labels  # lines of earlier releases do not say which


def _of_the_champion(lines: dict[str, dict[str, Any]], champion: Entry) -> Lines:
    """Return the lines of what the champion served since it took effect, oldest first."""
    served = [line for span, line in sorted(lines.items()) if line["version"] == champion.version]
    return [line for line in served if _served_by(champion, line["span"])]


def _drift(
    versions: Versions, spec: ModelSpec, inputs: Inputs, rows: pd.DataFrame, champion: Entry, previous: list[str]
) -> dict[str, Any]:
    baseline = signing.read_json(versions.registry.file(champion.version, BASELINE), BASELINE)
    guess = _guess(versions, spec, rows, champion, baseline)
    day, told = drift.weekday(inputs.interval.start, spec.timezone), isinstance(guess, str)
    chance = min(1.0, spec.drift.alarms_per_year / spec.timetable.intervals_per_year)
    found = drift.report(baseline, rows, previous, day, None if isinstance(guess, str) else guess, chance)
    return {**found, "sentence": f"{found['sentence']} {guess}".rstrip()} if told else found


def _guess(
    versions: Versions, spec: ModelSpec, rows: pd.DataFrame, champion: Entry, baseline: dict[str, Any]
) -> training.Floats | str:
    """Return what the champion predicts for the interval under test, or why not: drift informs, it stops no run."""
    if effects.PREDICTIONS not in baseline["features"] or len(rows) < drift.MINIMUM_ROWS:
        return ""
    estimator = versions.load(champion)
    if estimator is None:
        return f"The champion's predictions are not compared: {versions.unloadable[champion.version]}"
    try:
        return training.predict(estimator, rows, spec)
    except DataError as error:
        return f"The champion's predictions are not compared: {error}"


def _shifted_before(earlier: list[dict[str, Any]], champion: Entry) -> list[str]:
    """Return what had shifted in the interval before, if it was held against the same champion."""
    before = earlier[-1].get("evaluation", {}) if earlier else {}
    return list(before.get("drift", {}).get("shifted", [])) if before.get("champion") == champion.version else []


def _told(champion: Entry, fresh: list[dict[str, Any]], unloadable: dict[str, str], spec: ModelSpec) -> str:
    sentence = _sentence(champion.version, fresh, judging.of(spec.task))
    if champion.version not in unloadable:
        return sentence
    why = unloadable[champion.version]
    unscored = f"Champion {champion.version} cannot be scored with the libraries installed here. {why}"
    return f"{unscored} {sentence}" if fresh else unscored


def _sentence(version: str, fresh: list[dict[str, Any]], judged: judging.Loss) -> str:
    new, again = ([line for line in fresh if line["again"] is is_again] for is_again in (False, True))
    told = f"Champion {version}: no interval became labelled since the last evaluation."
    if new:
        losses = [judging.loss(line) for line in new]
        told = f"mean {judged.words} {judged.level(sum(losses) / len(losses))}"
        told = f"Scored {len(new)} newly labelled interval(s): {told}."
    if again:
        told += f" {len(again)} evaluated again, since labels were corrected or came late."
    return f"{told}{_sources(fresh)}{_unseen(fresh)}"


def _sources(fresh: list[dict[str, Any]]) -> str:
    """Return how many intervals were judged by what was really predicted, and of how many rows that was not kept."""
    kept = sum(line["source"] == served.SERVED for line in fresh)
    partly = [line["missing"] for line in fresh if "missing" in line]
    told = f" {kept} of {len(fresh)} judged by what was predicted then." if kept else ""
    if partly:
        told += f" {len(partly)} scored again, for {sum(partly)} labelled rows had no prediction."
    return told


def _waiting(inputs: Inputs, champion: Entry) -> str:
    """Return which intervals that the champion served should be labelled by now, and have too few labels."""
    late = [span for span in inputs.content.get("incomplete", []) if _served_by(champion, span)]
    return f" {len(late)} interval(s) have too few labels to be judged yet, the oldest {min(late)}." if late else ""


def _served_by(champion: Entry, span: str) -> bool:
    return keys.parse_span(span).start >= champion.effective_from


def _unseen(fresh: list[dict[str, Any]]) -> str:
    """Return which classes training never saw: their rows count as certain and wrong until a version knows them."""
    names = sorted({name for line in fresh for name in line.get("unseen", {})})
    count = sum(sum(line.get("unseen", {}).values()) for line in fresh)
    told = ", ".join(visible(name) for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
    return f" {count} rows are of a class that training never saw: {told}." if names else ""
