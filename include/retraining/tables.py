"""Pure: rows of plain values as the lines of a table, for terminals and task logs."""

from collections.abc import Sequence
from typing import Any


def render(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return a head and one line per row, in columns; no rows, no lines.

    >>> render([{"version": "a", "champion": True}, {"version": "bcd", "champion": False}])
    ['version  champion', 'a        yes', 'bcd']
    """
    if not rows:
        return []
    columns = list(rows[0])
    table = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in table) for place in range(len(columns))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in table]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return "-" if value is None else str(value)
