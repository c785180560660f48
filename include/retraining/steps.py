"""The corridor: one function per task. Each reads what it works on, calls a room, and writes what was found.

Rooms are imported inside the steps, so that DAG files parse without pandas, scikit-learn, Great Expectations or boto3.
"""

import logging
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from include.retraining import specs
from include.retraining.errors import IntegrityError, RetrainingError, ValidationBlocked

if TYPE_CHECKING:
    from include.retraining.desk import Desk

log = logging.getLogger(__name__)
Run = dict[str, Any]
"""What travels between tasks: the model's name and the key of its ``inputs.json``."""


def pull_snapshot(  # noqa: PLR0913 - Airflow hands these over by name
    model: str,
    *,
    params: dict[str, Any] | None = None,
    run_id: str | None = None,
    dag_run: Any = None,
    data_interval_start: Any = None,
    data_interval_end: Any = None,
    outlet_events: Any = None,
) -> Run:
    """Pull the interval's rows and every label that has become known, and pin what this run works on.

    Fails at once on a wrong form, Connection or query; a server that does not answer is tried again. Nothing that was
    not known at the as-of is read.
    """
    from include.retraining import assets, intake

    bounds = (data_interval_start, data_interval_end)
    trigger = intake.trigger(run_id, dag_run, bounds, params)
    inputs = intake.pull(specs.load(model), trigger, intake.now_utc())
    assets.announce_snapshot(outlet_events, model, inputs.content)
    return {"model": model, "inputs": inputs.key}


def validate_snapshot(run: Run) -> dict[str, Any]:
    """Run the suite on the snapshot and on labels that became known; publish Data Docs.

    A failed critical expectation stops the run before anything else happens; the champion stays. Look at the run's
    Data Docs tab for the rows and limits. Suite wrong: mend it and clear this run. Source wrong: mend it and trigger a
    run with Refresh, since this one is pinned to the rows it pulled.
    """
    desk = _desk(run)
    from include.retraining import screening

    found = screening.screen(desk.registry, desk.spec, desk.inputs)
    desk.write("validation", found)
    if found["outcome"] == "fail":
        raise ValidationBlocked(f"{found['sentence']} Nothing else of this run happens; the champion stays.")
    told = {"outcome": found["outcome"], "rows": found["rows"], "refused": len(found["refused"])}
    return {**told, "quarantined": found.get("quarantined", 0)}


def evaluate_champion(run: Run) -> dict[str, Any]:
    """Judge what was live on newly labelled intervals, and measure drift of the interval under test.

    By what `score_<model>` kept of it before the labels were known; what it did not keep is predicted again.
    """
    desk = _desk(run)
    from include.retraining import evaluating

    found = evaluating.evaluate(desk.registry, desk.spec, desk.validated, desk.section("validation"))
    desk.write("evaluation", found)
    return {"champion": found["champion"], "loss": found.get("newest_loss"), "sentence": found["sentence"]}


def decide(run: Run) -> list[str]:
    """Decide: keep, retrain, runner-up or insufficient data, with every question asked. Drift informs only."""
    desk = _desk(run)
    from include.retraining import deciding, decision

    found = deciding.decide(desk)
    desk.write("decision", found)
    log.info("%s", decision.describe(found))
    ways = {decision.RETRAIN: ["train_candidate"], decision.RUNNER_UP: ["compare_with_champion"]}
    return ways.get(found["answer"], [])


def train_candidate(run: Run, candidate: str) -> Run:
    """Fit one candidate on the training window and judge it on temporal folds; a rerun finds it trained already."""
    desk = _desk(run)
    from include.retraining import challengers

    version = challengers.train(desk.registry, desk.spec, desk.validated, desk.section("validation"), candidate)
    return {**run, "version": version}


def select_challenger(trained: Iterable[Run]) -> dict[str, Any]:
    """Choose the simplest candidate within one standard error of the best, and register it as the challenger.

    Goes on if at least one candidate succeeded.
    """
    done = list(trained)
    desk, ids = _desk(done[0]), [one["version"] for one in done]
    from include.retraining import challengers

    about = (desk.section("validation"), ids, desk.section("decision"))
    found = challengers.select(desk.registry, desk.spec, desk.validated, *about)
    desk.write("challenger", found)
    return {"version": found["version"], "reason": found["reason"]}


def compare_with_champion(run: Run) -> bool:
    """Judge challenger, or runner-up, and champion on intervals neither was fitted on; go on only with a winner."""
    desk = _desk(run)
    from include.retraining import comparing

    found = comparing.compare(desk)
    desk.write("verdict", found)
    return bool(found["answer"] == "win" and not desk.inputs.form["dry_run"])


def promote(run: Run, *, outlet_events: Any = None) -> dict[str, Any]:
    """Make the challenger the champion, if the promotion log still ends where the comparison was made."""
    desk = _desk(run)
    from include.retraining import assets, outcome

    found = outcome.promote(desk)
    desk.write("promotion", found)
    assets.announce_champion(outlet_events, desk.spec.name, found)
    return found


