"""Validates every snapshot and label of a run's window that has no result yet, and says which intervals are refused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from include.retraining import expectations, keys, signing, snapshots
from include.retraining.errors import ObjectMissing
from include.retraining.expectations import Suite
from include.retraining.records import Inputs
from include.retraining.snapshots import Frozen
from include.retraining.spec import PSEUDONYMISE, ModelSpec
from include.retraining.store import Store
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
    with ThreadPoolExecutor(snapshots.READERS) as readers:
        found = list(readers.map(lambda subject: _stored(store, subject.key(spec.name)), subjects))
    results = [old or _validated(store, spec, subject) for old, subject in zip(found, subjects, strict=True)]
    return _section(spec, inputs, subjects, results)


def _subjects(inputs: Inputs, snapshot_suite: Suite, label_suite: Suite) -> Iterator[Subject]:
    for interval in [*inputs.intervals("training"), *inputs.intervals("holdout")]:
        yield Subject(interval, inputs.snapshot(interval), snapshot_suite)
        if label_suite.expectations:
            yield Subject(interval, inputs.labels(interval), label_suite)
    yield Subject(inputs.interval, inputs.snapshot(inputs.interval), snapshot_suite)


def _section(spec: ModelSpec, inputs: Inputs, subjects: list[Subject], results: list[dict[str, Any]]) -> dict[str, Any]:
    older = zip(subjects[:-1], results[:-1], strict=True)
    refused = {
        keys.span(subject.interval): result["sentence"] for subject, result in older if result["outcome"] == FAIL
    }
    current, rows = subjects[-1], inputs.content["rows"]
    section = {"rows": rows, "refused": refused, "suite_sha256": current.suite.sha256}
    if rows < spec.windows.minimum_rows:
        sentence = f"Not validated: {rows} rows, at least {spec.windows.minimum_rows} are needed."
        return {**section, "outcome": INSUFFICIENT, "sentence": sentence, "failed": []}
    failed = [_name(row) for row in results[-1]["expectations"] if not row["success"]]
    page = keys.data_docs_page(spec.name, current.interval, current.frozen.sha256, current.suite.sha256)
    found = {"outcome": results[-1]["outcome"], "sentence": results[-1]["sentence"], "failed": failed}
    return {**section, **found, "key": current.key(spec.name), "page": page}


def _name(row: dict[str, Any]) -> str:
    return f"{row['severity']}: {row['type']}" + (f" ({row['column']})" if row["column"] else "")


def _stored(store: Store, key: str) -> dict[str, Any] | None:
    try:
        return signing.read_json(store.get(key), key)
    except ObjectMissing:
        return None


def _validated(store: Store, spec: ModelSpec, subject: Subject) -> dict[str, Any]:
    """Validate one object; the page is published first, so that a result always has its page."""
    frozen, masked = subject.frozen, {name for name, rule in spec.privacy.items() if rule == PSEUDONYMISE}
    about = About(spec.name, subject.interval, frozen.sha256, frozenset(masked), spec.timezone)
    found = validate(snapshots.read(store, frozen), subject.suite, about)
    page = keys.data_docs_page(spec.name, subject.interval, frozen.sha256, subject.suite.sha256)
    store.put(page, found.html.encode())
    store.put_if_absent(subject.key(spec.name), signing.canonical(found.result))
    return found.result
