"""Deletes what retention frees, while runs may be writing, and leaves a signed record of it.

Why nothing that is needed can go, whoever works at the same time:

- A pull, a registration, a promotion, a rollback, and a candidate or a validation that is being stored *hold* the
  model. The sweep writes its mark before it reads what is needed: either it sees the hold and gives way, or the holder
  sees the mark and gives way.
- A run that goes on has its ``inputs.json``, which the sweep reads after the mark: what it is pinned to stays, and
  until it has reported no version and no candidate goes.
- A run that was cleared more than a week (or two intervals) after it was pinned is not known to go on. It may find its
  inputs, rows or candidates gone: then that task fails and names what is missing, and the champion stays. What it
  writes is young, so it is kept.
- A killed sweep leaves a mark that runs out, a record that names more than was deleted, and a group without its head,
  which no reader takes for one. The next sweep deletes the rest.
- A sweep that was stopped and wakes up later asks the store's clock before every deletion. It ends long before its mark
  runs out, so whoever holds the model later meets no deletion.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from include.retraining import holds, inventory, keys, records, retention, signing, tables
from include.retraining.errors import BadInput, IntegrityError
from include.retraining.inventory import Group
from include.retraining.policies import Retention
from include.retraining.promotion_log import check_format
from include.retraining.registry import MANIFEST, Registry
from include.retraining.retention import Facts, Fate, Plan, Served
from include.retraining.snapshots import READERS
from include.retraining.store import Store, Stored, read
from include.retraining.windows import Interval

FORMAT_VERSION = 1
COLLECTION = "collection"
LIMIT = timedelta(minutes=1)
"""How long a sweep deletes after its newest mark, far less than that is in force; the rest comes next time."""
MOST_OBJECTS = 10_000
"""How many objects one sweep and its record take."""
ALL = "all"
FORM = {"model": ALL, "dry_run": True, "reason": None}


@dataclass(frozen=True)
class Collection:
    """What a sweep decided, and what it deleted."""

    plan: Plan
    record: str | None
    """The key of its record; None if there was nothing to delete."""
    deleted: tuple[Stored, ...]

    @property
    def sentence(self) -> str:
        """What was deleted, and what is left."""
        if self.record is None:
            return "Nothing had to be deleted."
        left = sum(len(one.group.objects) for one in self.plan.freed) - len(self.deleted)
        size = sum(one.size_bytes for one in self.deleted)
        rest = f" {left} more objects are left for the next time." if left else ""
        return f"Deleted {len(self.deleted)} objects of {size} bytes, as {self.record} tells.{rest}"


def survey(registry: Registry, policy: Retention) -> Plan:
    """Return what would be freed, and why everything else is kept. Nothing is written.

    Raises
    ------
    IntegrityError
        The log, a version's manifest or the inputs of a run of late do not hold, so what is needed is not known.
    """
    store, model, now = registry.store, registry.model, registry.store.now()
    prefix = keys.everything(model)
    groups = inventory.take(model, store.list(prefix), store.leftovers(prefix))
    return retention.plan(model, groups, _facts(registry, policy, groups, now), policy, now)


def collect(registry: Registry, policy: Retention, actor: str, reason: str | None) -> Collection:
    """Delete what is freed, its record first, and move the champion's hint to where the log ends.

    Raises
    ------
    Unavailable
        Somebody holds the model; nothing was deleted.
    IntegrityError
        What is needed is not known (see ``survey``); nothing was deleted.
    """
    store = registry.store
    with holds.sweep(store, registry.model, "collect") as sweep:
        plan = survey(registry, policy)
        chosen = list(_first(plan.freed, MOST_OBJECTS))
        began = sweep.refresh()
        asked = {"actor": actor, "reason": reason, "sweep": sweep.key}  # two in one second are two records
        record = _announce(registry, policy, chosen, asked) if chosen else None
        sweep.is_deleting = True
        deleted = tuple(_delete(store, chosen, began))
        sweep.is_deleting = False
        if head := registry.head():
            registry.mend_hint(head)
    return Collection(plan, record, deleted)


def collected(registry: Registry) -> frozenset[str]:
    """Return every key that a record of a collection names; some may lie there still."""
    listed = inventory.placed(registry.model, registry.store.list(keys.collections(registry.model)))
    found = [stored.key for _, stored in listed]
    with ThreadPoolExecutor(READERS) as readers:
        contents = readers.map(lambda key: read_record(registry, key), found)
        return frozenset(one["key"] for content in contents for one in content["objects"])


def read_record(registry: Registry, key: str) -> dict[str, Any]:
    """Return the verified record of one collection."""

    def check(data: bytes) -> dict[str, Any]:
        content = signing.verify(data, registry.keyring, key, COLLECTION)
        check_format(content, FORMAT_VERSION, key)
        decided_at = keys.parse_stamp(content["decided_at"])
        if keys.collection(content["model"], decided_at, signing.sha256(data)) != key:
            raise IntegrityError(f"{key} is another collection's record: it was copied there. Remove it.", "identity")
        return content

    return read(registry.store, key, check)


def read_form(form: Mapping[str, Any], models: Sequence[str]) -> list[str]:
    """Return the models that a form means, after checking all of it: the trigger's own checks are not relied on."""
    if unknown := sorted(set(form) - set(FORM)):
        raise BadInput(f"The form has unknown fields {unknown}; expected some of {sorted(FORM)}. Mend the trigger.")
    given = {**FORM, **form}
    if not isinstance(given["dry_run"], bool):
        raise BadInput(f"The form's dry_run is {given['dry_run']!r}; expected true or false. Mend the trigger.")
    if given["model"] not in {ALL, *models}:
        raise BadInput(f"The form's model is {given['model']!r}; expected {ALL!r} or one of {list(models)}.")
    return list(models) if given["model"] == ALL else [given["model"]]


