"""Trains candidates, chooses one and registers it as the challenger. A rerun finds its candidates trained already."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from include.retraining import (
    budgets,
    drift,
    estimators,
    holds,
    importance,
    keys,
    labelling,
    libraries,
    model_card,
    parsimony,
    registry,
    scoring,
    signing,
    training,
)
from include.retraining.errors import DataError, IntegrityError
from include.retraining.fetching import copied
from include.retraining.policies import BINARY
from include.retraining.records import Inputs
from include.retraining.registry import BASELINE, CARD, MANIFEST, Registry
from include.retraining.spec import Candidate, ModelSpec
from include.retraining.store import read
from include.retraining.windows import Interval

CANDIDATE = "candidate"
"""What a candidate's manifest is signed as."""


def train(desk: Registry, spec: ModelSpec, inputs: Inputs, validation: dict[str, Any], name: str) -> str:
    """Fit one candidate on the training window, judge it on temporal folds, and return its id.

    Raises
    ------
    DataError
        The training rows or what the candidate answers cannot be used, or its budget is exceeded; the message says why.
    SpecError
        The candidate's import path leads to nothing that can be used.
    """
    candidate = next(one for one in spec.candidates if one.name == name)
    intervals = scoring.usable(inputs, validation, "training")
    version = _version(spec, inputs, candidate, intervals)
    if _is_whole(desk, version):
        return version
    found = _rows(desk, spec, inputs, intervals)
    frames = list(found.values())
    rows = pd.concat(frames, ignore_index=True)
    fitted = budgets.within_budget(candidate, frames, spec)
    baseline = _baseline(spec, found, fitted.guesses)
    about = {"version": version, **_about(spec, candidate, intervals, rows), "drift": drift.about(baseline)}
    about |= {"fold_losses": fitted.fold_losses, "floor_losses": fitted.floor_losses}
    about |= _features(importance.narrow(spec, fitted.selected), rows)
    about |= {} if fitted.selected is None else {"importance": fitted.selected}
    _store(desk, about, {**fitted.files, BASELINE: signing.canonical(baseline)})
    return version


