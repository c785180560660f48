"""Prints what all processes counted, once they are done."""

import json
import os
from pathlib import Path
from typing import Any

from tests.faults import matrix, wire
from tests.retraining import disk

DOORS = {"folder": disk, "S3": wire}
TOTALS_FILE = "FAULTS_JSON"
"""Environment variable: where the totals are written, for documents to quote."""


def pytest_terminal_summary(terminalreporter) -> None:
    """Print a matrix and its totals for each door."""
    folder = os.environ.get(matrix.TOTALS)
    if not folder or hasattr(terminalreporter.config, "workerinput"):
        return
    totals = {}
    for door, found in matrix.gathered(Path(folder)).items():
        terminalreporter.section(f"{door}: injections by call and fault")
        possible = DOORS[door].POSSIBLE
        columns = dict.fromkeys(column for kinds in possible.values() for column in kinds)
        for line in [*matrix.drawn(found, columns, possible), f"- is impossible. {DOORS[door].NATURE}"]:
            terminalreporter.write_line(line)
        totals[door] = summed(found, len(found.empty_cells(possible)))
    terminalreporter.section("totals")
    for door, counted in totals.items():
        for what, count in counted.items():
            terminalreporter.write_line(f"{door}: {count:,} {what}")
    if path := os.environ.get(TOTALS_FILE):
        Path(path).write_text(json.dumps(totals, indent=1) + "\n")


def summed(found: matrix.Matrix, empty: int) -> dict[str, Any]:
    """Return the totals of one door."""
    rows = {row for row, _ in found.counts}
    counts = {"injections": sum(found.counts.values()), "kinds of calls": len(rows), "cells": len(found.counts)}
    return {**counts, "empty cells": empty, **dict(sorted(found.facts.items()))}
