"""Door: the history that a replay walks through: stored snapshots, a folder of Parquet files, or the warehouse.

Nothing is written, but what is asked to be kept of what was pulled.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from include.retraining import connections, joining, keys, labelling, privacy, snapshots, warehouse
from include.retraining.errors import DataError
from include.retraining.joining import Part
from include.retraining.replayed import History
from include.retraining.signing import Keyring
from include.retraining.snapshots import Frozen
from include.retraining.spec import ModelSpec
from include.retraining.store import Store
from include.retraining.windows import Interval

END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
NAMED = 3
PULLERS = 4
Tell = Callable[[int, int], None]
"""Hears how many intervals have been read, and of how many."""


@dataclass(frozen=True)
class Range:
    """Which intervals are asked for: those that lie in ``[first, last)``; None: as far as there are any."""

    first: datetime | None = None
    last: datetime | None = None

    def of(self, spec: ModelSpec, found: Sequence[Interval]) -> list[Interval]:
        """Return the intervals of a schedule in the range, which reaches as far as those that were found.

        Raises
        ------
        DataError
            There is none.
        """
        first = self.first or min((one.start for one in found), default=None)
        last = self.last or max((one.end for one in found), default=None)
        asked = [] if last is None else [one for one in spec.timetable.intervals(last) if one.start >= (first or last)]
        if not asked:
            begin, until = (_day(one, spec) for one in (self.first or spec.start, self.last or spec.end))
            raise DataError(f"{spec.name} has no data interval from {begin} to {until}. Give another --from or --to.")
        return asked


@dataclass(frozen=True)
class Pull:
    """How intervals that are not stored are read."""

    keep: Path | None = None
    """A folder for what was read, as ``from_folder`` reads it."""
    tell: Tell = lambda *_: None
    until: datetime | None = None
    """The present moment: nothing later can be read."""


def moment(text: str, spec: ModelSpec) -> datetime:
    """Return a day, which begins in the spec's time zone, or a moment with a time zone; raises DataError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise DataError(f"Found {text!r}; expected a day like 2013-02-01, or a moment with a time zone.") from None
    if found.tzinfo is None and len(text) > len("2013-02-01"):
        raise DataError(f"{text} has no time zone. Give one, like {text}-05:00, or a day alone.")
    return (found.replace(tzinfo=ZoneInfo(spec.timezone)) if found.tzinfo is None else found).astimezone(UTC)


def from_store(store: Store, keyring: Keyring, spec: ModelSpec, asked: Range, pull: Pull | None = None) -> History:
    """Return what is stored of the intervals, as it is known by now.

    Parameters
    ----------
    store, keyring : Store, Keyring
    spec : ModelSpec
    asked : Range
    pull : Pull, optional
        Read what is not stored from the warehouse, and store nothing of it; else it is an error.

    Raises
    ------
    DataError
        Intervals are missing; the message says which, and how to get them.
    """
    places = (keys.place(spec.name, one.key) for one in store.list(keys.snapshots(spec.name, None)))
    stored = {place.interval for place in places if place is not None and place.interval is not None}
    intervals = asked.of(spec, [*stored, *_whole_schedule(spec, asked, pull)] if pull else sorted(stored))
    with ThreadPoolExecutor(snapshots.READERS) as readers:
        pairs = readers.map(lambda one: _pair(store, keyring, spec, one) if one in stored else None, intervals)
        frozen = {one: pair for one, pair in zip(intervals, pairs, strict=True) if pair is not None}
    frozen = {one: pair for one, pair in frozen.items() if pair[1] is not None or _is_last(one, frozen)}
    missing = [one for one in intervals if one not in frozen]
    if missing and not pull:
        raise DataError(_missing(spec, missing, len(intervals)))
    parts = {one: part for some in _batches(list(frozen)) for one, part in _stored(store, spec, frozen, some)}
    if missing and pull:
        parts |= _pulled(spec, missing, pull)
    return _history(spec, intervals, parts)


