"""Lets the version that is live score an interval, before its labels are known: what it says now is judged later."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from include.retraining import (
    connections,
    corrections,
    holds,
    intake,
    keys,
    labelling,
    predicting,
    predictions,
    recalibration,
    snapshots,
    warehouse,
)
from include.retraining.errors import DataError
from include.retraining.intake import Trigger
from include.retraining.predictions import Predicted
from include.retraining.promotion_log import Entry
from include.retraining.registry import Registry
from include.retraining.snapshots import Frozen
from include.retraining.spec import ModelSpec
from include.retraining.windows import Interval

FORM = {"as_of": None, "interval": None, "reason": None}


@dataclass(frozen=True)
class Choice:
    """Which interval is to be scored, on which rows, and by whom; or why none is."""

    model: str
    span: str
    as_of: str
    sentence: str
    snapshot: Frozen | None = None
    entry: int = 0
    """Number of the log entry by which a version is live; 0: nothing is scored."""
    actor: str = ""
    reason: str | None = None


def choose(spec: ModelSpec, trigger: Trigger, now: datetime) -> Choice:
    """Return what is to be scored, its rows frozen; or why there is nothing: no version was live, or no rows came.

    Parameters
    ----------
    spec : ModelSpec
    trigger : Trigger
    now : datetime
        Aware; only decides what is in the future.

    Raises
    ------
    DataError
        The form is wrong, the as-of lies in the future, or the interval is none of the schedule or not over.
    """
    until = warehouse.data_until(connections.settings(spec.source.connection))
    interval, as_of = asked(spec, trigger, now, until)
    registry = connections.open_registry(spec)
    found = Choice(spec.name, keys.span(interval), keys.stamp(as_of), f"Interval {keys.span(interval)}: ")
    entry = live(registry, interval)
    if entry is None:
        return replace(found, sentence=f"{found.sentence}no version was live when it began, so nothing is scored.")
    with holds.hold(registry.store, spec.name, f"score {trigger.run_id}"):
        snapshot = intake.freeze(spec, registry, interval, as_of)
    if not snapshot.rows:
        return replace(found, sentence=f"{found.sentence}it has no rows, so nothing is scored.")
    sentence = f"{found.sentence}{snapshot.rows} rows for {entry.version}."
    actor, reason = trigger.actor, trigger.form.get("reason")
    return replace(found, sentence=sentence, snapshot=snapshot, entry=entry.number, actor=actor, reason=reason)


def asked(spec: ModelSpec, trigger: Trigger, now: datetime, data_until: datetime | None) -> tuple[Interval, datetime]:
    """Return the interval that a run is about, and by when what it uses was known.

    The form's interval, else what ``intake.resolve`` says: a scheduled run's own; of a person, or of a new champion,
    the newest that is complete.
    """
    if unknown := sorted(set(trigger.form) - set(FORM)):
        raise DataError(f"The form has unknown fields {unknown}; expected some of {sorted(FORM)}. Mend the trigger.")
    span = trigger.form.get("interval")
    if not span:
        window = intake.resolve(spec, trigger, now, data_until)
        return window.current, window.as_of
    interval = _of_the_schedule(spec, str(span))
    limit = now if data_until is None else min(now, data_until)
    as_of = intake.resolve(spec, trigger, now, data_until).as_of if trigger.form.get("as_of") else interval.end
    if interval.end > min(as_of, limit):
        raise DataError(
            f"Interval {span} is not over by {min(as_of, limit).isoformat()}. Give an earlier one, or leave it empty: "
            "the newest is taken."
        )
    return interval, as_of


def live(registry: Registry, interval: Interval) -> Entry | None:
    """Return the entry by which a version was live when an interval began, as the log stands now; None if none was."""
    head = registry.head()
    return registry.live_at(interval.start, head.number) if head else None


def score(spec: ModelSpec, found: Choice) -> tuple[Predicted, str]:
    """Return the predictions of a chosen interval, and what is told of them; those that are there already stand.

    Every row has one, those too that validation sets aside, for what serves gets every row; except those of which a
    numeric feature is no number.

    Raises
    ------
    DataError
        No row can be used, or what the version predicts is not usable.
    IntegrityError
        The version, its correction or the snapshot is not what was stored.
    """
    registry, interval = connections.open_registry(spec), keys.parse_span(found.span)
    entry = registry.standing(found.entry)
    if entry is None or found.snapshot is None:
        raise DataError(f"Nothing is to be scored: {found.sentence}")
    with holds.hold(registry.store, spec.name, f"score {found.span}"):
        standing = predictions.find(registry.store, registry.keyring, spec.name, interval, entry.version)
        done = standing or _scored(registry, spec, found, found.snapshot, entry)
    return done, _told(done, found, is_new=standing is None)


def _scored(registry: Registry, spec: ModelSpec, found: Choice, snapshot: Frozen, entry: Entry) -> Predicted:
    interval, rows = keys.parse_span(found.span), labelling.finite(snapshots.read(registry.store, snapshot), spec)
    is_usable = predicting.usable(rows, spec)
    rows = rows[is_usable]
    if not len(rows):
        raise DataError(f"No row of {snapshot.key} has features that are numbers. Mend the query or the source.")
    raw, classes = predicting.predict(registry.load_live(entry), rows, spec, entry.version)
    correction = corrections.in_force(registry.store, registry.keyring, spec.name, interval, entry.version)
    digest = correction.digest if correction else None
    about = {
        "version": entry.version,
        "entry": entry.number,
        "snapshot_sha256": snapshot.sha256,
        "as_of": found.as_of,
        "unusable": int((~is_usable).sum()),
        "classes": list(classes),
        "correction_sha256": digest,
        "actor": found.actor,
        "reason": found.reason,
    }
    corrected = recalibration.apply(correction.numbers, raw, classes, spec.task) if correction else raw
    table = predicting.table(rows, spec, corrected, raw if correction else None, classes)
    key = keys.prediction_rows(spec.name, interval, entry.version, digest)
    return predictions.write(registry.store, registry.keyring, key, table, about)


def _of_the_schedule(spec: ModelSpec, span: str) -> Interval:
    try:
        interval = keys.parse_span(span)
    except ValueError as error:
        raise DataError(f"The form's interval: {error}") from None
    if interval not in spec.timetable.between(interval.start, interval.start):
        raise DataError(
            f"{span} is no interval of {spec.name}, whose schedule is {spec.schedule!r} in {spec.timezone} from "
            f"{spec.start.isoformat()}. Copy one from a list of its runs."
        )
    return interval


def _told(done: Predicted, found: Choice, *, is_new: bool) -> str:
    verb = "scored" if is_new else "had scored already"
    corrected = ", corrected" if done.correction_sha256 else ""
    without = f" {done.unusable} rows have a feature that is no number, and no prediction." if done.unusable else ""
    return f"Interval {found.span}: {done.version} {verb} {done.rows} rows{corrected}.{without}"


def to_plain(found: Choice) -> dict[str, Any]:
    """Return what travels between the tasks of a run; nothing if nothing is to be scored."""
    return asdict(found) if found.entry else {}


def from_plain(given: Mapping[str, Any]) -> Choice:
    """Return what ``to_plain`` gave."""
    return Choice(**{**given, "snapshot": Frozen(**given["snapshot"])})
