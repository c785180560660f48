"""Which fault struck where, and how often: rows are calls, columns are kinds of faults."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

TOTALS = "FAULTS_PARTS"
"""Environment variable: the folder where every process leaves what it counted."""
AREAS = {
    "candidates": "candidate",
    "versions": "version",
    "promotions": "log entry",
    "hints": "hint",
    "holds": "hold",
    "sweeps": "sweep",
    "snapshots": "snapshot",
    "labels": "labels",
    "runs": "record",
    "doctor": "probe",
}
TEMPORARY = ".~"
Row = tuple[str, str, str]
"""Step, call, and the kind of key."""


def kind_of(path: str) -> str:
    """Return what kind of key a path is, a temporary file and a folder by where they lie.

    >>> kind_of("parcels/versions/20240101-0000/manifest.json")
    'version manifest'
    """
    parts = path.split("/")
    area = next((AREAS[part] for part in parts[:2] if part in AREAS), "store")
    name = parts[-1]
    if name.startswith(TEMPORARY):
        return f"new {area}"
    if name == "." or ("." not in name and area != "probe"):
        return f"{area} folder"
    if name == "inputs.json":
        return "inputs"
    return f"{area} manifest" if area in {"candidate", "version"} and name == "manifest.json" else area


class Matrix:
    """Counts of injections of one door, to be left for whoever prints all of them."""

    def __init__(self, door: str) -> None:
        self.door = door
        self.counts: Counter[tuple[Row, str]] = Counter()
        self.facts: Counter[str] = Counter()

    def add(self, row: Row, column: str) -> None:
        self.counts[row, column] += 1

    def empty_cells(self, possible: Mapping[str, Iterable[str]]) -> list[tuple[Row, str]]:
        """Return what could have been injected and was not."""
        rows = {row for row, _ in self.counts}
        return sorted((row, column) for row in rows for column in possible[row[1]] if not self.counts[row, column])

    def leave(self, name: str) -> None:
        """Write what was counted where the process that reports finds it."""
        folder = os.environ.get(TOTALS)
        if folder:
            cells = [[*row, column, count] for (row, column), count in self.counts.items()]
            part = {"door": self.door, "cells": cells, "facts": self.facts}
            (Path(folder) / f"{name}.json").write_text(json.dumps(part))


def gathered(folder: Path) -> dict[str, Matrix]:
    """Return the matrix of each door, from the parts that the processes left."""
    found: dict[str, Matrix] = {}
    for path in sorted(folder.glob("*.json")):
        part = json.loads(path.read_text())
        matrix = found.setdefault(part["door"], Matrix(part["door"]))
        for step, call, kind, column, count in part["cells"]:
            matrix.counts[(step, call, kind), column] += count
        matrix.facts.update(part["facts"])
    return found


def drawn(matrix: Matrix, columns: Iterable[str], possible: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the matrix as lines of text; ``-`` is impossible by nature."""
    columns = list(columns)
    rows = sorted({row for row, _ in matrix.counts})
    widths = [max(len(part) for part in column.split()) for column in columns]
    named = [max((len(row[place]) for row in rows), default=0) for place in range(3)]
    heads = [column.split() for column in columns]
    lines = []
    for line in range(max(map(len, heads))):
        parts = [head[line] if line < len(head) else "" for head in heads]
        lines.append("  ".join([" " * (sum(named) + 4), *(p.rjust(w) for p, w in zip(parts, widths, strict=True))]))
    for row in rows:
        cells = [str(matrix.counts[row, one]) if one in possible[row[1]] else "-" for one in columns]
        name = "  ".join(part.ljust(width) for part, width in zip(row, named, strict=True))
        lines.append("  ".join([name, *(c.rjust(w) for c, w in zip(cells, widths, strict=True))]))
    return lines
