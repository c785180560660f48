"""Door: a query becomes a frame, for one interval and as known at one moment."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from sqlalchemy import DateTime, bindparam, create_engine, text
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from include.retraining.errors import ConnectionInvalid, CredentialsError, DataError, Unavailable
from include.retraining.policies import MULTICLASS
from include.retraining.spec import ModelSpec
from include.retraining.windows import Interval

if TYPE_CHECKING:
    from include.retraining.connections import Settings

REFUSALS = ("authentication failed", 'role "', "permission denied", "access denied")
TIMEOUT_S = 10
NUMBERS = {"integer", "floating", "decimal", "mixed-integer-float", "boolean"}
"""What servers return for a number: Postgres gives Decimal where SQLite gives float."""


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
    bound = {name: moments[name].astimezone(UTC) for name in moments if f":{name}" in query}
    statement = text(query).bindparams(*(bindparam(name, type_=DateTime(timezone=True)) for name in bound))
    with _failures(settings, spec), _engine(settings).connect() as connection:
        result = connection.execute(statement, bound)
        frame = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
    return _checked(frame, spec, interval, as_of)


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
        frame = _typed(frame[list(dict.fromkeys(named))], spec)
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


def _typed(frame: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
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
    if settings.kind == "sqlite":
        if not Path(settings.host).is_file():
            raise Unavailable(f"Connection `{settings.name}`: there is no SQLite file {settings.host}.")
        return create_engine(f"sqlite:///file:{settings.host}?mode=ro&uri=true")
    if settings.kind in {"postgres", "postgresql"}:
        parts: dict[str, Any] = {"username": settings.login, "password": settings.password, "host": settings.host}
        url = URL.create("postgresql+psycopg2", port=settings.port, database=settings.schema, **parts)
        return create_engine(url, connect_args={"connect_timeout": TIMEOUT_S})
    raise ConnectionInvalid(f"Connection `{settings.name}` is of type {settings.kind!r}; expected sqlite or postgres.")


@contextlib.contextmanager
def _failures(settings: "Settings", spec: ModelSpec) -> Iterator[None]:
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
        raise DataError(f"The query {spec.source.query.name} failed: {words}. Mend the query or the table.") from error


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