def from_folder(folder: Path, spec: ModelSpec, asked: Range) -> History:
    """Return the history in a folder of Parquet files: one an interval, or any others, split by the time column.

    Raises
    ------
    DataError
        There is none, or a file cannot be read, lacks a column or holds a moment without a time zone.
    """
    paths = sorted(one for one in folder.rglob("*") if one.suffix in {".parquet", ".pq"}) if folder.is_dir() else []
    if not paths:
        raise DataError(f"There is no Parquet file in {folder}. Give a folder that has some.")
    with ThreadPoolExecutor(snapshots.READERS) as readers:
        frames = list(readers.map(lambda one: _file(one, spec), paths))
    rows = warehouse.typed(pd.concat(frames, ignore_index=True), spec)
    if not len(rows):
        raise DataError(f"The Parquet files in {folder} have no rows.")
    times = rows[spec.time_column]
    bounds = times.min().to_pydatetime(), times.max().to_pydatetime()
    found = spec.timetable.between(bounds[0] - timedelta(days=32), bounds[1])  # the first row lies in some interval
    intervals = asked.of(spec, [one for one in found if one.end > bounds[0]])
    starts = pd.DatetimeIndex([one.start for one in intervals])
    places = starts.searchsorted(times, side="right") - 1
    order = places.argsort(kind="stable")
    rows, bounded = rows.iloc[order], places[order].searchsorted(range(len(intervals) + 1))
    labels = labelling.label_frame(rows, spec)
    features = rows[list(dict.fromkeys([*spec.key_columns, *spec.features]))]
    is_unique, parts = not rows.duplicated(list(spec.key_columns)).any(), dict[Interval, Part]()
    for place, one in enumerate(intervals):
        inside = slice(bounded[place], bounded[place + 1])
        if len(starts) == place + 1:  # rows after the last interval lie in none
            inside = slice(bounded[place], bounded[place] + int((times.iloc[order].iloc[inside] < one.end).sum()))
        own, told = (frame.iloc[inside].reset_index(drop=True) for frame in (features, labels))
        parts[one] = joining.part(own, told, spec, is_unique=is_unique)
    return _history(spec, intervals, parts)


def _history(spec: ModelSpec, intervals: list[Interval], parts: Mapping[Interval, Part]) -> History:
    rows = {one: rows for one in intervals if (rows := parts[one].rows) is not None}
    left_out = tuple(f"{keys.span(one)}: {parts[one].why}" for one in intervals if parts[one].why)
    if not rows:
        raise DataError(f"None of {len(intervals)} intervals of {spec.name} is labelled. The first: {left_out[0]}.")
    return History(spec, tuple(intervals), rows, {one: part.count for one, part in parts.items()}, left_out)


def _pair(store: Store, keyring: Keyring, spec: ModelSpec, one: Interval) -> tuple[Frozen, Frozen | None] | None:
    snapshot, labels = (
        snapshots.newest(store, keyring, of(spec.name, one), END_OF_TIME) for of in (keys.snapshots, keys.labels)
    )
    return (snapshot, labels) if snapshot else None


def _is_last(one: Interval, frozen: Mapping[Interval, tuple[Frozen, Frozen | None]]) -> bool:
    """Return whether no later interval has labels: then its own are not known yet, rather than missing."""
    return not any(labels for other, (_, labels) in frozen.items() if other > one)


def _batches(intervals: list[Interval], size: int = 64) -> Iterator[list[Interval]]:
    yield from (intervals[start : start + size] for start in range(0, len(intervals), size))


def _stored(
    store: Store, spec: ModelSpec, frozen: Mapping[Interval, tuple[Frozen, Frozen | None]], some: list[Interval]
) -> Iterator[tuple[Interval, Part]]:
    least, fewest = spec.windows.minimum_completeness, labelling.MINIMUM_ROWS
    pairs = {one: (rows, labels) for one in some for rows, labels in [frozen[one]] if labels is not None}
    good = {one: pair for one, pair in pairs.items() if pair[1].completeness >= least}
    features, known = (snapshots.read_many(store, [pair[place] for pair in good.values()]) for place in (0, 1))
    joined = (joining.labelled(rows, labels, spec) for rows, labels in zip(features, known, strict=True))
    found = {one: rows for one, rows in zip(good, joined, strict=True) if len(rows) >= fewest}
    for one in some:
        count, labels = frozen[one][0].rows, frozen[one][1]
        why = ""
        if labels is None:
            why = "its labels are not known yet"
        elif one not in good:
            why = f"{100 * labels.completeness:.0f} % of its labels are known or void"
        elif one not in found:
            why = f"fewer than {fewest} labels are known"
        yield one, Part(count, found.get(one), why)


