"""What a run works on and what it found: ``inputs.json``, written once and first, and the run record.

The record grows as the run goes on: each step that has something to tell writes the next ``record-{n}.json``, the last
one with its own section added, and the highest n is current. A rerun that finds the same writes nothing.
"""

import contextlib
import itertools
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from include.retraining import inventory, keys, signing
from include.retraining.errors import DataError, IntegrityError, ObjectMissing
from include.retraining.promotion_log import check_format
from include.retraining.snapshots import READERS, Frozen
from include.retraining.store import Store, read
from include.retraining.windows import Interval

FORMAT_VERSION = 1
ORDER = ("validation", "evaluation", "decision", "challenger", "verdict", "promotion", "report")
"""Sections in the order in which steps find them."""


@dataclass(frozen=True)
class Inputs:
    """What one run works on, pinned: every later task, try and rerun reads it here and nowhere else."""

    key: str
    content: dict[str, Any]

    @property
    def prefix(self) -> str:
        """The run's folder."""
        return self.key.removesuffix("inputs.json")

    @property
    def run_id(self) -> str:
        """Airflow's run id."""
        return str(self.content["run"])

    @property
    def interval(self) -> Interval:
        """The interval under test."""
        return keys.parse_span(self.content["interval"]["span"])

    @property
    def as_of(self) -> datetime:
        """The moment whose knowledge the run may use."""
        return keys.parse_stamp(self.content["as_of"])

    @property
    def form(self) -> dict[str, Any]:
        """What the person or the schedule asked for."""
        return dict(self.content["form"])

    def intervals(self, part: str) -> list[Interval]:
        """Return the intervals of ``training`` or ``holdout``, oldest first."""
        return [keys.parse_span(text) for text in self.content["window"][part]]

    def snapshot(self, interval: Interval) -> Frozen:
        """Return the pinned snapshot of an interval."""
        return Frozen(**self.content["snapshots"][keys.span(interval)])

    def labels(self, interval: Interval) -> Frozen:
        """Return the pinned labels of an interval."""
        return Frozen(**self.content["labels"][keys.span(interval)])


def write_inputs(store: Store, key: str, content: dict[str, Any]) -> Inputs:
    """Write what a run works on, unless an earlier try has; return what is pinned now."""
    store.put_if_absent(key, signing.seal({"format_version": FORMAT_VERSION, **content}))
    hint = {"format_version": FORMAT_VERSION, "inputs": key}
    store.put(keys.run_hint(content["model"], content["run"]), signing.canonical(hint))
    found = read_inputs(store, key)
    if found.run_id != content["run"]:
        raise DataError(
            f"Run {content['run']!r} would share the folder {found.prefix} with run {found.run_id!r}. "
            "Trigger it again under another run id."
        )
    return found


def find_inputs(store: Store, model: str, run_id: str) -> Inputs | None:
    """Return what a run is pinned to already, or None: a rerun must not look at the clock again."""
    try:
        hint = signing.read_json(store.get(keys.run_hint(model, run_id)), "a run's hint")
        found = read_inputs(store, _inputs_key(model, run_id, str(hint["inputs"])))
    except (ObjectMissing, KeyError):
        return None
    return found if found.run_id == run_id else None


def _inputs_key(model: str, run_id: str, hinted: str) -> str:
    """Return the key that a run's hint names; raises IntegrityError for any other object's: nobody signs a hint."""
    span = hinted.removeprefix(keys.runs(model)).partition("/")[0]
    with contextlib.suppress(ValueError):
        if hinted == keys.inputs(model, keys.parse_span(span), run_id):
            return hinted
    raise IntegrityError(
        f"{keys.run_hint(model, run_id)} names {hinted!r}, no inputs of run {run_id!r}. Remove it.", "identity"
    )


def read_inputs(store: Store, key: str) -> Inputs:
    """Return what a run works on; raises IntegrityError for a newer format, and where something is missing in it."""
    content = read(store, key, lambda data: signing.unseal(data, key))
    check_format(content, FORMAT_VERSION, key)
    if not _is_whole(content):
        raise IntegrityError(f"{key} does not say what the run works on. Restore the original.", "format")
    return Inputs(key, content)


def _is_whole(content: dict[str, Any]) -> bool:
    """Return whether inputs hold what their readers rely on."""
    try:
        keys.parse_stamp(content["as_of"])
        for span in (content["interval"]["span"], *content["window"]["training"], *content["window"]["holdout"]):
            keys.parse_span(span)
        pinned = [Frozen(**one) for part in ("snapshots", "labels") for one in content[part].values()]
        return all(isinstance(one, str) for one in (content["run"], *(one.key for one in pinned)))
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def read_sections(store: Store, prefix: str) -> dict[str, Any]:
    """Return what a run has told so far, by section; empty before its first word."""
    return _newest(store, prefix)[1]


