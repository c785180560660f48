"""Trains a version again from what is stored, and holds the outcome against what was registered. Changes nothing."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from include.retraining import importance, keys, libraries, scoring, signing, smoke, snapshots, training
from include.retraining.errors import DataError, IntegrityError, ObjectMissing
from include.retraining.registry import ARTIFACT, MANIFEST, SMOKE, Registry
from include.retraining.snapshots import Frozen
from include.retraining.spec import Candidate, ModelSpec, TrainingPolicy
from include.retraining.windows import Interval

NEEDED = ("candidate", "parameters", "digests", "training_window", "files", "libraries")
LACKING = {"presence", "format"}
"""The checks that refuse what is not damaged: its rows are gone, or its manifest tells too little."""


@dataclass(frozen=True)
class Reproduction:
    """A version and the same training once more: (stored, trained again) of each."""

    version: tuple[str, str]
    artifact_sha256: tuple[str, str]
    intervals: int
    training_rows: int
    training_difference: float
    """Largest difference between two predictions for the same training row: of chances, or in the label's unit."""
    smoke_rows: int
    smoke_difference: float
    remarks: tuple[str, ...]
    """What has changed since: spec, libraries, training code."""

    @property
    def is_equal(self) -> bool:
        """Whether every prediction is the same, to the last bit."""
        return self.training_difference == self.smoke_difference == 0

    @property
    def rows(self) -> list[dict[str, str]]:
        """One line per comparison."""
        named = {"artifact": tuple(digest[:12] for digest in self.artifact_sha256), "version id": self.version}
        parts = {
            f"predictions of {self.training_rows} training rows": self.training_difference,
            f"predictions of {self.smoke_rows} rows stored with it": self.smoke_difference,
        }
        ids = [_line(name, old, new, old == new) for name, (old, new) in named.items()]
        return [*ids, *(_line(name, "", f"differ by {gap:.3g}", gap == 0) for name, gap in parts.items())]

    @property
    def sentence(self) -> str:
        """How it came out."""
        same_bytes = self.artifact_sha256[0] == self.artifact_sha256[1]
        of_bytes = "byte for byte the same artifact" if same_bytes else "an artifact of other bytes"
        gap = max(self.training_difference, self.smoke_difference)
        of_predictions = "predicts exactly the same" if self.is_equal else f"predicts otherwise, by up to {gap:.3g}"
        first = f"{self.version[0]} was trained again from {self.intervals} stored intervals: {of_bytes}, which"
        return " ".join([f"{first} {of_predictions}.", *self.remarks])


@dataclass(frozen=True)
class Again:
    """The same training once more, with the libraries of today."""

    estimator: Any
    spec: ModelSpec
    """With the fields that entered training then."""
    candidate: Candidate
    rows: pd.DataFrame
    intervals: int


def train_again(desk: Registry, spec: ModelSpec, manifest: dict[str, Any]) -> Again:
    """Train once more what a verified manifest names; errors are those of ``reproduce``."""
    _check(manifest, keys.version(desk.model, manifest["version"], MANIFEST))
    then = _spec_of(spec, manifest)
    rows, intervals = _training_rows(desk, then, manifest)
    candidate = Candidate(str(manifest["candidate"]), manifest["parameters"])
    narrowed = importance.narrow(then, manifest.get("importance"))
    return Again(training.fit(candidate, rows, narrowed), then, candidate, rows, intervals)


def reproduce(desk: Registry, spec: ModelSpec, version: str) -> Reproduction:
    """Train a version again from the snapshots, labels, parameters and fields that its manifest names.

    Parameters
    ----------
    desk : Registry
    spec : ModelSpec
        The model's spec of today; what entered training is taken from the manifest.
    version : str

    Raises
    ------
    IntegrityError
        The version or what it was trained on is not what was stored, is gone, or needs other libraries.
    DataError
        The stored rows cannot be joined by the spec's keys.
    """
    manifest, stored = desk.manifest(version), desk.load(version)
    once_more = train_again(desk, spec, manifest)
    then, rows, again = once_more.spec, once_more.rows, once_more.estimator
    recorded = signing.read_json(desk.file(version, SMOKE), SMOKE)
    gaps = [
        _gap(training.predict(stored, rows, then), training.predict(again, rows, then)),
        _gap(smoke.predictions(stored, recorded), smoke.predictions(again, recorded)),
    ]
    identity = _identity(then, once_more.candidate, manifest)
    digests = (manifest["files"][ARTIFACT]["sha256"], signing.sha256(training.dump(again)))
    sizes = (len(rows), gaps[0], len(recorded["rows"]), gaps[1])
    return Reproduction((version, identity), digests, once_more.intervals, *sizes, _remarks(spec, manifest, identity))


