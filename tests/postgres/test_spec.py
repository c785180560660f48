"""The flights' spec on PostgreSQL: changing the Connection alone gives the same rows, and clear failures."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from include.retraining import connections, specs, warehouse
from include.retraining.errors import CredentialsError, DataError, Unavailable
from include.retraining.spec import SqlSource

SPEC = specs.load("flight_delays")
INTERVALS = SPEC.timetable.intervals(SPEC.end)


@pytest.fixture
def postgres() -> connections.Settings:
    return connections.settings("warehouse")


@pytest.fixture
def sqlite() -> connections.Settings:
    return connections.Settings("warehouse", "sqlite", host=os.environ["WAREHOUSE_SQLITE"])


@pytest.mark.parametrize("name", specs.names())
@pytest.mark.parametrize("place", [0, 1, 15, 30, 38, 39])
def test_both_servers_answer_the_same_query_with_the_same_rows(place: int, name: str, postgres, sqlite) -> None:
    spec, interval = specs.load(name), INTERVALS[place]
    for as_of in (interval.end, interval.end + timedelta(days=1)):
        first, second = (warehouse.read(settings, spec, interval, as_of) for settings in (postgres, sqlite))
        order = list(spec.key_columns)
        first, second = (one.sort_values(order).reset_index(drop=True) for one in (first, second))
        pd.testing.assert_frame_equal(first, second, rtol=1e-12)
        assert len(first) > 600


def test_labels_are_unknown_before_their_delay_has_passed(postgres) -> None:
    interval = INTERVALS[20]
    early = warehouse.read(postgres, SPEC, interval, interval.end)
    late = warehouse.read(postgres, SPEC, interval, interval.end + SPEC.label_delay)
    assert early["late"].isna().all()
    assert late["late"].notna().mean() > 0.9


def test_a_wrong_password_is_refused_at_once(postgres) -> None:
    with pytest.raises(CredentialsError, match=r"Connection `warehouse` was refused: .*password authentication failed"):
        warehouse.read(replace(postgres, password="wrong"), SPEC, INTERVALS[0], INTERVALS[0].end)


def test_a_server_that_does_not_answer_is_tried_again(postgres) -> None:
    with pytest.raises(Unavailable, match="did not answer"):
        warehouse.read(replace(postgres, port=1), SPEC, INTERVALS[0], INTERVALS[0].end)


def test_a_column_that_is_not_there_is_named(postgres, tmp_path: Path) -> None:
    query = tmp_path / "query.sql"
    query.write_text(SPEC.source.query.read_text().replace("d.humid", "d.humidity"))
    wrong = replace(SPEC, source=replace(SPEC.source, query=query))
    assert isinstance(wrong.source, SqlSource)
    with pytest.raises(DataError, match=r"query\.sql failed: .*humidity"):
        warehouse.read(postgres, wrong, INTERVALS[0], INTERVALS[0].end)


def test_the_connection_is_the_one_in_the_environment(postgres) -> None:
    assert json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"])["conn_type"] == postgres.kind == "postgres"


def test_a_value_that_the_server_refuses_is_not_quoted(postgres, tmp_path: Path) -> None:
    """It may be a person's; the server quotes it in its message, and in a second line."""
    query = tmp_path / "query.sql"
    query.write_text(SPEC.source.query.read_text().replace("d.tailnum", "CAST(d.tailnum AS INTEGER) AS tailnum"))
    wrong = replace(SPEC, source=replace(SPEC.source, query=query))
    with pytest.raises(DataError) as refused:
        warehouse.read(postgres, wrong, INTERVALS[0], INTERVALS[0].end)
    assert str(refused.value) == (
        'The query query.sql failed: invalid input syntax for type integer: "(hidden)". Mend the query or the table.'
    )
    assert refused.value.__cause__ is None
