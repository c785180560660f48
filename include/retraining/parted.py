"""Rows of which only a part is in memory at once: a Parquet file of this machine, read by parts or by columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Hashes = npt.NDArray[Any]
COMPRESSION = "zstd"
BUFFER_BYTES = 1 << 20
"""How much of a column is read ahead: without it, all that a row group has of the column."""
COPIES = 4
"""So often Great Expectations has a column at once when it judges it: what is missing, what is left, what is found."""


@dataclass(frozen=True)
class Parted:
    """A Parquet file of a snapshot or of labels, and how many of its rows may be in memory at once.

    Its numbers are float64 and the rest text or moments, as the warehouse door gives them: no part has another type.
    """

    path: Path
    rows_at_once: int

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    @cached_property
    def columns(self) -> list[str]:
        """Return the names of all columns, in their order."""
        return list(self._file.schema_arrow.names)

    def rows_of(self, columns: Sequence[str]) -> int:
        """Return how many rows of a few columns, with what is made of them, need no more room than a part of all."""
        return self.rows_at_once * max(1, len(self.columns) // (COPIES * max(1, len(columns))))

    def parts(self, columns: Sequence[str] | None = None, most: int | None = None) -> Iterator[pd.DataFrame]:
        """Yield all rows in order, some columns, ``most`` (or ``rows_at_once``) at a time; the index counts rows."""
        known = set(self.columns)
        wanted = None if columns is None else [name for name in columns if name in known]
        start = 0

        def counted(batch: Any) -> pd.DataFrame:
            nonlocal start
            start += batch.num_rows
            return _frame(batch).set_axis(pd.RangeIndex(start - batch.num_rows, start))

        for group in range(self._file.num_row_groups):  # each by itself: Arrow keeps what it has read until the end
            batches = self._file.iter_batches(most or self.rows_at_once, [group], wanted)
            yield from map(counted, batches)  # a loop would hold the last part while the next is read

    def whole(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return all rows of some columns, shape (n_rows, n_columns)."""
        known = set(self.columns)
        return _frame(self._file.read([name for name in columns if name in known]))

    def none(self) -> pd.DataFrame:
        """Return a frame of all columns without a row."""
        return _frame(self._file.schema_arrow.empty_table())

    def is_full(self, column: str) -> bool:
        """Return whether the file itself says that a column of texts, moments or whole numbers misses no value."""
        import pyarrow as pa

        place = self.columns.index(column)
        if pa.types.is_floating(self._file.schema_arrow.field(place).type):
            return False  # not a number is a missing value, and not counted there
        groups = (self._file.metadata.row_group(group) for group in range(self._file.num_row_groups))
        chunks = [group.column(place) for group in groups]
        told = [one.statistics for one in chunks if one.path_in_schema == column]
        return len(told) == len(chunks) and all(one and one.has_null_count and not one.null_count for one in told)

    @cached_property
    def _file(self) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetFile(self.path, buffer_size=BUFFER_BYTES)


Rows = pd.DataFrame | Parted


def parts_of(rows: Rows, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """Yield rows part by part; a frame is one part."""
    if isinstance(rows, Parted):
        yield from rows.parts(columns)
    else:
        yield rows if columns is None else rows[list(columns)]


def doubled(rows: Parted, columns: Sequence[str]) -> pd.DataFrame:
    """Return the rows that may stand twice in some columns, by their place in the file; every other stands once.

    Equal rows have equal hashes, so that none is missed; two rows that only have the same hash are in it as well, and
    whoever compares them sees that. It costs 8 bytes a row, and what is returned.
    """
    hashes = np.empty(len(rows), dtype=np.uint64)
    for part in rows.parts(columns):
        hashes[part.index[0] : part.index[-1] + 1] = hashes_of(part)
    hashes.sort()
    twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    del hashes
    found = [part[is_among(hashes_of(part), twice)] for part in rows.parts(columns)] if len(twice) else []
    return pd.concat(found) if found else rows.none()[list(columns)]


def hashes_of(frame: pd.DataFrame) -> Hashes:
    """Return one hash a row, shape (n_rows,): equal where rows are equal, -0.0 and 0.0 and all missing values too."""
    alike = frame.copy(deep=False)
    for name, values in frame.select_dtypes("float").items():
        alike[name] = np.where(values.isna(), np.nan, values.to_numpy() + 0.0)
    return pd.util.hash_pandas_object(alike, index=False).to_numpy(dtype=np.uint64)


def is_among(found: Hashes, known: Hashes) -> npt.NDArray[np.bool_]:
    """Return, for each hash, whether it is among sorted ones, without a table of all of them."""
    if not len(known):
        return np.zeros(len(found), dtype=bool)
    places = np.minimum(np.searchsorted(known, found), len(known) - 1)
    there: npt.NDArray[np.bool_] = known[places] == found
    return there


def write(path: Path, parts: Iterator[pd.DataFrame], rows_at_once: int) -> Parted:
    """Write frames of the same columns into one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = (pa.Table.from_pandas(part, preserve_index=False) for part in parts)
    first = next(tables)
    with pq.ParquetWriter(path, first.schema, compression=COMPRESSION) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)
    return Parted(path, rows_at_once)


def _frame(found: Any) -> pd.DataFrame:
    """Return a batch or a table of Arrow as pandas reads it from a file."""
    import pyarrow as pa

    table = pa.Table.from_batches([found]) if isinstance(found, pa.RecordBatch) else found
    del found
    frame: pd.DataFrame = table.to_pandas(self_destruct=True, split_blocks=True)
    return frame
