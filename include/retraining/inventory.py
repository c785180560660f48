"""Pure: what a listing names, as groups that are complete or absent as a whole, each in the order of its deletion."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from include.retraining import keys
from include.retraining.keys import Place
from include.retraining.windows import Interval

if TYPE_CHECKING:
    from include.retraining.store import Stored

LEFTOVERS, UNKNOWN = "leftovers", "unknown"
HEADED = {"snapshots", "labels", "validations", "predictions", "candidates", "versions"}
"""Kinds of which a group without its head does not exist. A run that was never pinned is told by its record alone."""
Id = tuple[str, Interval | None, str]


@dataclass(frozen=True)
class Group:
    """Objects of one kind that are complete or absent together."""

    kind: str
    interval: Interval | None
    name: str
    objects: tuple["Stored", ...]
    """At least one, the head first: deleted in this order, a group is complete or absent at every moment."""
    has_head: bool

    @property
    def id(self) -> Id:
        """What tells it from every other group of the model."""
        return self.kind, self.interval, self.name

    @property
    def is_complete(self) -> bool:
        """Whether it exists; else it is being written, or was left by a crash."""
        return self.has_head or self.kind not in HEADED

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its objects."""
        return tuple(one.key for one in self.objects)

    @property
    def size_bytes(self) -> int:
        """The size of its objects together."""
        return sum(one.size_bytes for one in self.objects)

    @property
    def oldest(self) -> datetime:
        """When its first object was written."""
        return min(one.modified_at for one in self.objects)

    @property
    def newest(self) -> datetime:
        """When its last object was written: its age is counted from here."""
        return max(one.modified_at for one in self.objects)


def take(model: str, listed: Iterable["Stored"], leftovers: Iterable["Stored"] = ()) -> list[Group]:
    """Return what lies below a model's prefix, group by group.

    Parameters
    ----------
    model : str
    listed, leftovers
        What the store's ``list`` and ``leftovers`` give for the model's prefix.
    """
    found: dict[Id, list[tuple[Place, Stored]]] = {}
    for stored in listed:
        place = keys.place(model, stored.key) or Place(UNKNOWN, None, stored.key, "")
        found.setdefault((place.kind, place.interval, place.group), []).append((place, stored))
    left = [Group(LEFTOVERS, None, one.key, (one,), has_head=False) for one in leftovers]
    return [_group(id_, parts) for id_, parts in found.items()] + left


def placed(model: str, listed: "Iterable[Stored]") -> "Iterator[tuple[Place, Stored]]":
    """Yield what a listing names under keys that are built here, each with its place.

    What else lies between (a console's folder marker, ``.DS_Store``) is nobody's, and stands in nobody's way.
    """
    for stored in listed:
        if place := keys.place(model, stored.key):
            yield place, stored


def _group(id_: Id, parts: "list[tuple[Place, Stored]]") -> Group:
    """Return a group whose records, the highest of which is current, come lowest first."""
    ordered = sorted(parts, key=lambda one: (one[0].part not in keys.HEADS, len(one[0].part), one[0].part))
    has_head = ordered[0][0].part in keys.HEADS
    return Group(*id_, tuple(stored for _, stored in ordered), has_head)
