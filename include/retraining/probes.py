"""Proves what a store honours, with objects of its own that are removed again; nothing else is touched."""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Barrier
from typing import Generic, TypeVar

from include.retraining import keys
from include.retraining.errors import ObjectMissing, RetrainingError, StoreUnsafe
from include.retraining.store import Store

OK, WARNING, FAILED = "ok", "warning", "failed"
WRITERS, ROUNDS = 8, 5
PAGE = 1_000
"""What a server lists at once; more comes in pages."""
LARGE_BYTES = 1 << 20
ODD_NAMES = ("a b", "plus+and&amp", "ünïcode", "percent%20", "it's (1)~", "question?", "x" * 200)
LEFT_AFTER = timedelta(days=1)
CLOCKS_APART = timedelta(minutes=15)
"""Servers refuse what is signed further from their own time."""
OVERWRITES = (
    "The store accepts If-None-Match and overwrites all the same, so promotions could be lost. "
    "Use a store that honours conditional writes (AWS S3, Ceph, SeaweedFS, MiniStack) or a folder."
)
LOSES = (
    "The store says that it wrote, and gives back {found} instead of what was written. "
    "Use another store, and look for a cache between it and here."
)

Answer = tuple[str, str]
"""A state, and a sentence of what was found and what to do."""
T = TypeVar("T")


@dataclass(frozen=True)
class Probe(Generic[T]):
    """One question to a store."""

    check: str
    ask: Callable[[T], Answer]
    is_required: bool = False
    """Whether it is asked before a model's first version too, which a bad answer forbids."""


@dataclass(frozen=True)
class Diagnosis:
    """What one check found."""

    check: str
    state: str
    is_required: bool
    told: str


def prove(store: Store) -> None:
    """Ask what must hold before a model's first version.

    Raises
    ------
    StoreUnsafe
        The store overwrites, loses, or gives back or lists what is no longer so.
    """
    for probe in PROBES:
        if probe.is_required:
            state, told = probe.ask(store)
            if state == FAILED:
                raise StoreUnsafe(told)


def look(check: str, ask: Callable[[], Answer], is_required: bool = False) -> Diagnosis:
    """Return what a check found; one that breaks off has failed, and the next is asked all the same."""
    try:
        state, told = ask()
    except RetrainingError as error:
        state, told = FAILED, str(error)
    except Exception as error:  # what a strange server makes of a client can be anything
        state, told = FAILED, f"{type(error).__name__}: {error}. This was not expected; please report it."
    return Diagnosis(check, state, is_required, " ".join(told.split()))


def keeps_the_first(store: Store) -> Answer:
    """Ask whether put-if-absent keeps the first, knows its own bytes again and refuses others."""
    with taken(store) as (key,):
        first, again, other = (store.put_if_absent(key, data) for data in (b"first", b"first", b"other"))
        held = held_by(store, key)
    if first and other and held in (b"first", b"other"):
        return FAILED, OVERWRITES
    if not first or held != b"first":
        return FAILED, LOSES.format(found=shown(held))
    if not again:
        return FAILED, "A write that was sent twice is taken for somebody else's. Use another store."
    return OK, "The first write stays, the same one sent again is known, another is refused."


def has_one_winner(store: Store) -> Answer:
    """Ask whether of eight writers at once exactly one is told that it won, and its bytes lie there."""
    for _ in range(ROUNDS):
        with taken(store) as (key,):
            won = _race(store, key)
            if won.count(True) != 1 or held_by(store, key) != b"writer %d" % won.index(True):
                told = f"Of {WRITERS} writers at once {won.count(True)} were told that they won. {OVERWRITES}"
                return FAILED, told
    return OK, f"Of {WRITERS} writers at once exactly one won, in each of {ROUNDS} rounds."


def gives_the_newest(store: Store) -> Answer:
    """Ask whether an overwritten object is read as it is now."""
    with taken(store) as (key,):
        for number in range(ROUNDS):
            store.put(key, b"%d" % number)
            if (held := held_by(store, key)) != b"%d" % number:
                return FAILED, LOSES.format(found=shown(held))
    return OK, "What was overwritten is read as it is now."


def forgets_the_deleted(store: Store) -> Answer:
    """Ask whether a deleted object is absent, for readers and for put-if-absent."""
    with taken(store) as (key,):
        store.put(key, b"x")
        _ = held_by(store, key), _listed(store, key)  # what was asked before must not be the answer now
        store.delete(key)
        if held_by(store, key) is not None or _listed(store, key):
            return (
                FAILED,
                "A deleted object is still read or listed. Use another store, and look for a cache before it.",
            )
        if not store.put_if_absent(key, b"y"):
            return FAILED, "A deleted object cannot be written again. Use another store."
    return OK, "A deleted object is neither read nor listed, and can be written again."


