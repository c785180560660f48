"""Validates every snapshot and label of a run's window that has no result yet, and says which intervals are refused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from include.retraining import expectations, holds, keys, signing, snapshots
from include.retraining.errors import ObjectMissing
from include.retraining.expectations import Suite
from include.retraining.policies import PSEUDONYMISE
from include.retraining.records import Inputs
from include.retraining.snapshots import Frozen
from include.retraining.spec import ModelSpec
from include.retraining.store import Store, read
from include.retraining.validation import FAIL, About, validate
from include.retraining.windows import Interval

INSUFFICIENT = "insufficient data"


@dataclass(frozen=True)
class Subject:
    """One frozen object and the half of the suite that it must meet."""

    interval: Interval
    frozen: Frozen
    suite: Suite

    def key(self, model: str) -> str:
        """Return where its result lies."""
        return keys.validation(model, self.interval, self.frozen.sha256, self.suite.sha256)


def screen(store: Store, spec: ModelSpec, inputs: Inputs) -> dict[str, Any]:
    """Validate what has no result under the current suite, and return the run record's section.

    Returns
    -------
    dict
        ``outcome`` of the interval under test (pass, warn, fail or insufficient data), where its result and page lie,
        and ``refused``: older intervals that training, holdout and evaluation leave out, each with the reason.
    """
    suite = expectations.load(spec.suite)
    snapshot_suite, label_suite = expectations.for_snapshot(suite), expectations.for_labels(suite)
    expectations.check(snapshot_suite, spec.stored)
    expectations.check(label_suite, (*spec.key_columns, spec.label, "status"))
    subjects = list(_subjects(inputs, snapshot_suite, label_suite))
    current = Subject(inputs.interval, inputs.snapshot(inputs.interval), snapshot_suite)
    is_enough = inputs.content["rows"] >= spec.windows.minimum_rows
    results = _results(store, spec, [*subjects, current] if is_enough else subjects)
    older = zip(subjects, results[: len(subjects)], strict=True)
    refused = {keys.span(one.interval): result["sentence"] for one, result in older if result["outcome"] == FAIL}
    digests = {"suite_sha256": suite.sha256, "spec_sha256": spec.digest()}
    section = {"rows": inputs.content["rows"], "refused": refused, **digests}
    return {**section, **(_told(spec, current, results[-1]) if is_enough else _too_few(spec, inputs))}


def _results(store: Store, spec: ModelSpec, subjects: list[Subject]) -> list[dict[str, Any]]:
    """Return each subject's result, validating those that have none: Great Expectations runs in one thread only."""
    with ThreadPoolExecutor(snapshots.READERS) as readers:
        found = list(readers.map(lambda subject: _stored(store, subject.key(spec.name)), subjects))
    return [old or _validated(store, spec, subject) for old, subject in zip(found, subjects, strict=True)]


def _subjects(inputs: Inputs, snapshot_suite: Suite, label_suite: Suite) -> Iterator[Subject]:
    for interval in [*inputs.intervals("training"), *inputs.intervals("holdout")]:
        yield Subject(interval, inputs.snapshot(interval), snapshot_suite)
        if label_suite.expectations:
            yield Subject(interval, inputs.labels(interval), label_suite)


def _too_few(spec: ModelSpec, inputs: Inputs) -> dict[str, Any]:
    rows, needed = inputs.content["rows"], spec.windows.minimum_rows
    sentence = f"Not validated: {rows} rows, at least {needed} are needed."
    return {"outcome": INSUFFICIENT, "sentence": sentence, "failed": []}


def _told(spec: ModelSpec, current: Subject, result: dict[str, Any]) -> dict[str, Any]:
    page = keys.data_docs_page(spec.name, current.interval, current.frozen.sha256, current.suite.sha256)
    failed = [_name(row) for row in result["expectations"] if not row["success"]]
    found = {"outcome": result["outcome"], "sentence": result["sentence"], "failed": failed}
    return {**found, "key": current.key(spec.name), "page": page}


def _name(row: dict[str, Any]) -> str:
    return f"{row['severity']}: {row['type']}" + (f" ({row['column']})" if row["column"] else "")


def _stored(store: Store, key: str) -> dict[str, Any] | None:
    try:
        return read(store, key, lambda data: signing.unseal(data, key))
    except ObjectMissing:
        return None


def _validated(store: Store, spec: ModelSpec, subject: Subject) -> dict[str, Any]:
    """Validate one object; the page is published first, so that a result always has its page."""
    frozen, masked = subject.frozen, {name for name, rule in spec.privacy.items() if rule == PSEUDONYMISE}
    about = About(spec.name, subject.interval, frozen.sha256, frozenset(masked), spec.timezone)
    found = validate(snapshots.read(store, frozen), subject.suite, about)
    page = keys.data_docs_page(spec.name, subject.interval, frozen.sha256, subject.suite.sha256)
    with holds.hold(store, spec.name, f"publish {page}"):
        store.put(page, found.html.encode())
        store.put_if_absent(subject.key(spec.name), signing.seal(found.result))
    return found.result
