"""Checks every hash, signature and chain link of one model in the store, and says how to repair what is broken."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from include.retraining import keys, records, signing, snapshots
from include.retraining.errors import IntegrityError
from include.retraining.registry import MANIFEST, Registry
from include.retraining.store import exists


@dataclass(frozen=True)
class Finding:
    """One broken object and what to do about it."""

    key: str
    problem: str


@dataclass(frozen=True)
class Verification:
    """How many objects were checked, and what was found."""

    checked: int
    findings: tuple[Finding, ...]


def verify(registry: Registry) -> Verification:
    """Check everything that is stored of a model; nothing is changed.

    Returns
    -------
    Verification
        Every object whose bytes are not what its manifest says, whose signature does not hold, that is missing, or
        that no manifest names.
    """
    checked, findings = 0, []
    for check in (_log, _versions, _candidates, _snapshots, _validations, _records):
        for key, finding in check(registry):
            checked += 1
            findings += [Finding(key, finding)] if finding else []
    return Verification(checked, tuple(findings))


Checked = Iterator[tuple[str, str | None]]


def _problem(check: Callable[[], object]) -> str | None:
    try:
        check()
    except IntegrityError as error:
        return str(error)
    return None


def _log(registry: Registry) -> Checked:
    listed = [found.key for found in registry.store.list(keys.promotions(registry.model))]
    for number in range(1, len(listed) + 1):
        key = keys.promotion(registry.model, number)
        yield key, _problem(lambda number=number: _link(registry, number))  # type: ignore[misc]
    for key in sorted(set(listed) - {keys.promotion(registry.model, number + 1) for number in range(len(listed))}):
        yield key, "It has no place in the log, which has no gaps. Remove it, or restore the entries before it."


def _link(registry: Registry, number: int) -> None:
    entry = registry.entry(number)
    if entry is None:
        raise IntegrityError(f"Entry {number} is missing; the log has no gaps. Restore it.")
    before = registry.entry(number - 1) if number > 1 else None
    if entry.content["previous_sha256"] != (before.sha256 if before else None):
        raise IntegrityError(f"It does not continue entry {number - 1}: one of the two was replaced. Restore it.")
    manifest = signing.sha256(registry.store.get(keys.version(registry.model, entry.version, MANIFEST)))
    if entry.content["manifest_sha256"] != manifest:
        raise IntegrityError(f"The manifest of {entry.version} is not the one that was promoted. Restore it.")


def _versions(registry: Registry) -> Checked:
    prefix, complete = keys.versions(registry.model), set(registry.versions())
    for version in sorted(complete):
        key = keys.version(registry.model, version, MANIFEST)
        problem = _problem(lambda version=version: registry.manifest(version))  # type: ignore[misc]
        yield key, problem
        for name in () if problem else sorted(registry.manifest(version)["files"]):
            check = lambda version=version, name=name: registry.file(version, name)  # noqa: E731
            yield keys.version(registry.model, version, name), _problem(check)
    for found in registry.store.list(prefix):
        if found.key.removeprefix(prefix).split("/")[0] not in complete:
            yield found.key, "Its version has no manifest, so it does not exist: left by a crash. It can be removed."


def _snapshots(registry: Registry) -> Checked:
    for prefix in (keys.snapshots(registry.model), keys.labels(registry.model)):
        listed = [found.key for found in registry.store.list(prefix)]
        named = set()
        for key in (key for key in listed if key.endswith(".json")):
            named.add(_rows_key(key))
            yield key, _problem(lambda key=key: _frozen(registry, key))  # type: ignore[misc]
        for key in sorted({key for key in listed if not key.endswith(".json")} - named):
            yield key, "No manifest names it: left by a crash. It can be removed."


def _candidates(registry: Registry) -> Checked:
    for found in registry.store.list(keys.candidates(registry.model)):
        if found.key.endswith(MANIFEST):
            yield found.key, _problem(lambda key=found.key: _candidate(registry, key))  # type: ignore[misc]


def _candidate(registry: Registry, key: str) -> None:
    content = signing.verify(registry.store.get(key), registry.keyring, key)
    for name, expected in content["files"].items():
        data = registry.store.get(key.replace(MANIFEST, name))
        signing.check_bytes((signing.sha256(data), len(data)), expected, key.replace(MANIFEST, name))


def _validations(registry: Registry) -> Checked:
    for found in registry.store.list(keys.validations(registry.model)):
        yield found.key, _problem(lambda key=found.key: _validation(registry, key))  # type: ignore[misc]


def _validation(registry: Registry, key: str) -> None:
    content = signing.read_json(registry.store.get(key), key)
    digests = f"{str(content.get('rows_sha256'))[:12]}-{str(content.get('suite_sha256'))[:12]}"
    if digests not in key:
        raise IntegrityError(f"{key} is of {digests}, not of what its name says. Remove it, and clear the run.")


def _rows_key(key: str) -> str:
    return key.replace("manifest.json", "rows.parquet").removesuffix(".json")


def _frozen(registry: Registry, key: str) -> None:
    content = signing.verify(registry.store.get(key), registry.keyring, key)
    frozen = snapshots.Frozen(
        **{name: content[name] for name in snapshots.Frozen.__dataclass_fields__ if name in content}
    )
    if frozen.key != _rows_key(key):
        raise IntegrityError(f"It describes {frozen.key}: it was copied there. Remove it.")
    data = registry.store.get(frozen.key)
    signing.check_bytes(
        (signing.sha256(data), len(data)), {"sha256": frozen.sha256, "size_bytes": frozen.size_bytes}, key
    )


def _records(registry: Registry) -> Checked:
    for found in registry.store.list(keys.runs(registry.model)):
        yield found.key, _problem(lambda key=found.key: _record(registry, key))  # type: ignore[misc]


def _record(registry: Registry, key: str) -> None:
    content = signing.read_json(registry.store.get(key), key)
    if content.get("format_version") != records.FORMAT_VERSION:
        raise IntegrityError(f"format_version {json.dumps(content.get('format_version'))} is not known here.")
    pinned = [*content.get("snapshots", {}).values(), *content.get("labels", {}).values()]
    if gone := [one["key"] for one in pinned if not exists(registry.store, one["key"])]:
        raise IntegrityError(f"It is pinned to {', '.join(gone)}, which is gone. Restore it; a rerun would need it.")
