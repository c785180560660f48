"""Tries a suite on stored snapshots and labels as runs would have judged them, and publishes nothing."""

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from include.retraining import binding, default_expectations, expectations, keys, labelling, snapshots
from include.retraining.binding import Earlier
from include.retraining.errors import DataError
from include.retraining.expectations import Suite
from include.retraining.signing import Keyring
from include.retraining.snapshots import Frozen
from include.retraining.spec import ModelSpec
from include.retraining.store import Store
from include.retraining.tried import Outcome, Tried
from include.retraining.validation import About, validate
from include.retraining.windows import Interval

END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
Stored = tuple[tuple[Interval, Frozen], ...]


@dataclass(frozen=True)
class Past:
    """What is stored of the newest intervals, oldest first, and of each what was frozen last."""

    snapshots: Stored
    labels: Stored
    left_out: tuple[str, ...] = ()
    """What a run would not have judged, and why."""


def gather(store: Store, keyring: Keyring, spec: ModelSpec, intervals: int) -> Past:
    """Return what is stored of the newest intervals and enough to be judged, from signed manifests.

    Raises
    ------
    DataError
        There is no such snapshot.
    """
    rows, labels = (_newest(store, keyring, spec.name, kind, intervals) for kind in (keys.snapshots, keys.labels))
    fewest, complete = spec.windows.minimum_rows, spec.windows.minimum_completeness
    few = {one: f"{found.rows} rows, at least {fewest} are needed" for one, found in rows if found.rows < fewest}
    open_ = {one: f"{100 * found.completeness:.0f} % of its labels are known or void, {100 * complete:.0f} % are needed"
             for one, found in labels if found.completeness < complete}  # fmt: skip
    empty = {one: f"{found.known} labels are known, {labelling.MINIMUM_ROWS} are needed" for one, found in labels
             if one not in open_ and found.known is not None and found.known < labelling.MINIMUM_ROWS}  # fmt: skip
    past = Past(
        tuple((one, found) for one, found in rows if one not in few),
        tuple((one, found) for one, found in labels if one not in open_ and one not in empty),
        tuple(f"{keys.span(one)}: {why}" for listed in (few, open_, empty) for one, why in listed.items()),
    )
    if not past.snapshots:
        raise DataError(
            f"{spec.name} has no stored snapshot of at least {fewest} rows. "
            f"Run the DAG `retrain_{spec.name}` for some intervals first."
        )
    return past


def _newest(
    store: Store, keyring: Keyring, model: str, kind: Callable[[str, Interval | None], str], intervals: int
) -> Stored:
    """Return what was frozen last of each of the newest intervals."""
    places = (keys.place(model, found.key) for found in store.list(kind(model, None)))
    wanted = sorted({place.interval for place in places if place is not None and place.interval is not None})
    with ThreadPoolExecutor(snapshots.READERS) as readers:
        newest = wanted[-intervals:]
        found = readers.map(lambda one: snapshots.newest(store, keyring, kind(model, one), END_OF_TIME), newest)
        return tuple((one, frozen) for one, frozen in zip(newest, found, strict=True) if frozen is not None)


def try_out(store: Store, spec: ModelSpec, suite: Suite, past: Past) -> list[Tried]:
    """Return what becomes of every expectation on every interval: those of the suite, then what is expected anyway.

    Columns that are made of two intervals are left out: they are no suite's.
    """
    snapshot_suite, label_suite = expectations.for_snapshot(suite), expectations.for_labels(suite)
    expectations.check(snapshot_suite, spec.stored)
    expectations.check(label_suite, (*spec.key_columns, spec.label, "status"))
    halves = ((snapshot_suite, past.snapshots), (label_suite, past.labels))
    return [tried for half, stored in halves for tried in _try_half(store, spec, _complete(half, spec), stored)]


def _complete(half: Suite, spec: ModelSpec) -> Suite:
    whole = default_expectations.complete(half, spec)
    return Suite(whole.name, tuple(one for one in whole.expectations if not one.get("derived")), whole.on)


def _try_half(store: Store, spec: ModelSpec, suite: Suite, stored: Stored) -> list[Tried]:
    """Validate one half on each interval, oldest first: limits that the past gives see no later number."""
    past: list[Earlier] = []
    found: dict[int, list[Outcome]] = defaultdict(list)
    for interval, frozen in stored if suite.expectations else ():
        about = About(spec.name, interval, frozen.sha256, spec.pseudonymised, spec.timezone, tuple(past))
        with snapshots.opened(store, frozen, spec.validation.rows_at_once) as rows:
            result = validate(rows, suite, about).result
        for place, row in enumerate(result["expectations"]):
            found[place].append(Outcome(interval, row))
        past.append(binding.earlier(interval, result))
    return [Tried(suite.on, tuple(found[place])) for place in sorted(found)]
