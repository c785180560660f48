"""What has to hold of each kind of object: every hash, signature, seal and chain link, and what one says of another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from include.retraining import (
    collecting,
    corrections,
    fetching,
    keys,
    predictions,
    records,
    retention,
    signing,
    snapshots,
    validation,
)
from include.retraining.challengers import CANDIDATE
from include.retraining.errors import IntegrityError
from include.retraining.findings import (
    FEWER_LIVE,
    REPAIRS,
    RESTORE_LIVE,
    RESTORE_PINNED,
    RESTORE_ROWS,
    ROLL_BACK,
    Look,
)
from include.retraining.inventory import LEFTOVERS, UNKNOWN, Group
from include.retraining.policies import Retention
from include.retraining.promotion_log import HINT, Entry, check_format
from include.retraining.registry import ARTIFACT, MANIFEST, Registry
from include.retraining.registry import FORMAT_VERSION as VERSION_FORMAT
from include.retraining.snapshots import Frozen
from include.retraining.store import Store, read


@dataclass(frozen=True)
class Audit:
    """One model: everything that is listed of it, its log, and what was deleted on purpose."""

    registry: Registry
    policy: Retention
    groups: tuple[Group, ...]
    log: Mapping[int, Entry]
    """The entries that hold by themselves, by number."""
    collected: frozenset[str]

    @property
    def store(self) -> Store:
        """Where everything lies."""
        return self.registry.store

    @cached_property
    def listed(self) -> frozenset[str]:
        """Every key of the model."""
        return frozenset(key for group in self.groups for key in group.keys)

    @cached_property
    def live(self) -> list[str]:
        """The versions that are kept whole because they were live last, the champion first."""
        served = [retention.Served(one.version, one.effective_from, None) for _, one in sorted(self.log.items())]
        return retention.last_live(served, self.policy.live_versions)

    @cached_property
    def frozen(self) -> frozenset[tuple[str, str]]:
        """Interval and digest of every snapshot and label object."""
        rows = [one for one in self.groups if one.kind in {"snapshots", "labels"} and one.is_complete]
        return frozenset((keys.span(one.interval), one.name.rpartition("-")[2]) for one in rows if one.interval)

    @cached_property
    def runs(self) -> frozenset[str]:
        """The folder names of all runs."""
        return frozenset(one.name for one in self.groups if one.kind == "runs")

    def is_lost(self, key: str) -> bool:
        """Return whether an object is gone that maintenance did not delete."""
        return key not in self.listed and key not in self.collected


def rows(audit: Audit, look: Look) -> None:
    """Check a snapshot's or labels' manifest, and the rows against it."""
    head = look.group.keys[0]
    if frozen := look.ask(head, partial(_frozen, audit, head)):
        expected = {"sha256": frozen.sha256, "size_bytes": frozen.size_bytes}
        look.ask(frozen.key, partial(_check_bytes, audit.store, frozen.key, expected))


def validated(audit: Audit, look: Look) -> None:
    """Check a validation's seal, that it is of what its key says, and that its page is there."""
    head = look.group.keys[0]
    needed = {"rows_sha256": str, "suite_sha256": str}
    content = look.ask(head, partial(_sealed, audit.store, head, validation.FORMAT_VERSION, needed))
    if content and f"{content['rows_sha256'][:12]}-{content['suite_sha256'][:12]}" != look.group.name:
        look.add(head, "identity", "It is of other rows, or of another suite, than its key says.")
    if len(look.group.objects) == 1:
        look.add(head, "presence", "Its page of Data Docs is gone.")
    if content and (aside := content.get("quarantined")) and aside["key"] in audit.listed:  # kept for less long
        look.ask(aside["key"], partial(_check_bytes, audit.store, aside["key"], aside))


def predicted(audit: Audit, look: Look) -> None:
    """Check the manifest of predictions, and the rows against it."""
    head, keyring = look.group.keys[0], audit.registry.keyring
    if found := look.ask(head, partial(predictions.read_manifest, audit.store, keyring, head)):
        expected = {"sha256": found.sha256, "size_bytes": found.size_bytes}
        look.ask(found.key, partial(_check_bytes, audit.store, found.key, expected))


