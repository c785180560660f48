"""One DAG `retrain_<model>` per spec in `include/models/`: wiring only, the work is in `steps.py`."""

from airflow.sdk import DAG, Param, task

from include.retraining import assets, links, specs, steps, timetables
from include.retraining.errors import SpecError
from include.retraining.retries import RETRIES
from include.retraining.spec import ModelSpec

DOC = """
### Keep `{name}` fresh

{purpose} Owner: {owner}.

1. **pull_snapshot** freezes the interval's rows, and labels that became known.
2. **validate_snapshot** runs the suite; a critical failure stops the run (*blocked*). Its Data Docs button says why.
3. **evaluate_champion** judges what was live on newly labelled intervals and measures drift, which informs only.
4. **decide** answers keep, retrain, runner-up or insufficient data; its log has every question with its numbers.
5. **train_candidate**, **select_challenger**: candidates on temporal folds; the simplest within one standard error.
6. **compare_with_champion** judges both on intervals neither was fitted on; **promote** follows only a win.
7. **report** always runs: it writes the run record and sends one message.

Trigger by hand: `airflow dags trigger retrain_{name} --conf '{{"force_retrain": true, "reason": "why"}}'`
"""
FORM = {
    "as_of": Param(
        None, type=["null", "string"], format="date-time", title="As-of", section="Run",
        description="Use only what was known at this moment. Empty: the newest complete interval.",
    ),
    "force_retrain": Param(
        False, type="boolean", title="Force retrain", section="Run",
        description="Skip the decision, never the comparison: a challenger still has to win.",
    ),
    "refresh": Param(False, type="boolean", title="Refresh", section="Run", description="Pull every interval again."),
    "dry_run": Param(False, type="boolean", title="Dry run", section="Run", description="Everything but promotion."),
    "reason": Param(
        None, type=["null", "string"], title="Reason", section="Run",  # the form refuses an empty text
        description="Kept with the run and in the challenger's manifest.",
    ),
}  # fmt: skip


def retrain(spec: ModelSpec) -> None:
    """Wire the steps of one model."""
    run = task(steps.pull_snapshot, outlets=[assets.snapshot(spec.name)])(spec.name)
    validated = links.with_data_docs(steps.validate_snapshot)(run)
    evaluated = task(steps.evaluate_champion)(run)
    decided = task.branch(steps.decide)(run)
    train = task(
        steps.train_candidate,
        map_index_template="{{ task.op_kwargs['candidate'] }}",
        doc_md=steps.train_candidate.__doc__,  # Airflow 3.3 documents only tasks that are not mapped
    )
    trained = train.partial(run=run).expand(candidate=[candidate.name for candidate in spec.candidates])
    # Candidates are its only upstream tasks: with another one beside them the rule would count that success.
    selected = task(steps.select_challenger, trigger_rule="all_done_min_one_success")(trained)
    # After a training, or straight after the decision where the runner-up may be the better one.
    compared = task.short_circuit(steps.compare_with_champion, trigger_rule="none_failed_min_one_success")(run)
    promoted = task(steps.promote, outlets=[assets.champion(spec.name)])(run)
    reported = task(steps.report)(run, spec.name).as_teardown(on_failure_fail_dagrun=False)
    validated >> evaluated >> decided >> trained >> selected >> compared >> promoted >> reported
    decided >> compared


def broken(message: str) -> None:
    """Wire the one task that says what is wrong with a spec."""

    @task(retries=0)
    def read_spec() -> None:
        raise SpecError(message)

    read_spec()


DAGS: dict[str, DAG] = {}
for name, found in specs.load_all().items():
    if isinstance(found, ModelSpec):
        with DAG(
            f"retrain_{name}",
            schedule=timetables.of(found),
            start_date=found.start,
            catchup=False,
            max_active_runs=1,
            default_args={"owner": found.owner, **RETRIES},
            params=FORM,
            tags=["retraining", name],
            doc_md=DOC.format(name=name, purpose=found.purpose, owner=found.owner),
        ) as DAGS[name]:
            retrain(found)
    else:
        with DAG(f"retrain_{name}", schedule=None, tags=["retraining", "broken-spec"], doc_md=str(found)) as DAGS[name]:
            broken(str(found))
