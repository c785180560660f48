"""Door: a query becomes a frame, for one interval and as known at one moment; and what a table looks like."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from sqlalchemy import DateTime, bindparam, create_engine, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from include.retraining.dialects import SQLITE, Spelling
from include.retraining.errors import ConnectionInvalid, CredentialsError, DataError, Unavailable
from include.retraining.policies import MULTICLASS
from include.retraining.spec import ModelSpec
from include.retraining.windows import Interval

if TYPE_CHECKING:
    from include.retraining.connections import Settings

REFUSALS = ("authentication failed", 'role "', "permission denied", "access denied")
REFUSED_VALUE = ("22", "23")
"""Classes of PostgreSQL's error codes, data exception and integrity violation: these messages quote values."""
QUOTED = re.compile(r'"[^"]*"')
TIMEOUT_S = 10
NUMBERS = {"integer", "floating", "decimal", "mixed-integer-float", "boolean"}
"""What servers return for a number: Postgres gives Decimal where SQLite gives float."""
NAMED = 20
"""So many tables are named where another one was asked for."""


def data_until(settings: "Settings") -> datetime | None:
    """Return the newest moment that a replayed or frozen warehouse knows, from the Connection's extra, or None."""
    found = settings.extra.get("data_until")
    return datetime.fromisoformat(str(found)).astimezone(UTC) if found else None


def read(settings: "Settings", spec: ModelSpec, interval: Interval, as_of: datetime) -> pd.DataFrame:
    """Return the query's rows of one interval as known at the as-of.

    Parameters
    ----------
    settings : Settings
        The warehouse's Connection: ``sqlite`` or ``postgres``.
    spec : ModelSpec
        Names the query and the columns it must return.
    interval : Interval
        Rows lie in ``[start, end)``.
    as_of : datetime
        The moment whose knowledge may be used.

    Returns
    -------
    pd.DataFrame
        The spec's columns: time as UTC, numbers as float64, classes and everything else as text.

    Raises
    ------
    DataError
        The query fails, lacks a column, or returns rows outside the interval.
    Unavailable
        No answer; the task is tried again.
    CredentialsError, ConnectionInvalid
        The Connection is wrong.
    """
    query = _query(spec)
    moments = {"start": interval.start, "end": interval.end, "as_of": as_of}
    moments |= {"since": interval.start - spec.source.lookback}
    named = {name for name in moments if re.search(rf"(?<![:\w\\]):{name}\b", query)}  # as SQLAlchemy finds them
    bound = {name: moments[name].astimezone(UTC) for name in moments if name in named}
    statement = text(query).bindparams(*(bindparam(name, type_=DateTime(timezone=True)) for name in bound))
    with _failures(settings, f"query {spec.source.query.name}"), _engine(settings).connect() as connection:
        result = connection.execute(statement, bound)
        frame = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
    return _checked(frame, spec, interval, as_of)


def quoted(settings: "Settings", name: str) -> str:
    """Return a table's or column's name as a query file needs it: in quotes where the server would misread it.

    A colon is escaped, since ``:name`` is a parameter.
    """
    dialect = sqlite.dialect() if settings.kind == SQLITE else postgresql.dialect(paramstyle="named")
    return str(dialect.identifier_preparer.quote(name)).replace(":", r"\:")


def tables(settings: "Settings") -> list[str]:
    """Return the tables and views that a Connection shows, sorted; those outside the default schema with theirs."""
    with _failures(settings, "list of tables"), _engine(settings).connect() as connection:
        found = inspect(connection)
        own = found.default_schema_name
        hidden = {"information_schema", "pg_catalog", "main", "temp", own}
        schemas = [None, *(one for one in found.get_schema_names() if one not in hidden)]
        names = [(one, name) for one in schemas for name in found.get_table_names(one) + found.get_view_names(one)]
    return sorted(name if one is None else f"{one}.{name}" for one, name in names)


def columns(settings: "Settings", table: str) -> dict[str, str]:
    """Return a table's columns with their SQL types in lower case, in order."""
    schema, name = _placed(settings, table)
    with _failures(settings, f"table {table}"), _engine(settings).connect() as connection:
        found = inspect(connection).get_columns(name, schema)
        return {one["name"]: _sql_type(one["type"]) for one in found}


def reference(settings: "Settings", table: str) -> str:
    """Return a table as a query names it, its schema first if it has one."""
    return ".".join(quoted(settings, part) for part in _placed(settings, table) if part is not None)