def corrected(audit: Audit, look: Look) -> None:
    """Check that a correction is signed, and of the interval and version that its key says."""
    key, registry = look.group.keys[0], audit.registry
    look.ask(key, partial(corrections.read_one, audit.store, registry.keyring, registry.model, key))


def ran(audit: Audit, look: Look) -> None:
    """Check a run's inputs and every record of it, and that the rows it is pinned to are there."""
    head, has_head = look.group.keys[0], look.group.has_head
    inputs = look.ask(head, partial(records.read_inputs, audit.store, head)) if has_head else None
    for key in look.group.keys[int(has_head) :]:
        look.ask(key, partial(_sealed, audit.store, key, records.FORMAT_VERSION, {"sections": dict}))
    if inputs and not look.findings:
        if keys.inputs(audit.registry.model, inputs.interval, inputs.run_id) != head:
            look.add(head, "identity", f"It is of run {inputs.run_id}: it was copied there.")
        pinned = [*inputs.content["snapshots"].values(), *inputs.content["labels"].values()]
        for key in sorted(one["key"] for one in pinned if audit.is_lost(one["key"])):
            look.add(key, "presence", f"It is gone, though {head} is pinned to it.", RESTORE_PINNED)


def trained(audit: Audit, look: Look) -> None:
    """Check a candidate's manifest, and every file against it."""
    head = look.group.keys[0]
    if manifest := look.ask(head, partial(_candidate, audit, look.group.name, head)):
        for name, expected in sorted(manifest["files"].items()):
            key = keys.candidate(audit.registry.model, look.group.name, name)
            look.ask(key, partial(_check_bytes, audit.store, key, expected))


def registered(audit: Audit, look: Look) -> None:
    """Check a version's manifest and every file against it; of a live one, that it can be made again."""
    version, model, head = look.group.name, audit.registry.model, look.group.keys[0]
    if version in audit.live:
        look.repair = ROLL_BACK if version == audit.live[0] else RESTORE_LIVE
    manifest = look.ask(head, partial(audit.registry.manifest, version))
    if manifest is None:
        return
    for name in sorted(manifest["files"]):
        look.ask(keys.version(model, version, name), partial(_check_file, audit.registry, version, name))
    named = {keys.version(model, version, name) for name in (MANIFEST, *manifest["files"])}
    for key in sorted(set(look.group.keys) - named):
        look.add(key, UNKNOWN, "The version's manifest does not name it.", REPAIRS[UNKNOWN])
    digests = manifest.get("digests", {}) if version in audit.live else {}
    named_rows = {(span, digest[:12]) for span, found in digests.items() for digest in found}
    if lost := sorted(named_rows - audit.frozen):
        gone = ", ".join(f"{digest} of {span}" for span, digest in lost)
        look.add(head, "presence", f"The rows that it was trained on are gone: {gone}.", RESTORE_ROWS)


def promoted(audit: Audit, look: Look) -> None:
    """Check an entry of the log: its signature, the link to the one before, and that its version is what went live."""
    number, registry = int(look.group.name), audit.registry
    key, before = keys.promotion(registry.model, number), keys.promotion(registry.model, number - 1)
    entry = look.ask(key, partial(registry.entry, number))
    if number > 1 and before not in audit.listed:
        look.add(before, "chain", f"It is gone, though entry {number} was written; the log has no gaps.")
    if entry is None:
        return
    previous = audit.log.get(number - 1)
    if (number == 1 or previous) and entry.content["previous_sha256"] != (previous.sha256 if previous else None):
        look.add(key, "chain", f"It does not continue entry {number - 1}: one of the two was replaced.")
    _serves(audit, look, entry)


def hinted(audit: Audit, look: Look) -> None:
    """Check that the champion's hint holds, and is not ahead of the log."""
    key = look.group.keys[0]
    if hint := look.ask(key, partial(_champion_hint, audit, key)):
        entry = keys.promotion(audit.registry.model, int(hint["number"]))
        if entry not in audit.listed:
            look.add(entry, "chain", "It is gone, though the champion's hint names it.", REPAIRS["promotions"])


def found_by(audit: Audit, look: Look) -> None:
    """Check that a run's hint can be read, and that its run is there."""
    key = look.group.keys[0]
    look.ask(key, partial(_json, audit.store, key))
    if look.group.name not in audit.runs:
        look.remains("Its run is gone.")


