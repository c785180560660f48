"""Two tasks under the name of the demo's DAG: what they see and how often they run is written to TOY_FOLDER."""

import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.sdk import CronDataIntervalTimetable, dag, task

FOLDER = Path(os.environ.get("TOY_FOLDER", "."))
ZONE = "America/New_York"


@dag(
    dag_id="retrain_flight_delays",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone=ZONE),
    start_date=pendulum.datetime(2013, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
)
def toy():
    @task
    def pull_snapshot():
        names = ("pandas", "sklearn.ensemble", "great_expectations", "boto3", "pyarrow")
        (FOLDER / "modules.json").write_text(json.dumps([name for name in names if name in sys.modules]))

    @task
    def train_candidate():
        (FOLDER / "training").touch()
        while (FOLDER / "hold").exists():
            time.sleep(0.2)

    pull_snapshot() >> train_candidate()


toy()
