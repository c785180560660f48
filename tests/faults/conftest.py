"""Prints what all processes counted, once they are done."""

import os
from pathlib import Path

from tests.faults import matrix, wire
from tests.retraining import disk

POSSIBLE = {"folder": disk.POSSIBLE, "S3": wire.POSSIBLE}


def pytest_terminal_summary(terminalreporter) -> None:
    """Print a matrix and its total for each door."""
    folder = os.environ.get(matrix.TOTALS)
    if not folder or hasattr(terminalreporter.config, "workerinput"):
        return
    for door, found in matrix.gathered(Path(folder)).items():
        possible = POSSIBLE[door]
        columns = dict.fromkeys(column for kinds in possible.values() for column in kinds)
        terminalreporter.section(f"{door}: injections by call and fault; - is impossible by nature")
        for line in matrix.drawn(found, columns, possible):
            terminalreporter.write_line(line)
        empty = len(found.empty_cells(possible))
        total, cells = sum(found.counts.values()), len(found.counts)
        terminalreporter.write_line(f"{door}: {total:,} injections in {cells} cells, {empty} of them empty")
        for fact, count in sorted(found.facts.items()):
            terminalreporter.write_line(f"{door}: {count:,} {fact}")
