"""Door: a CSV or Parquet file becomes one table of a SQLite file beside it, in chunks, whole or not at all."""

import contextlib
import csv
import gzip
import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from include.retraining.errors import DataError
from include.retraining.looks import ISO

CSV, PARQUET = (".csv", ".tsv", ".txt", ".csv.gz"), (".parquet", ".pq")
TABLE = "rows_of_file"
CHUNK_ROWS = 50_000
HEAD_LINES = 50
MARK = 0x52657472
"""SQLite's `application_id` of files that are made here: no other database is ever replaced."""
DECIMAL = re.compile(r"-?\d+,\d+")
DATES = {
    "%d.%m.%Y": re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}"),
    "%d.%m.%Y %H:%M": re.compile(r"\d{1,2}\.\d{1,2}\.\d{4} \d{1,2}:\d\d"),
    "%d.%m.%Y %H:%M:%S": re.compile(r"\d{1,2}\.\d{1,2}\.\d{4} \d{1,2}:\d\d:\d\d"),
}
SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/\d{4}( \d{1,2}:\d\d(:\d\d)?)?")
KINDS = {"number": "DOUBLE PRECISION", "whole": "BIGINT", "moment": "TIMESTAMP", "text": "TEXT"}


def is_file(name: str) -> bool:
    """Return whether a name is that of a file rather than of a Connection."""
    return name.lower().endswith(CSV + PARQUET) or "/" in name or "." in name or Path(name).exists()