def select(
    desk: Registry,
    spec: ModelSpec,
    inputs: Inputs,
    validation: dict[str, Any],
    trained: Iterable[str],
    decision: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Choose among the candidates, register the chosen one and return the run record's section.

    ``version`` is None where no candidate beats the floor: then nothing is registered. The decision to train it, if
    given, is told by its manifest and its card.
    """
    manifests = [_candidate(desk, version) for version in trained]
    by_name = {str(one["candidate"]): one for one in manifests}
    order = [candidate.name for candidate in spec.candidates]
    losses = {name: one["fold_losses"] for name, one in by_name.items()}
    choice = parsimony.select(losses, order, manifests[0]["floor_losses"], spec.task)
    if choice["candidate"] is None:
        return {"version": None, **choice}
    chosen = by_name[choice["candidate"]]
    manifest = _register(desk, spec, inputs, validation, chosen, {"selection": choice, **_why(decision or {})})
    floor: dict[str, Any] = {name: manifest[name] for name in ("floor", "base_rate") if name in manifest}
    return {"version": manifest["version"], **floor, **choice}


def _register(
    desk: Registry,
    spec: ModelSpec,
    inputs: Inputs,
    validation: dict[str, Any],
    chosen: dict[str, Any],
    why: dict[str, Any],
) -> dict[str, Any]:
    version = chosen["version"]
    intervals = scoring.usable(inputs, validation, "training")
    about = {name: value for name, value in chosen.items() if name not in {"files", "signature", "version", "model"}}
    about |= {**why, "asked_by": inputs.content["actor"], "reason": inputs.form["reason"]}
    about |= {"run": inputs.prefix, "spec_sha256": validation["spec_sha256"], "as_of": inputs.content["as_of"]}
    about |= {"suite_sha256": validation["suite_sha256"], "digests": _named_digests(inputs, intervals)}
    card = model_card.render(spec, version, about).encode()
    with contextlib.ExitStack() as opened:  # as files, however large they are
        files = {name: opened.enter_context(_copied(desk, chosen, name)) for name in chosen["files"]}
        return desk.register(version, {**files, CARD: card}, about)


def _why(decision: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: decision[name] for name in ("sentences", "path", "would_change") if name in decision}
    return {"decision": told} if told else {}


def _version(spec: ModelSpec, inputs: Inputs, candidate: Candidate, intervals: list[Interval]) -> str:
    if not intervals:
        raise DataError("No validated, labelled interval is left to train on. See which were refused, and why.")
    digests = [digest for one in _named_digests(inputs, intervals).values() for digest in one]
    return training.version_id(spec, candidate, digests, intervals[-1].end, libraries.versions())


def _named_digests(inputs: Inputs, intervals: list[Interval]) -> dict[str, list[str]]:
    return {keys.span(one): [inputs.snapshot(one).sha256, inputs.labels(one).sha256] for one in intervals}


def _rows(desk: Registry, spec: ModelSpec, inputs: Inputs, intervals: list[Interval]) -> dict[Interval, pd.DataFrame]:
    rows = scoring.labelled_rows(desk.store, spec, inputs, intervals)
    if not rows:
        raise DataError(f"None of {len(intervals)} training intervals has {labelling.MINIMUM_ROWS} known labels.")
    return {one: rows[one] for one in sorted(rows)}


def _baseline(spec: ModelSpec, rows: dict[Interval, pd.DataFrame], guesses: list[training.Floats]) -> dict[str, Any]:
    """Return what drift is measured against, of the rows that the estimator was fitted on."""
    days = [drift.weekday(one.start, spec.timezone) for one in rows]
    return drift.sketch(list(rows.values()), spec, days, guesses)


def _store(desk: Registry, about: dict[str, Any], files: dict[str, bytes]) -> None:
    """Write a candidate, its manifest last."""
    named = {name: {"sha256": signing.sha256(data), "size_bytes": len(data)} for name, data in files.items()}
    content = {"format_version": registry.FORMAT_VERSION, "model": desk.model, "files": named, **about}
    manifest = signing.canonical(signing.sign(content, desk.keyring, CANDIDATE))
    with holds.hold(desk.store, desk.model, f"store candidate {about['version']}"):
        for name, data in {**files, MANIFEST: manifest}.items():
            desk.store.put(keys.candidate(desk.model, about["version"], name), data)


def _about(spec: ModelSpec, candidate: Candidate, intervals: list[Interval], rows: pd.DataFrame) -> dict[str, Any]:
    floor = training.floor(rows, spec)
    return {
        "candidate": candidate.name,
        "parameters": candidate.parameters,
        "seed": spec.seed,
        "training_fields": spec.training_fields,
        "training_window": {"start": _iso(intervals[0].start), "end": _iso(intervals[-1].end)},
        "intervals": [keys.span(one) for one in intervals],
        "rows": len(rows),
        "floor": floor,
        **({"base_rate": floor} if spec.task == BINARY else {}),  # its name in earlier releases
        "missing_shares": {name: float(rows[name].isna().mean()) for name in spec.features},
        "libraries": {**libraries.versions(), **estimators.identity(candidate.name)},
    }


def _features(spec: ModelSpec, rows: pd.DataFrame) -> dict[str, Any]:
    """Return what became of the features that a candidate was fitted on."""
    treated = training.treatment(rows, spec)
    features, constant = [*treated.kept, *spec.categorical], training.constant(rows, spec)
    return {"treatment": asdict(treated), "features": features, "constant": constant}


def _copied(desk: Registry, manifest: dict[str, Any], name: str) -> contextlib.AbstractContextManager[Path]:
    return copied(desk.store, keys.candidate(desk.model, manifest["version"], name), manifest["files"][name])


def _candidate(desk: Registry, version: str) -> dict[str, Any]:
    key = keys.candidate(desk.model, version, MANIFEST)
    content = read(desk.store, key, lambda data: signing.verify(data, desk.keyring, key, CANDIDATE))
    if content.get("version") != version or content.get("model") != desk.model:
        raise IntegrityError(f"{key} describes {content.get('version')}: it was copied there. Remove it.", "identity")
    return content


def _is_whole(desk: Registry, version: str) -> bool:
    """Return whether a candidate lies there with every file; what is damaged is trained again and written over."""
    try:
        manifest = _candidate(desk, version)
        if BASELINE not in manifest["files"]:  # of an earlier release, which made it when registering
            return False
        for name in manifest["files"]:
            with _copied(desk, manifest, name):
                pass
    except IntegrityError:
        return False
    return True


def _iso(moment: datetime) -> str:
    return moment.isoformat()