def write_section(store: Store, prefix: str, name: str, content: dict[str, Any]) -> None:
    """Add one section to a run's record, or replace it; writes nothing if the record says so already."""
    while True:
        number, sections = _newest(store, prefix)
        if name in sections and signing.canonical(sections[name]) == signing.canonical(content):
            return
        kept = {one: found for one, found in sections.items() if not _is_outdated(one, name)}
        record = {"format_version": FORMAT_VERSION, "sections": {**kept, name: content}}
        if store.put_if_absent(keys.record(prefix, number + 1), signing.seal(record)):
            return  # else another task was quicker: what it wrote is read first


def _is_outdated(section: str, changed: str) -> bool:
    """Return whether a section was found after one that has changed; what was promoted stays told."""
    if section == "promotion" or section not in ORDER or changed not in ORDER:
        return False
    return ORDER.index(section) > ORDER.index(changed)


def history(store: Store, model: str, before: Interval, since: datetime) -> list[dict[str, Any]]:
    """Return the authoritative record of each earlier interval, oldest first.

    Of several runs of one interval one that succeeded counts more than one that failed, then the one with the later
    knowledge, then the one that saw the later champion, then one that retrained. Dry runs never count.

    Parameters
    ----------
    store, model
        Where the records lie.
    before : Interval
        Only intervals that start before this one.
    since : datetime
        Only intervals that start at or after this moment.
    """
    wanted = [(one, prefix) for one, prefix in _runs(store, model) if since <= one.start < before.start]
    with ThreadPoolExecutor(READERS) as readers:
        found = list(readers.map(lambda run: read_sections(store, run[1]), wanted))
    chosen: dict[Interval, tuple[Any, dict[str, Any]]] = {}
    for (interval, prefix), sections in zip(wanted, found, strict=True):
        rank = (*_rank(sections), prefix)
        if rank[0] and (interval not in chosen or rank > chosen[interval][0]):
            chosen[interval] = (rank, sections)
    return [chosen[interval][1] for interval in sorted(chosen)]


def _rank(sections: dict[str, Any]) -> tuple[bool, bool, str, int, bool]:
    """Return whether a record counts at all, then what makes it count more than another of the same interval."""
    report = sections.get("report", {})
    counts = bool(report.get("as_of")) and not report["dry_run"]
    succeeded = report.get("answer") not in {"failed", "blocked"}
    return counts, succeeded, report.get("as_of") or "", report.get("base") or 0, "challenger" in sections


def summaries(store: Store, model: str) -> list[dict[str, Any]]:
    """Return one line per run, oldest interval first: what tables of runs show."""
    found = [prefix for _, prefix in sorted(_runs(store, model))]
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(lambda prefix: _summary(prefix, read_sections(store, prefix)), found))


def _summary(prefix: str, sections: dict[str, Any]) -> dict[str, Any]:
    report, decision = sections.get("report", {}), sections.get("decision", {})
    interval = keys.parse_span(prefix.split("/")[2])
    return {
        "start": interval.start.astimezone(UTC).isoformat(),
        "end": interval.end.astimezone(UTC).isoformat(),
        "run": report.get("run", prefix.split("/")[3]),
        "as_of": report.get("as_of"),
        "rows": sections.get("validation", {}).get("rows"),
        "validation": sections.get("validation", {}).get("outcome", "not reached"),
        "champion_loss": sections.get("evaluation", {}).get("newest_loss"),
        "drift": sections.get("evaluation", {}).get("drift", {}).get("sentence", ""),
        "decision": report.get("answer", decision.get("answer", "not reached")),
        "forced": bool(decision.get("forced")),
        "reasons": " ".join(decision.get("sentences", [])),
        "verdict": sections.get("verdict", {}).get("answer"),
        "version": report.get("champion"),
        "promoted": bool(sections.get("promotion", {}).get("promoted")),
    }


def _runs(store: Store, model: str) -> Iterator[tuple[Interval, str]]:
    listed = inventory.placed(model, store.list(keys.runs(model)))
    found = {stored.key.removesuffix(place.part): place.interval for place, stored in listed}
    for prefix, interval in found.items():
        if interval:
            yield interval, prefix


def _newest(store: Store, prefix: str) -> tuple[int, dict[str, Any]]:
    """Return the highest record's number and sections. A listing may lag, so it says only where to begin."""
    listed = _climb(store, prefix, max(1, _highest(store, prefix)))
    return listed if listed[0] else _climb(store, prefix, 1)


def _climb(store: Store, prefix: str, first: int) -> tuple[int, dict[str, Any]]:
    found = 0, dict[str, Any]()
    with contextlib.suppress(ObjectMissing):
        for number in itertools.count(first):
            found = number, _sections(store, prefix, number)
    return found


def _highest(store: Store, prefix: str) -> int:
    names = (found.key.removeprefix(prefix) for found in store.list(f"{prefix}record-"))
    numbers = (re.fullmatch(r"record-(\d+)\.json", name) for name in names)
    return max((int(one[1]) for one in numbers if one), default=0)


def _sections(store: Store, prefix: str, number: int) -> dict[str, Any]:
    key = keys.record(prefix, number)
    content = read(store, key, lambda data: signing.unseal(data, key))
    check_format(content, FORMAT_VERSION, key)
    if not isinstance(content.get("sections"), dict):
        raise IntegrityError(f"{key} has no sections, so it tells nothing. Restore the original.", "format")
    return dict(content["sections"])
