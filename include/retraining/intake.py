"""What a run works on: its as-of, its window, and the snapshots and labels that it pins in ``inputs.json``."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from include.retraining import connections, expectations, holds, keys, labelling, privacy, snapshots, warehouse, windows
from include.retraining.errors import DataError
from include.retraining.records import Inputs, find_inputs, write_inputs
from include.retraining.registry import Registry
from include.retraining.signing import Keyring
from include.retraining.snapshots import Frozen
from include.retraining.spec import ModelSpec
from include.retraining.store import Store
from include.retraining.windows import Interval, Window

PULLERS = 4
FORM = {"as_of": None, "force_retrain": False, "refresh": False, "dry_run": False, "reason": None}


@dataclass(frozen=True)
class Trigger:
    """What Airflow says of a run, as plain values."""

    run_id: str
    kind: str
    """``scheduled``, ``backfill``, ``manual`` …"""
    interval: Interval | None
    form: Mapping[str, Any]
    actor: str = "scheduled"


@dataclass(frozen=True)
class Pull:
    """Doors and knowledge of one pull."""

    spec: ModelSpec
    store: Store
    keyring: Keyring
    warehouse: connections.Settings
    as_of: datetime
    secret: str


def trigger(run_id: str | None, dag_run: Any, bounds: tuple[Any, Any], params: Mapping[str, Any] | None) -> Trigger:
    """Return what Airflow says of a run as plain values; a run without a logical date has no interval."""
    kind = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    interval = None
    if bounds[0] is not None and bounds[1] is not None and bounds[0] < bounds[1]:
        interval = Interval(*(datetime.fromtimestamp(bound.timestamp(), UTC) for bound in bounds))
    actor = getattr(dag_run, "triggering_user_name", None) or kind
    return Trigger(str(run_id), kind, interval, dict(params or {}), str(actor))


def resolve(spec: ModelSpec, trigger: Trigger, now: datetime, data_until: datetime | None) -> Window:
    """Return the window of a run: form's as-of, else the interval's end, else the newest complete interval's end.

    Scheduled and backfill runs are exact: theirs is the interval that the schedule gave. The dialog of a manual run
    always prefills a date, so there anything beyond what is known falls back to the newest complete interval.

    Raises
    ------
    DataError
        The as-of lies in the future, has no time zone, or no interval is complete by then.
    """
    limit = now if data_until is None else min(now, data_until)
    asked = trigger.form.get("as_of")
    if asked:
        return _window(spec, windows.check_as_of(_moment(asked), limit))
    if trigger.kind in {"scheduled", "backfill"} and trigger.interval is not None:
        return _exact(spec, trigger.interval, limit)
    newest = windows.newest_end(spec.timetable, now, data_until)
    return _window(spec, newest if trigger.interval is None else min(newest, trigger.interval.end))


def pull(spec: ModelSpec, trigger: Trigger, now: datetime) -> Inputs:
    """Fetch every missing snapshot and label of the window and pin the run; a rerun finds its inputs pinned already.

    Parameters
    ----------
    spec : ModelSpec
    trigger : Trigger
    now : datetime
        Aware; only decides what is in the future.
    """
    store, keyring = connections.open_store(), connections.open_keyring()
    pinned = find_inputs(store, spec.name, trigger.run_id)
    if pinned is not None:
        return pinned
    source = connections.settings(spec.source.connection)
    window = resolve(spec, trigger, now, warehouse.data_until(source))
    pull_ = Pull(spec, store, keyring, source, window.as_of, _secret(spec))
    with holds.hold(store, spec.name, f"pull {trigger.run_id}"):
        head = Registry(store, keyring, spec.name).head()
        content = {
            **_identity(spec, trigger, window),
            **_pinned(pull_, window, bool(trigger.form.get("refresh"))),
            "base": head.number if head else 0,
        }
        return write_inputs(store, keys.inputs(spec.name, window.current, trigger.run_id), content)


def freeze(spec: ModelSpec, registry: Registry, interval: Interval, as_of: datetime) -> Frozen:
    """Return the snapshot of one interval as known at the as-of, pulling it if it is not there yet."""
    source = connections.settings(spec.source.connection)
    pull_ = Pull(spec, registry.store, registry.keyring, source, as_of, _secret(spec))
    return _gather(pull_, interval, is_labelled=False, refresh=False)[0]


def _identity(spec: ModelSpec, trigger: Trigger, window: Window) -> dict[str, Any]:
    unknown = sorted(set(trigger.form) - set(FORM))
    if unknown:
        raise DataError(f"The form has unknown fields {unknown}; expected some of {sorted(FORM)}. Mend the trigger.")
    current = window.current
    return {
        "model": spec.name,
        "run": trigger.run_id,
        "kind": trigger.kind,
        "actor": trigger.actor,
        "form": {**FORM, **trigger.form},
        "as_of": keys.stamp(window.as_of),
        "interval": {"span": keys.span(current), "start": current.start.isoformat(), "end": current.end.isoformat()},
        "spec_sha256": spec.digest(),
        "suite_sha256": expectations.load(spec.suite).sha256,
    }


def _pinned(pull_: Pull, window: Window, refresh: bool) -> dict[str, Any]:
    older = [(one, True) for one in window.labelled if one != window.current]
    wanted = [*older, (window.current, window.current in window.labelled)]
    with ThreadPoolExecutor(PULLERS) as pullers:
        found = list(pullers.map(lambda one: _gather(pull_, *one, refresh=refresh), wanted))
    gathered = dict(zip((one for one, _ in wanted), found, strict=True))
    complete = _complete(pull_.spec, gathered)
    names = {"training": window.training, "holdout": window.holdout}
    return {
        "rows": gathered[window.current][0].rows,
        "window": {name: [keys.span(one) for one in part if one in complete] for name, part in names.items()},
        "incomplete": [keys.span(one) for one in window.labelled if one not in complete],
        "snapshots": {keys.span(one): asdict(found[0]) for one, found in gathered.items()},
        "labels": {keys.span(one): asdict(found[1]) for one, found in gathered.items() if found[1]},
    }


def _complete(spec: ModelSpec, gathered: Mapping[Interval, tuple[Frozen, Frozen | None]]) -> set[Interval]:
    enough, fewest = spec.windows.minimum_completeness, labelling.MINIMUM_ROWS
    found = {one: labels for one, (_, labels) in gathered.items() if labels is not None}
    complete = {one: labels for one, labels in found.items() if labels.completeness >= enough}
    return {one for one, labels in complete.items() if labels.known is None or labels.known >= fewest}


def _gather(pull_: Pull, interval: Interval, is_labelled: bool, *, refresh: bool) -> tuple[Frozen, Frozen | None]:
    """Return what is frozen of one interval, pulling only what is missing."""
    spec, store, keyring, as_of = pull_.spec, pull_.store, pull_.keyring, pull_.as_of
    snapshot = None if refresh else snapshots.newest(store, keyring, keys.snapshots(spec.name, interval), as_of)
    labels = None
    if is_labelled and not refresh:
        labels = snapshots.newest(store, keyring, keys.labels(spec.name, interval), as_of)
    is_late = labels is None or labels.completeness < spec.windows.minimum_completeness
    if snapshot is not None and not (is_labelled and is_late):
        return snapshot, labels
    frame = warehouse.read(pull_.warehouse, spec, interval, as_of)
    frame = privacy.private_view(frame, spec, pull_.secret)
    if snapshot is None or snapshot.rows != len(frame):  # rows that came late, or went
        snapshot = snapshots.freeze_snapshot(store, keyring, spec, interval, as_of, frame)
    if is_labelled:
        labels = snapshots.freeze_labels(store, keyring, spec, interval, as_of, frame)
    return snapshot, labels


def _exact(spec: ModelSpec, interval: Interval, limit: datetime) -> Window:
    """Return the window of exactly this interval; of an interval beyond the data nothing is known, so it is empty."""
    known_until = limit if spec.end is None else min(limit, spec.end)
    if interval.end > known_until:
        return Window(interval.end, interval, (), ())
    found = _window(spec, interval.end)
    return Window(found.as_of, interval, found.training, found.holdout)


def _window(spec: ModelSpec, as_of: datetime) -> Window:
    sizes = spec.windows
    counts = (sizes.training_intervals, sizes.holdout_intervals, sizes.older_every, sizes.oldest_intervals)
    return windows.window(spec.timetable, as_of, spec.label_delay, *counts)


def _moment(asked: Any) -> datetime:
    try:
        return datetime.fromisoformat(str(asked))
    except ValueError:
        raise DataError(
            f"As-of {asked!r} is not a moment. Give one with a time zone, like 2013-02-11T00:00:00-05:00."
        ) from None


def _secret(spec: ModelSpec) -> str:
    return connections.settings(connections.PSEUDONYMS).password if privacy.needs_secret(spec) else ""


def now_utc() -> datetime:
    """Return the present moment: the one clock of the corridor, read by ``pull_snapshot`` (and by ``doctor``) alone."""
    return datetime.now(UTC)
