"""The warehouse door: rows of one interval, and nothing that was not known at the as-of. On real flights."""

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from include.retraining import connections, dialects, labelling, snapshots, warehouse
from include.retraining.errors import ConnectionInvalid, CredentialsError, DataError, Unavailable
from include.retraining.spec import SqlSource, local_midnight
from include.retraining.windows import Interval
from tests.retraining import toy

pytestmark = pytest.mark.door
ZONE = "America/New_York"


def new_york(day: str) -> Interval:
    following = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
    return Interval(local_midnight(day, ZONE), local_midnight(following, ZONE))


DAY = new_york("2013-02-08")
KNOWN = new_york("2013-02-09").end  # outcomes of a day are published when the next day ends


@pytest.fixture
def parcels(tmp_path) -> connections.Settings:
    """Return the Connection of a small warehouse."""
    toy.load(tmp_path / "toy.sqlite", [toy.rows(number) for number in range(3)])
    return connections.Settings("warehouse", "sqlite", host=str(tmp_path / "toy.sqlite"), password="hunter2")


def change(settings: connections.Settings, statement: str) -> None:
    with sqlite3.connect(settings.host) as connection:
        connection.execute(statement)
    connection.close()


def asked(tmp_path, query: str, **changes):
    """Return the toy spec with another query."""
    path = tmp_path / "other.sql"
    path.write_text(query)
    return toy.spec(source=SqlSource("warehouse", path), **changes)


QUERY = (toy.HERE / "parcels.sql").read_text()


def test_rows_are_those_of_the_interval(warehouse_settings, spec, departures):
    found = warehouse.read(warehouse_settings, spec, DAY, KNOWN)
    expected = departures[(departures["scheduled_at"] >= DAY.start) & (departures["scheduled_at"] < DAY.end)]
    assert len(found) == len(expected) == 930
    assert sorted(found["scheduled_at"]) == sorted(expected["scheduled_at"])


def test_a_row_on_the_start_is_in_and_one_on_the_end_is_not(parcels):
    start, end = (f"'{bound:%Y-%m-%d %H:%M:%S.%f}'" for bound in (toy.day(1).start, toy.day(1).end))
    for name, moment in (("first", start), ("late", end)):
        change(
            parcels, f"UPDATE parcels SET parcel = '{name}', sent_at = {moment} WHERE parcel = 'p001-00{len(name)}0'"
        )
    named = set(warehouse.read(parcels, toy.spec(), toy.day(1), toy.day(9).end)["parcel"])
    assert "first" in named
    assert "late" not in named
    assert "late" in set(warehouse.read(parcels, toy.spec(), toy.day(2), toy.day(9).end)["parcel"])


@pytest.mark.parametrize(("seconds", "known"), [(-1, False), (0, True), (1, True)])
def test_a_label_is_seen_from_the_moment_it_is_known(warehouse_settings, spec, seconds, known):
    found = warehouse.read(warehouse_settings, spec, DAY, KNOWN + timedelta(seconds=seconds))
    assert found["late"].notna().any() == known
    assert (found["void"] == 1).any() == known


def test_no_outcome_is_seen_before_it_is_known(warehouse_settings, spec, departures):
    """At the interval's own end, as a run that has just begun reads it."""
    found = warehouse.read(warehouse_settings, spec, DAY, DAY.end)
    assert found["late"].isna().all()
    assert (found["void"] == 0).all()
    assert labelling.completeness(labelling.label_frame(found, spec)) == 0.0


def test_labels_are_what_became_of_the_flights(warehouse_settings, spec, departures):
    found = warehouse.read(warehouse_settings, spec, DAY, KNOWN)
    flown = departures.set_index(["scheduled_at", "carrier", "flight", "origin", "dest"])["arr_delay"]
    keys = found[["scheduled_at", "carrier", "flight", "origin", "dest"]].astype({"flight": "float"})
    delays = flown.reindex(pd.MultiIndex.from_frame(keys)).to_numpy()
    assert found["late"].to_numpy() == pytest.approx(np.where(np.isnan(delays), np.nan, delays > 15), nan_ok=True)
    assert ((found["void"] == 1) == np.isnan(delays)).all()
    assert found["void"].mean() == pytest.approx(0.51, abs=0.01), "half of the storm's flights were cancelled"


