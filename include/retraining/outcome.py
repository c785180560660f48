"""Where a run's findings meet: its desk, and what ``decide``, ``compare``, ``promote`` and ``report`` make of them."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from include.retraining import (
    connections,
    decision,
    intake,
    keys,
    libraries,
    promotion,
    records,
    signing,
    specs,
    warehouse,
)
from include.retraining.errors import BadInput, DataError, IntegrityError
from include.retraining.intake import Trigger
from include.retraining.promotion_log import Entry
from include.retraining.records import Inputs
from include.retraining.registry import Registry
from include.retraining.spec import ModelSpec
from include.retraining.store import Store, exists
from include.retraining.windows import Interval

UNKNOWN = "unknown"
"""What a report says where nobody could be asked."""


@dataclass(frozen=True)
class Desk:
    """What every step needs at hand: the spec, the store, the registry, and what the run works on."""

    spec: ModelSpec
    registry: Registry
    inputs: Inputs

    @property
    def validated(self) -> Inputs:
        """What the run works on once validation has spoken: without the rows that were set aside."""
        return records.validated(self.inputs, self.section("validation"))

    @property
    def store(self) -> Store:
        """Where everything lies."""
        return self.registry.store

    def section(self, name: str) -> dict[str, Any]:
        """Return what an earlier step of this run found; empty if it has not spoken."""
        return dict(records.read_sections(self.store, self.inputs.prefix).get(name, {}))

    def write(self, name: str, found: dict[str, Any]) -> None:
        """Add a section to the run's record."""
        records.write_section(self.store, self.inputs.prefix, name, found)


def open_desk(model: str, inputs_key: str) -> Desk:
    """Return the desk of a run that is pinned."""
    spec = specs.load(model)
    registry = connections.open_registry(spec)
    return Desk(spec, registry, records.read_inputs(registry.store, inputs_key))


def decide(desk: Desk) -> dict[str, Any]:
    """Return the decision's section: what is known of the champion, put before the rules."""
    from include.retraining import scoring

    evaluation, validation = desk.section("evaluation"), desk.section("validation")
    base = int(desk.inputs.content["base"])
    head = desk.registry.entry(base) if base else None
    manifest = desk.registry.manifest(head.version) if head else {}
    trained_until = datetime.fromisoformat(manifest["training_window"]["end"]) if head else None
    as_of = desk.inputs.as_of
    is_of_head = head is not None and evaluation.get("entry") == head.number  # else another version served then
    holdout = scoring.usable(desk.inputs, validation, "holdout")
    state = decision.State(
        rows=int(desk.inputs.content["rows"]),
        minimum_rows=desk.spec.windows.minimum_rows,
        training_intervals=len(scoring.usable(desk.inputs, validation, "training")),
        minimum_training_intervals=desk.spec.windows.minimum_training_intervals,
        holdout_intervals=sum(trained_until is None or one.start >= trained_until for one in holdout),
        required_holdout=required_holdout(desk),
        champion=head.version if head else None,
        is_behind=trained_until is not None and as_of <= trained_until,
        is_overtaken=head is not None and as_of < head.effective_from,
        age_intervals=_age(desk, head.effective_from) if head else None,
        recent_losses=evaluation["recent_losses"] if is_of_head else [],
        reference_losses=evaluation["reference_losses"] if is_of_head else [],
        unloadable=libraries.difference(manifest.get("libraries")) if head else None,
        drift=evaluation.get("drift", {}).get("sentence", ""),
        forced=bool(desk.inputs.form["force_retrain"]),
        task=desk.spec.task,
    )
    return asdict(decision.decide(state, desk.spec.decision))


def required_holdout(desk: Desk) -> int:
    """Return how many holdout intervals a verdict needs: all of them, less those that validation refused."""
    refused = desk.section("validation")["refused"]
    left_out = sum(keys.span(one) in refused for one in desk.inputs.intervals("holdout"))
    return max(2, desk.spec.windows.holdout_intervals - left_out)


