"""The catalogue as a table in docs/validation.md, between two markers: `make docs-data` writes it."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from include.retraining.validation import Validation
from tests.conftest import ROOT
from tests.data.harness import Found, World, name, year
from tests.data.kinds import DAYS, ERROR, FAIL, KINDS, NONE, OPEN, Kind

DOCUMENT = ROOT / "docs" / "validation.md"
BEGIN, END = "<!-- catalogue: written by `make docs-data` -->", "<!-- end of the catalogue -->"
HEAD = "| kind of bad data | outcome | what notices it | what the user reads |"
LONGEST = 260
OTHERWISE = {ERROR: "the query's door", NONE: "too few rows", OPEN: "labels that have not come"}


def row(kind: Kind, found: Found) -> str:
    """Return what is told of one kind."""
    notices = list(map(_code, found.findings)) or [OTHERWISE.get(found.outcome, _unseen(kind, found))]
    if found.outcome == ERROR:
        notices = [OTHERWISE[ERROR], *notices]
    return _row(kind.title, _outcome(found.outcome), notices, found.sentence)


def day_row(day: str, rows: Validation) -> str:
    """Return what is told of one real day."""
    broken = [name(one) for one in rows.result["expectations"] if not one["success"]]
    return day_line(day, rows.outcome, broken)


def day_line(day: str, outcome: str, broken: Iterable[str]) -> str:
    """Return the line of a real day; its numbers are those of the weather."""
    return _row(
        f"{DAYS[day]} ({day})", _outcome(outcome), list(map(_code, sorted(broken))) or ["nothing"], "a real day"
    )


def _unseen(kind: Kind, found: Found) -> str:
    if not kind.is_harm:
        return "nothing: it does no harm"
    noticed = [f"drift: {', '.join(found.shifted)}"] if found.shifted else []
    noticed += ["a higher loss, once labels come"] if found.is_costly else []
    return f"**not validation**; {' and '.join(noticed) or 'nobody'}"


def _outcome(outcome: str) -> str:
    return f"**{outcome}**" if outcome in {FAIL, ERROR} else outcome


def _code(finding: str) -> str:
    return f"`{finding}`"


def _row(title: str, outcome: str, notices: Iterable[str], sentence: str) -> str:
    read = sentence if len(sentence) <= LONGEST else f"{sentence[: LONGEST - 1]}…"
    cells = (title, outcome, "<br>".join(notices), read)
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def written() -> list[str]:
    """Return the lines of the table in the document."""
    text = DOCUMENT.read_text()
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].split("\n")


def render(rows: Iterable[str]) -> str:
    """Return the document with another table in it."""
    text = DOCUMENT.read_text()
    table = "\n".join(["", HEAD, "|---|---|---|---|", *rows, ""])
    return text[: text.index(BEGIN) + len(BEGIN)] + table + text[text.index(END) :]


def main() -> None:
    """Meet every kind and every day, and write what is told of them."""
    with tempfile.TemporaryDirectory() as folder:
        world = World.begun(Path(folder))
        rows = [row(kind, world.meet(kind)) for kind in KINDS.values()]
        days = {str(day): found for day, found, _ in year(Path(folder))}
    DOCUMENT.write_text(render([*rows, *(day_row(day, days[day]) for day in DAYS)]))


if __name__ == "__main__":
    main()