def is_dry(kind: str, form: Mapping[str, Any], policy: Retention) -> bool:
    """Return whether a run only tells: the schedule obeys the spec, a person the form."""
    return not policy.collect if kind == "scheduled" else bool({**FORM, **form}["dry_run"])


def describe(plan: Plan) -> str:
    """Return what people read of a plan: the table, notes, and the sum of what is freed."""
    objects = sum(len(one.group.objects) for one in plan.freed)
    size = sum(one.group.size_bytes for one in plan.freed)
    return "\n".join([*tables.render(plan.rows()), *plan.notes, f"To free: {objects} objects, {size} bytes."])


def _facts(registry: Registry, policy: Retention, groups: Sequence[Group], now: datetime) -> Facts:
    log = tuple(Served(one.version, one.effective_from, one.content.get("run")) for one in registry.log())
    versions = [one.name for one in groups if one.kind == "versions" and one.is_complete]
    _refuse_lost(registry, set(retention.last_live(log, policy.live_versions)) - set(versions))
    runs = {_folder(one): one for one in groups if _may_go_on(one, now)}
    with ThreadPoolExecutor(READERS) as readers:
        digests = list(readers.map(lambda version: _digests(registry, version), versions))
        pinned = list(readers.map(lambda run: _pinned(registry, run), runs.values()))
        reported = list(readers.map(lambda folder: "report" in records.read_sections(registry.store, folder), runs))
    is_open = {folder for folder, has_reported in zip(runs, reported, strict=True) if not has_reported}
    by_version, by_run = dict(zip(versions, digests, strict=True)), dict(zip(runs, pinned, strict=True))
    return Facts(log, by_version, by_run, frozenset(is_open))


def _refuse_lost(registry: Registry, versions: set[str]) -> None:
    """Raise IntegrityError if a version that was live lately is gone, and no collection took it."""
    heads = {keys.version(registry.model, version, MANIFEST) for version in versions}
    if lost := sorted(heads - (collected(registry) if heads else set())):
        raise IntegrityError(
            f"{lost[0]} is gone, though {registry.model} served it lately: what it was trained on is not known. "
            "Nothing is deleted; restore it.",
            "presence",
        )


def _digests(registry: Registry, version: str) -> frozenset[tuple[Interval, str]]:
    named = registry.manifest(version).get("digests", {})
    return frozenset((keys.parse_span(span), digest[:12]) for span, digests in named.items() for digest in digests)


def _may_go_on(group: Group, now: datetime) -> bool:
    if group.kind != "runs" or not group.has_head or group.interval is None:
        return False
    return retention.may_go_on(group.interval, group.objects[0].modified_at, now)


def _folder(run: Group) -> str:
    return run.keys[0].rpartition("/")[0] + "/"


def _pinned(registry: Registry, run: Group) -> frozenset[str]:
    content = records.read_inputs(registry.store, run.keys[0]).content
    return frozenset(one["key"] for rows in ("snapshots", "labels") for one in content[rows].values())


def _first(fates: Sequence[Fate], most: int) -> Iterator[Fate]:
    """Yield whole groups, as long as they hold no more objects than this together."""
    for one in fates:
        most -= len(one.group.objects)
        if most < 0:
            return
        yield one


def _announce(registry: Registry, policy: Retention, fates: Sequence[Fate], asked: dict[str, Any]) -> str:
    """Write what will be deleted, before it is: a crash in between leaves evidence of more, never of less."""
    decided_at = registry.store.now().replace(microsecond=0)
    content = {
        "format_version": FORMAT_VERSION,
        "model": registry.model,
        "decided_at": keys.stamp(decided_at),
        **asked,
        "retention": asdict(policy),
        "bytes": sum(one.group.size_bytes for one in fates),
        "objects": [_told(stored, one.reason) for one in fates for stored in one.group.objects],
    }
    data = signing.canonical(signing.sign(content, registry.keyring, COLLECTION))
    key = keys.collection(registry.model, decided_at, signing.sha256(data))
    registry.store.put_if_absent(key, data)
    return key


def _told(stored: Stored, reason: str) -> dict[str, Any]:
    return {
        "key": stored.key,
        "size_bytes": stored.size_bytes,
        "stored_at": keys.stamp(stored.modified_at),
        "reason": reason,
    }


def _delete(store: Store, fates: Sequence[Fate], began: datetime) -> Iterator[Stored]:
    for stored in (stored for one in fates for stored in one.group.objects):
        if store.now() - began > LIMIT:
            return
        store.delete(stored.key)
        yield stored
