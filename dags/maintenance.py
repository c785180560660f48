"""The DAG `maintenance`: every model's store is verified, then what nobody needs is deleted; wiring only."""

from datetime import UTC, datetime

from airflow.sdk import DAG, Param, task, task_group

from include.retraining import specs, steps
from include.retraining.retries import RETRIES

DOC = """
### Verify what is stored, and delete what nobody needs

1. **choose_models** names the models of this run: one, or all.
2. **verify_store** checks every hash, signature, seal and link of a model. If anything is damaged or missing it fails,
   with each finding and its repair in the log and one message; then nothing of that model is deleted.
3. **collect** deletes what the spec's `retention` no longer keeps, and what crashes left. Its log has the table of what
   is kept, what is freed, and why; a signed record of what was deleted stays in the store.

Every night it deletes only for models whose spec says `retention=Retention(collect=True)`; for the others it tells what
it would free. **By hand it is a dry run unless you say otherwise.** The promotion log, the champion, the last live
versions with what they were trained on, open runs, and whatever is younger than two days are never deleted.

Without Airflow: `python -m include.retraining verify --all`, `python -m include.retraining collect MODEL [--delete]`.
By hand: `airflow dags trigger maintenance --conf '{"model": "NAME", "dry_run": false, "reason": "why"}'`
"""
FORM = {
    "model": Param(
        "all", type="string", enum=["all", *specs.loadable()], title="Model", section="Maintenance",
        description="Whose store to look after.",
    ),
    "dry_run": Param(
        True, type="boolean", title="Dry run", section="Maintenance",
        description="Verify, and tell what would be deleted; delete nothing. The nightly run obeys the spec instead.",
    ),
    "reason": Param(
        None, type=["null", "string"], title="Reason", section="Maintenance",  # the form refuses an empty text
        description="Kept in the record of what was deleted.",
    ),
}  # fmt: skip
NAMED = {"map_index_template": "{{ task.op_kwargs['model'] }}"}


@task_group
def maintain(model: str) -> None:
    """Wire one model: a finding about one keeps no other waiting."""
    verified = task(steps.verify_store, **NAMED)(model=model)
    verified >> task(steps.collect, **NAMED)(model=model)


with DAG(
    "maintenance",
    schedule="30 4 * * *",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
    params=FORM,
    tags=["retraining"],
    doc_md=DOC,
) as DAG_MAINTENANCE:
    maintain.expand(model=task(steps.choose_models)())
