"""Trains candidates, chooses one and registers it as the challenger. A rerun finds its candidates trained already."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pandas as pd

from include.retraining import drift, keys, labelling, model_card, registry, scoring, signing, training
from include.retraining.errors import DataError, IntegrityError, ObjectMissing
from include.retraining.records import Inputs
from include.retraining.registry import ARTIFACT, BASELINE, CARD, MANIFEST, Registry
from include.retraining.spec import Candidate, ModelSpec
from include.retraining.windows import Interval


def train(desk: Registry, spec: ModelSpec, inputs: Inputs, validation: dict[str, Any], name: str) -> str:
    """Fit one candidate on the training window, judge it on temporal folds, and return its id.

    Raises
    ------
    DataError
        The training rows cannot be used; the message says why.
    """
    candidate = next(one for one in spec.candidates if one.name == name)
    intervals = scoring.usable(inputs, validation, "training")
    version = _version(spec, inputs, candidate, intervals)
    manifest_key = keys.candidate(spec.name, version, MANIFEST)
    if _is_there(desk, manifest_key):
        return version
    frames = _frames(desk, spec, inputs, intervals)
    rows = pd.concat(frames, ignore_index=True)
    losses = {"fold_losses": training.fold_losses(candidate, frames, spec)}
    losses["floor_losses"] = training.fold_losses(None, frames, spec)
    data = training.dump(training.fit(candidate, rows, spec))
    about = _about(spec, candidate, intervals, rows)
    file = {"files": {ARTIFACT: {"sha256": signing.sha256(data), "size_bytes": len(data)}}}
    manifest = signing.sign(
        {"format_version": registry.FORMAT_VERSION, "version": version, **about, **losses, **file}, desk.keyring
    )
    for key, content in (
        (keys.candidate(spec.name, version, ARTIFACT), data),
        (manifest_key, signing.canonical(manifest)),
    ):
        desk.store.put(key, content)
    return version


def select(
    desk: Registry, spec: ModelSpec, inputs: Inputs, validation: dict[str, Any], trained: Iterable[str]
) -> dict[str, Any]:
    """Choose among the candidates, register the chosen one and return the run record's section.

    ``version`` is None where no candidate beats the floor: then nothing is registered.
    """
    manifests = [_candidate(desk, version) for version in trained]
    by_name = {str(one["candidate"]): one for one in manifests}
    order = [candidate.name for candidate in spec.candidates]
    losses = {name: one["fold_losses"] for name, one in by_name.items()}
    choice = training.select(losses, order, manifests[0]["floor_losses"])
    if choice["candidate"] is None:
        return {"version": None, **choice}
    chosen = by_name[choice["candidate"]]
    manifest = _register(desk, spec, inputs, validation, chosen, choice)
    return {"version": manifest["version"], "base_rate": manifest["base_rate"], **choice}


def _register(
    desk: Registry,
    spec: ModelSpec,
    inputs: Inputs,
    validation: dict[str, Any],
    chosen: dict[str, Any],
    choice: dict[str, Any],
) -> dict[str, Any]:
    version, key = chosen["version"], keys.candidate(spec.name, chosen["version"], ARTIFACT)
    data = desk.store.get(key)
    signing.check_bytes((signing.sha256(data), len(data)), chosen["files"][ARTIFACT], key)
    intervals = scoring.usable(inputs, validation, "training")
    baseline = signing.canonical(drift.sketch(_frames(desk, spec, inputs, intervals), spec))
    about = {name: value for name, value in chosen.items() if name not in {"files", "signature", "version"}}
    about |= {"selection": choice, "asked_by": inputs.content["actor"], "reason": inputs.form["reason"]}
    about |= {"run": inputs.prefix, "spec_sha256": validation["spec_sha256"], "as_of": inputs.content["as_of"]}
    about |= {"suite_sha256": validation["suite_sha256"], "digests": _named_digests(inputs, intervals)}
    card = model_card.render(spec, version, about).encode()
    return desk.register(version, {ARTIFACT: data, BASELINE: baseline, CARD: card}, about)


def _version(spec: ModelSpec, inputs: Inputs, candidate: Candidate, intervals: list[Interval]) -> str:
    if not intervals:
        raise DataError("No validated, labelled interval is left to train on. See which were refused, and why.")
    digests = [digest for one in _named_digests(inputs, intervals).values() for digest in one]
    return training.version_id(spec, candidate, digests, intervals[-1].end, registry.library_versions())


def _named_digests(inputs: Inputs, intervals: list[Interval]) -> dict[str, list[str]]:
    return {keys.span(one): [inputs.snapshot(one).sha256, inputs.labels(one).sha256] for one in intervals}


def _frames(desk: Registry, spec: ModelSpec, inputs: Inputs, intervals: list[Interval]) -> list[pd.DataFrame]:
    rows = scoring.labelled_rows(desk.store, spec, inputs, intervals)
    if not rows:
        raise DataError(f"None of {len(intervals)} training intervals has {labelling.MINIMUM_ROWS} known labels.")
    return [rows[one] for one in sorted(rows)]


def _about(spec: ModelSpec, candidate: Candidate, intervals: list[Interval], rows: pd.DataFrame) -> dict[str, Any]:
    treated = training.treatment(rows, spec)
    return {
        "candidate": candidate.name,
        "parameters": candidate.parameters,
        "seed": spec.seed,
        "training_window": {"start": _iso(intervals[0].start), "end": _iso(intervals[-1].end)},
        "intervals": [keys.span(one) for one in intervals],
        "rows": len(rows),
        "base_rate": float(rows[spec.label].mean()),
        "treatment": asdict(treated),
        "features": [*treated.kept, *spec.categorical],
        "missing_shares": {name: float(rows[name].isna().mean()) for name in spec.features},
        "libraries": registry.library_versions(),
    }


def _candidate(desk: Registry, version: str) -> dict[str, Any]:
    key = keys.candidate(desk.model, version, MANIFEST)
    content = signing.verify(desk.store.get(key), desk.keyring, key)
    if content.get("version") != version:
        raise IntegrityError(f"{key} describes {content.get('version')}: it was copied there. Remove it.")
    return content


def _is_there(desk: Registry, key: str) -> bool:
    try:
        signing.verify(desk.store.get(key), desk.keyring, key)
    except ObjectMissing:
        return False
    return True


def _iso(moment: datetime) -> str:
    return moment.isoformat()
