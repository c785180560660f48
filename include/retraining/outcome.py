"""What becomes of a run: the champion moves, and everybody is told what was done and why."""

from typing import Any

from include.retraining import connections, decision, intake, keys, records, signing, warehouse
from include.retraining.desk import Desk, open_desk
from include.retraining.errors import BadInput
from include.retraining.intake import Trigger
from include.retraining.promotion_log import Entry
from include.retraining.spec import ModelSpec
from include.retraining.store import Store, exists
from include.retraining.windows import Interval

UNKNOWN = "unknown"
"""What a report says where nobody could be asked."""


def promote(desk: Desk) -> dict[str, Any]:
    """Move the champion forward; the section says where to in the promotion log."""
    from include.retraining import recalibrating
    from include.retraining.served import Versions

    verdict = desk.section("verdict")
    version = str(verdict["challenger"]["version"])
    about = {
        "reason": " ".join(verdict["reasons"]),
        "actor": desk.inputs.content["actor"],
        "verdict_sha256": signing.sha256(signing.canonical(verdict)),
        "run": desk.inputs.prefix,
        "nonce": signing.sha256(f"{desk.inputs.key} {version}".encode())[:32],
    }
    entry = desk.registry.promote(version, int(desk.inputs.content["base"]), desk.inputs.as_of, about)
    gains = desk.section("evaluation").get("gains", [])
    about_run = (desk.spec, desk.validated, desk.section("validation"))
    correction = recalibrating.propose(Versions(desk.registry), *about_run, entry, gains)
    found = {"promoted": True, "version": version, "entry": entry.number, "numbers": verdict["numbers"]}
    return {**found, "recalibration": correction}


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