def compare(desk: Desk) -> dict[str, Any]:
    """Return the verdict's section: both contenders scored on the same unseen intervals, the champion as it served."""
    from include.retraining import recalibrating, scoring

    challenger, base = desk.section("challenger"), int(desk.inputs.content["base"])
    head = desk.registry.entry(base) if base else None
    if challenger["version"] is None or (head and head.version == challenger["version"]):
        reason = challenger["reason"] if challenger["version"] is None else "The challenger is the champion itself."
        return {**asdict(promotion.Verdict(promotion.LOSE, (reason,))), "challenger": None, "champion": None}
    holdout = scoring.usable(desk.inputs, desk.section("validation"), "holdout")
    rows = scoring.labelled_rows(desk.store, desk.spec, desk.validated, holdout)
    standing, remarks = _standing(desk, head) if head else (None, ())
    if head and standing is None:
        return {**asdict(promotion.Verdict(promotion.INSUFFICIENT, remarks)), "challenger": None, "champion": None}
    served = recalibrating.in_force(desk.registry, desk.spec.name, rows, head.version) if head else {}
    old = scoring.score_contender(standing, rows, desk.spec, served) if head else None
    new = scoring.score_contender(desk.registry.load(challenger["version"]), rows, desk.spec)
    beaten = challenger["floor"] if "floor" in challenger else challenger["base_rate"]  # its name in earlier releases
    floor = scoring.floor_losses(rows, desk.spec, beaten)
    verdict = promotion.compare(old, new, floor, desk.spec.promotion, required_holdout(desk), desk.spec.task)
    return {
        **asdict(replace(verdict, reasons=(*verdict.reasons, *remarks))),
        "champion": {"version": head.version, "losses": dict(old.losses)} if head and old else None,
        "challenger": {"version": challenger["version"], "losses": dict(new.losses)},
    }


def _standing(desk: Desk, head: Entry) -> tuple[Any, tuple[str, ...]]:
    """Return the champion's estimator, and what the verdict has to add.

    One that another release of a library wrote is trained again from its manifest: the challenger has to beat it all
    the same. None, where what it was trained on is gone.
    """
    from include.retraining import reproducing

    try:
        return desk.registry.load_live(head), ()
    except IntegrityError as error:
        if error.check != libraries.CHECK:
            raise
    manifest = desk.registry.live_manifest(head)
    about = f"champion {head.version} was written by {libraries.difference(manifest.get('libraries'))}"
    try:
        again = reproducing.train_again(desk.registry, desk.spec, manifest)
    except (DataError, IntegrityError) as error:
        if isinstance(error, IntegrityError) and error.check not in reproducing.LACKING:
            raise
        way_on = "Or install the former where tasks run until a challenger has won."
        return None, (f"Nothing was compared: {about}, and cannot be trained again. {error} {way_on}",)
    return again.estimator, (f"It was held against the same training once more: {about}.",)


def promote(desk: Desk) -> dict[str, Any]:
    """Move the champion forward; the section says where to in the promotion log."""
    verdict, version = desk.section("verdict"), str(desk.section("challenger")["version"])
    about = {
        "reason": " ".join(verdict["reasons"]),
        "actor": desk.inputs.content["actor"],
        "verdict_sha256": signing.sha256(signing.canonical(verdict)),
        "run": desk.inputs.prefix,
        "nonce": signing.sha256(f"{desk.inputs.key} {version}".encode())[:32],
    }
    entry = desk.registry.promote(version, int(desk.inputs.content["base"]), desk.inputs.as_of, about)
    return {"promoted": True, "version": version, "entry": entry.number, "numbers": verdict["numbers"]}


def report(spec: ModelSpec, run: dict[str, Any] | None, trigger: Trigger, failed: list[str]) -> dict[str, Any]:
    """Write the run's last section and return it with what the message says.

    A run that failed before it was pinned still gets its record, under the interval that it was about.
    """
    store = connections.open_store()
    desk = open_desk(spec.name, run["inputs"]) if run else _pinned_desk(store, spec, trigger)
    prefix = desk.inputs.prefix if desk else _unpinned_prefix(store, spec, trigger)
    sections = records.read_sections(store, prefix) if prefix else {}
    section = {
        "run": trigger.run_id,
        "kind": trigger.kind,
        "as_of": desk.inputs.content["as_of"] if desk else None,
        "base": desk.inputs.content["base"] if desk else None,
        "dry_run": bool(trigger.form.get("dry_run")),
        "answer": _answer(sections, failed),
        "failed": failed,
        **(_champion(_champion_after(desk, sections)) if desk else _champion_now(spec, store)),
        "sentences": _sentences(sections, failed, bool(trigger.form.get("dry_run"))),
    }
    if prefix:
        records.write_section(store, prefix, "report", section)
    return {**sections, **section, "interval": prefix.split("/")[2] if prefix else UNKNOWN}