def lists_at_once(store: Store) -> Answer:
    """Ask whether a listing shows an object as soon as it is written."""
    with taken(store, *(str(number) for number in range(ROUNDS))) as names:
        for number, name in enumerate(names):
            _listed(store, name)
            store.put_if_absent(name, b"x")
            if not _listed(store, name):
                return (
                    FAILED,
                    f"A listing does not show object {number + 1} of {ROUNDS} just written. Use another store.",
                )
    return OK, "A listing shows an object as soon as it is written."


def gives_back_whole(store: Store) -> Answer:
    """Ask for a megabyte and for odd names."""
    data = os.urandom(LARGE_BYTES)
    with taken(store, "large", *ODD_NAMES) as (large, *odd):
        store.put_if_absent(large, data)
        if (held := held_by(store, large)) != data:
            return FAILED, LOSES.format(found=shown(held))
        for key in odd:
            store.put_if_absent(key, key.encode())
            if held_by(store, key) != key.encode() or _listed(store, key) != [key]:
                return FAILED, f"The key {key!r} is not read or not listed as it was written. Use another store."
    return OK, f"{LARGE_BYTES} bytes come back whole, and {len(ODD_NAMES)} odd names are only names."


def lists_in_order(store: Store) -> Answer:
    """Ask for more objects than a page of a listing holds."""
    names = [f"{number:04d}" for number in range(PAGE + 1)]
    with taken(store, *names) as own:
        with ThreadPoolExecutor(WRITERS) as writers:
            list(writers.map(lambda key: store.put(key, b""), own))
        listed = _listed(store, own[0].removesuffix(names[0]))
    if listed == own:
        return OK, f"{len(own)} objects are listed whole and in the order of their keys."
    return (
        FAILED,
        f"Of {len(own)} objects {len(set(listed) & set(own))} are listed, or not in order. Use another store.",
    )


PROBES: tuple[Probe[Store], ...] = (
    Probe("put-if-absent", keeps_the_first, is_required=True),
    Probe("one winner of 8", has_one_winner, is_required=True),
    Probe("newest bytes", gives_the_newest, is_required=True),
    Probe("deleted is absent", forgets_the_deleted, is_required=True),
    Probe("listed at once", lists_at_once, is_required=True),
    Probe("whole bytes, odd keys", gives_back_whole),
    Probe("1,001 keys in order", lists_in_order),
)
"""What is asked of every store."""


def tells_time(store: Store, now: datetime) -> Answer:
    """Ask whether the store's clock is ours, about."""
    apart = abs(store.now() - now)
    if apart <= CLOCKS_APART:
        return OK, f"The store's clock is {apart.total_seconds():.0f} s from ours."
    return WARNING, f"The store's clock is {apart} from ours; a server may refuse what we sign. Set one of the clocks."


def clears_up(store: Store) -> Answer:
    """Remove what checks left that were killed more than a day ago."""
    prefix, now = keys.probe(""), store.now()
    found = [*store.list(prefix), *store.leftovers(prefix)]
    _remove(store, old := [one.key for one in found if now - one.modified_at > LEFT_AFTER])
    return OK, f"{len(old)} objects of killed checks were removed." if old else "Earlier checks left nothing."


@contextlib.contextmanager
def taken(store: Store, *names: str) -> Iterator[list[str]]:
    """Give keys of our own, one for each name or just one, and remove what lies there afterwards, whatever happened."""
    token = secrets.token_hex(8)
    own = [keys.probe(token, name) for name in names or ("",)]
    try:
        yield own
    finally:
        _remove(store, own)


def held_by(store: Store, key: str) -> bytes | None:
    """Return what lies under a key, or None."""
    try:
        return store.get(key)
    except ObjectMissing:
        return None


def shown(held: bytes | None) -> str:
    """Return what was found, for a message."""
    return "nothing" if held is None else f"{len(held)} other bytes"


def _race(store: Store, key: str) -> list[bool]:
    barrier = Barrier(WRITERS)

    def write(writer: int) -> bool:
        barrier.wait()
        return store.put_if_absent(key, b"writer %d" % writer)

    with ThreadPoolExecutor(WRITERS) as writers:
        return list(writers.map(write, range(WRITERS)))


def _listed(store: Store, prefix: str) -> list[str]:
    return [found.key for found in store.list(prefix)]


def _remove(store: Store, own: Iterable[str]) -> None:
    with ThreadPoolExecutor(WRITERS) as hands:
        list(hands.map(store.delete, own))
