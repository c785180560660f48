"""A store that has been lived in: runs, versions, candidates, pages, and what crashes left; and stores that do harm."""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from include.retraining import keys, records, signing
from include.retraining.challengers import CANDIDATE
from include.retraining.policies import Keep, Retention
from include.retraining.registry import MANIFEST, Registry
from include.retraining.store import Store, Stored
from tests.retraining import desks, toy

MODEL = "parcels"
POLICY = Retention(
    collect=True,
    snapshots=Keep(30, 3),
    quarantines=Keep(30),
    validations=Keep(30, 3),
    predictions=Keep(30, 3),
    records=Keep(30, 1),
    versions=Keep(30, 1),
    candidates=Keep(7),
    live_versions=2,
)
DAYS = 6
VERSIONS = [f"20240201-{number:012d}" for number in range(1, 6)]


class Wrapped:
    """Passes every call on to a real store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


class Aged(Wrapped):
    """A store in which what lay there when it was aged was written long ago."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.written: dict[str, tuple[datetime, datetime]] = {}

    def age(self, by: timedelta, prefix: str = "") -> None:
        for listed in (self.store.list, self.store.leftovers):
            for found in listed(prefix):
                seen, told = self.written.get(found.key, (None, found.modified_at))
                told = told if seen == found.modified_at else found.modified_at
                self.written[found.key] = (found.modified_at, told - by)

    def list(self, prefix: str) -> Iterator[Stored]:
        return map(self._told, self.store.list(prefix))

    def leftovers(self, prefix: str) -> Iterator[Stored]:
        return map(self._told, self.store.leftovers(prefix))

    def _told(self, found: Stored) -> Stored:
        seen, told = self.written.get(found.key, (None, found.modified_at))
        return replace(found, modified_at=told) if seen == found.modified_at else found


class Killed(BaseException):
    """The process is gone: no handler of ours runs to an end."""


class Mortal(Wrapped):
    """A store whose user is killed before a write, so after the one before it too; the dead call nothing more."""

    WRITES = {"put", "put_if_absent", "delete"}

    def __init__(self, store: Store, write: int) -> None:
        super().__init__(store)
        self.write, self.writes = write, 0

    def __getattr__(self, name: str) -> Any:
        held = getattr(self.store, name)
        return self._counted(held, name in self.WRITES) if callable(held) else held

    def _counted(self, call: Callable[..., Any], is_write: bool) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self.writes += is_write and self.writes < self.write
            if self.writes == self.write:
                raise Killed
            return call(*arguments)

        return counted


class Interrupted(Wrapped):
    """A store that lets somebody else act once, right before or right after a call."""

    def __init__(self, store: Store, verb: str, prefix: str, act: Callable[[], Any], after: bool = False) -> None:
        super().__init__(store)
        self.verb, self.prefix, self.act, self.after = verb, prefix, act, after
        self.has_acted = False

    def __getattr__(self, name: str) -> Any:
        held = getattr(self.store, name)
        return self._interrupted(held) if name == self.verb else held

    def _interrupted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def interrupted(key: str, *arguments: Any) -> Any:
            is_now = key.startswith(self.prefix) and not self.has_acted
            self.has_acted |= is_now
            if is_now and not self.after:
                self.act()
            found = call(key, *arguments)
            if is_now and self.after:
                self.act()
            return found

        return interrupted


def reported(registry: Registry, inputs: records.Inputs) -> None:
    """Write the last section of a run's record."""
    section = {"run": inputs.run_id, "as_of": inputs.content["as_of"], "dry_run": False, "answer": "keep"}
    records.write_section(registry.store, inputs.prefix, "report", section)


def ran(registry: Registry, run: str, days: int = DAYS, has_report: bool = True) -> records.Inputs:
    """Pin a run on so many days, with its first and, if it is over, its last word."""
    frames = [toy.rows(number) for number in range(days)]
    inputs = toy.pin(registry.store, registry.keyring, toy.spec(), frames, run=run)
    records.write_section(registry.store, inputs.prefix, "validation", toy.PASSED)
    if has_report:
        reported(registry, inputs)
    return inputs


def registered(registry: Registry, version: str, inputs: records.Inputs, days: int) -> str:
    """Register a version that was trained on the first so many days of a run."""
    spans = [keys.span(toy.day(number)) for number in range(days)]
    content = inputs.content
    digests = {span: [content["snapshots"][span]["sha256"], content["labels"][span]["sha256"]] for span in spans}
    registry.register(version, desks.trained(), {**desks.ABOUT, "digests": digests, "run": inputs.prefix})
    return version


def promoted(registry: Registry, version: str, inputs: records.Inputs, number: int) -> None:
    """Promote a version after ``number`` entries."""
    about = {**desks.promotion(f"nonce {number}"), "run": inputs.prefix}
    registry.promote(version, number, toy.START + number * toy.DAY, about)


def candidate(registry: Registry, version: str) -> None:
    """Store a candidate, its manifest last."""
    files = {"model.joblib": pickle.dumps(version), "smoke.json": b"{}"}
    named = {name: {"sha256": signing.sha256(data), "size_bytes": len(data)} for name, data in files.items()}
    content = {"format_version": 1, "model": MODEL, "version": version, "files": named}
    manifest = signing.canonical(signing.sign(content, registry.keyring, CANDIDATE))
    for name, data in {**files, MANIFEST: manifest}.items():
        registry.store.put(keys.candidate(MODEL, version, name), data)


def validation(registry: Registry, number: int, rows_sha256: str = "c" * 64) -> None:
    """Store a validation of a day, its page first."""
    interval, suite = toy.day(number), "d" * 64
    registry.store.put(keys.data_docs_page(MODEL, interval, rows_sha256, suite), b"<html>")
    result = {"format_version": 1, "rows_sha256": rows_sha256, "suite_sha256": suite, "outcome": "pass"}
    registry.store.put(keys.validation(MODEL, interval, rows_sha256, suite), signing.seal(result))


def fill(registry: Registry) -> dict[str, records.Inputs]:
    """Fill a store: runs of six days, validations, five versions of which four were champions, a candidate."""
    runs = {f"scheduled__{days}": ran(registry, f"scheduled__{days}", days) for days in (4, 5, DAYS)}
    for number, (version, inputs) in enumerate(zip(VERSIONS, [*runs.values(), *runs.values()], strict=False)):
        registered(registry, version, inputs, days=1 + number % 3)
        if number < 4:
            promoted(registry, version, inputs, number)
    for number in range(DAYS):
        validation(registry, number)
    candidate(registry, "20240201-0000000000aa")
    return runs


def left_by_crashes(registry: Registry) -> list[str]:
    """Leave what killed processes leave, and return the keys."""
    left = [
        keys.version(MODEL, "20240202-0000000000bb", "model.joblib"),
        keys.candidate(MODEL, "20240202-0000000000cc", "model.joblib"),
        keys.snapshot_rows(MODEL, toy.day(1), toy.day(3).end, "e" * 64),
        keys.label_rows(MODEL, toy.day(1), toy.day(3).end, "e" * 64),
        keys.data_docs_page(MODEL, toy.day(1), "f" * 64, "d" * 64),
        keys.hold(MODEL, "killed"),
        keys.sweep(MODEL, "killed"),
        keys.run_hint(MODEL, "scheduled__gone"),
    ]
    for key in left:
        registry.store.put(key, b"{}")
    return left
