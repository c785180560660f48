"""Corrects the champion by its newest labels: fits a correction for the next interval, in force only if proven."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from include.retraining import (
    correcting,
    corrections,
    holds,
    judging,
    keys,
    labelling,
    predicting,
    scoring,
    signing,
    snapshots,
)
from include.retraining.correcting import Judged
from include.retraining.corrections import Correction
from include.retraining.promotion_log import Entry
from include.retraining.records import Inputs
from include.retraining.registry import Registry
from include.retraining.served import Versions
from include.retraining.spec import ModelSpec
from include.retraining.windows import Interval


def propose(
    versions: Versions,
    spec: ModelSpec,
    inputs: Inputs,
    validation: dict[str, Any],
    champion: Entry,
    gains: Sequence[float],
) -> dict[str, Any]:
    """Return the correction of the champion for the next interval, and whether it is in force; write it if so.

    Parameters
    ----------
    versions : Versions
    spec, inputs, validation
        Of the run.
    champion : Entry
        By which the version is live.
    gains : sequence of float
        What corrections brought on intervals they were not fitted on, oldest first: the proof.
    """
    intervals = _unseen(versions.registry, spec, inputs, validation, champion)
    estimator = versions.load(champion) if intervals else None
    if estimator is None:
        return {}
    rows, judged = scoring.labelled_rows(versions.registry.store, spec, inputs, intervals), list[Judged]()
    classes: tuple[str, ...] = ()
    for one in sorted(rows):
        said, classes = predicting.predict(estimator, rows[one], spec, champion.version)
        judged.append(Judged(labelling.labels_of(rows[one], spec), said))
    numbers = correcting.fit(judged, spec.task, classes, spec.recalibration)
    proof = correcting.proof(gains, spec.recalibration)
    proof["in_force"] = proof["in_force"] and bool(numbers)
    span = keys.span(spec.timetable.following(inputs.as_of))
    if proof["in_force"]:
        digests = [inputs.labels(one).sha256 for one in sorted(rows)]
        _write(versions.registry, spec, inputs, span, champion, numbers, proof, digests)
    found = {"version": champion.version, "span": span, "fitted_on": len(judged), "numbers": numbers, "proof": proof}
    return {**found, "sentence": sentence(found, judging.of(spec.task))}


def proposed(earlier: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the corrections that earlier runs fitted, by version and span, in force or not."""
    found = (one.get(part, {}).get("recalibration") or {} for one in earlier for part in ("evaluation", "promotion"))
    return {(one["version"], one["span"]): one["numbers"] for one in found if one.get("numbers")}


def gains(lines: Mapping[str, dict[str, Any]]) -> list[float]:
    """Return what corrections brought, by interval, oldest first, of the lines that tell it."""
    told = [lines[span] for span in sorted(lines) if "corrected_loss" in lines[span]]
    return [one["raw_loss"] - one["corrected_loss"] for one in told]


def in_force(
    registry: Registry, model: str, intervals: Iterable[Interval], version: str
) -> dict[Interval, dict[str, Any]]:
    """Return the numbers of the correction of a version that was in force, by interval, for those that had one."""
    asked = list(intervals)
    with ThreadPoolExecutor(snapshots.READERS) as readers:
        each = readers.map(
            lambda one: corrections.in_force(registry.store, registry.keyring, model, one, version), asked
        )
        return {one: found.numbers for one, found in zip(asked, each, strict=True) if found}


def sentence(found: dict[str, Any], judged: judging.Loss) -> str:
    """Return what is told of a correction."""
    proof = found["proof"]
    if not found["numbers"]:
        return f"No correction yet: {found['fitted_on']} labelled intervals are too few to fit one."
    if proof["intervals"] < proof["needed"]:
        return f"A correction is on trial: {proof['intervals']} of {proof['needed']} intervals have shown what it does."
    gain, error = judged.told(abs(proof["mean_gain"])), judged.told(proof["standard_error"])
    moved = "lowered" if proof["mean_gain"] > 0 else "raised"
    told = f"over {proof['intervals']} intervals corrections {moved} the {judged.words} by {gain}"
    is_or_not = "The next interval is corrected" if proof["in_force"] else "The next interval is not corrected"
    return f"{is_or_not}: {told}, with a standard error of {error}."


def _unseen(
    registry: Registry, spec: ModelSpec, inputs: Inputs, validation: dict[str, Any], champion: Entry
) -> list[Interval]:
    """Return the newest labelled intervals that the champion was not trained on, oldest first."""
    window = registry.live_manifest(champion).get("training_window")
    if window is None or not spec.recalibration.intervals:
        return []
    until = datetime.fromisoformat(window["end"])
    labelled = [one for part in ("training", "holdout") for one in scoring.usable(inputs, validation, part)]
    return [one for one in labelled if one.start >= until][-spec.recalibration.intervals :]


def _write(  # noqa: PLR0913 - what a correction is made of
    registry: Registry,
    spec: ModelSpec,
    inputs: Inputs,
    span: str,
    champion: Entry,
    numbers: dict[str, Any],
    proof: dict[str, Any],
    digests: list[str],
) -> None:
    labels = signing.sha256(signing.canonical({"labels": digests}))
    found = Correction(champion.version, keys.stamp(inputs.as_of), labels, numbers, proof)
    with holds.hold(registry.store, spec.name, f"correct {span}"):
        corrections.write(registry.store, registry.keyring, spec.name, keys.parse_span(span), found)
