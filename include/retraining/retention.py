"""Pure: which objects of a model may be deleted. What the champion, a kept version or an open run needs never may.

Ages are counted by the store's clock, from when an object was written there.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from include.retraining import keys
from include.retraining.inventory import LEFTOVERS, UNKNOWN, Group, Id
from include.retraining.policies import Keep, Retention
from include.retraining.windows import Interval

GRACE = timedelta(days=2)
"""What is younger is never deleted: a running task, or one that is tried again, may have written it."""
PINNED_AT_LEAST = timedelta(days=7)
"""A run without a report counts as open for so long, or for two intervals; one that has reported may be cleared."""
FOR_GOOD = {
    "promotions": "the promotion log is kept for good",
    "collections": "what was deleted is told for good",
    "hints": "it is in use",
    UNKNOWN: "not known to this release",
}
POLICIES = {
    "snapshots": "snapshots",
    "labels": "snapshots",
    "quarantine": "quarantines",
    "validations": "validations",
    "predictions": "predictions",
    "calibrations": "predictions",
    "runs": "records",
    "versions": "versions",
    "candidates": "candidates",
}
"""Per kind, the field of ``Retention`` that says how long it is kept."""
GONE = {
    LEFTOVERS: "left by a killed writer",
    "holds": "its lease has run out",
    "sweeps": "its lease has run out",
    "run hints": "its run is gone",
}
ORDER = (
    "candidates",
    "versions",
    "runs",
    "run hints",
    "predictions",
    "calibrations",
    "validations",
    "quarantine",
    "labels",
    "snapshots",
)
"""What names other objects goes before them."""


@dataclass(frozen=True)
class Served:
    """One entry of the promotion log: a version, since when it served, and the run that promoted it."""

    version: str
    effective_from: datetime
    run: str | None
    """The run's folder."""


