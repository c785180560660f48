"""The DAG `rollback`: one form for every model; wiring only, the work is in `steps.py`."""

from airflow.sdk import DAG, Param, task

from include.retraining import assets, rollback, specs, steps
from include.retraining.retries import RETRIES

DOC = """
### Make an earlier version the champion again

For the night when the champion does harm. Nothing is trained, deleted or overwritten: one more entry of the promotion
log names an earlier version, by your order and with your reason. **Defaults bring back what was live before.**

1. Press *Trigger*, choose the model, say why. *Dry run* only checks and prints. Not sure? Do that first.
2. **check_target** finds the version, loads it with every check (signature, hashes, libraries, predictions that must
   come out again) and prints in its log what would change, beside every version with its training window. It fails,
   saying why, if there is nothing to roll back to; then nothing has changed.
3. **roll_back** writes the entry, announces the champion's asset, so that what scores picks the version up, and sends
   one message. If the champion moved meanwhile it changes nothing and fails.

**Went wrong?** Trigger it again with the defaults: that restores what was live before this rollback.

**Afterwards** the next run of `retrain_<model>` evaluates the version that you brought back, and may promote a
challenger that is clearly better. To keep any from being promoted, pause that DAG.

Without Airflow: `python -m include.retraining rollback MODEL --reason "why" --dry-run` (it announces no asset).
By hand: `airflow dags trigger rollback --conf '{"model": "NAME", "reason": "why"}'`
"""
MODELS = specs.loadable()
FORM = {  # without sections: Airflow's dialog opens with the default one unfolded, and with no other
    "model": Param(  # without a default: at night nobody should roll back the first model of the alphabet
        type="string", enum=MODELS, title="Model",
        description="Whose champion has to go.",
    ),
    "version": Param(
        rollback.PREVIOUS, type="string", pattern=f"^({rollback.PREVIOUS}|{rollback.VERSION})$", title="Version",
        description=f"Leave it at “{rollback.PREVIOUS}”, or give a version's id like 20130216-0123456789ab; "
        "a dry run lists them.",
    ),
    "reason": Param(
        type="string", minLength=1, maxLength=500, pattern=r"\S", title="Reason",
        description="Why, for whoever reads it in a year. The promotion log keeps it for good.",
    ),
    "dry_run": Param(
        False, type="boolean", title="Dry run",
        description="Check everything and print what would change; change nothing.",
    ),
}  # fmt: skip

with DAG(
    "rollback",
    schedule=None,
    max_active_runs=1,
    is_paused_upon_creation=False,  # nobody should have to look for a switch first
    default_args=RETRIES,
    params=FORM,
    tags=["retraining"],
    doc_md=DOC,
) as DAG_ROLLBACK:
    planned = task.short_circuit(steps.check_target)()
    task(steps.roll_back, outlets=[assets.ROLLED_BACK])(planned)
