"""The corridor: one function per task. Each reads what it works on, calls a room, and writes what was found.

Rooms are imported inside the steps, so that DAG files parse without pandas, scikit-learn, Great Expectations or boto3.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from include.retraining import specs
from include.retraining.errors import RetrainingError, ValidationBlocked

if TYPE_CHECKING:
    from include.retraining.outcome import Desk

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

    found = screening.screen(desk.store, desk.spec, desk.inputs)
    desk.write("validation", found)
    if found["outcome"] == "fail":
        raise ValidationBlocked(f"{found['sentence']} Nothing else of this run happens; the champion stays.")
    return {"outcome": found["outcome"], "rows": found["rows"], "refused": len(found["refused"])}


def evaluate_champion(run: Run) -> dict[str, Any]:
    """Score what was live on newly labelled intervals, and measure drift of the interval under test."""
    desk = _desk(run)
    from include.retraining import scoring

    found = scoring.evaluate(desk.registry, desk.spec, desk.inputs, desk.section("validation"))
    desk.write("evaluation", found)
    return {"champion": found["champion"], "loss": found.get("newest_loss"), "sentence": found["sentence"]}


def decide(run: Run) -> list[str]:
    """Decide: keep, retrain or insufficient data, with reasons and the numbers compared. Drift informs only."""
    desk = _desk(run)
    from include.retraining import outcome

    found = outcome.decide(desk)
    desk.write("decision", found)
    return ["train_candidate"] if found["answer"] == "retrain" else []


def train_candidate(run: Run, candidate: str) -> Run:
    """Fit one candidate on the training window and judge it on temporal folds; a rerun finds it trained already."""
    desk = _desk(run)
    from include.retraining import challengers

    version = challengers.train(desk.registry, desk.spec, desk.inputs, desk.section("validation"), candidate)
    return {**run, "version": version}


def select_challenger(trained: Iterable[Run]) -> dict[str, Any]:
    """Choose the simplest candidate within one standard error of the best, and register it as the challenger.

    Goes on if at least one candidate succeeded.
    """
    done = list(trained)
    desk, ids = _desk(done[0]), [one["version"] for one in done]
    from include.retraining import challengers

    found = challengers.select(desk.registry, desk.spec, desk.inputs, desk.section("validation"), ids)
    desk.write("challenger", found)
    return {"version": found["version"], "reason": found["reason"]}


def compare_with_champion(run: Run) -> bool:
    """Judge challenger and champion on the holdout, which neither was fitted on; go on only with a clear winner."""
    desk = _desk(run)
    from include.retraining import outcome

    found = outcome.compare(desk)
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
    """Write what this run did and why, send one message and the gauges. Always runs; never decides the run's state."""
    from include.retraining import alerts, intake, metrics, outcome

    trigger = intake.trigger(run_id, dag_run, (data_interval_start, data_interval_end), params)
    spec, failed = specs.load(model), alerts.failed_tasks(model, run_id)
    try:
        found = outcome.report(spec, run, trigger, failed)
    except RetrainingError as error:
        alerts.send_last(spec, outcome.unrecorded(trigger, failed, error), error)
        raise
    alerts.send(spec, found)
    metrics.send(model, found)
    return {name: found[name] for name in ("answer", "champion", "sentences")}


def _desk(run: Run) -> "Desk":
    from include.retraining.outcome import open_desk

    return open_desk(run["model"], run["inputs"])