def _pulled(spec: ModelSpec, missing: list[Interval], pull: Pull) -> dict[Interval, Part]:
    """Read intervals from the warehouse, some at a time."""
    settings = connections.settings(spec.source.connection)
    secret = connections.settings(connections.PSEUDONYMS).password if privacy.needs_secret(spec) else ""
    found = dict[Interval, Part]()
    with ThreadPoolExecutor(PULLERS) as pullers:
        read = pullers.map(lambda one: _read(settings, spec, one, secret), missing)
        for one, (rows, later) in zip(missing, read, strict=True):
            if pull.keep is not None:
                _keep(pull.keep, spec, one, rows, later)
            found[one] = joining.part(rows, labelling.label_frame(later, spec), spec)
            pull.tell(len(found), len(missing))
    return found


def _read(
    settings: connections.Settings, spec: ModelSpec, one: Interval, secret: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return rows as known at an interval's end, and with the labels as the first run that counts them sees them."""
    labelled_by = spec.timetable.following(one.end + spec.label_delay).start
    rows, later = (
        privacy.private_view(warehouse.read(settings, spec, one, as_of), spec, secret)
        for as_of in (one.end, labelled_by)
    )
    is_late = len(later) != len(rows)  # rows that came late, or went: a run freezes the interval again
    return (later if is_late else rows)[list(spec.stored)], later


def _keep(folder: Path, spec: ModelSpec, one: Interval, rows: pd.DataFrame, later: pd.DataFrame) -> None:
    told = [*spec.key_columns, spec.label, *([spec.void_column] if spec.void_column else [])]
    path = (folder / keys.span(one)).with_suffix(".parquet")
    try:
        rows.merge(later[told], on=list(spec.key_columns)).to_parquet(path, index=False)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}. Give another --keep.") from None


def _whole_schedule(spec: ModelSpec, asked: Range, pull: Pull) -> list[Interval]:
    """Return the schedule's intervals as far as anybody says where it ends."""
    known = warehouse.data_until(connections.settings(spec.source.connection))
    ends = [one for one in (asked.last, spec.end, known, pull.until) if one is not None]
    return spec.timetable.intervals(min(ends)) if ends else []


def _file(path: Path, spec: ModelSpec) -> pd.DataFrame:
    """Return the columns of a Parquet file that a replay needs, and no other."""
    wanted = [*spec.key_columns, spec.time_column, *spec.features, spec.label]
    wanted = list(dict.fromkeys([*wanted, spec.void_column] if spec.void_column else wanted))
    try:
        named = pq.read_schema(path).names
        if missing := sorted(set(wanted) - set(named)):
            raise DataError(f"{path} has no column {', '.join(missing)}; it has {', '.join(named)}. Mend the file.")
        frame = pd.read_parquet(path, columns=wanted)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} is not Parquet: {error}. Take it out of the folder, or mend it.") from None
    if len(frame) and getattr(frame[spec.time_column].dtype, "tz", None) is None:
        raise DataError(f"{spec.time_column!r} of {path} has no time zone. Store it as UTC.")
    return frame


def _missing(spec: ModelSpec, missing: list[Interval], of: int) -> str:
    told = ", ".join(_day(one.start, spec) for one in missing[:NAMED]) + (", …" if len(missing) > NAMED else "")
    bounds = f"--from-date {_day(missing[0].start, spec)} --to-date {_day(missing[-1].start, spec)}"
    return (
        f"The store lacks the snapshots or labels of {len(missing)} of {of} intervals of {spec.name}: {told} (last "
        f"{_day(missing[-1].start, spec)}). Add --pull to read them from Connection `{spec.source.connection}` for "
        "this replay alone, give another --from or --to, or store them: "
        f"airflow backfill create --dag-id retrain_{spec.name} {bounds} --max-active-runs 1"
    )


def _day(moment: datetime | None, spec: ModelSpec) -> str:
    """Return a moment as a day, with the time where it is not midnight, in the spec's time zone."""
    if moment is None:
        return "the end of what is stored"
    local = moment.astimezone(ZoneInfo(spec.timezone))
    return f"{local:%Y-%m-%d}" if (local.hour, local.minute) == (0, 0) else f"{local:%Y-%m-%dT%H:%M%z}"