def sample(settings: "Settings", table: str, most: int) -> tuple[int, pd.DataFrame]:
    """Return how many rows a table has, and at most so many of them, evenly spread as they are stored."""
    place = reference(settings, table)
    count = int(_all(settings, f"SELECT count(*) AS n FROM {place}")["n"].iloc[0])
    numbered = f"SELECT t.*, row_number() OVER () AS init_place FROM {place} AS t"
    step = -(-count // most) or 1
    found = _all(settings, f"SELECT * FROM ({numbered}) AS numbered WHERE init_place % {step} = 0")
    return count, found.drop(columns="init_place")


def hours(settings: "Settings", table: str, spelling: Spelling, label: str) -> pd.DataFrame:
    """Return one row an hour of a table: when it begins (NaT: rows without a moment), rows, rows without a label.

    Columns are ``hour``, ``rows``, ``unlabelled``, ``first`` and ``last``, the moments of the hour's outermost rows.
    """
    place, named = reference(settings, table), quoted(settings, label)
    counted = f"count(*) AS n, sum(CASE WHEN t.{named} IS NULL THEN 1 ELSE 0 END) AS without"
    ends = f"min({spelling.column}) AS first, max({spelling.column}) AS last"
    found = _all(settings, f"SELECT {spelling.hour} AS hour, {counted}, {ends} FROM {place} AS t GROUP BY 1 ORDER BY 1")
    moments = {name: pd.to_datetime(found[name], utc=True, format="ISO8601") for name in ("hour", "first", "last")}
    return pd.DataFrame({**moments, "rows": found["n"].astype("int64"), "unlabelled": found["without"].astype("int64")})


def doubled(settings: "Settings", table: str, key: Sequence[str]) -> int:
    """Return how many keys stand in more than one row."""
    named = ", ".join(f"t.{quoted(settings, name)}" for name in key)
    query = f"SELECT 1 FROM {reference(settings, table)} AS t GROUP BY {named} HAVING count(*) > 1"
    return int(_all(settings, f"SELECT count(*) AS n FROM ({query}) AS doubled")["n"].iloc[0])


def _placed(settings: "Settings", table: str) -> tuple[str | None, str]:
    """Return the schema, or None for the default one, and the name of a table, as `tables` lists it."""
    known = tables(settings)
    if table not in known:
        told = ", ".join(known[:NAMED]) + (", …" if len(known) > NAMED else "")
        raise DataError(f"Connection `{settings.name}` has no table {table!r}; it has {told or 'none'}. Give --table.")
    schema, separator, name = table.partition(".")
    with _failures(settings, "list of tables"), _engine(settings).connect() as connection:
        is_whole = not separator or inspect(connection).has_table(table)
    return (None, table) if is_whole else (schema, name)


def _sql_type(kind: Any) -> str:
    zone = " with time zone" if getattr(kind, "timezone", False) else ""
    return str(kind).lower().removesuffix(zone) + zone


def _all(settings: "Settings", query: str) -> pd.DataFrame:
    with _failures(settings, "table"), _engine(settings).connect() as connection:
        result = connection.execute(text(query))
        return pd.DataFrame(result.fetchall(), columns=list(result.keys()))


def _query(spec: ModelSpec) -> str:
    """Return the query without its comment lines, where a ``:name`` would be taken for a parameter."""
    lines = spec.source.query.read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("--"))


def _checked(frame: pd.DataFrame, spec: ModelSpec, interval: Interval, as_of: datetime) -> pd.DataFrame:
    named = [*spec.key_columns, spec.time_column, *spec.features, *spec.observed, spec.label]
    named += [column for column in (spec.void_column, spec.known_at_column) if column]
    missing = sorted(set(named) - set(frame.columns))
    if missing:
        raise DataError(
            f"The query {spec.source.query.name} returns no column {', '.join(missing)}; it returns "
            f"{', '.join(frame.columns)}. Mend the query or the spec {spec.name!r}."
        )
    if twice := sorted({column for column in named if list(frame.columns).count(column) > 1}):
        raise DataError(
            f"The query {spec.source.query.name} returns {', '.join(twice)} more than once. Name each column once."
        )
    try:
        frame = typed(frame[list(dict.fromkeys(named))], spec)
    except ValueError as error:
        raise DataError(f"The query {spec.source.query.name} returns a moment that is none: {_first(error)}.") from None
    outside = (frame[spec.time_column] < interval.start) | (frame[spec.time_column] >= interval.end)
    if outside.any():
        raise DataError(
            f"{int(outside.sum())} of {len(frame)} rows lie outside [{interval.start.isoformat()}, "
            f"{interval.end.isoformat()}). Bind :start and :end in {spec.source.query.name}, end excluded."
        )
    return frame if spec.known_at_column is None else frame[frame[spec.known_at_column] <= as_of]


