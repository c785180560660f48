"""Scores versions on intervals: the champion on what it served, both contenders on the holdout."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pandas as pd

from include.retraining import (
    drift,
    evaluation,
    judging,
    keys,
    labelling,
    measuring,
    records,
    served,
    signing,
    snapshots,
    training,
    treated,
)
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
    fresh, unloadable = _newly_labelled(registry, spec, inputs, validation, known)
    lines = {**known, **{line["span"]: line for line in fresh}}  # of several evaluations of an interval the newest
    recent = [lines[span] for span in sorted(lines) if lines[span]["version"] == champion.version]
    recent, new = recent[-spec.decision.recent_intervals :], [line for line in fresh if not line["again"]]
    rows = labelling.finite(snapshots.read(registry.store, inputs.snapshot(inputs.interval)), spec)
    shares = treated.touched(rows, registry.manifest(champion.version))
    return {
        "champion": champion.version,
        "entry": champion.number,
        "metric": judging.of(spec.task).key,
        "intervals": fresh,
        "newest_loss": judging.loss(new[-1]) if new else None,
        "recent": measuring.summarise(recent),
        "recent_losses": [judging.loss(line) for line in recent],
        "reference_losses": _reference(registry.store, champion),
        "drift": _drift(registry, rows, champion, earlier),
        "treated": shares,
        "unloadable": unloadable,
        "sentence": _told(champion, fresh, unloadable, spec)
        + _waiting(inputs, champion)
        + treated.sentence(treated.warnings(shares)),
    }


def _newly_labelled(
    registry: Registry, spec: ModelSpec, inputs: Inputs, validation: dict[str, Any], known: dict[str, dict[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Judge each interval that no earlier run did, or did on other labels, by the version that was live as it began.

    Also returns which versions have no scores, since another release of a library wrote them, and why.
    """
    wanted = [one for part in ("training", "holdout") for one in usable(inputs, validation, part)]
    judged_on = {one: inputs.labels(one).sha256[:12] for one in wanted}
    wanted = [one for one in wanted if _is_unjudged(known.get(keys.span(one)), judged_on[one])]
    live = {one: registry.live_at(one.start, int(inputs.content["base"])) for one in wanted}
    serving = {one: entry for one, entry in live.items() if entry}
    lines, unloadable = served.judge(registry, spec, labelled_rows(registry.store, spec, inputs, serving), serving)
    digests = {keys.span(one): digest for one, digest in judged_on.items()}
    told = [{**line, "labels": digests[line["span"]], "again": line["span"] in known} for line in lines]
    return told, unloadable


def _is_unjudged(line: dict[str, Any] | None, labels: str) -> bool:
    """Return whether an interval has no line, or one on labels that were corrected or completed since."""
    return line is None or line.get("labels", labels) != labels  # lines of earlier releases do not say which


def _reference(store: Store, champion: Entry) -> list[float]:
    """Return the champion's losses on the holdout it was chosen on, from the record of the run that promoted it."""
    prefix = champion.content.get("run")
    verdict = records.read_sections(store, prefix).get("verdict", {}) if prefix else {}
    return list(verdict.get("challenger", {}).get("losses", {}).values())


def _drift(registry: Registry, rows: pd.DataFrame, champion: Entry, earlier: list[dict[str, Any]]) -> dict[str, Any]:
    baseline = signing.read_json(registry.file(champion.version, BASELINE), BASELINE)
    before = earlier[-1].get("evaluation", {}) if earlier else {}
    previous = before.get("drift", {}).get("shifted", []) if before.get("champion") == champion.version else []
    return drift.report(baseline, rows, previous)


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


def floor_losses(rows: dict[Interval, pd.DataFrame], spec: ModelSpec, floor: training.Floor) -> dict[str, float]:
    """Return the loss per interval of predicting the same for every row: what ``training.floor`` made of the window."""
    return {keys.span(one): judging.loss(training.score(floor, rows[one], spec)) for one in sorted(rows)}
