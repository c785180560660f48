"""Tries a suite on stored snapshots and labels as runs would have judged them, and publishes nothing."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.retraining import expectations, keys, labelling, relative, snapshots
from include.retraining.errors import DataError
from include.retraining.expectations import Suite
from include.retraining.policies import PSEUDONYMISE
from include.retraining.signing import Keyring
from include.retraining.snapshots import Frozen
from include.retraining.spec import ModelSpec
from include.retraining.store import Store
from include.retraining.tried import Outcome, Tried, completed, unjudged
from include.retraining.validation import About, validate
from include.retraining.windows import Interval

if TYPE_CHECKING:
    import pandas as pd

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
    """Return what becomes of every expectation on every interval, in the order of the suite."""
    snapshot_suite, label_suite = expectations.for_snapshot(suite), expectations.for_labels(suite)
    expectations.check(snapshot_suite, spec.stored)
    expectations.check(label_suite, (*spec.key_columns, spec.label, "status"))
    halves = ((snapshot_suite, past.snapshots), (label_suite, past.labels))
    return [tried for half, stored in halves for tried in _try_half(store, spec, half, stored)]


def _try_half(store: Store, spec: ModelSpec, suite: Suite, stored: Stored) -> list[Tried]:
    """Validate one half on each interval, oldest first: limits relative to earlier ones see no later number."""
    earlier: dict[tuple[int, int], list[float]] = defaultdict(list)
    found: dict[tuple[int, int, str], list[Outcome]] = defaultdict(list)
    for interval, frozen in stored if suite.expectations else ():
        frame = snapshots.read(store, frozen)
        groups = {place: relative.group(interval, one["relative_to"], spec.timezone)
                  for place, one in enumerate(suite.expectations) if "relative_to" in one}  # fmt: skip
        limited = [_limited(one, earlier[place, groups.get(place, 0)]) for place, one in enumerate(suite.expectations)]
        about = About(spec.name, interval, frozen.sha256, _masked(spec), spec.timezone)
        for key, row in _rows(suite, limited, frame, about):
            found[key].append(Outcome(interval, row))
        for place, group in groups.items():
            number = relative.number(frame, suite.expectations[place])
            earlier[place, group] += [] if number is None else [number]
    return [Tried(suite.on, tuple(found[key])) for key in sorted(found)]


def _masked(spec: ModelSpec) -> frozenset[str]:
    return frozenset(name for name, rule in spec.privacy.items() if rule == PSEUDONYMISE)


def _limited(expectation: dict[str, Any], earlier: list[float]) -> dict[str, Any] | None:
    """Return an expectation with the limits that earlier numbers give it, or None where there are too few."""
    if "relative_to" not in expectation:
        return expectation
    found = relative.limits(earlier, expectation["tolerance"])
    if found is None:
        return None
    plain = {name: held for name, held in expectation.items() if name not in {"relative_to", "tolerance"}}
    return {**plain, "kwargs": {**expectation["kwargs"], "min_value": found[0], "max_value": found[1]}}


def _rows(
    suite: Suite, limited: list[dict[str, Any] | None], frame: "pd.DataFrame", about: About
) -> Iterator[tuple[tuple[int, int, str], dict[str, Any]]]:
    """Yield each expectation's place and its row of the result; what the product adds itself comes after the suite."""
    judged = {place: one for place, one in enumerate(limited) if one is not None}
    result = validate(frame, Suite(suite.name, tuple(judged.values()), suite.on), about).result["expectations"]
    own = [row for row in result if row.get("source", "suite") == "suite"]
    told = {place: completed(row, one) for (place, one), row in zip(judged.items(), own, strict=True)}
    for place, one in enumerate(suite.expectations):
        yield (0, place, ""), {**told.get(place, unjudged(one)), **_relation(one)}
    for row in result:
        if row.get("source", "suite") != "suite":
            yield (1, 0, f"{row['type']} {row['column']}"), completed(row, {"kwargs": {}})


def _relation(expectation: dict[str, Any]) -> dict[str, Any]:
    return {name: expectation[name] for name in ("relative_to", "tolerance") if name in expectation}
