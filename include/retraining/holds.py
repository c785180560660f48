"""Keeps what is being chosen or written apart from what is being deleted.

Whoever is about to rely on objects that no manifest or open run names yet writes a *hold* and then looks for a sweep;
a sweep writes its mark and then looks for holds. Each writes first and reads afterwards, so at least one of the two
sees the other, and whoever sees the other gives way. Both carry a lease: what a killed process left runs out.
"""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from include.retraining import keys, signing
from include.retraining.errors import Unavailable
from include.retraining.store import Store

FORMAT_VERSION = 1
HOLD_LEASE = timedelta(hours=24)
"""A first pull may take hours; a killed one keeps the sweeps away for a day."""
SWEEP_LEASE = timedelta(minutes=2)
"""A sweep stops itself well before this. A killed one keeps runs waiting no longer, which their retries outlast."""


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

    is_deleting: bool = False
    """Set while deletions go on: if one breaks off, the mark stays. Its request may come late, but not that late."""


@contextlib.contextmanager
def sweep(store: Store, model: str, what: str) -> Iterator[Sweep]:
    """Keep holds of a model away while the block deletes.

    Raises
    ------
    Unavailable
        Somebody holds objects of the model, or another sweep is on; nothing may be deleted now.
    """
    key, state = keys.sweep(model, secrets.token_hex(8)), Sweep()
    with _marked(store, key, what, state):
        others = [one for one in live(store, keys.sweeps(model), SWEEP_LEASE) if one != key]
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
    store.put(key, signing.canonical({"format_version": FORMAT_VERSION, "what": what}))
    try:
        yield
    finally:
        if state is None or not state.is_deleting:
            with contextlib.suppress(Unavailable):  # its lease runs out
                store.delete(key)
