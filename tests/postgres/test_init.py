"""`init` on a table of a real PostgreSQL server: odd names and types, what is missing, and a first champion."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from demo import flights
from demo.team import warehouse_url
from include.retraining import promotion
from tests.run import newcomer

TABLE = "Flights of AA"
NAMES = {"dest": "Dest", "minute": "select", "hour": 'hour "UTC" in %: or', "distance": "distância"}


@pytest.fixture(scope="module")
def table() -> Iterator[str]:
    """Write three weeks of one airline into a table whose names have to be quoted, its moments without a zone."""
    engine = sa.create_engine(warehouse_url(json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"])), poolclass=sa.NullPool)
    found = pd.read_csv(flights.data_folder() / "flights.csv.zip")
    found = found[(found["carrier"] == "AA") & (found["time_hour"] < "2013-01-24")]
    moments = pd.to_datetime(found["time_hour"], utc=True).dt.tz_localize(None)
    found = found.assign(time_hour=moments, is_long=found["distance"] > 1000).rename(columns=NAMES)
    found.drop(columns=["year", "month", "day", "carrier"]).to_sql(TABLE, engine, index=False)
    yield TABLE
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA IF EXISTS sales CASCADE"))
        connection.execute(sa.text(f'DROP TABLE "{TABLE}"'))


@pytest.fixture
def own(airflow_db: Path, tmp_path: Path) -> newcomer.Checkout:
    return newcomer.checkout(tmp_path, {"AIRFLOW_CONN_WAREHOUSE": os.environ["AIRFLOW_CONN_WAREHOUSE"]})


def test_a_table_becomes_a_model_whose_first_run_promotes_a_champion(own, table) -> None:
    told = own.init("air_minutes", "--from", "warehouse", "--table", table, "--label", "air_time")
    query = (own.root / "include" / "models" / "air_minutes.sql").read_text()
    assert 'FROM "Flights of AA" AS t' in query
    assert 't."Dest" AS dest' in query
    assert 't."hour ""UTC"" in %\\: or" AS hour_utc_in_or' in query
    assert "CAST(t.is_long AS INTEGER) AS is_long" in query
    assert "t.time_hour >= (:start AT TIME ZONE 'UTC')" in query
    assert "export" not in told
    state, tasks, sections = own.trigger("air_minutes")
    assert state == "success"
    assert tasks["promote"] == "success"
    assert sections["verdict"]["answer"] == promotion.WIN
    assert sections["promotion"]["entry"] == 1


def test_a_table_that_is_not_named_or_not_there_is_told_with_those_that_are(own, table) -> None:
    for arguments in ([], ["--table", "nonesuch"]):
        told = own.refused("trips", "--from", "warehouse", *arguments)
        assert "Flights of AA, departures" in told
        assert "--table" in told
    assert own.written() == set()


def test_a_table_of_another_schema_is_named_with_it(own, table) -> None:
    connection = json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"])
    engine = sa.create_engine(warehouse_url(connection), poolclass=sa.NullPool)
    with engine.begin() as session:
        session.execute(sa.text("CREATE SCHEMA sales"))
        session.execute(sa.text(f'CREATE VIEW sales.trips AS SELECT * FROM public."{TABLE}"'))
    told = own.refused("trips", "--from", "warehouse", "--table", "sales.trips", "--label", "nonesuch")
    assert "--label: there is no column 'nonesuch'" in told
    assert "sales.trips" in own.refused("trips", "--from", "warehouse", "--table", "trips")
