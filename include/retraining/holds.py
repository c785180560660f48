"""Keeps what is being chosen or written apart from what is being deleted.

Whoever is about to rely on objects that no manifest or open run names yet writes a *hold* and then looks for a sweep;
a sweep writes its mark and then looks for holds. Each writes first and reads afterwards, so at least one of the two
sees the other, and whoever sees the other gives way. Both carry a lease: what a killed process left runs out.
"""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.retraining import keys, signing
from include.retraining.errors import Unavailable
from include.retraining.store import Store

FORMAT_VERSION = 1
HOLD_LEASE = timedelta(hours=24)
"""A first pull may take hours; a killed one keeps the sweeps away for a day."""
SWEEP_LEASE = timedelta(minutes=2)
"""A sweep stops itself well before this. A killed one keeps runs waiting no longer, which their retries outlast."""
FRESH = timedelta(seconds=15)


@contextlib.contextmanager
def hold(store: Store, model: str, what: str) -> Iterator[None]:
    """Keep sweeps of a model away while the block chooses or writes objects.

    Raises
    ------
    Unavailable
        A sweep is deleting right now; the task is tried again.
    """
    key = keys.hold(model, secrets.token_hex(8))
    with _marked(store, key, what):
        if others := live(store, keys.sweeps(model), SWEEP_LEASE):
            raise Unavailable(
                f"Maintenance is deleting what {model} no longer needs ({others[0]}). Try again in a minute."
            )
        yield


@dataclass
class Sweep:
    """A sweep that is on."""

    store: Store
    model: str
    what: str
    marks: contextlib.ExitStack
    key: str = ""
    """Its newest mark."""
    is_deleting: bool = False
    """Set while deletions go on: if one breaks off, the mark stays. Its request may come late, but not that late."""

    def mark(self) -> None:
        """Write a mark that stands until the sweep is over."""
        self.key = keys.sweep(self.model, secrets.token_hex(8))
        self.marks.enter_context(_marked(self.store, self.key, self.what, self))

    def since(self) -> datetime:
        """Return when the newest mark was written, by the store's own clock; raises Unavailable if it is gone."""
        for found in self.store.list(self.key):
            return found.modified_at
        raise self._lost()

    def refresh(self) -> datetime:
        """Write a second mark where finding out what is needed took long, and return since when the newest stands.

        The first stands as well, so at no moment was there none, and holds need not be looked for again.

        Raises
        ------
        Unavailable
            The first has run out, or was removed: whoever came in the meantime met none.
        """
        first = self.since()
        if self.store.now() - first > FRESH:
            self.mark()
        newest = self.since()
        if newest - first >= SWEEP_LEASE:
            raise self._lost()
        return newest

    def _lost(self) -> Unavailable:
        return Unavailable(
            f"The sweep of {self.model} had no mark in force all the while; expected to find out what is needed within "
            f"{SWEEP_LEASE}. Nothing was deleted. Try again when the store is quicker."
        )


@contextlib.contextmanager
def sweep(store: Store, model: str, what: str) -> Iterator[Sweep]:
    """Keep holds of a model away while the block deletes.

    Raises
    ------
    Unavailable
        Somebody holds objects of the model, or another sweep is on; nothing may be deleted now.
    """
    with contextlib.ExitStack() as marks:
        state = Sweep(store, model, what, marks)
        state.mark()
        others = [one for one in live(store, keys.sweeps(model), SWEEP_LEASE) if one != state.key]
        if held := live(store, keys.holds(model), HOLD_LEASE) + others:
            raise Unavailable(f"{model} is being worked on ({held[0]}); nothing was deleted. Try again in a minute.")
        yield state


def live(store: Store, prefix: str, lease: timedelta) -> list[str]:
    """Return the keys of marks below a prefix whose lease has not run out, by the store's own clock."""
    found = list(store.list(prefix))
    now = store.now() if found else None
    return [one.key for one in found if now is not None and now - one.modified_at < lease]


@contextlib.contextmanager
def _marked(store: Store, key: str, what: str, state: Sweep | None = None) -> Iterator[None]:
    try:  # a put whose answer was lost may have left its mark
        store.put(key, signing.canonical({"format_version": FORMAT_VERSION, "what": what}))
        yield
    finally:
        if state is None or not state.is_deleting:
            with contextlib.suppress(Unavailable):  # its lease runs out
                store.delete(key)
