"""Scores versions on intervals: the champion on what it served, both contenders on the holdout."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from include.retraining import drift, evaluation, keys, labelling, libraries, records, signing, snapshots, training
from include.retraining.errors import IntegrityError
from include.retraining.promotion import Scored
from include.retraining.promotion_log import Entry
from include.retraining.records import Inputs
from include.retraining.registry import BASELINE, Registry
from include.retraining.snapshots import Frozen
from include.retraining.spec import ModelSpec
from include.retraining.store import Store
from include.retraining.windows import Interval


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
    lines = []
    for interval in sorted(rows):
        labels = rows[interval][spec.label].to_numpy(dtype="float64")
        found = evaluation.score(labels, training.predict(estimator, rows[interval], spec))
        lines.append({"span": keys.span(interval), **found})
    return lines


def score_contender(estimator: Any, rows: dict[Interval, pd.DataFrame], spec: ModelSpec) -> Scored:
    """Return a contender's loss per holdout interval, and per interval for each slice."""
    losses: dict[str, float] = {}
    slices: dict[str, dict[str, float]] = {}
    for interval in sorted(rows):
        frame, span = rows[interval], keys.span(interval)
        labels, guess = frame[spec.label].to_numpy(dtype="float64"), training.predict(estimator, frame, spec)
        losses[span] = evaluation.score(labels, guess)["log_loss"]
        for column in spec.slices:
            for value, loss in evaluation.score_slices(frame, column, labels, guess).items():
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
    fresh, unloadable = _newly_served(registry, spec, inputs, validation, set(known))
    served = [line for line in [*known.values(), *fresh] if line["version"] == champion.version]
    recent = sorted(served, key=lambda line: line["span"])[-spec.decision.recent_intervals :]
    return {
        "champion": champion.version,
        "entry": champion.number,
        "intervals": fresh,
        "newest_loss": fresh[-1]["log_loss"] if fresh else None,
        "recent": evaluation.summarise(recent),
        "recent_losses": [line["log_loss"] for line in recent],
        "reference_losses": _reference(registry.store, champion),
        "drift": _drift(registry, spec, inputs, champion, earlier),
        "unloadable": unloadable,
        "sentence": _sentence(champion.version, fresh, unloadable),
    }


def _newly_served(
    registry: Registry, spec: ModelSpec, inputs: Inputs, validation: dict[str, Any], known: set[str]
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
            estimator = registry.load_live(served)
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


def _drift(
    registry: Registry, spec: ModelSpec, inputs: Inputs, champion: Entry, earlier: list[dict[str, Any]]
) -> dict[str, Any]:
    baseline = signing.read_json(registry.file(champion.version, BASELINE), BASELINE)
    before = earlier[-1].get("evaluation", {}) if earlier else {}
    previous = before.get("drift", {}).get("shifted", []) if before.get("champion") == champion.version else []
    return drift.report(baseline, snapshots.read(registry.store, inputs.snapshot(inputs.interval)), previous)


def _sentence(version: str, fresh: list[dict[str, Any]], unloadable: dict[str, str]) -> str:
    if version in unloadable:
        return f"Champion {version} cannot be scored with the libraries installed here. {unloadable[version]}"
    if not fresh:
        return f"Champion {version}: no interval became labelled since the last evaluation."
    losses = [line["log_loss"] for line in fresh]
    return f"Scored {len(fresh)} newly labelled interval(s): mean log loss {sum(losses) / len(losses):.4f}."


def floor_losses(rows: dict[Interval, pd.DataFrame], spec: ModelSpec, base_rate: float) -> dict[str, float]:
    """Return the loss per interval of always predicting the training window's base rate."""
    losses = {}
    for interval in sorted(rows):
        labels = rows[interval][spec.label].to_numpy(dtype="float64")
        losses[keys.span(interval)] = evaluation.score(labels, np.full(len(labels), base_rate))["log_loss"]
    return losses
