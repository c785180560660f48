"""Pure: what a result says, as the lists show it: an expectation's judgement, a page of Data Docs, an interval."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from sys import intern
from typing import Any
from zoneinfo import ZoneInfo

from include.retraining import keys, phrases
from include.retraining.windows import Interval

GRAVITY = {"unknown": 0, "pass": 1, "warn": 2, "fail": 3}
LOOKS = {"critical": "fail", "warning": "warn"}
LARGEST = 1e100
"""What is larger is shown in words, and not drawn."""
LONGEST_SEARCH = 100


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one validation found of one expectation."""

    id: str
    """The same in every result: of what it is on, its type, column, severity and source, and its place among equals."""
    on: str
    type: str
    column: str
    severity: str
    success: bool
    limit: str
    observed: str
    notes: str = ""
    source: str = "suite"
    judged: bool = True
    number: float | None = None
    is_share: bool = False
    """The number is the share of rows that are unexpected."""
    low: float | None = None
    high: float | None = None

    @property
    def state(self) -> str:
        """Return ``held``, ``failed`` or ``unjudged``."""
        if self.success:
            return "held" if self.judged else "unjudged"
        return "failed"

    @property
    def look(self) -> str:
        """Return the colour of its severity."""
        return LOOKS.get(self.severity, "plain")

    @property
    def wanted(self) -> str:
        """Return what it asks for."""
        return f"{self.column}: {self.limit}" if self.column else self.limit

    @property
    def words(self) -> str:
        """Return what it asks for, and what was found."""
        return f"{self.wanted} (found {self.observed})"


@dataclass(frozen=True)
class Document:
    """One page of Data Docs, and what its result says in short."""

    name: str
    on: str = "snapshot"
    outcome: str = "unknown"
    rows: int | None = None
    sentence: str = "Its result cannot be read."
    judgements: tuple[Judgement, ...] = ()
    timezone: str = "UTC"
    set_aside: str = ""
    """How many rows were set aside, in words."""
    as_of: str = ""
    """When its rows were frozen; told only where an interval has several."""
    is_superseded: bool = False
    """The same rows have been validated again, by a later suite."""

    @property
    def failed(self) -> tuple[Judgement, ...]:
        """Return what did not hold, the gravest first."""
        return tuple(sorted((one for one in self.judgements if not one.success), key=gravity))

    @property
    def rows_digest(self) -> str:
        """Return the start of the digest of its rows."""
        return self.name.partition("-")[0]


@dataclass(frozen=True)
class Entry:
    """One interval and its pages."""

    interval: Interval
    documents: tuple[Document, ...]

    @property
    def span(self) -> str:
        """Return the interval as addresses name it."""
        return keys.span(self.interval)

    @property
    def outcome(self) -> str:
        """Return the gravest outcome."""
        return max((document.outcome for document in self.documents), key=GRAVITY.__getitem__)

    @property
    def timezone(self) -> str:
        """Return where its bounds are read off the clock."""
        return next((one.timezone for one in self.documents if one.outcome != "unknown"), "UTC")

    @property
    def title(self) -> str:
        """Return the interval in words."""
        return phrases.day(self.interval.start, self.interval.end, self.timezone)

    @property
    def date(self) -> str:
        """Return the day on which it starts, as in ``2013-02-08``."""
        return f"{self.interval.start.astimezone(ZoneInfo(self.timezone)):%Y-%m-%d}"


@dataclass(frozen=True)
class Wanted:
    """Which intervals somebody looks for; nothing given means all."""

    outcome: str = ""
    """``pass``, ``warn`` or ``fail``."""
    failed: str = ""
    """The id of an expectation that did not hold."""
    text: str = ""
    """Words that all stand in the interval's date, or in one thing that did not hold."""

    def __bool__(self) -> bool:
        return bool(self.outcome or self.failed or self.text)

    @property
    def query(self) -> dict[str, str]:
        """Return what an address has to say to ask for the same."""
        return {name: value for name, value in asdict(self).items() if value}

    def admits(self, entry: Entry) -> bool:
        """Return whether an interval is one of them."""
        failed = [one for document in entry.documents for one in document.failed]
        return (
            self.outcome in ("", entry.outcome)
            and (not self.failed or self.failed in {one.id for one in failed})
            and (not self.text or self._is_found(entry, failed))
        )

    def _is_found(self, entry: Entry, failed: list[Judgement]) -> bool:
        words = [_beginning(word) for word in self.text[:LONGEST_SEARCH].casefold().split()]
        date = f"{entry.title} {entry.date}"
        texts = [f"{date} {one.severity} {one.type} {one.words}".casefold() for one in failed] or [date.casefold()]
        return any(all(word.search(text) for word in words) for text in texts)


def _beginning(word: str) -> re.Pattern[str]:
    """Return what finds a word by its beginning, and a number only as a whole: ``9`` is not the 19th."""
    return re.compile(r"(?<![^\W_])" + re.escape(word) + (r"(?!\d)" if word[-1].isdigit() else ""))


def gravity(judgement: Judgement) -> int:
    """Return what to sort by so that the gravest comes first."""
    return phrases.SEVERITY_ORDER[judgement.severity]


def summary(name: str, result: dict[str, Any]) -> Document:
    """Return what a result says; raises KeyError, TypeError or ValueError where it is none of ours."""
    on, quarantined = result.get("on", "snapshot"), result.get("quarantined")
    return Document(
        name=name,
        on=on,
        outcome=result["outcome"] if result["outcome"] in GRAVITY else "unknown",
        rows=result["rows"],
        sentence=result["sentence"],
        judgements=tuple(_judgements(on, result["expectations"])),
        timezone=result.get("timezone", "UTC"),
        set_aside=phrases.set_aside(quarantined) if quarantined else "",
    )


def _judgements(on: str, rows: Iterable[dict[str, Any]]) -> Iterable[Judgement]:
    """Yield a result's rows; what most results have in common is kept in memory once."""
    seen: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        source = "default" if row.get("source") == "default" else "suite"
        alike = (on, row["type"], row["column"] or "", row["severity"], source)
        seen[alike] += 1
        yield Judgement(
            id=identity(*alike, str(seen[alike])),
            on=intern(on),
            type=intern(row["type"]),
            column=intern(row["column"] or ""),
            severity=_known(row["severity"]),
            success=bool(row["success"]),
            limit=intern(row["limit"]),
            observed=intern(row["observed"]),
            notes=intern(row.get("notes") or ""),
            source=source,
            judged=row.get("judged") is not False,
            number=_number(row.get("number")),
            is_share=row.get("unexpected_ratio") is not None,
            low=_number(row.get("low")),
            high=_number(row.get("high")),
        )


def identity(*parts: str) -> str:
    """Return the id of an expectation, from what it is on, type, column, severity, source and place among equals."""
    return intern(hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12])


def _known(severity: str) -> str:
    if severity not in phrases.SEVERITY_ORDER:
        raise ValueError(f"unknown severity {severity!r}")
    return intern(severity)


def _number(value: Any) -> float | None:
    """Return a number that can be drawn; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -LARGEST <= value <= LARGEST else None  # neither infinite nor not a number