def swept(audit: Audit, look: Look) -> None:
    """Check the record of a collection."""
    look.ask(look.group.keys[0], partial(collecting.read_record, audit.registry, look.group.keys[0]))


def stray(_: Audit, look: Look) -> None:
    """Tell of an object that no room here writes."""
    look.add(look.group.keys[0], UNKNOWN, "No object of this release has such a key.")


def left(_: Audit, look: Look) -> None:
    """Tell of what a killed process left."""
    look.remains("A killed process left it.")


AUDITS: dict[str, Callable[[Audit, Look], None]] = {
    "snapshots": rows,
    "labels": rows,
    "validations": validated,
    "predictions": predicted,
    "calibrations": corrected,
    "runs": ran,
    "candidates": trained,
    "versions": registered,
    "promotions": promoted,
    "hints": hinted,
    "run hints": found_by,
    "collections": swept,
    "holds": left,
    "sweeps": left,
    LEFTOVERS: left,
    UNKNOWN: stray,
}
"""What is asked of each kind."""


def _serves(audit: Audit, look: Look, entry: Entry) -> None:
    """Check that an entry's version is the one that was promoted; maintenance may have deleted one of long ago."""
    manifest, is_live = keys.version(audit.registry.model, entry.version, MANIFEST), entry.version in audit.live
    if manifest in audit.listed:
        data = look.ask(manifest, partial(audit.store.get, manifest))  # a collection may have taken it since
        if data is not None and signing.sha256(data) != entry.manifest_sha256:
            problem = f"It is not the manifest that entry {entry.number} promoted."
            look.add(manifest, "chain", problem, ROLL_BACK if entry.version == audit.live[0] else RESTORE_LIVE)
    elif manifest not in audit.collected:
        look.add(manifest, "presence", f"It is gone, though entry {entry.number} made it the champion.", RESTORE_LIVE)
    elif is_live:
        problem = f"Maintenance deleted it, and by the spec the last {len(audit.live)} live versions are kept whole."
        look.add(manifest, "presence", problem, FEWER_LIVE)


def _frozen(audit: Audit, head: str) -> Frozen:
    content = read(audit.store, head, lambda data: signing.verify(data, audit.registry.keyring, head, snapshots.FROZEN))
    check_format(content, snapshots.FORMAT_VERSION, head)
    frozen = Frozen(**{name: content[name] for name in Frozen.__dataclass_fields__ if name in content})
    if keys.rows_manifest(frozen.key) != head:
        raise IntegrityError(f"{head} describes {frozen.key}: it was copied there.", "identity")
    return frozen


def _candidate(audit: Audit, version: str, head: str) -> dict[str, Any]:
    content = read(audit.store, head, lambda data: signing.verify(data, audit.registry.keyring, head, CANDIDATE))
    check_format(content, VERSION_FORMAT, head)
    if content.get("version") != version or content.get("model") != audit.registry.model:
        raise IntegrityError(f"{head} describes {content.get('version')}: it was copied there.", "identity")
    return content


def _champion_hint(audit: Audit, key: str) -> dict[str, Any]:
    return read(audit.store, key, lambda data: signing.verify(data, audit.registry.keyring, key, HINT))


def _sealed(store: Store, key: str, known: int, needed: Mapping[str, type]) -> dict[str, Any]:
    content = read(store, key, lambda data: signing.unseal(data, key))
    check_format(content, known, key)
    for name, kind in needed.items():
        if not isinstance(content.get(name), kind):
            raise IntegrityError(f"{key} has no {name}, which every release writes. Restore the original.", "format")
    return content


def _json(store: Store, key: str) -> dict[str, Any]:
    return signing.read_json(store.get(key), key)


def _check_file(registry: Registry, version: str, name: str) -> None:
    """Check a file of a version; its artifact streams to the disk, so that memory stays flat."""
    if name != ARTIFACT:
        registry.file(version, name)
        return
    with registry.fetched(version):
        pass


def _check_bytes(store: Store, key: str, expected: dict[str, Any]) -> None:
    """Check an object's size and hash on a private copy."""
    with fetching.copied(store, key, expected):
        pass
