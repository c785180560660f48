"""One DAG `score_<model>` per spec in `include/models/`: wiring only, the work is in `score_steps.py`."""

from airflow.sdk import DAG, AssetOrTimeSchedule, Param, task

from include.retraining import assets, score_steps, specs, timetables
from include.retraining.retries import RETRIES
from include.retraining.spec import ModelSpec

DOC = """
### Let the champion of `{name}` score each new interval

{purpose} Owner: {owner}.

1. **choose_interval** finds the interval and the version that was live when it began, and freezes the rows.
2. **score_interval** writes that version's predictions, before any label is known; `retrain_{name}` judges them when
   labels arrive. Every row is scored, those too that validation sets aside.

Runs at the end of each interval, and when the champion moves: if it moved late, it scores the newest interval too. What
is there already stays. No champion yet: the run succeeds and says so. `retrain_{name}` does not need this DAG:
without predictions it scores again with the version that was live.

Downstream: schedule on the asset `{name}_predictions`; its event names the object.
Trigger by hand: `airflow dags trigger score_{name} --conf '{{"interval": "START--END", "reason": "why"}}'`
"""
FORM = {
    "as_of": Param(
        None, type=["null", "string"], format="date-time", title="As-of", section="Run",
        description="Use only what was known at this moment. Empty: the end of the interval.",
    ),
    "interval": Param(
        None, type=["null", "string"], pattern=r"^\d{8}T\d{6}Z--\d{8}T\d{6}Z$", title="Interval", section="Run",
        description="In UTC, like 20130201T050000Z--20130202T050000Z. Empty: the newest complete interval.",
    ),
    "reason": Param(
        None, type=["null", "string"], title="Reason", section="Run",  # the form refuses an empty text
        description="Kept in the manifest of the predictions.",
    ),
}  # fmt: skip


def score(spec: ModelSpec) -> None:
    """Wire the steps of one model."""
    found = task.short_circuit(score_steps.choose_interval)(spec.name)
    task(score_steps.score_interval, outlets=[assets.predictions(spec.name)])(found)


DAGS: dict[str, DAG] = {}
for name, found in specs.load_all().items():
    if isinstance(found, ModelSpec):  # what is wrong with another spec is told by its `retrain_<model>`
        with DAG(
            f"score_{name}",
            schedule=AssetOrTimeSchedule(
                timetable=timetables.of(found),
                assets=[assets.champion(name)],
            ),
            start_date=found.start,
            catchup=False,
            max_active_runs=1,
            default_args={"owner": found.owner, **RETRIES},
            params=FORM,
            tags=["retraining", name],
            doc_md=DOC.format(name=name, purpose=found.purpose, owner=found.owner),
        ) as DAGS[name]:
            score(found)