def _first(error: ValueError) -> str:
    """Return what pandas found, without its advice to whoever calls it."""
    return str(error).partition(". ")[0].rstrip(".")


def typed(frame: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
    """Return columns as this door gives them: moments in UTC, numbers as float64, classes and all else as text.

    Raises ValueError for a moment that is none.
    """
    moments = {spec.time_column, spec.known_at_column}
    numbers = {*spec.numeric, spec.label, spec.void_column}
    columns = {name: _column(frame[name], name in moments, name in numbers) for name in frame.columns}
    if spec.task == MULTICLASS:
        columns[spec.label] = _classes(frame[spec.label])
    return pd.DataFrame(columns, index=frame.index)


def _classes(values: pd.Series) -> pd.Series:
    """Return classes as text: 1 is 1.0 where a NULL stands beside it, and has to be the same class."""
    whole = [int(one) if isinstance(one, float) and one.is_integer() else one for one in values]
    return pd.Series(whole, values.index, dtype="object").astype("string").astype("str").where(values.notna(), None)


def _column(values: pd.Series, is_moment: bool, is_number: bool) -> pd.Series:
    if is_moment:
        return pd.to_datetime(values, utc=True, format="ISO8601").astype("datetime64[us, UTC]")
    with contextlib.suppress(ValueError, TypeError):
        if is_number or pd.api.types.infer_dtype(values, skipna=True) in NUMBERS:
            return pd.to_numeric(values).astype("float64")
    return values.astype("string").astype("str").where(values.notna(), None)  # wrong types reach validation as text


def _engine(settings: "Settings") -> Engine:
    if settings.kind == SQLITE:
        if not Path(settings.host).is_file():
            raise Unavailable(f"Connection `{settings.name}`: there is no SQLite file {settings.host}.")
        return create_engine(f"sqlite:///file:{settings.host}?mode=ro&uri=true")
    if settings.kind in {"postgres", "postgresql"}:
        parts: dict[str, Any] = {"username": settings.login, "password": settings.password, "host": settings.host}
        url = URL.create("postgresql+psycopg2", port=settings.port, database=settings.schema, **parts)
        return create_engine(url, connect_args={"connect_timeout": TIMEOUT_S})
    raise ConnectionInvalid(f"Connection `{settings.name}` is of type {settings.kind!r}; expected sqlite or postgres.")


@contextlib.contextmanager
def _failures(settings: "Settings", asked: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        words = str(getattr(error, "orig", error)).strip()
        if _is_refusal(error, words):
            raise CredentialsError(
                f"Connection `{settings.name}` was refused: {words}. Check its login and password."
            ) from None
        if _is_unreachable(error, words):
            raise Unavailable(f"Connection `{settings.name}` ({settings.host}) did not answer: {words}") from error
        told = _without_values(error, words)
        raise DataError(f"The {asked} failed: {told}. Mend the query or the table.") from None


def _without_values(error: SQLAlchemyError, words: str) -> str:
    """Return what the server says; of a value that it refuses it quotes the value, which may be personal."""
    if not str(getattr(getattr(error, "orig", None), "pgcode", "") or "").startswith(REFUSED_VALUE):
        return words
    return QUOTED.sub('"(hidden)"', words.partition("\n")[0])


def _is_refusal(error: SQLAlchemyError, words: str) -> bool:
    return isinstance(error, DBAPIError) and any(refusal in words.lower() for refusal in REFUSALS)


def _is_unreachable(error: SQLAlchemyError, words: str) -> bool:
    if not isinstance(error, DBAPIError):
        return False
    known = (
        "unable to open",
        "database is locked",
        "could not connect",
        "could not translate host name",
        "connection to server",
        "connection refused",
        "connection reset",
        "connection timed out",
        "connection already closed",
        "terminating connection",
        "timeout expired",
        "server closed",
    )
    return error.connection_invalidated or any(sign in words.lower() for sign in known)