def unrecorded(trigger: Trigger, failed: list[str], error: Exception) -> dict[str, Any]:
    """Return what the message says when not even the record could be written."""
    sentences = [f"Failed in {', '.join(failed) or 'report'}, and no record could be written: {error}"]
    known = {"run": trigger.run_id, "answer": "failed", "sentences": sentences}
    return {**known, "interval": UNKNOWN, "champion": UNKNOWN}


def _pinned_desk(store: Store, spec: ModelSpec, trigger: Trigger) -> Desk | None:
    """Return the desk of a run that an earlier try has pinned, or None."""
    inputs = records.find_inputs(store, spec.name, trigger.run_id)
    return Desk(spec, connections.open_registry(spec, store), inputs) if inputs else None


def _champion_after(desk: Desk, sections: dict[str, Any]) -> Entry | None:
    """Return who is live after this run, as its own record tells it: a later rerun must say the same."""
    number = sections.get("promotion", {}).get("entry") or int(desk.inputs.content["base"])
    return desk.registry.entry(number) if number else None


def _champion_now(spec: ModelSpec, store: Store) -> dict[str, Any]:
    """Return who is live as the promotion log says now: a run that was never pinned has no record that tells it."""
    try:
        return _champion(connections.open_registry(spec, store).head())
    except BadInput:  # the run's own failure is told, and that nobody knows who serves
        return {"champion": UNKNOWN, "champion_from": None}


def _champion(found: Entry | None) -> dict[str, Any]:
    version, since = (found.version, keys.stamp(found.effective_from)) if found else (None, None)
    return {"champion": version, "champion_from": since}


def _answer(sections: dict[str, Any], failed: list[str]) -> str:
    if sections.get("validation", {}).get("outcome") == "fail":
        return decision.BLOCKED
    stopped = _stopping(sections, failed) or "decision" not in sections
    return "failed" if stopped else str(sections["decision"]["answer"])


def _stopping(sections: dict[str, Any], failed: list[str]) -> list[str]:
    """Return the failed tasks that stopped the run: it goes on without a candidate if another one was trained."""
    return [task for task in failed if not (task.startswith("train_candidate") and "challenger" in sections)]


def _sentences(sections: dict[str, Any], failed: list[str], is_dry: bool) -> list[str]:
    validation = sections.get("validation", {})
    if validation.get("outcome") == "fail":
        return [validation["sentence"], "Nothing was trained or promoted; the champion goes on serving."]
    is_promoted = bool(sections.get("promotion", {}).get("promoted"))
    if stopping := _stopping(sections, failed):
        serving = "the challenger had been promoted" if is_promoted else "the champion goes on serving"
        return [f"Failed in {', '.join(stopping)}.", f"See that task's log; {serving}."]
    sentences = list(sections.get("decision", {}).get("sentences", []))
    if "verdict" not in sections:
        return sentences
    verb = "Promoted" if is_promoted else "Dry run, nothing promoted" if is_dry else "Not promoted"
    without = f" Trained without {', '.join(failed)}, which failed." if failed else ""
    return [sentences[0] + without, f"{verb}: {' '.join(sections['verdict']['reasons'])}"]


def _age(desk: Desk, effective_from: datetime) -> int:
    """Return how many intervals have passed since a challenger was last trained."""
    from include.retraining import scoring

    inputs, since = desk.inputs, scoring.remembered_since(desk.spec, desk.inputs)
    earlier = records.history(desk.store, desk.spec.name, inputs.interval, since)
    tried = [keys.parse_stamp(one["report"]["as_of"]) for one in earlier if "challenger" in one]
    last = max([effective_from, *(moment for moment in tried if moment <= inputs.as_of)])
    return sum(one.end > last for one in desk.spec.timetable.intervals(inputs.as_of))


def _unpinned_prefix(store: Store, spec: ModelSpec, trigger: Trigger) -> str | None:
    """Return the folder of a run that was never pinned, or None if it is unknown or another run's."""
    interval: Interval | None
    try:
        until = warehouse.data_until(connections.settings(spec.source.connection))
        interval = intake.resolve(spec, trigger, intake.now_utc(), until).current
    except Exception:  # the run failed for this very reason; its own task says so
        interval = trigger.interval
    if not isinstance(interval, Interval):
        return None
    is_taken = exists(store, keys.inputs(spec.name, interval, trigger.run_id))
    return None if is_taken else keys.run(spec.name, interval, trigger.run_id)
