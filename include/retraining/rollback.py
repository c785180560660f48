"""Rollback: what a person asked for becomes a plan, after every check; then one more entry of the promotion log.

Nothing is removed and no clock is read: the entry takes effect where the stored data end, so that a replay of old
data stays in order. Parses without any heavy library, since the DAG's form is made from it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.retraining import inventory, keys, signing, tables
from include.retraining.errors import BadInput, IntegrityError, ObjectMissing, PromotionConflict
from include.retraining.promotion_log import Entry

if TYPE_CHECKING:
    from include.retraining.registry import Registry

PREVIOUS = "previously live"
VERSION = "[0-9]{8}-[0-9a-f]{12}"
FORM = {"model": None, "version": PREVIOUS, "reason": None, "dry_run": False}
MOST = 20
"""So many newest versions are shown; older ones are counted."""
FAR = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Request:
    """Who wants which version back, and why."""

    model: str
    version: str
    """An id, or ``PREVIOUS``."""
    reason: str
    actor: str
    nonce: str
    """The same in every try: an entry that carries it is this request's own."""
    is_dry: bool = False

    def __post_init__(self) -> None:
        """Refuse a rollback that nobody will be able to explain."""
        if not self.reason:
            raise BadInput("The reason is empty. Say why the champion has to go: the promotion log keeps it for good.")


@dataclass(frozen=True)
class Plan:
    """What a rollback changes; plain values, since it travels between tasks."""

    model: str
    version: str
    """The champion afterwards."""
    previous: str
    """The champion before."""
    base: int
    """The log entry that the plan was made against; any other head is a conflict."""
    effective_from: str
    reason: str
    actor: str
    run: str
    """The run whose verdict speaks for the version."""
    verdict_sha256: str | None
    nonce: str
    warning: str = ""
    """Older log entries that do not hold: the rollback goes on without them."""

    @property
    def sentence(self) -> str:
        """What changes, why and by whose order."""
        return (
            f"{self.model}: from {self.previous} to {self.version}, effective from {self.effective_from}. "
            f"Reason: {self.reason} ({self.actor})"
        )


def read_form(form: Mapping[str, Any], actor: str, run_id: str) -> Request:
    """Return what a person asked for in the form; the trigger's own checks are not relied on."""
    if unknown := sorted(set(form) - set(FORM)):
        raise BadInput(f"The form has unknown fields {unknown}; expected some of {sorted(FORM)}. Mend the trigger.")
    given = {**FORM, **form}
    if not isinstance(given["dry_run"], bool):
        raise BadInput(f"The form's dry_run is {given['dry_run']!r}; expected true or false. Mend the trigger.")
    nonce = signing.sha256(f"rollback {run_id}".encode())[:32]
    reason = one_line(given["reason"] or "")
    return Request(str(given["model"]), str(given["version"]), reason, actor, nonce, given["dry_run"])


def one_line(text: Any) -> str:
    """Return a text as one line; of nothing but blanks nothing is left."""
    return " ".join(str(text).split())


def plan(desk: "Registry", asked: Request) -> Plan:
    """Return what a rollback would change; the version has been loaded, with every check. Nothing is written.

    Parameters
    ----------
    desk : Registry
    asked : Request
        One that was carried out already gives the plan of its own entry: a rerun never rolls back twice.

    Raises
    ------
    BadInput
        There is no champion, nothing was live before, no such version, or it is the champion already.
    IntegrityError
        The version does not hold what was registered, or the log's newest entry does not hold; of older entries this is
        a warning, since a damaged one must not keep a bad champion in place.
    """
    head = desk.head()
    if head is None:
        raise BadInput(
            f"{desk.model} has no champion yet, so there is nothing to roll back. The first challenger that wins in "
            f"retrain_{desk.model} becomes one."
        )
    entries, damaged = _entries(desk, head.number)
    if own := next((one for one in entries if one.content["nonce"] == asked.nonce), None):
        return _plan_of(own)
    version = _resolve(desk, head, asked.version)
    lived = next((one for one in entries if one.version == version), None)
    if lived:
        desk.load_live(lived)
    else:
        desk.load(version)
    run, verdict_sha256 = _judged(desk, version, lived)
    since = keys.stamp(max(head.effective_from, _data_until(desk) or head.effective_from))
    about = (asked.reason, asked.actor, run, verdict_sha256, asked.nonce)
    return Plan(desk.model, version, head.version, head.number, since, *about, _warning(damaged))


def carry_out(desk: "Registry", planned: Plan) -> Entry:
    """Write the entry that a plan describes, or return it where an earlier try has; loads the version first.

    Raises
    ------
    PromotionConflict
        The champion moved since the plan was made; nothing was changed.
    """
    names = ("reason", "actor", "run", "verdict_sha256", "nonce")
    about = {name: getattr(planned, name) for name in names}
    try:
        return desk.roll_back(planned.version, planned.base, keys.parse_stamp(planned.effective_from), about)
    except PromotionConflict:
        raise PromotionConflict(
            f"{planned.previous} (entry {planned.base}) is no longer the champion of {planned.model}: another entry "
            "came in between. Nothing was changed; see who is live now, then roll back again if it is still needed."
        ) from None


