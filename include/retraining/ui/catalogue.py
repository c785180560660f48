"""What the pages show of the store: Data Docs by model and interval, newest first, at a cost that does not grow.

Only what a listing names is ever read, so no address can lead out of a model's Data Docs.
"""

from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import groupby, islice
from threading import Lock
from typing import Any

from include.retraining import connections, inventory, keys, phrases, signing
from include.retraining.errors import IntegrityError
from include.retraining.store import Store, Stored
from include.retraining.windows import Interval

SHOWN = 31
LOOKED_AT = 12 * SHOWN
"""How many intervals one page may look at to find those of one outcome."""
REMEMBERED = 4000
READERS = 8
GRAVITY = {"unknown": 0, "pass": 1, "warn": 2, "fail": 3}


@dataclass(frozen=True)
class Document:
    """One page of Data Docs, and what its result says in short."""

    name: str
    on: str = "snapshot"
    outcome: str = "unknown"
    rows: int | None = None
    sentence: str = "Its result cannot be read."
    failed: tuple[str, ...] = ()
    timezone: str = "UTC"
    as_of: str = ""
    """When its rows were frozen; told only where an interval has several."""


@dataclass(frozen=True)
class Entry:
    """One interval and its pages."""

    interval: Interval
    documents: tuple[Document, ...]

    @property
    def span(self) -> str:
        """Return the interval as addresses name it."""
        return keys.span(self.interval)

    @property
    def outcome(self) -> str:
        """Return the gravest outcome."""
        return max((document.outcome for document in self.documents), key=GRAVITY.__getitem__)

    @property
    def title(self) -> str:
        """Return the interval in words."""
        timezones = [document.timezone for document in self.documents if document.outcome != "unknown"]
        return phrases.day(self.interval.start, self.interval.end, timezones[0] if timezones else "UTC")


@dataclass(frozen=True)
class Listing:
    """One page of the list, and where the next one begins."""

    entries: tuple[Entry, ...]
    looked_at: int
    older: str | None