@dataclass(frozen=True)
class Facts:
    """What only reading can tell of a model; everything in it has been verified."""

    log: tuple[Served, ...] = ()
    """Oldest first."""
    digests: Mapping[str, frozenset[tuple[Interval, str]]] = field(default_factory=dict)
    """Per version: interval and digest of each snapshot and label object it was trained on."""
    pinned: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Per folder of a run that is young enough to go on, or to be cleared: the keys of the rows that it works on."""
    open_runs: frozenset[str] = frozenset()
    """The folders of those that have not reported."""


@dataclass(frozen=True)
class Fate:
    """Whether a group stays, and why."""

    group: Group
    is_freed: bool
    reason: str


@dataclass(frozen=True)
class Plan:
    """The fate of every group of a model."""

    fates: tuple[Fate, ...]
    notes: tuple[str, ...] = ()
    """What people should know beyond the table."""

    @property
    def freed(self) -> tuple[Fate, ...]:
        """What may be deleted, in the order in which it is."""
        rank = {kind: place for place, kind in enumerate(ORDER)}
        found = [one for one in self.fates if one.is_freed]
        return tuple(sorted(found, key=lambda one: (rank.get(one.group.kind, len(ORDER)), one.group.oldest)))

    def rows(self) -> list[dict[str, Any]]:
        """Return a table: per kind and reason how many objects, how many bytes, and since when."""
        told: dict[tuple[str, bool, str], list[Group]] = {}
        for one in self.fates:
            told.setdefault((one.group.kind, one.is_freed, one.reason), []).append(one.group)
        return [_row(*head, told[head]) for head in sorted(told)]


def plan(model: str, groups: Sequence[Group], facts: Facts, retention: Retention, now: datetime) -> Plan:
    """Return the fate of every group.

    Parameters
    ----------
    model : str
    groups : sequence of Group
        Everything that lies below the model's prefix.
    facts : Facts
    retention : Retention
        The spec's.
    now : datetime
        By the store's clock.
    """
    needed = dict(_newest_named(groups, retention)) | dict(_needed_versions(groups, facts, retention))
    kept = _kept(groups, "versions", needed, retention, now)
    needed |= dict(_needed_rows(groups, facts, retention, kept))
    needed |= dict(_needed_runs(model, groups, facts, kept))
    runs = _kept(groups, "runs", needed, retention, now)
    needed |= {("run hints", None, name): "its run is kept" for name in runs}
    return Plan(tuple(_fate(one, needed, retention, now) for one in groups), _notes(facts))


def may_go_on(interval: Interval, pinned_at: datetime, now: datetime) -> bool:
    """Return whether a run may still go on, or be cleared, by when its inputs were written."""
    return now - pinned_at < max(PINNED_AT_LEAST, 2 * (interval.end - interval.start))


def last_live(log: Sequence[Served], count: int) -> list[str]:
    """Return the last so many distinct versions that were live, the champion first."""
    return list(dict.fromkeys(entry.version for entry in reversed(log)))[:count]


def _needed_versions(groups: Sequence[Group], facts: Facts, retention: Retention) -> Iterator[tuple[Id, str]]:
    """Tell what was live lately, what served intervals that a run may score again, and all of them for an open run."""
    counted = _newest(groups, ("snapshots", "labels"), retention.snapshots.newest)
    for version in {_live_at(facts.log, one.start) for one in counted} - {None}:
        yield ("versions", None, str(version)), "served one of the intervals that runs look back at"
    if facts.open_runs:  # it may be about to register a version, or to choose among its candidates
        for one in groups:
            if one.kind in {"versions", "candidates"}:
                yield one.id, "a run is open"
    for version in last_live(facts.log, retention.live_versions):
        yield ("versions", None, version), f"the champion or one of the last {retention.live_versions} live versions"


def _live_at(log: Sequence[Served], moment: datetime) -> str | None:
    return next((entry.version for entry in reversed(log) if entry.effective_from <= moment), None)


def _newest_named(groups: Sequence[Group], retention: Retention) -> Iterator[tuple[Id, str]]:
    """Tell what is among the newest intervals, or versions, that are kept however old they are."""
    for kind in ("quarantine", "validations", "predictions", "calibrations", "runs"):
        keep = _policy(kind, retention)
        counted = _newest(groups, (kind,), keep.newest)
        for one in groups:
            if one.kind == kind and one.is_complete and one.interval in counted:
                yield one.id, f"among the newest {keep.newest} intervals"
    for kind in ("versions", "candidates"):
        keep = _policy(kind, retention)
        named = sorted(one.name for one in groups if one.kind == kind and one.is_complete)
        for name in named[max(0, len(named) - keep.newest) :]:
            yield (kind, None, name), f"among the newest {keep.newest}"


def _needed_rows(
    groups: Sequence[Group], facts: Facts, retention: Retention, versions: set[str]
) -> Iterator[tuple[Id, str]]:
    """Tell which rows kept versions were trained on, runs of late are pinned to, or the next run takes."""
    counted = _newest(groups, ("snapshots", "labels"), retention.snapshots.newest)
    trained_on = {one for version in versions for one in facts.digests.get(version, ())}
    pinned = {key for found in facts.pinned.values() for key in found}
    rows = [one for one in groups if one.kind in {"snapshots", "labels"}]
    latest = {(one.kind, one.interval): _as_of(one) for one in sorted(rows, key=_as_of) if one.is_complete}
    for one in rows:
        if one.interval in counted and latest.get((one.kind, one.interval)) == _as_of(one):
            yield one.id, f"the latest of one of the newest {retention.snapshots.newest} intervals"
        if one.interval and (one.interval, one.name.rpartition("-")[2]) in trained_on:
            yield one.id, "a kept version was trained on it"
        if pinned & set(one.keys):
            yield one.id, "a run of late is pinned to it"


def _needed_runs(model: str, groups: Sequence[Group], facts: Facts, versions: set[str]) -> Iterator[tuple[Id, str]]:
    """Tell which runs may go on, and which hold the losses that kept versions were promoted with."""
    promoting = {entry.run for entry in facts.log if entry.version in versions}
    for one in groups:
        if one.kind == "runs" and one.interval:
            folder = keys.run(model, one.interval, one.name)
            if folder in promoting:
                yield one.id, "it promoted a kept version"
            if folder in facts.pinned:
                yield one.id, "it may go on, or be cleared"


def _fate(group: Group, needed: Mapping[Id, str], retention: Retention, now: datetime) -> Fate:
    age = now - group.newest
    if group.kind in FOR_GOOD:
        return Fate(group, False, FOR_GOOD[group.kind])
    if age < GRACE:
        return Fate(group, False, f"younger than {GRACE.days} days")
    if group.id in needed:
        return Fate(group, False, needed[group.id])
    if group.kind in GONE:
        return Fate(group, True, GONE[group.kind])
    if not group.is_complete:
        return Fate(group, True, "left by a crash: no manifest names it")
    days = _policy(group.kind, retention).days
    is_old = age >= timedelta(days=days)
    return Fate(group, is_old, f"{'older' if is_old else 'younger'} than {days} days")


def _kept(
    groups: Sequence[Group], kind: str, needed: Mapping[Id, str], retention: Retention, now: datetime
) -> set[str]:
    return {one.name for one in groups if one.kind == kind and not _fate(one, needed, retention, now).is_freed}


def _policy(kind: str, retention: Retention) -> Keep:
    found: Keep = getattr(retention, POLICIES[kind])
    return found


def _newest(groups: Iterable[Group], kinds: tuple[str, ...], count: int) -> set[Interval]:
    found = {one.interval for one in groups if one.kind in kinds and one.is_complete and one.interval}
    return set(sorted(found)[max(0, len(found) - count) :])


def _as_of(group: Group) -> str:
    """Return when rows were known, from their name ``{as-of}-{sha12}``."""
    return group.name.partition("-")[0]


def _notes(facts: Facts) -> tuple[str, ...]:
    if not facts.open_runs:
        return ()
    named = ", ".join(sorted(folder.rstrip("/").rpartition("/")[2] for folder in facts.open_runs))
    return (f"No version and no candidate is freed while a run is open: {named}.",)


def _row(kind: str, is_freed: bool, reason: str, groups: Sequence[Group]) -> dict[str, Any]:
    total: Counter[str] = Counter()
    for one in groups:
        total.update(objects=len(one.objects), bytes=one.size_bytes)
    oldest = min(one.oldest for one in groups)
    head = {"kind": kind, "answer": "free" if is_freed else "keep", "reason": reason}
    return {**head, "objects": total["objects"], "bytes": total["bytes"], "oldest": f"{oldest:%Y-%m-%d}"}
