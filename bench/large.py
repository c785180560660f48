"""``make bench-large``: a snapshot that no machine of ours holds in memory, validated by parts."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from bench.counting import megabytes, table
from bench.validating import OURS, measured, rows
from include.retraining import parted

SIZES = [int(size) for size in os.environ.get("BENCH_LARGE_ROWS", "1000000 10000000 50000000").split()]
CHUNK = 1_000_000


def report(folder: Path) -> None:
    """Print what validating larger and larger files of the same 20 columns costs, next to a frame of them."""
    frame_bytes = rows(CHUNK).memory_usage(deep=True).sum() / CHUNK
    lines = [["rows", "file MB", "as a frame MiB", "imports MiB", "peak MiB", "beyond imports MiB", "CPU s", "seconds"]]
    for size in SIZES:
        path = folder / "rows.parquet"
        parted.write(path, _chunks(size), CHUNK)
        found = measured(OURS, path)
        beyond = found["peak_mib"] - found["imports_mib"]
        told = [megabytes(path), frame_bytes * size / 2**20, found["imports_mib"], found["peak_mib"], beyond]
        lines.append([f"{size:,}", *(f"{one:,.0f}" for one in [*told, found["rest"], found["seconds"]])])
        path.unlink()
    table("Validating more than fits: 20 columns, 20 expectations, page included", lines)


def _chunks(size: int) -> Iterator[pd.DataFrame]:
    yield from (rows(min(CHUNK, size - start), start) for start in range(0, size, CHUNK))


def main() -> int:
    """Write the files one after another below TMPDIR, which needs 6 GB, and print one table."""
    with tempfile.TemporaryDirectory(prefix="retraining-bench-") as name:
        report(Path(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