def rows(desk: "Registry", planned: Plan) -> list[dict[str, Any]]:
    """Return one line per version, newest first: its training window, since when it was live, and its part here."""
    found = desk.versions()[::-1]
    since: dict[str, Entry] = {}
    for entry in _entries(desk, planned.base)[0]:
        since.setdefault(entry.version, entry)
    parts = {planned.previous: "from", planned.version: "to"}
    shown = [version for place, version in enumerate(found) if place < MOST or version in parts]
    return [
        {
            "version": version,
            "trained": _trained(desk, version),
            "live_since": since[version].content["effective_from"] if version in since else None,
            "entry": since[version].number if version in since else None,
            "rollback": parts.get(version, ""),
        }
        for version in shown
    ]


def describe(desk: "Registry", planned: Plan) -> str:
    """Return what people read before and after: the change in a sentence, then the versions as a table."""
    older = len(desk.versions()) - len(lines := rows(desk, planned))
    more = [f"and {older} older versions"] if older else []
    return "\n".join([planned.sentence, *filter(None, [planned.warning]), "", *tables.render(lines), *more])


def told(entry: Entry, run_id: str | None) -> dict[str, Any]:
    """Return what the message about a rollback says."""
    content = entry.content
    moved = f"From {content['previous_version']} to {entry.version} by {content['actor']}: {content['reason']}"
    return {
        "interval": f"from {content['effective_from']}",
        "answer": "rolled back",
        "sentences": [moved if moved.endswith((".", "!", "?")) else f"{moved}."],
        "champion": entry.version,
        "run": run_id,
    }


def _entries(desk: "Registry", newest: int) -> tuple[list[Entry], list[int]]:
    """Return the log from an entry back to the first, and the numbers of entries that do not hold."""
    found, damaged = list[Entry](), list[int]()
    for number in range(newest, 0, -1):
        try:
            found += filter(None, [desk.standing(number)])
        except IntegrityError:
            damaged.append(number)
    return found, damaged


def _warning(damaged: list[int]) -> str:
    if not damaged:
        return ""
    named = ", ".join(map(str, damaged))
    return f"Warning: log entries {named} are damaged or gone, and were left out. Run `verify`, which names the repair."


def _plan_of(entry: Entry) -> Plan:
    content = entry.content
    names = ("effective_from", "reason", "actor", "run", "verdict_sha256", "nonce")
    about = {name: content[name] for name in names}
    return Plan(content["model"], entry.version, content["previous_version"], entry.number - 1, **about)


def _resolve(desk: "Registry", head: Entry, asked: str) -> str:
    """Return the version that is meant, if it exists and is not the champion."""
    previous = head.content["previous_version"]
    version = previous if asked == PREVIOUS else asked
    if version is None:
        raise BadInput(
            f"Nothing was live before {head.version}, the first champion of {desk.model}. Name a version instead; "
            f"{_known(desk)}"
        )
    if version == head.version:
        raise BadInput(f"{version} is the champion of {desk.model} already (entry {head.number}). Nothing was changed.")
    if not _exists(desk, version):
        raise BadInput(f"There is no version {version!r} of {desk.model}; {_known(desk)}")
    return str(version)


def _exists(desk: "Registry", version: str) -> bool:
    """Return whether a version has a manifest: read, since nothing about the champion is decided on a listing."""
    if not re.fullmatch(VERSION, version):
        return False
    try:
        desk.manifest(version)
    except ObjectMissing:
        return False
    return True


def _known(desk: "Registry") -> str:
    found = desk.versions()[::-1]
    named = ", ".join(f"{version} (trained {_trained(desk, version)})" for version in found[:MOST])
    older = f", and {len(found) - MOST} older ones" if len(found) > MOST else ""
    return f"those that exist, newest first: {named or 'none'}{older}."


def _trained(desk: "Registry", version: str) -> str:
    """Return a version's training window; one that is damaged says so, and hides no other."""
    try:
        window = desk.manifest(version)["training_window"]
    except IntegrityError as error:
        return f"unknown, failed check: {error.check}"
    return f"{window['start'][:10]} to {window['end'][:10]}"


def _judged(desk: "Registry", version: str, lived: Entry | None) -> tuple[str, str | None]:
    """Return the run whose verdict speaks for a version, and the verdict's digest.

    Each entry of a version names the run that its first one named; of a version that never was live it is the run that
    registered it.
    """
    if lived:
        return lived.content["run"], lived.content["verdict_sha256"]
    from include.retraining import records

    run = desk.manifest(version)["run"]
    verdict = records.read_sections(desk.store, run).get("verdict")
    return run, signing.sha256(signing.canonical(verdict)) if verdict else None


def _data_until(desk: "Registry") -> datetime | None:
    """Return the end of the newest interval that has rows, by its signed manifest: a key alone proves nothing."""
    listed = inventory.placed(desk.model, desk.store.list(keys.snapshots(desk.model)))
    for interval in sorted({place.interval for place, _ in listed if place.interval}, reverse=True):
        if _has_rows(desk, keys.snapshots(desk.model, interval)):
            return interval.end
    return None


def _has_rows(desk: "Registry", prefix: str) -> bool:
    from include.retraining import snapshots

    try:
        frozen = snapshots.newest(desk.store, desk.keyring, prefix, FAR)
    except IntegrityError:
        return False  # a damaged snapshot must not keep a bad champion in place
    return frozen is not None and frozen.rows > 0
