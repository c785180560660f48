"""The loader on a real PostgreSQL server: the same rows as in the SQLite file, with the same meaning."""

import json
import os

import pandas as pd
import psycopg2
import pytest
import sqlalchemy as sa

from demo import flights
from demo.team import warehouse_url

ORDER = "ORDER BY scheduled_at, carrier, flight, origin, dest"
MOMENTS = ["scheduled_at", "departed_at", "outcome_known_at"]


@pytest.fixture(scope="module")
def engines():
    postgres = sa.create_engine(warehouse_url(json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"])))
    sqlite = sa.create_engine(f"sqlite:///{os.environ['WAREHOUSE_SQLITE']}")
    yield postgres, sqlite
    postgres.dispose()
    sqlite.dispose()


def read(engine, where="1 = 1"):
    frame = pd.read_sql(sa.text(f"SELECT * FROM departures WHERE {where} {ORDER}"), engine)
    for name in MOMENTS:
        frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601").astype("datetime64[us, UTC]")
    return frame


def test_server_is_a_real_postgres(engines):
    with engines[0].connect() as connection:
        assert str(connection.execute(sa.text("SELECT version()")).scalar_one()).startswith("PostgreSQL ")


def test_both_warehouses_hold_the_same_rows(engines):
    postgres, sqlite = (read(engine) for engine in engines)
    assert len(postgres) > 50_000
    assert list(postgres.columns) == flights.COLUMNS
    pd.testing.assert_frame_equal(postgres, sqlite, check_dtype=False)


def test_a_load_that_fails_leaves_the_table_as_it_was(engines):
    before = read(engines[0], "flight = 1545")
    url = engines[0].url
    broken = flights.departures().head(10).assign(flight="not a number")
    with pytest.raises(psycopg2.DataError, match="not a number"):
        flights.load(url, broken)
    pd.testing.assert_frame_equal(read(engines[0], "flight = 1545"), before)
