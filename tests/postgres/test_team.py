"""The one-shot `init` of docker-compose.yaml, on a real server: its SQL, its rights, and `python -m demo.team`."""

import json
import os
import re
import subprocess
import sys

import pytest
import sqlalchemy as sa
import yaml

from demo import compose, flights
from demo.services import ROOT, s3_server
from demo.team import warehouse_url

SECRETS = compose.variables()
FILE = yaml.safe_load(
    re.sub(
        r"\$\{([A-Z_]+):\?run make env\}", lambda match: SECRETS[match[1]], (ROOT / "docker-compose.yaml").read_text()
    )
)


@pytest.fixture(scope="module")
def admin():
    engine = sa.create_engine(warehouse_url(json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"])), poolclass=sa.NullPool)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
        session.execute(sa.text("CREATE DATABASE airflow"))
        for statement in FILE["configs"]["warehouse.sql"]["content"].strip().split("\n"):
            session.execute(sa.text(statement))
    return json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"])


@pytest.fixture(scope="module")
def team(admin):
    """Return the team's Connection of the warehouse, at the address of the test's server."""
    connection = json.loads(FILE["services"]["scheduler"]["environment"]["AIRFLOW_CONN_WAREHOUSE"])
    return {**connection, "host": admin["host"], "port": admin["port"]}


def test_reader_of_the_warehouse_cannot_open_the_metadata(team):
    engine = sa.create_engine(warehouse_url({**team, "schema": "airflow"}), poolclass=sa.NullPool)
    with pytest.raises(sa.exc.OperationalError, match="permission denied for database"):
        engine.connect()


def test_init_loads_the_flights_once(team, tmp_path):
    with s3_server(tmp_path) as s3:
        connections = {"AIRFLOW_CONN_STORE": json.dumps(s3.connection()), "AIRFLOW_CONN_WAREHOUSE": json.dumps(team)}
        env = {**os.environ, **connections, "PYTHONPATH": str(ROOT)}
        said = []
        for _ in range(2):
            command = [sys.executable, "-m", "demo.team"]
            said.append(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)
    assert said == [
        "Loaded 336,776 rows into the table departures.\n",
        "The warehouse has a table departures and was left alone.\n",
    ]
    with sa.create_engine(warehouse_url(team), poolclass=sa.NullPool).connect() as connection:
        count = sa.select(sa.func.count()).select_from(flights.DEPARTURES)
        assert connection.execute(count).scalar_one() == 336_776