def load(source: Path, target: Path) -> str:
    """Write a file's rows into a new SQLite file, with their line numbers, and return the column of those.

    Parameters
    ----------
    source : Path
        CSV (comma, semicolon, tab or ``|``; UTF-8) or Parquet.
    target : Path
        Must not exist. Moments become UTC texts as the warehouse door binds them.

    Raises
    ------
    DataError
        It cannot be read as a table; the message says why.
    """
    try:
        frames = _parquet(source) if source.name.lower().endswith(PARQUET) else _csv(source)
        with contextlib.closing(sqlite3.connect(target)) as connection:
            return _write(frames, source, connection)
    except FileNotFoundError:
        raise DataError(
            f"There is no file {source}. Give a CSV or Parquet file, or a Connection and --table."
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{source} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    except (
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        csv.Error,
        pa.ArrowInvalid,
        gzip.BadGzipFile,
        EOFError,
    ) as error:
        told = " ".join(str(error).split())
        raise DataError(f"{source} cannot be read as a table: {told}. Mend it, or save it as Parquet.") from None
    except (OSError, sqlite3.Error) as error:
        raise DataError(f"{source} cannot be loaded into {target}: {error}. Check the folder and its space.") from None


def copy_of(source: Path) -> Path:
    """Return the SQLite file beside a file that holds its rows."""
    return source.with_name(f"{source.name}.sqlite")


@contextlib.contextmanager
def replacing(source: Path) -> Iterator[Path]:
    """Yield a part that takes the place of a file's copy when all has gone well, and else is gone."""
    target = copy_of(source)
    if target.exists() and not is_ours(target):
        raise DataError(f"{target} exists and was not made by init. Move it, or name the data file otherwise.")
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        yield part
        part.chmod(source.stat().st_mode & 0o666)  # whoever may not read the file may not read its copy
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def is_ours(path: Path) -> bool:
    """Return whether a SQLite file was made by this room."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("PRAGMA application_id").fetchone()[0] == MARK)
    except sqlite3.Error:
        return False


def _csv(source: Path) -> Iterator[pd.DataFrame]:
    head = _head(source)
    if not head:
        raise DataError(f"{source} is empty. Give a file with a line of column names and rows.")
    separator = _separator(head)
    first = next(csv.reader(head[:1], delimiter=separator))
    _refuse_names(source, first)
    found = pd.read_csv(source, sep=separator, dtype="str", encoding="utf-8-sig", chunksize=CHUNK_ROWS, index_col=False,
                        names=first, skiprows=1, skipinitialspace=True)  # fmt: skip
    with found as chunks:
        yield from chunks


def _head(source: Path) -> list[str]:
    is_packed = source.name.lower().endswith(".gz")
    opened: IO[str]
    with gzip.open(source, "rt", encoding="utf-8-sig") if is_packed else source.open(encoding="utf-8-sig") as opened:
        return [line for _, line in zip(range(HEAD_LINES), opened, strict=False)]


def _separator(head: Sequence[str]) -> str:
    """Return the separator that gives every line of the head as many fields as the first, the most of them."""
    best, most = ",", 1
    for separator in (",", ";", "\t", "|"):
        fields = [len(row) for row in csv.reader(head, delimiter=separator) if row]
        if len(set(fields[:-1] or fields)) == 1 and fields[0] > most:  # the last line may be cut within quotes
            best, most = separator, fields[0]
    return best


def _refuse_names(source: Path, names: Sequence[str]) -> None:
    lower = [name.strip().lower() for name in names]
    if twice := sorted({name for name, low in zip(names, lower, strict=True) if lower.count(low) > 1}):
        raise DataError(f"{source} has columns of one name: {twice}. Give each column a name of its own.")
    if "" in lower or all(re.fullmatch(r"[-+\d.,:]+", name) for name in lower):
        raise DataError(f"{source} has no names in its first line: {list(names)[:8]}. Add a line of column names.")


def _parquet(source: Path) -> Iterator[pd.DataFrame]:
    found = pq.ParquetFile(source)
    _refuse_names(source, found.schema_arrow.names)
    for batch in found.iter_batches(batch_size=CHUNK_ROWS):
        yield batch.to_pandas()


def _write(frames: Iterator[pd.DataFrame], source: Path, connection: sqlite3.Connection) -> str:
    kinds: dict[str, str] = {}
    count, line = 0, "line"
    connection.execute("PRAGMA journal_mode = OFF")  # the file gets its name only when it is whole
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(f"PRAGMA application_id = {MARK}")
    for frame in (one for one in frames if len(one)):
        if not kinds:
            kinds = {name: _kind(frame[name], source) for name in frame.columns}
            line = _free("line", kinds)
            named = ", ".join(f"{_quoted(name)} {KINDS[kind.partition(' ')[0]]}" for name, kind in kinds.items())
            connection.execute(f"CREATE TABLE {TABLE} ({named}, {_quoted(line)} BIGINT)")
        columns = [_values(frame[name], kind) for name, kind in kinds.items()]
        numbers = range(count + 1, count + len(frame) + 1)
        marks = ", ".join("?" * (len(kinds) + 1))
        connection.executemany(f"INSERT INTO {TABLE} VALUES ({marks})", zip(*columns, numbers, strict=True))
        count += len(frame)
    if not kinds:
        raise DataError(f"{source} has no rows. Give a file with rows.")
    for name, kind in kinds.items():
        if kind.startswith("moment"):
            connection.execute(f"CREATE INDEX {_quoted(f'by {name}')} ON {TABLE} ({_quoted(name)})")
    connection.commit()
    return line


def _free(name: str, taken: dict[str, str]) -> str:
    lower = {one.lower() for one in taken}
    return next(one for one in (name, *(f"{name}_{number}" for number in range(2, 999))) if one not in lower)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _kind(values: pd.Series, source: Path) -> str:
    """Return what the first chunk shows a column to be: number, whole, ``moment`` and its format, or text."""
    if known := {"M": "moment", "i": "whole", "u": "whole", "b": "whole", "f": "number"}.get(values.dtype.kind):
        return known
    present = values.dropna().astype("str").str.strip()
    if present.empty:
        return "text"
    if present.str.fullmatch(ISO).all():
        return "moment ISO8601"
    dated = next((written for written, form in DATES.items() if present.str.fullmatch(form).all()), None)
    if dated:
        return f"moment {dated}"
    return _slashed(present, source) if present.str.fullmatch(SLASHED).all() else _number_kind(present)


def _slashed(present: pd.Series, source: Path) -> str:
    parts = present.str.extract(SLASHED)
    first, second = (int(pd.to_numeric(parts[place]).max()) for place in (0, 1))
    if (first > 12) == (second > 12):
        raise DataError(
            f"{source}: {present.name!r} holds dates like {present.iloc[0]}, of which nobody can tell day and month. "
            "Write them like 2024-01-31."
        )
    clock = parts[2].dropna()
    colons = set(clock.str.count(":"))
    if len(colons) > 1 or 0 < len(clock) < len(parts):
        return "text"
    time = {1: " %H:%M", 2: " %H:%M:%S"}[colons.pop()] if colons else ""
    return f"moment {'%d/%m/%Y' if first > 12 else '%m/%d/%Y'}{time}"


def _number_kind(present: pd.Series) -> str:
    """Return whole, number, ``number ,`` where a comma is the decimal sign, or text; 007 is a code."""
    lower = present.str.lower()
    if lower.isin(["true", "false"]).all():
        return "whole bool"
    if present.str.fullmatch(r"[-+]?0\d+").any():
        return "text"
    if present.str.fullmatch(r"[-+]?\d{1,18}").all():
        return "whole"
    if not pd.to_numeric(present, errors="coerce").isna().any():
        return "number"
    if present.str.fullmatch(rf"{DECIMAL.pattern}|-?\d+").all():
        return "number ,"
    return "text"


def _values(values: pd.Series, kind: str) -> list[object]:
    """Return plain values; what is not of its column's kind stays a text, so that validation sees it."""
    what, _, how = kind.partition(" ")
    if what == "text":
        return [None if missing else str(one) for one, missing in zip(values, values.isna(), strict=True)]
    texts = values.astype("str").str.strip().str.lower() if how in {",", "bool"} else values
    if what == "moment":
        moments = pd.to_datetime(values, utc=True, format=how or None, errors="coerce")
        plain, wrong = _moments(moments), moments.isna() & values.notna()
    else:
        texts = texts.map({"true": "1", "false": "0"}) if how == "bool" else texts
        numbers = pd.to_numeric(texts.str.replace(",", ".") if how == "," else texts, errors="coerce")
        plain, wrong = _numbers(numbers), numbers.isna() & values.notna()
    if wrong.any():
        for place in np.flatnonzero(wrong):
            plain[place] = str(values.iloc[place])
    return plain


def _numbers(values: pd.Series) -> list[object]:
    return list(values.astype("object").where(values.notna(), None).tolist())


def _moments(values: pd.Series) -> list[object]:
    naive = values.dt.tz_localize(None).to_numpy("datetime64[us]")
    texts = np.strings.replace(np.datetime_as_string(naive, unit="us"), "T", " ")
    return [None if missing else str(one) for one, missing in zip(texts, np.isnat(naive), strict=True)]