@pytest.mark.parametrize("day", ["2013-01-05", "2013-02-08", "2013-03-10"])
def test_late_shares_come_from_outcomes_known_when_the_interval_began(warehouse_settings, spec, departures, day):
    interval = new_york(day)
    known = departures[
        (departures["outcome_known_at"] <= interval.start)
        & (departures["outcome_known_at"] > interval.start - spec.source.lookback)
        & departures["arr_delay"].notna()
    ]
    found = warehouse.read(warehouse_settings, spec, interval, interval.end)
    for column in ("origin", "carrier"):
        shares = (known["arr_delay"] > 15).groupby(known[column]).mean()
        expected = found[column].map(shares).to_numpy(dtype="float64")
        assert found[f"{column}_late_share"].to_numpy() == pytest.approx(expected, nan_ok=True)


def test_nothing_is_known_of_late_shares_on_the_first_day(warehouse_settings, spec):
    interval = new_york("2013-01-01")
    assert warehouse.read(warehouse_settings, spec, interval, interval.end)["origin_late_share"].isna().all()


@pytest.mark.parametrize("days", [1, 30])
def test_reading_again_at_a_later_as_of_changes_no_feature(warehouse_settings, spec, days):
    first = warehouse.read(warehouse_settings, spec, DAY, DAY.end)
    later = warehouse.read(warehouse_settings, spec, DAY, DAY.end + timedelta(days=days))
    pd.testing.assert_frame_equal(first[list(spec.stored)], later[list(spec.stored)])


def test_outcomes_that_come_later_change_nothing_that_a_run_reads(tmp_path, spec, departures):
    """A warehouse that knows the future, and one that does not, give a run the same rows."""
    from demo import flights

    frames = []
    for number, table in enumerate([departures, departures[departures["outcome_known_at"] <= DAY.end]]):
        path = tmp_path / f"{number}.sqlite"
        unknown = departures[departures["outcome_known_at"] > DAY.end].assign(arr_delay=5000.0)
        flights.load(f"sqlite:///{path}", table if number == 0 else pd.concat([table, unknown]))
        settings = connections.Settings("warehouse", "sqlite", host=str(path))
        frames.append(warehouse.read(settings, spec, DAY, DAY.end))
    pd.testing.assert_frame_equal(*frames)


def test_columns_have_the_types_that_pipelines_and_suites_expect(warehouse_settings, spec):
    found = warehouse.read(warehouse_settings, spec, DAY, KNOWN)
    assert str(found["scheduled_at"].dtype) == "datetime64[us, UTC]"
    assert {str(found[name].dtype) for name in (*spec.numeric, "late", "void", "departed")} == {"float64"}
    assert {str(found[name].dtype) for name in (*spec.categorical, "tailnum")} == {"str"}


def test_an_empty_interval_gives_no_rows_and_every_column(warehouse_settings, spec):
    found = warehouse.read(warehouse_settings, spec, new_york("2013-06-01"), KNOWN)
    assert len(found) == 0
    assert set(found.columns) == {*spec.stored, "late", "void"}


def test_text_in_a_numeric_feature_reaches_the_snapshot_as_text(parcels, store, keyring):
    """Validation shall see it, so nothing is coerced in silence."""
    change(parcels, "UPDATE parcels SET weight = '12,5 kg' WHERE parcel = 'p000-0003'")
    found = warehouse.read(parcels, toy.spec(), toy.day(0), toy.day(0).end)
    frozen = snapshots.freeze_snapshot(store, keyring, toy.spec(), toy.day(0), toy.day(0).end, found)
    weights = snapshots.read(store, frozen)["weight"]
    assert str(weights.dtype) == "str"
    assert weights[3] == "12,5 kg"


def test_rows_known_after_the_as_of_are_left_out(parcels, tmp_path):
    spec = asked(tmp_path, QUERY.replace("note,", "note, known_at,"), known_at_column="known_at")
    assert len(warehouse.read(parcels, spec, toy.day(0), toy.day(1).end)) == toy.ROWS
    assert len(warehouse.read(parcels, spec, toy.day(0), toy.day(1).end - timedelta(seconds=1))) == 0


def without(found: str, instead: str) -> str:
    return QUERY.replace(found, instead)


WRONG = {
    "a column less": (without("weight,", ""), r"returns no column weight; it returns sent_at, parcel.*Mend the query"),
    "an unknown column": (without("weight", "wait AS weight"), r"other.sql failed: no such column: wait\. Mend"),
    "a column called role": (without("weight", "role_id AS weight"), "failed: no such column: role_id"),
    "a column called connection": (without("weight", "connection_id AS weight"), "no such column: connection_id"),
    "no such table": (without("FROM parcels", "FROM letters"), "failed: no such table: letters"),
    "not SQL": ("SELEKT 1", 'failed: near "SELEKT": syntax error'),
    "an unknown parameter": (without(":end", ":until"), "A value is required for bind parameter 'until'"),
    "a column twice": (without("weight,", "weight, distance AS weight,"), "returns weight more than once"),
    "other days": ("SELECT * FROM parcels", r"120 of 180 rows lie outside \[2024-01-01.*Bind :start and :end"),
    "no moment": (
        without("    sent_at,", "'soon' AS sent_at,"),
        r"returns a moment that is none: Time data soon is not ISO8601 format\.$",
    ),
}


