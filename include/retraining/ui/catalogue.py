"""What the pages show of the store: Data Docs by model and interval, newest first, at a cost that does not grow.

Only what a listing names is ever read, so no address can lead out of a model's Data Docs.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import groupby, islice
from threading import Lock
from typing import Generic, TypeVar

from include.retraining import connections, inventory, keys, signing
from include.retraining.errors import IntegrityError
from include.retraining.store import Store, Stored
from include.retraining.ui.documents import Document, Entry, Judgement, Wanted, gravity, summary
from include.retraining.windows import Interval

SHOWN = 31
LOOKED_AT = 12 * SHOWN
"""How many intervals one page may look at to find those that are wanted."""
REMEMBERED = 4000
"""How many results are kept in memory, at about 9 KB for a suite of 40 expectations."""
READERS = 8
EVERYTHING = Wanted()
T = TypeVar("T")


@dataclass(frozen=True)
class Listing:
    """One page of the list, and where the next one begins."""

    entries: tuple[Entry, ...]
    looked_at: int
    older: str | None
    failing: tuple[Judgement, ...] = ()
    """What did not hold anywhere in the intervals looked at, each expectation once, the gravest first."""


class Memory(Generic[T]):
    """What was asked for last of what never changes under its key; readers in several threads share it."""

    def __init__(self, most: int) -> None:
        self._held: OrderedDict[str, T] = OrderedDict()
        self._most, self._lock = most, Lock()

    def get(self, key: str) -> T | None:
        """Return what is remembered under a key."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def keep(self, key: str, value: T) -> T:
        """Remember a value, and forget what nobody has asked for longest beyond the most that are kept."""
        with self._lock:
            self._held[key] = value
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return value


