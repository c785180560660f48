"""Pure: how SQLite and Postgres spell moments, which is where the SQL of the two differs."""

from dataclasses import dataclass
from datetime import timedelta

SQLITE, POSTGRES = "sqlite", "postgres"
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Spelling:
    """A table's time column in SQL."""

    column: str
    """Its moments as the query returns them."""
    bound: str
    """What it is compared with; ``{}`` stands for ``:start`` or ``:end``."""
    hour: str
    """The beginning of the hour, in UTC."""

    def within(self) -> str:
        """Return the condition of the rows of ``[:start, :end)``."""
        start, end = (self.bound.format(name) for name in (":start", ":end"))
        return f"{self.column} >= {start} AND {self.column} < {end}"


def spelled(server: str, column: str, sql_type: str, example: str | None) -> Spelling:
    """Return how a server spells a time column.

    Parameters
    ----------
    server : str
        The Connection's type.
    column : str
        The column as a query names it, quoted where it has to be.
    sql_type : str
        In lower case, as the server declares it.
    example : str or None
        A moment as text, where the column holds texts.
    """
    if server == SQLITE:
        return _in_sqlite(column, example)
    if example is not None:
        has_zone = example.endswith("Z") or "+" in example or "-" in example[10:]
        moment = f"CAST({column} AS timestamptz)"
        moment = moment if has_zone else f"(CAST({column} AS timestamp) AT TIME ZONE 'UTC')"
        return Spelling(moment, "{}", f"date_trunc('hour', {moment} AT TIME ZONE 'UTC')")
    if "with time zone" in sql_type:
        return Spelling(column, "{}", f"date_trunc('hour', {column} AT TIME ZONE 'UTC')")
    # A moment without a zone would be read in the session's; the bound is turned, so that an index still serves.
    return Spelling(column, "({} AT TIME ZONE 'UTC')", f"date_trunc('hour', CAST({column} AS timestamp))")


def _in_sqlite(column: str, example: str | None) -> Spelling:
    """Compare texts as the door binds moments: with six digits after the second."""
    hour = f"strftime('%Y-%m-%d %H:00:00', {column})"
    is_as_bound = example is not None and len(example) == len("2024-01-31 00:00:00.000000") and example[10] == " "
    return Spelling(column if is_as_bound else f"strftime('%Y-%m-%d %H:%M:%f000', {column})", "{}", hour)


def known(server: str, delay: timedelta) -> str:
    """Return the condition under which an interval's labels are known: so long after its end.

    >>> known("sqlite", timedelta(0)), known("postgres", timedelta(hours=36))
    (':end <= :as_of', ":end + INTERVAL '36 hours' <= :as_of")
    """
    if not delay:
        return ":end <= :as_of"
    number, unit = (delay // HOUR, "hours") if delay % HOUR == timedelta(0) else (int(delay.total_seconds()), "seconds")
    if server == SQLITE:
        return f"datetime(:end, '+{number} {unit}') <= :as_of"
    return f":end + INTERVAL '{number} {unit}' <= :as_of"