@pytest.mark.parametrize(("query", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_query_is_told_with_what_to_mend(parcels, tmp_path, query, message):
    with pytest.raises(DataError, match=message):
        warehouse.read(parcels, asked(tmp_path, query), toy.day(0), toy.day(1).end)


def test_a_query_that_takes_the_end_in_is_told(parcels, tmp_path):
    change(parcels, f"UPDATE parcels SET sent_at = '{toy.day(0).end:%Y-%m-%d %H:%M:%S.%f}' WHERE parcel = 'p000-0001'")
    with pytest.raises(DataError, match=r"1 of 61 rows lie outside .*, end excluded|1 of 60 rows lie outside"):
        warehouse.read(parcels, asked(tmp_path, without("< :end", "<= :end")), toy.day(0), toy.day(1).end)


def test_parameters_in_comments_are_words(parcels, tmp_path):
    spec = asked(tmp_path, f"-- uses :nothing at 10:30\n{QUERY}")
    assert len(warehouse.read(parcels, spec, toy.day(0), toy.day(1).end)) == toy.ROWS


def test_a_missing_sqlite_file_is_unavailable_and_not_made(parcels, tmp_path):
    missing = replace(parcels, host=str(tmp_path / "none.sqlite"))
    with pytest.raises(Unavailable, match=r"Connection `warehouse`: there is no SQLite file .*none.sqlite"):
        warehouse.read(missing, toy.spec(), toy.day(0), toy.day(1).end)
    assert not (tmp_path / "none.sqlite").exists()


def test_a_locked_warehouse_is_unavailable(parcels, monkeypatch):
    create = sa.create_engine
    monkeypatch.setattr(warehouse, "create_engine", lambda url: create(url, connect_args={"timeout": 0.05}))
    writer = sqlite3.connect(parcels.host, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable, match=r"Connection `warehouse` \(.*\) did not answer: database is locked"):
        warehouse.read(parcels, toy.spec(), toy.day(0), toy.day(1).end)
    writer.close()


def test_a_closed_postgres_port_is_unavailable_and_no_secret_is_told(parcels):
    closed = replace(parcels, kind="postgres", host="127.0.0.1", port=9, login="ann", schema="warehouse")
    with pytest.raises(Unavailable, match=r"Connection `warehouse` \(127.0.0.1\) did not answer: .*refused") as caught:
        warehouse.read(closed, toy.spec(), toy.day(0), toy.day(1).end)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ('FATAL:  password authentication failed for user "ann"', CredentialsError),
        ('FATAL:  role "ann" does not exist', CredentialsError),
        ("permission denied for table parcels", CredentialsError),
        ("could not translate host name", Unavailable),
        ("server closed the connection unexpectedly", Unavailable),
        ('column "role_id" does not exist', DataError),
        ('column "connection" does not exist', DataError),
    ],
)
def test_postgres_words_become_our_errors(parcels, words, error):
    """Its words, as a driver raises them; `make test-postgres` asks a real server."""
    with (
        pytest.raises(error, match=r"Connection `warehouse`|The query parcels.sql failed"),
        warehouse._failures(parcels, "query parcels.sql"),
    ):
        raise sa.exc.OperationalError("SELECT 1", {}, Exception(words))


def test_another_kind_of_connection_is_refused(parcels):
    with pytest.raises(ConnectionInvalid, match="is of type 'mysql'; expected sqlite or postgres"):
        warehouse.read(replace(parcels, kind="mysql"), toy.spec(), toy.day(0), toy.day(1).end)


@pytest.mark.parametrize(
    ("extra", "expected"), [({}, None), ({"data_until": "2013-02-01T00:00:00-05:00"}, "2013-02-01")]
)
def test_a_replayed_warehouse_says_until_when_it_knows(parcels, extra, expected):
    found = warehouse.data_until(replace(parcels, extra=extra))
    assert found == (local_midnight(expected, ZONE) if expected else None)


ODD = ["select", 'say "x"', "a:start", "100%", "Größe"]


