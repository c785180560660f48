"""From a CSV of one's own to a first champion: `init`, the line that it prints, and the DAG as it then is."""

from pathlib import Path

import pandas as pd
import pytest

from demo import flights
from include.retraining import promotion
from tests.run import newcomer

pytestmark = [pytest.mark.run, pytest.mark.long]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Return three weeks of one airline's flights, as its own people would export them."""
    found = pd.read_csv(flights.data_folder() / "flights.csv.zip")
    found = found[(found["carrier"] == "AA") & (found["time_hour"] < "2013-01-24")]
    return found.assign(passenger_email=[f"p{place}@example.org" for place in range(len(found))])


def test_a_csv_becomes_a_model_whose_first_run_promotes_a_champion(airflow_db: Path, tmp_path: Path, table) -> None:
    own = newcomer.checkout(tmp_path, {})
    file = tmp_path / "flights.csv"
    table.to_csv(file, index=False)
    told = own.init("air_minutes", "--from", str(file), "--label", "air_time")
    assert own.written() == {"air_minutes.py", "air_minutes.sql", "air_minutes_suite.json"}
    assert "Personal data? passenger_email is not even read: looks like an e-mail address." in told
    assert "The newest intervals meet all that is critical." in told
    state, tasks, sections = own.trigger("air_minutes")
    assert state == "success"
    assert {tasks[name] for name in ("validate_snapshot", "promote", "report")} == {"success"}
    assert sections["validation"]["outcome"] in {"pass", "warn"}
    assert sections["verdict"]["answer"] == promotion.WIN
    assert sections["promotion"]["entry"] == 1
    stored = b"".join(own.store.get(found.key) for found in own.store.list(""))
    assert b"@example.org" not in stored