class Catalogue:
    """Data Docs in one store. Results never change under their key, so each is read once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: OrderedDict[str, Document] = OrderedDict()
        self._lock = Lock()

    def listing(self, model: str, outcome: str = "", before: str = "", shown: int = SHOWN) -> Listing:
        """Return intervals of a model, newest first.

        Parameters
        ----------
        model : str
        outcome : str
            ``pass``, ``warn`` or ``fail``; empty for all.
        before : str
            Only intervals whose key form sorts before this one.
        shown : int
            The most entries.
        """
        spans = self._spans(model, before)
        found: list[Entry] = []
        looked_at, last = 0, ""
        while len(found) < shown and looked_at < LOOKED_AT and (chunk := list(islice(spans, shown))):
            for entry in self._entries(model, chunk):
                if len(found) == shown:
                    break
                looked_at, last = looked_at + 1, entry.span
                found += [entry] if outcome in ("", entry.outcome) else []
        more = bool(last) and next(self._spans(model, last), None) is not None
        return Listing(tuple(found), looked_at, last if more else None)

    def entry(self, model: str, span: str) -> Entry | None:
        """Return one interval; None if it has no Data Docs."""
        interval = _interval(span)
        names = self._names(model, keys.data_docs(model, interval)) if interval else []
        return self._entries(model, [(span, names)])[0] if names else None

    def neighbours(self, model: str, span: str) -> tuple[str | None, str | None]:
        """Return the spans of the intervals before and after one, where there are any."""
        interval = _interval(span)
        if interval is None:
            return None, None
        older = next(self._spans(model, span), None)
        newer = None
        for year in (interval.start.year, interval.start.year + 1):
            later = [found for found, _ in self._of_year(model, year) if found > span]
            newer = newer or min(later, default=None)
        return older[0] if older else None, newer

    def html(self, model: str, span: str, name: str) -> bytes | None:
        """Return a published page; None unless the listing of that interval names it."""
        interval = _interval(span)
        if interval is None:
            return None
        keys_by_name = {
            found.key.rpartition("/")[2]: found.key for found in self._listed(model, keys.data_docs(model, interval))
        }
        return self.store.get(keys_by_name[name]) if name in keys_by_name else None

    def _names(self, model: str, prefix: str) -> list[str]:
        return [found.key.removeprefix(prefix) for found in self._listed(model, prefix)]

    def _listed(self, model: str, prefix: str) -> Iterator[Stored]:
        return (found for _, found in inventory.placed(model, self.store.list(prefix)))

    def _spans(self, model: str, before: str) -> Iterator[tuple[str, list[str]]]:
        """Yield spans and their pages, newest first, listing a year at a time."""
        first = next(self._listed(model, keys.data_docs(model)), None)
        if first is None:
            return
        oldest = int(first.key.removeprefix(keys.data_docs(model))[:4])  # keys begin with the year
        start = _interval(before)
        newest = start.start.year if start else datetime.now(UTC).year + 1
        for year in range(newest, oldest - 1, -1):
            for span, names in reversed(self._of_year(model, year)):
                if not before or span < before:
                    yield span, names

    def _of_year(self, model: str, year: int) -> list[tuple[str, list[str]]]:
        listed = [found.key.split("/")[2:] for found in self._listed(model, f"{keys.data_docs(model)}{year:04d}")]
        return [(span, [part[1] for part in parts]) for span, parts in groupby(listed, key=lambda part: part[0])]

    def _entries(self, model: str, chunk: list[tuple[str, list[str]]]) -> list[Entry]:
        wanted = [(keys.parse_span(span), name) for span, names in chunk for name in names]
        with ThreadPoolExecutor(READERS) as readers:
            documents = iter(list(readers.map(lambda one: self._document(model, *one), wanted)))
        entries = []
        for span, names in chunk:
            interval = keys.parse_span(span)
            entries.append(Entry(interval, self._ordered(model, interval, [next(documents) for _ in names])))
        return entries

    def _document(self, model: str, interval: Interval, name: str) -> Document:
        rows, _, suite = name.removesuffix(".html").partition("-")
        key = keys.validation(model, interval, rows, suite)
        with self._lock:
            known = self._known.get(key)
        if known:
            return known
        try:
            document = _summary(name, signing.unseal(self.store.get(key), key))
        except (IntegrityError, KeyError, TypeError):
            return Document(name)
        with self._lock:
            self._known[key] = document
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return document

    def _ordered(self, model: str, interval: Interval, documents: list[Document]) -> tuple[Document, ...]:
        """Return an interval's pages, the snapshot's first; of several of one kind the newest rows first."""
        kinds = [document.on for document in documents]
        if len(set(kinds)) < len(kinds):
            frozen = self._frozen(model, keys.snapshots(model, interval))
            frozen |= self._frozen(model, keys.labels(model, interval))
            documents = [replace(one, as_of=frozen.get(one.name.partition("-")[0], "")) for one in documents]
        documents.sort(key=lambda one: (one.as_of, one.name), reverse=True)
        return tuple(sorted(documents, key=lambda one: one.on, reverse=True))

    def _frozen(self, model: str, prefix: str) -> dict[str, str]:
        """Return when rows were frozen, by the start of their digest, from ``{as-of}-{sha12}``."""
        stems = (name.split("/")[0].split(".")[0].split("-") for name in self._names(model, prefix))
        return {stem[1]: f"{keys.parse_stamp(stem[0]):%Y-%m-%d %H:%M} UTC" for stem in stems if len(stem) == 2}


@cache
def opened() -> Catalogue:
    """Return the catalogue of the store that Connection ``store`` names, opened once; a failure is not remembered."""
    return Catalogue(connections.open_store())


def _summary(name: str, result: dict[str, Any]) -> Document:
    return Document(
        name=name,
        on=result.get("on", "snapshot"),
        outcome=result["outcome"] if result["outcome"] in GRAVITY else "unknown",
        rows=result["rows"],
        sentence=result["sentence"],
        failed=tuple(phrases.shortfall(row) for row in phrases.failed(result["expectations"])),
        timezone=result.get("timezone", "UTC"),
    )


def _interval(span: str) -> Interval | None:
    """Return the interval that a span names; None unless it is written exactly as keys are."""
    try:
        interval = keys.parse_span(span)
    except ValueError:
        return None
    return interval if keys.span(interval) == span else None
