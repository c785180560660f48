"""How moments are spelled, held against SQLite itself; tests/postgres asks a real server."""

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from include.retraining.dialects import POSTGRES, SQLITE, known, spelled


def asked(sql: str, *values: str) -> object:
    connection = sqlite3.connect(":memory:")
    (found,) = connection.execute(sql, values).fetchone()
    connection.close()
    return found


@pytest.mark.parametrize(
    ("moment", "is_in"),
    [
        ("2024-01-31", True),
        ("2024-01-31 00:00", True),
        ("2024-01-31T00:00:00Z", True),
        ("2024-01-31 01:00:00+01:00", True),
        ("2024-01-30T23:59:59.999", False),
        ("2024-01-31 23:59:59", True),
        ("2024-02-01", False),
    ],
)
def test_texts_are_compared_as_moments(moment, is_in):
    """With bounds as SQLAlchemy binds them."""
    condition = spelled(SQLITE, "t.at", "text", moment).within().replace(":start", "?1").replace(":end", "?2")
    sql = f"SELECT {condition} FROM (SELECT ?3 AS at) AS t"
    assert asked(sql, "2024-01-31 00:00:00.000000", "2024-02-01 00:00:00.000000", moment) == is_in


def test_texts_as_they_are_bound_stay_as_they_are():
    assert spelled(SQLITE, "t.at", "timestamp", "2024-01-31 00:00:00.000000").column == "t.at"


@pytest.mark.parametrize(("seconds", "is_known"), [(-1, 0), (0, 1), (1, 1)])
def test_labels_are_known_from_the_second_on(seconds, is_known):
    end = datetime(2024, 2, 1, tzinfo=UTC)
    as_of = end + timedelta(hours=36, seconds=seconds)
    sql = f"SELECT {known(SQLITE, timedelta(hours=36))}".replace(":end", "?1").replace(":as_of", "?2")
    assert asked(sql, *(f"{one:%Y-%m-%d %H:%M:%S.%f}" for one in (end, as_of))) == is_known


@pytest.mark.parametrize(
    ("sql_type", "example", "column", "bound"),
    [
        ("timestamp with time zone", None, "t.at", "{}"),
        ("timestamp", None, "t.at", "({} AT TIME ZONE 'UTC')"),
        ("date", None, "t.at", "({} AT TIME ZONE 'UTC')"),
        ("text", "2024-01-31T00:00:00Z", "CAST(t.at AS timestamptz)", "{}"),
        ("text", "2024-01-31", "(CAST(t.at AS timestamp) AT TIME ZONE 'UTC')", "{}"),
    ],
)
def test_postgres_reads_moments_without_a_zone_in_utc(sql_type, example, column, bound):
    found = spelled(POSTGRES, "t.at", sql_type, example)
    assert (found.column, found.bound) == (column, bound)