@pytest.fixture
def odd(tmp_path) -> connections.Settings:
    """Return the Connection of a warehouse whose one table has odd names."""
    connection = sqlite3.connect(tmp_path / "odd.sqlite")
    rows = pd.DataFrame({name: [f"{place:03d}" for place in range(100)] for name in ODD})
    moments = pd.date_range("2024-01-01", periods=100, freq="10min").strftime("%Y-%m-%dT%H:%M:%SZ")
    rows.assign(at=[*moments[:-1], None], label=[1.0, None] * 50).to_sql("a b: c", connection, index=False)
    connection.execute('CREATE VIEW "seen" AS SELECT * FROM "a b: c"')
    connection.close()
    return connections.Settings("odd", "sqlite", host=str(tmp_path / "odd.sqlite"))


def test_tables_and_views_are_listed_and_columns_with_their_types(odd):
    assert warehouse.tables(odd) == ["a b: c", "seen"]
    assert warehouse.columns(odd, "a b: c") == {**dict.fromkeys([*ODD, "at"], "text"), "label": "real"}
    with pytest.raises(
        DataError, match=r"Connection `odd` has no table 'orders'; it has a b: c, seen\. Give --table\."
    ):
        warehouse.columns(odd, "orders")


@pytest.mark.parametrize("name", ODD)
def test_quoted_names_reach_the_server_as_they_are(odd, name):
    query = f"SELECT t.{warehouse.quoted(odd, name)} AS x FROM {warehouse.reference(odd, 'a b: c')} AS t"
    with warehouse._engine(odd).connect() as connection:
        assert len(connection.execute(sa.text(query)).fetchall()) == 100


@pytest.mark.parametrize(("most", "expected"), [(1000, 100), (100, 100), (99, 50), (10, 10)])
def test_a_sample_is_spread_over_all_rows(odd, most, expected):
    count, found = warehouse.sample(odd, "a b: c", most)
    assert (count, len(found)) == (100, expected)
    assert list(found.columns) == [*ODD, "at", "label"]
    assert found["select"].astype("int").max() >= 98


def test_hours_count_rows_and_labels(odd):
    spelling = dialects.spelled("sqlite", "t.at", "text", "2024-01-01T00:00:00Z")
    found = warehouse.hours(odd, "a b: c", spelling, "label")
    assert found["rows"].tolist() == [1, *[6] * 16, 3]
    assert found["unlabelled"].tolist() == [1, *[3] * 16, 1]
    assert found["hour"].isna().tolist() == [True, *[False] * 17]
    assert found["last"].iloc[1] == pd.Timestamp("2024-01-01 00:50", tz="UTC")


def test_keys_that_stand_twice_are_counted(odd):
    assert warehouse.doubled(odd, "seen", ["label"]) == 2
    assert warehouse.doubled(odd, "seen", ["select", "label"]) == 0


def test_a_name_in_quotes_is_no_parameter(odd, tmp_path):
    name = warehouse.quoted(odd, "a:start")
    query = f"SELECT t.{name} AS parcel, t.at AS sent_at, 1 AS weight, 0 AS late FROM seen AS t WHERE t.at >= '2024'"
    spec = asked(
        tmp_path, query, numeric=("weight",), categorical=(), observed=(), slices=(), privacy={}, void_column=None
    )
    assert len(warehouse.read(odd, spec, toy.day(0), toy.day(1).end)) == 99


@pytest.mark.parametrize(
    ("label", "classes"),
    [
        ("CASE WHEN weight > 10 THEN 'heavy' ELSE 'light' END", {"heavy", "light"}),
        ("CASE WHEN weight > 10 THEN 1 ELSE 2 END", {"1", "2"}),
        ("CASE WHEN weight > 10 THEN 1 WHEN weight > 9 THEN 2 END", {"1", "2", None}),
        ("CASE WHEN weight > 10 THEN 1.0 ELSE 2.5 END", {"1", "2.5"}),
        ("NULL", {None}),
    ],
    ids=["text", "numbers", "numbers beside NULL", "fractions", "nothing known"],
)
def test_classes_are_text_whatever_the_query_returns(tmp_path, parcels, label, classes):
    """SQLite gives 1 where no label is missing and 1.0 where one is: both are the class '1'."""
    query = QUERY.replace("SELECT", f"SELECT {label} AS class,", 1)
    spec = asked(tmp_path, query, task="multiclass", label="class")
    found = warehouse.read(parcels, spec, toy.day(0), toy.day(9).end)["class"]
    assert {None if pd.isna(one) else one for one in found} == classes
    assert str(found.dtype) == "str"