def report(  # noqa: PLR0913 - Airflow hands these over by name
    run: Run | None,
    model: str,
    *,
    params: dict[str, Any] | None = None,
    run_id: str | None = None,
    dag_run: Any = None,
    data_interval_start: Any = None,
    data_interval_end: Any = None,
) -> dict[str, Any]:
    """Write what this run did and why, send one message, the run's note and the gauges.

    Always runs; never decides the run's state.
    """
    from include.retraining import alerts, intake, metrics, outcome, run_notes

    trigger = intake.trigger(run_id, dag_run, (data_interval_start, data_interval_end), params)
    spec, failed = specs.load(model), alerts.failed_tasks(model, run_id)
    try:
        found = outcome.report(spec, run, trigger, failed)
    except RetrainingError as error:
        alerts.send_last(spec, outcome.unrecorded(trigger, failed, error), error)
        raise
    alerts.send(spec, found)
    run_notes.send(model, trigger.run_id, found)
    metrics.send(model, found)
    return {name: found[name] for name in ("answer", "champion", "sentences")}


def check_target(*, params: dict[str, Any] | None = None, run_id: str | None = None, dag_run: Any = None) -> Run:
    """Find the version that is meant, load it with every check, and print what would change. Nothing moves here.

    Fails at once, saying why, if there is nothing to roll back to, the version does not exist or is the champion
    already, the reason is empty, or the version no longer holds what was registered. A dry run ends here.
    """
    from include.retraining import connections, intake, rollback

    trigger = intake.trigger(run_id, dag_run, (None, None), params)
    asked = rollback.read_form(trigger.form, trigger.actor, trigger.run_id)
    desk = connections.open_registry(specs.load(asked.model))
    planned = rollback.plan(desk, asked)
    log.info("%s\n%s", "Dry run, nothing moves." if asked.is_dry else "Next:", rollback.describe(desk, planned))
    return {} if asked.is_dry else asdict(planned)


def roll_back(planned: Run, *, run_id: str | None = None, outlet_events: Any = None) -> Run:
    """Write the entry that makes the earlier version the champion again, announce it, and send one message.

    If another entry came in between, nothing is changed and the task fails: see who is live now, then decide again. A
    second try finds the entry of the first.
    """
    from include.retraining import alerts, assets, connections, rollback

    spec = specs.load(planned["model"])
    entry = rollback.carry_out(connections.open_registry(spec), rollback.Plan(**planned))
    assets.announce_rollback(outlet_events, spec.name, entry.version, entry.number)
    alerts.send(spec, rollback.told(entry, run_id))
    return {"version": entry.version, "entry": entry.number}


def choose_models(*, params: dict[str, Any] | None = None) -> list[str]:
    """Name the models that this run is about: the one in the form, or all whose spec can be loaded."""
    from include.retraining import collecting

    return collecting.read_form(params or {}, specs.loadable())


def verify_store(model: str) -> dict[str, Any]:
    """Check every hash, signature, seal and link of a model in the store; nothing is changed.

    Fails if anything is damaged or missing, with each finding and its repair in the log and one message; then nothing
    of this model is deleted. What a crash left is told, and is no failure: `collect` deletes it.
    """
    from include.retraining import alerts, connections, verifying

    spec = specs.load(model)
    found = verifying.verify(connections.open_registry(spec), spec.retention)
    told = verifying.describe(model, found)
    if found.damage:
        alerts.tell(spec, f"{model}: the store is damaged, so nothing is deleted. {found.sentence}", "error")
        raise IntegrityError(told, found.damage[0].check)
    log.info("%s", told)
    return {"checked": found.checked, "bytes": found.size_bytes, "findings": len(found.findings)}


def collect(
    model: str, *, params: dict[str, Any] | None = None, run_id: str | None = None, dag_run: Any = None
) -> dict[str, Any]:
    """Delete what the spec's retention no longer keeps, or only tell what that would be.

    The log has a table: what is kept, what is freed, and why. Gives way, and is tried again, while a run holds objects
    of the model. Nothing that the champion, a recently live version or an open run needs is ever deleted.
    """
    from include.retraining import collecting, connections, intake

    spec, trigger = specs.load(model), intake.trigger(run_id, dag_run, (None, None), params)
    registry = connections.open_registry(spec)
    if collecting.is_dry(trigger.kind, trigger.form, spec.retention):
        log.info("Dry run, nothing is deleted.\n%s", collecting.describe(collecting.survey(registry, spec.retention)))
        return {"deleted": 0, "record": None}
    done = collecting.collect(registry, spec.retention, trigger.actor, trigger.form.get("reason"))
    log.info("%s\n%s", collecting.describe(done.plan), done.sentence)
    return {"deleted": len(done.deleted), "record": done.record}


def _desk(run: Run) -> "Desk":
    from include.retraining.desk import open_desk

    return open_desk(run["model"], run["inputs"])
