"""Pure: the table that ends a demo."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

HEAD = ("day", "rows", "validation", "champion's loss", "drift", "decision", "version")
_RIGHT = {"rows", "champion's loss"}


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Lay out run summaries, one line a day; a version that the day promoted has a star."""
    cells = [HEAD, *map(_cells, rows)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(HEAD))]
    lines = ["  ".join(_fit(line[n], widths[n], HEAD[n]) for n in range(len(HEAD))).rstrip() for line in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _cells(row: Mapping[str, object]) -> tuple[str, ...]:
    loss = row["champion_loss"]
    day = row["day"]
    return (
        f"{day:%a %d %b}" if isinstance(day, date) else str(day),
        f"{row['rows']:,}" if isinstance(row["rows"], int) else "-",
        str(row["validation"] or "-"),
        f"{loss:.4f}" if isinstance(loss, float) else "-",
        re.split("[.:]", str(row["drift"]))[0].lower() or "-",
        str(row["decision"] or "-"),
        (str(row["version"] or "-")) + (" *" if row["promoted"] else ""),
    )


def _fit(text: str, width: int, head: str) -> str:
    return text.rjust(width) if head in _RIGHT else text.ljust(width)


def notes(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Say why, for each day that did anything but keep the champion or whose data had drifted."""
    told = []
    for row in rows:
        if row["decision"] != "keep" and row["reasons"]:
            told.append(f"{row['day']:%d %b}  {row['decision']}: {row['reasons']}")
        elif row["drift"] not in {"", "Stable."}:
            told.append(f"{row['day']:%d %b}  drift: {row['drift']}")
    return told