class Catalogue:
    """Data Docs in one store. Results never change under their key, so each is read once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._documents: Memory[Document] = Memory(REMEMBERED)
        self._frozen: Memory[str] = Memory(REMEMBERED)

    def listing(self, model: str, wanted: Wanted = EVERYTHING, before: str = "", shown: int = SHOWN) -> Listing:
        """Return intervals of a model, newest first.

        Parameters
        ----------
        model : str
        wanted : Wanted
            Which of them.
        before : str
            Only intervals whose key form sorts before this one.
        shown : int
            The most entries.
        """
        spans = self._spans(model, before)
        found: list[Entry] = []
        looked_at: list[Entry] = []
        while len(found) < shown and len(looked_at) < LOOKED_AT and (chunk := list(islice(spans, shown))):
            for entry in self._entries(model, chunk):
                if len(found) == shown:
                    break
                looked_at.append(entry)
                found += [entry] if wanted.admits(entry) else []
        last = looked_at[-1].span if looked_at else ""
        more = bool(last) and next(self._spans(model, last), None) is not None
        return Listing(tuple(found), len(looked_at), last if more else None, _failing(looked_at))

    def newest(self, model: str, most: int) -> list[Entry]:
        """Return the newest intervals of a model, the newest first."""
        return self._entries(model, list(islice(self._spans(model, ""), most)))

    def entry(self, model: str, span: str) -> Entry | None:
        """Return one interval; None if it has no Data Docs."""
        interval = _interval(span)
        pages = list(self._listed(model, keys.data_docs(model, interval))) if interval else []
        return self._entries(model, [(span, pages)])[0] if pages else None

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
        listed = self._listed(model, keys.data_docs(model, interval))
        keys_by_name = {_name(found): found.key for found in listed}
        return self.store.get(keys_by_name[name]) if name in keys_by_name else None

    def _listed(self, model: str, prefix: str) -> Iterator[Stored]:
        """Yield what lies below a prefix, without what is none of ours."""
        return (found for _, found in inventory.placed(model, self.store.list(prefix)))

    def _spans(self, model: str, before: str) -> Iterator[tuple[str, list[Stored]]]:
        """Yield spans and their pages, newest first, listing a year at a time."""
        first = next(self._listed(model, keys.data_docs(model)), None)
        if first is None:
            return
        oldest = int(first.key.removeprefix(keys.data_docs(model))[:4])  # keys begin with the year
        start = _interval(before)
        newest = start.start.year if start else datetime.now(UTC).year + 1
        for year in range(newest, oldest - 1, -1):
            for span, pages in reversed(self._of_year(model, year)):
                if not before or span < before:
                    yield span, pages

    def _of_year(self, model: str, year: int) -> list[tuple[str, list[Stored]]]:
        listed = self._listed(model, f"{keys.data_docs(model)}{year:04d}")
        return [(span, list(pages)) for span, pages in groupby(listed, key=lambda one: one.key.split("/")[2])]

    def _entries(self, model: str, chunk: list[tuple[str, list[Stored]]]) -> list[Entry]:
        wanted = [(keys.parse_span(span), _name(page)) for span, pages in chunk for page in pages]
        with ThreadPoolExecutor(READERS) as readers:
            documents = iter(list(readers.map(lambda one: self._document(model, *one), wanted)))
        entries = []
        for span, pages in chunk:
            read = [(next(documents), page.modified_at) for page in pages]
            entries.append(Entry(keys.parse_span(span), self._ordered(model, keys.parse_span(span), read)))
        return entries

    def _document(self, model: str, interval: Interval, name: str) -> Document:
        rows, _, suite = name.removesuffix(".html").partition("-")
        key = keys.validation(model, interval, rows, suite)
        if known := self._documents.get(key):
            return known
        try:
            return self._documents.keep(key, summary(name, signing.unseal(self.store.get(key), key)))
        except (IntegrityError, KeyError, TypeError, ValueError):
            return Document(name)

    def _ordered(self, model: str, interval: Interval, read: list[tuple[Document, datetime]]) -> tuple[Document, ...]:
        """Return an interval's pages, the snapshot's first; of one kind the newest rows by the latest suite first."""
        dated = [(self._as_of(model, interval, one, read), moment, one) for one, moment in read]
        dated.sort(key=lambda one: (one[0], one[1], one[2].name), reverse=True)
        dated.sort(key=lambda one: one[2].on, reverse=True)
        seen: set[tuple[str, str]] = set()
        ordered = []
        for as_of, _, one in dated:
            same = (one.on, one.rows_digest)
            ordered.append(replace(one, as_of=as_of, is_superseded=same in seen))
            seen.add(same)
        return tuple(ordered)

    def _as_of(self, model: str, interval: Interval, one: Document, read: list[tuple[Document, datetime]]) -> str:
        """Return when rows were frozen, if other rows of their kind were too."""
        if len({other.rows_digest for other, _ in read if other.on == one.on}) == 1:
            return ""
        listed = (keys.snapshots(model, interval), keys.labels(model, interval))
        known = self._frozen.get(f"{listed[0]}{one.rows_digest}")
        if known is not None:
            return known
        moments = dict(_frozen(found.key, prefix) for prefix in listed for found in self._listed(model, prefix))
        for other, _ in read:
            self._frozen.keep(f"{listed[0]}{other.rows_digest}", moments.get(other.rows_digest, ""))
        return moments.get(one.rows_digest, "")


@cache
def opened() -> Catalogue:
    """Return the catalogue of the store that Connection ``store`` names, opened once; a failure is not remembered."""
    return Catalogue(connections.open_store())


def _failing(entries: Iterable[Entry]) -> tuple[Judgement, ...]:
    failed: dict[str, Judgement] = {}
    for entry in entries:
        for document in entry.documents:
            for one in document.failed:
                failed.setdefault(one.id, one)
    return tuple(sorted(failed.values(), key=lambda one: (gravity(one), one.wanted)))


def _name(page: Stored) -> str:
    return page.key.rpartition("/")[2]


def _frozen(key: str, prefix: str) -> tuple[str, str]:
    """Return the start of a digest and when those rows were frozen, from ``{as-of}-{sha12}``."""
    stem = key.removeprefix(prefix).split("/")[0].split(".")[0].split("-")
    return (stem[1], f"{keys.parse_stamp(stem[0]):%Y-%m-%d %H:%M} UTC") if len(stem) == 2 else ("", "")


def _interval(span: str) -> Interval | None:
    """Return the interval that a span names; None unless it is written exactly as keys are."""
    try:
        interval = keys.parse_span(span)
    except ValueError:
        return None
    return interval if keys.span(interval) == span else None
