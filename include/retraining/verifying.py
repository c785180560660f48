"""Checks everything that is stored of one model and says how to repair what is broken. Changes nothing."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from include.retraining import collecting, inventory, keys, retention
from include.retraining.audits import AUDITS, Audit
from include.retraining.errors import IntegrityError
from include.retraining.findings import REMAINS, Finding, Look
from include.retraining.inventory import UNKNOWN, Group, Id
from include.retraining.policies import Retention
from include.retraining.probes import LEFT_AFTER
from include.retraining.promotion_log import Entry
from include.retraining.registry import Registry
from include.retraining.snapshots import READERS
from include.retraining.store import Store, Stored

BY_THE_SPEC = Retention()
DOCTOR = "Run `python -m include.retraining doctor`: it removes what earlier checks left."


@dataclass(frozen=True)
class Verification:
    """How much was checked, and what was found."""

    checked: int
    size_bytes: int
    unfinished: int
    """Objects that nothing names yet: a task is writing them, or a crash left them and maintenance will delete them."""
    findings: tuple[Finding, ...]

    @property
    def damage(self) -> tuple[Finding, ...]:
        """Findings because of which nothing may be deleted: something that was written is lost or altered."""
        return tuple(one for one in self.findings if one.is_damage)

    @property
    def sentence(self) -> str:
        """What was checked, and how it came out."""
        checked = f"{self.checked} objects checked, {self.size_bytes} bytes"
        unfinished = (
            f" {self.unfinished} objects are being written, or were left by a crash." if self.unfinished else ""
        )
        outcome = f"{len(self.findings)} findings." if self.findings else "every hash, signature and link holds."
        return f"{checked}: {outcome}{unfinished}"


def verify(registry: Registry, policy: Retention = BY_THE_SPEC) -> Verification:
    """Check everything that is stored of a model.

    Parameters
    ----------
    registry : Registry
    policy : Retention
        The spec's: how many versions that were live are kept whole.

    Returns
    -------
    Verification
        Every object whose bytes are not what its manifest says, whose signature does not hold, that is missing, or
        that no manifest names. What is found is looked at once more: a run may have been writing it.
    """
    looks = _look(registry, policy)
    suspects = {look.group.id for look in looks if look.findings}
    again = _look(registry, policy, suspects) if suspects else []
    found = {(one.key, one.check): one for look in again for one in look.findings}
    objects = [stored for look in looks for stored in look.group.objects]
    unfinished = sum(len(look.group.objects) for look in looks if look.is_unfinished)
    return Verification(len(objects), sum(one.size_bytes for one in objects), unfinished, tuple(found.values()))


def strangers(store: Store, models: Iterable[str]) -> tuple[Finding, ...]:
    """Return what lies beside the models that have a spec: neither verify nor collect looks there.

    Parameters
    ----------
    store : Store
    models : iterable of str
        The models that have a spec.
    """
    found: dict[str, list[Stored]] = {}
    for one in (*store.list(""), *store.leftovers("")):
        found.setdefault(_room(one.key), []).append(one)
    known, now = {*map(keys.everything, models)}, store.now()
    doctors = [one for one in found.pop(keys.probe(""), []) if now - one.modified_at > LEFT_AFTER]
    told = [_stranger(room, found[room]) for room in sorted(found) if room not in known]
    return (*told, *(Finding(one.key, REMAINS, "A killed check of the store left it.", DOCTOR) for one in doctors))


def _room(key: str) -> str:
    return key[: key.find("/") + 1] or key


def _stranger(room: str, objects: list[Stored]) -> Finding:
    size = sum(one.size_bytes for one in objects)
    problem = f"No spec is named so: {len(objects)} objects of {size} bytes that nobody verifies or collects."
    return Finding(room, UNKNOWN, problem, f"Put the spec back into include/models/, or move {room} out of the store.")


def describe(model: str, found: Verification) -> str:
    """Return what people read: each finding with its repair, then the sum."""
    return "\n".join([*(told(one) for one in found.findings), f"{model}: {found.sentence}"])


def told(found: Finding) -> str:
    """Return what people read of one finding."""
    return f"{found.key}\n  {found.check}: {found.problem}\n  Repair: {found.repair}"


def _look(registry: Registry, policy: Retention, only: set[Id] | None = None) -> list[Look]:
    """Return a look at each group, or at some, on the state of now."""
    store, now, prefix = registry.store, registry.store.now(), keys.everything(registry.model)
    groups = tuple(inventory.take(registry.model, store.list(prefix), store.leftovers(prefix)))
    with ThreadPoolExecutor(READERS) as readers:
        log = dict(filter(None, readers.map(lambda one: _entry(registry, one), _of_kind(groups, "promotions"))))
        records = readers.map(lambda one: _collected(registry, one), _of_kind(groups, "collections"))
        audit = Audit(registry, policy, groups, log, frozenset(key for found in records for key in found))
        wanted = [one for one in groups if only is None or one.id in only]
        return list(readers.map(lambda one: _asked(audit, one, now), wanted))


def _asked(audit: Audit, group: Group, now: datetime) -> Look:
    look = Look(audit.registry.model, group)
    if not group.is_complete:
        look.remains("No manifest names it, so it does not exist: a crash left it.")
    elif group.kind in AUDITS:
        AUDITS[group.kind](audit, look)
    if now - group.newest < retention.GRACE or audit.collected.issuperset(group.keys):
        look.forgive_remains()  # it is being written, or a deletion was interrupted and goes on next time
    return look


def _of_kind(groups: Iterable[Group], kind: str) -> Iterator[Group]:
    return (one for one in groups if one.kind == kind)


def _entry(registry: Registry, group: Group) -> tuple[int, Entry] | None:
    with suppress(IntegrityError):
        if entry := registry.entry(int(group.name)):
            return entry.number, entry
    return None


def _collected(registry: Registry, group: Group) -> list[str]:
    with suppress(IntegrityError):
        return [one["key"] for one in collecting.read_record(registry, group.keys[0])["objects"]]
    return []
