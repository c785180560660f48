"""Pure: what each expectation found interval after interval, the worst first."""

from collections.abc import Iterable
from dataclasses import dataclass

from include.retraining import phrases
from include.retraining.ui.documents import Document, Entry, Judgement, gravity

STATES = {"held": "held", "failed": "did not hold", "unjudged": "not judged yet"}


@dataclass(frozen=True)
class Point:
    """One expectation in one interval."""

    entry: Entry
    name: str
    """The page that tells all of it."""
    judgement: Judgement


@dataclass(frozen=True)
class Trend:
    """One expectation over time."""

    points: tuple[Point, ...]
    """The oldest first."""
    is_current: bool = True
    """The newest suite has it still."""

    @property
    def newest(self) -> Judgement:
        """Return the newest judgement, whose words stand for all."""
        return self.points[-1].judgement

    @property
    def id(self) -> str:
        """Return the id of the expectation."""
        return self.newest.id

    @property
    def judged(self) -> int:
        """Return in how many intervals there was something to judge by."""
        return sum(one.judgement.state != "unjudged" for one in self.points)

    @property
    def held(self) -> int:
        """Return in how many intervals it held."""
        return sum(one.judgement.state == "held" for one in self.points)

    @property
    def failed(self) -> int:
        """Return in how many intervals it did not hold."""
        return self.judged - self.held

    @property
    def share(self) -> float:
        """Return the share of the judged intervals in which it held; one if none was judged."""
        return self.held / self.judged if self.judged else 1.0

    @property
    def has_moving_limit(self) -> bool:
        """Return whether it asked for different things over time."""
        return len({one.judgement.limit for one in self.points}) > 1

    @property
    def words(self) -> str:
        """Return how often it held."""
        if not self.judged:
            return "Not judged yet"
        return f"Held on {self.held} of {self.judged} ({phrases.share(self.share)})"

    @property
    def description(self) -> str:
        """Return in words what a plot of it shows."""
        broken = [one for one in self.points if one.judgement.state == "failed"]
        last = f" The last one on which it did not: {broken[-1].entry.title}." if broken else ""
        intervals = "1 interval" if len(self.points) == 1 else f"{len(self.points)} intervals"
        return f"{intervals}. {self.words}.{last} Found last: {self.newest.observed}."


def trends(entries: Iterable[Entry]) -> list[Trend]:
    """Return one trend per expectation.

    Parameters
    ----------
    entries : iterable of Entry
        The newest first. Of several pages of one kind the first counts: the newest rows, by the latest suite.

    Returns
    -------
    list of Trend
        First those that did not hold at least once, the gravest severity and the smallest share before the others;
        then the others, in the order of the newest suite; last those that the newest suite has no more.
    """
    points: dict[str, list[Point]] = {}
    newest: dict[str, Entry] = {}
    for entry in entries:
        for document in _first_of_each_kind(entry):
            newest.setdefault(document.on, entry)
            for judgement in document.judgements:
                points.setdefault(judgement.id, []).append(Point(entry, document.name, judgement))
    found = [Trend(tuple(reversed(all_)), all_[0].entry is newest[all_[0].judgement.on]) for all_ in points.values()]
    return sorted(found, key=_worst)


def _first_of_each_kind(entry: Entry) -> list[Document]:
    kinds: dict[str, Document] = {}
    for document in entry.documents:
        if document.judgements:
            kinds.setdefault(document.on, document)
    return list(kinds.values())


def _worst(trend: Trend) -> tuple[bool, bool, int, float]:
    failed = bool(trend.failed)
    order = (gravity(trend.newest), trend.share) if failed else (0, 0.0)
    return (not trend.is_current, not failed, *order)
