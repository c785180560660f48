"""Validates every snapshot and label of a run's window that has no result yet, and says which intervals are refused."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from include.retraining import binding, default_expectations, expectations, holds, inventory, keys, signing, snapshots
from include.retraining.binding import Earlier
from include.retraining.errors import ObjectMissing
from include.retraining.expectations import LABELS, SEASON, SNAPSHOT, Suite
from include.retraining.parted import Rows
from include.retraining.quarantine import Split
from include.retraining.records import Inputs
from include.retraining.registry import Registry
from include.retraining.snapshots import Frozen
from include.retraining.spec import ModelSpec
from include.retraining.store import Store, read
from include.retraining.validation import FAIL, About, Validation, validate
from include.retraining.windows import Interval

if TYPE_CHECKING:
    import pandas as pd

INSUFFICIENT = "insufficient data"
PARTS = {SNAPSHOT: "snapshots", LABELS: "labels"}
Result = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """One frozen object, the half of the suite that it must meet, and what that half compares it with."""

    interval: Interval
    frozen: Frozen
    suite: Suite
    beside: Frozen | None
    """The snapshot of the interval before; for labels the snapshot that they belong to."""

    def key(self, model: str) -> str:
        """Return where its result lies."""
        return keys.validation(model, self.interval, self.frozen.sha256, self.suite.sha256)


def screen(registry: Registry, spec: ModelSpec, inputs: Inputs) -> dict[str, Any]:
    """Validate what has no result under the current suite, and return the run record's section.

    Returns
    -------
    dict
        ``outcome`` of the interval under test (pass, warn, fail or insufficient data), where its result and page lie;
        ``refused``: older intervals that training, holdout and evaluation leave out, each with the reason; ``kept``:
        what is left of each object that rows were set aside of.
    """
    suite = expectations.load(spec.suite)
    snapshot_suite, label_suite = _halves(suite, spec)
    subjects = list(_subjects(inputs, snapshot_suite, label_suite))
    current = Subject(inputs.interval, inputs.snapshot(inputs.interval), snapshot_suite, _before(inputs))
    is_enough = inputs.content["rows"] >= spec.windows.minimum_rows
    results = _results(registry, spec, [*subjects, current] if is_enough else subjects)
    older = zip(subjects, results[: len(subjects)], strict=True)
    refused = {keys.span(one.interval): result["sentence"] for one, result in older if result["outcome"] == FAIL}
    section = {"rows": inputs.content["rows"], "refused": refused, "kept": _kept(subjects, current, results)}
    section |= {"suite_sha256": suite.sha256, "spec_sha256": spec.digest()}
    return {**section, **(_told(spec, current, results[-1]) if is_enough else _too_few(spec, inputs))}


def _halves(suite: Suite, spec: ModelSpec) -> tuple[Suite, Suite]:
    snapshot_suite, label_suite = expectations.for_snapshot(suite), expectations.for_labels(suite)
    expectations.check(snapshot_suite, spec.stored)
    expectations.check(label_suite, (*spec.key_columns, spec.label, "status"))
    return default_expectations.complete(snapshot_suite, spec), default_expectations.complete(label_suite, spec)


def _subjects(inputs: Inputs, snapshot_suite: Suite, label_suite: Suite) -> Iterator[Subject]:
    before = None
    for interval in [*inputs.intervals("training"), *inputs.intervals("holdout")]:
        rows = inputs.snapshot(interval)
        yield Subject(interval, rows, snapshot_suite, before[1] if before and before[0].end == interval.start else None)
        if label_suite.expectations:
            yield Subject(interval, inputs.labels(interval), label_suite, rows)
        before = (interval, rows)


def _before(inputs: Inputs) -> Frozen | None:
    """Return the pinned snapshot of the interval that ends where the one under test begins."""
    pinned = [keys.parse_span(span) for span in inputs.content["snapshots"]]
    return next((inputs.snapshot(one) for one in pinned if one.end == inputs.interval.start), None)


def _results(registry: Registry, spec: ModelSpec, subjects: Sequence[Subject]) -> list[Result]:
    """Return each subject's result, validating in order those that have none: what is earlier says what is usual.

    Great Expectations runs in one thread only.
    """
    with ThreadPoolExecutor(snapshots.READERS) as readers:
        stored = list(readers.map(lambda one: _stored(registry.store, one.key(spec.name)), subjects))
    found: list[Result] = []
    for subject, old in zip(subjects, stored, strict=True):
        found.append(old or _validated(registry, spec, subject, _past(registry.store, spec, subject, subjects, found)))
    return found


def _past(
    store: Store, spec: ModelSpec, subject: Subject, subjects: Sequence[Subject], found: Sequence[Result]
) -> tuple[Earlier, ...]:
    """Return what earlier intervals showed: those of the window, and of earlier years where the suite asks for them."""
    recent = _earlier(subject, subjects, found)
    if not any(one.get("relative_to") == SEASON for one in subject.suite.expectations):
        return recent
    wanted = binding.of_the_season(spec.timetable, subject.interval)
    with ThreadPoolExecutor(snapshots.READERS) as readers:
        years = readers.map(lambda interval: _shown(store, spec.name, interval), wanted)
        return tuple(one for shown in years for one in shown) + recent


def _shown(store: Store, model: str, interval: Interval) -> list[Earlier]:
    """Return what the validations of an interval showed, as one: of what was asked twice the newest answer counts."""
    listed = inventory.placed(model, store.list(keys.validations(model, interval)))
    newest_last = sorted((stored for _, stored in listed), key=lambda one: one.modified_at)
    results = [result for one in newest_last if (result := _stored(store, one.key)) and result["outcome"] != FAIL]
    numbers = {name: number for one in results for name, number in binding.earlier(interval, one).numbers.items()}
    return [Earlier(interval, numbers)] if numbers else []


def _earlier(subject: Subject, subjects: Sequence[Subject], found: Sequence[Result]) -> tuple[Earlier, ...]:
    """Return what the same half of the suite found on earlier intervals that were not refused."""
    same = [
        (one.interval, result)
        for one, result in zip(subjects, found, strict=False)
        if one.suite.on == subject.suite.on and one.interval.end <= subject.interval.start
    ]
    return tuple(binding.earlier(interval, result) for interval, result in same if result["outcome"] != FAIL)


def _kept(subjects: Sequence[Subject], current: Subject, results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """Return, by kind and interval, what is left of objects that rows were set aside of."""
    kept: dict[str, dict[str, Any]] = {kind: {} for kind in PARTS.values()}
    for one, result in zip([*subjects, current], results, strict=False):
        if "quarantined" in result:
            kept[PARTS[one.suite.on]][keys.span(one.interval)] = result["quarantined"]["rest"]
    return kept


def _too_few(spec: ModelSpec, inputs: Inputs) -> dict[str, Any]:
    rows, needed = inputs.content["rows"], spec.windows.minimum_rows
    sentence = f"Not validated: {rows} rows, at least {needed} are needed."
    return {"outcome": INSUFFICIENT, "sentence": sentence, "failed": []}


def _told(spec: ModelSpec, current: Subject, result: Result) -> dict[str, Any]:
    page = keys.data_docs_page(spec.name, current.interval, current.frozen.sha256, current.suite.sha256)
    failed = [_name(row) for row in result["expectations"] if not row["success"]]
    found = {"outcome": result["outcome"], "sentence": result["sentence"], "failed": failed}
    quarantined = result.get("quarantined", {}).get("rows", 0)
    return {**found, "quarantined": quarantined, "key": current.key(spec.name), "page": page}


def _name(row: dict[str, Any]) -> str:
    return f"{row['severity']}: {row['type']}" + (f" ({row['column']})" if row["column"] else "")


def _stored(store: Store, key: str) -> Result | None:
    try:
        return read(store, key, lambda data: signing.unseal(data, key))
    except ObjectMissing:
        return None


def _validated(registry: Registry, spec: ModelSpec, subject: Subject, earlier: tuple[Earlier, ...]) -> Result:
    """Validate one object and publish what was found; what somebody else published in between stands."""
    frozen = subject.frozen
    about = About(
        spec.name,
        subject.interval,
        frozen.sha256,
        spec.pseudonymised,
        spec.timezone,
        earlier,
        spec.validation.quarantine_ratio,
    )
    with snapshots.opened(registry.store, frozen, spec.validation.rows_at_once) as rows:
        found = validate(rows, subject.suite, about, _derived(registry.store, spec, subject, rows))
        with holds.hold(registry.store, spec.name, f"publish {subject.key(spec.name)}"):
            return _published(registry, spec, subject, found)


def _derived(store: Store, spec: ModelSpec, subject: Subject, rows: Rows) -> "pd.DataFrame | None":
    from include.retraining import derived

    if subject.beside is None:
        return None
    with snapshots.opened(store, subject.beside, spec.validation.rows_at_once) as beside:
        if subject.suite.on == LABELS:
            return derived.telltales(beside, rows, spec)
        return derived.new_rows(rows, beside, spec)


def _published(registry: Registry, spec: ModelSpec, subject: Subject, found: Validation) -> Result:
    """Write what was set aside and the page first, so that a result always has them."""
    store, key = registry.store, subject.key(spec.name)
    if found.split:
        found.result["quarantined"] |= _set_aside(registry, spec, subject, found.split)
    page = keys.data_docs_page(spec.name, subject.interval, subject.frozen.sha256, subject.suite.sha256)
    store.put(page, found.html.encode())
    if not store.put_if_absent(key, signing.seal(found.result)):
        return read(store, key, lambda data: signing.unseal(data, key))
    return found.result


def _set_aside(registry: Registry, spec: ModelSpec, subject: Subject, split: Split) -> dict[str, Any]:
    """Store the rows that were set aside and the rest of the object, and return where they lie."""
    sink = io.BytesIO()
    split.aside.to_parquet(sink, compression="zstd", index=False)
    data = sink.getvalue()
    key = keys.quarantine(spec.name, subject.interval, subject.frozen.sha256, subject.suite.sha256)
    registry.store.put(key, data)
    rest = snapshots.freeze_rest(registry.store, registry.keyring, spec, subject.frozen, split.kept)
    told = {"key": key, "sha256": signing.sha256(data), "size_bytes": len(data)}
    return {**told, "rest": asdict(rest)}