def _line(what: str, stored: str, again: str, is_equal: bool) -> dict[str, str]:
    return {"what": what, "stored": stored, "again": again, "equal": "yes" if is_equal else "no"}


def _check(manifest: dict[str, Any], key: str) -> None:
    if absent := [name for name in NEEDED if name not in manifest]:
        raise IntegrityError(f"{key} does not name {', '.join(absent)}, so nothing can be trained by it.", "format")


def _spec_of(spec: ModelSpec, manifest: dict[str, Any]) -> ModelSpec:
    """Return the spec with the fields that entered training; what only judges or hides columns is left out."""
    fields = {name: held for name, held in _fields(manifest).items() if name in spec.training_fields}
    plain: dict[str, Any] = {name: tuple(held) if isinstance(held, list) else held for name, held in fields.items()}
    if isinstance(plain.get("training"), dict):
        plain["training"] = TrainingPolicy(**plain["training"])
    plain["candidates"] = None  # all of that task: those of today may belong to another one
    return replace(spec, slices=(), observed=(), privacy={}, **plain)


def _fields(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the training fields of a manifest; the first ones told the seed alone."""
    return dict(manifest.get("training_fields") or {"seed": manifest.get("seed", 0)})


def _training_rows(desk: Registry, spec: ModelSpec, manifest: dict[str, Any]) -> tuple[pd.DataFrame, int]:
    """Return the rows as training saw them, and how many intervals they are from."""
    named = {keys.parse_span(span): digests for span, digests in sorted(manifest["digests"].items())}
    found = {one: _frozen(desk, one, *digests) for one, digests in named.items()}
    if gone := [keys.span(one) for one, pair in found.items() if None in pair]:
        raise ObjectMissing(
            f"{len(gone)} of the {len(found)} intervals that it was trained on are not stored any more "
            f"(the first is {gone[0]}): snapshots are kept for the last {spec.retention.live_versions} live versions "
            "only (`retention.live_versions` of the spec). Restore them from a backup to train it again.",
            "presence",
        )
    whole = {one: (rows, labels) for one, (rows, labels) in found.items() if rows and labels}
    try:
        frames = scoring.joined(desk.store, spec, whole)
    except KeyError as error:
        raise DataError(
            f"The stored rows of {spec.name} have no column {error}: its key columns, {list(spec.key_columns)}, have "
            "changed since. Put those of then into the spec to train it again."
        ) from None
    return pd.concat([frames[one] for one in sorted(frames)], ignore_index=True), len(found)


def _frozen(desk: Registry, interval: Interval, rows: str, labels: str) -> tuple[Frozen | None, Frozen | None]:
    prefixes = keys.snapshots(desk.model, interval), keys.labels(desk.model, interval)
    of_rows, of_labels = (
        snapshots.find(desk.store, desk.keyring, prefix, digest)
        for prefix, digest in zip(prefixes, (rows, labels), strict=True)
    )
    return of_rows, of_labels


def _identity(spec: ModelSpec, candidate: Candidate, manifest: dict[str, Any]) -> str:
    """Return the version id that the same training gets from the sources and libraries of today."""
    digests = [digest for _, pair in sorted(manifest["digests"].items()) for digest in pair]
    end = datetime.fromisoformat(manifest["training_window"]["end"])
    return training.version_id(spec, candidate, digests, end, libraries.versions())


def _remarks(spec: ModelSpec, manifest: dict[str, Any], identity: str) -> tuple[str, ...]:
    told, then, here = [], _fields(manifest), libraries.versions()
    now = {name: list(held) if isinstance(held, tuple) else held for name, held in spec.training_fields.items()}
    if "training_fields" not in manifest:
        told.append("Its manifest does not name the fields that entered training: those of today's spec did.")
    if changed := [name for name, held in then.items() if now.get(name) != held]:
        told.append(f"The spec has changed since in {', '.join(changed)}; the fields of then were used.")
    if moved := [
        f"{name} {manifest['libraries'].get(name)} is {held}"
        for name, held in here.items()
        if manifest["libraries"].get(name) != held
    ]:
        told.append(f"Libraries have moved since: {', '.join(moved)}.")
    elif identity != manifest["version"]:
        told.append("It was trained by another release of the training code, which gives it another id.")
    return tuple(told)


def _gap(stored: training.Floats, again: training.Floats) -> float:
    return float(np.max(np.abs(stored - again)))
